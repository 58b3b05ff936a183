"""What a package is written from: the candidate, the decision about it, and what was measured."""

from dataclasses import dataclass

from edgesr.package.choice import Decision
from edgesr.package.golden import Golden
from edgesr.package.measured import Measurements
from edgesr.package.model import PackedModel
from edgesr.package.text import folder_name
from edgesr.results.manifest import Manifest


@dataclass(frozen=True)
class About:
    """What only its maker knows; empty where it is not said."""

    author: str = ""
    licence: str = ""
    """As Hugging Face abbreviates it, for example ``apache-2.0``."""


@dataclass(frozen=True)
class Content:
    """Everything that the files of a package are written from."""

    manifest: Manifest
    about: About
    decision: Decision
    measured: Measurements
    tflite: bytes
    """With metadata."""
    sha256: str
    """Of that."""
    min_runtime: str | None
    model: PackedModel
    golden: Golden
    overlap: tuple[int, bool]
    """Pixels that neighbouring tiles need as context, and whether the graph tells."""

    @property
    def folder(self) -> str:
        """What its folder of assets is called."""
        return folder_name(self.manifest.name, self.manifest.id)
