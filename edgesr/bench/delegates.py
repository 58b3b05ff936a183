"""The delegates: how each is asked for, where it exists, and what proves that it ran.

A new delegate is one entry in `DELEGATES`.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from edgesr.device.info import DeviceInfo
from edgesr.device.profile import Profile
from edgesr.errors import UsageError

Family = Literal["classic", "litert"]
"""TensorFlow Lite's benchmark_model, or LiteRT's newer one of the same name."""
ALL = ("cpu", "xnnpack", "gpu", "nnapi")
"""What ``all`` stands for; the others are ways to run one of these."""
NNAPI_UNTIL_API = 34
"""Android 15 (API 35) deprecates NNAPI: from there on it is measured only where it is named."""
_ACCELERATOR = re.compile(r"^nnapi:([\w.-]+)$")


@dataclass(frozen=True)
class Delegate:
    """One delegate."""

    name: str
    base: str
    """Which of `ALL` it is a way to run."""
    label: str | None
    """As the log calls it: "Explicitly applied LABEL delegate"; None for the plain kernels."""
    nodes: tuple[str, ...] = ()
    """What it is called in "Replacing n out of m node(s) with delegate (NAME)"."""
    flags: dict[Family, tuple[str, ...]] = field(default_factory=dict)
    """Flags that ask for it, per family; a family without an entry doesn't have it."""
    platforms: frozenset[str] = frozenset({"host", "android"})
    needs_proof: bool = True
    """Whether silence in the log means that it did not run. XNNPACK runs silently by default."""
    compiles: bool = False
    """Whether its first start compiles kernels that later ones can load: cold and warm init."""


def _gpu(name: str, *, backend: str | None = None, fp32: bool = False) -> Delegate:
    """The GPU delegate, by the tool's own choice of backend or a named one (cl, gl).

    fp16 arithmetic is allowed unless ``fp32``.
    """
    # without --use_xnnpack=false XNNPACK silently takes what the GPU leaves
    classic = ["--use_gpu=true", "--use_xnnpack=false"]
    classic += [f"--gpu_backend={backend}"] if backend else []
    classic += ["--gpu_precision_loss_allowed=false"] if fp32 else []
    litert = ["--use_gpu=true"]  # OpenCL is what it takes when no backend is named
    litert += ["--gpu_backend=gl"] if backend == "gl" else []
    litert += ["--gpu-precision=fp32"] if fp32 else []
    return Delegate(
        name=name,
        base="gpu",
        label="GPU",
        nodes=("TfLiteGpuDelegateV2", "LITERT_CL"),
        flags={"classic": tuple(classic), "litert": tuple(litert)},
        platforms=frozenset({"android"}),
        compiles=True,
    )


_ENTRIES = (
    Delegate(
        name="cpu",
        base="cpu",
        label=None,
        flags={"classic": ("--use_xnnpack=false",)},
        needs_proof=False,
    ),
    Delegate(
        name="xnnpack",
        base="xnnpack",
        label="XNNPACK",
        nodes=("TfLiteXNNPackDelegate",),
        flags={"classic": ("--use_xnnpack=true",), "litert": ("--use_cpu=true",)},
        needs_proof=False,
    ),
    _gpu("gpu"),
    _gpu("gpu-fp32", fp32=True),
    _gpu("gpu-cl", backend="cl"),
    _gpu("gpu-cl-fp32", backend="cl", fp32=True),
    _gpu("gpu-gl", backend="gl"),
    _gpu("gpu-gl-fp32", backend="gl", fp32=True),
    Delegate(
        name="nnapi",
        base="nnapi",
        label="NNAPI",
        nodes=("TfLiteNnapiDelegate",),
        flags={"classic": ("--use_nnapi=true", "--use_xnnpack=false")},
        platforms=frozenset({"android"}),
    ),
)
DELEGATES: dict[str, Delegate] = {entry.name: entry for entry in _ENTRIES}
"""By name; ``nnapi:NAME`` asks for one accelerator and is made by `find_delegate`."""


def find_delegate(name: str) -> Delegate:
    """The delegate of that name.

    Raises:
        UsageError: When there is none; close names are given.
    """
    accelerator = _ACCELERATOR.match(name)
    if accelerator:
        nnapi = DELEGATES["nnapi"]
        flag = f"--nnapi_accelerator_name={accelerator[1]}"
        return replace(nnapi, name=name, flags={"classic": (*nnapi.flags["classic"], flag)})
    if name not in DELEGATES:
        close = difflib.get_close_matches(name, DELEGATES, n=1)
        known = ", ".join(DELEGATES)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {known}, nnapi:NAME, all"
        raise UsageError(f"no delegate is called {name!r}", hint=hint)
    return DELEGATES[name]


def delegate_names(names: Iterable[str]) -> tuple[str, ...]:
    """Checked names without doubles, in the given order; ``all`` stands for `ALL`.

    Raises:
        UsageError: On a name that is not known.
    """
    found: dict[str, None] = {}
    for name in names:
        for one in ALL if name == "all" else (find_delegate(name).name,):
            found[one] = None
    return tuple(found)


def delegates_on(
    asked: Sequence[str] | None, profile: Profile, info: DeviceInfo
) -> tuple[str, ...]:
    """The delegates to measure on one device.

    Args:
        asked: As typed; None takes those of the device's profile.
        profile: The device's.
        info: The device.

    Raises:
        UsageError: On a name that is not known.
    """
    names = delegate_names(profile.delegates if asked is None else asked)
    named = delegate_names(name for name in asked or () if name != "all")
    if (info.api or 0) <= NNAPI_UNTIL_API:
        return names
    return tuple(name for name in names if name in named or find_delegate(name).base != "nnapi")


def unavailable(delegate: str, platform: str, family: Family) -> str | None:
    """Why a job with this delegate can't be measured there, or None when it can.

    Args:
        delegate: Name of the delegate.
        platform: ``host`` or ``android``.
        family: Which benchmark_model would measure.
    """
    entry = find_delegate(delegate)
    if platform not in entry.platforms:
        return f"the {delegate} delegate exists on Android phones only, not on {platform}"
    if family not in entry.flags:
        return f"LiteRT's benchmark_model can't be asked for {delegate}: take TensorFlow Lite's"
    return None
