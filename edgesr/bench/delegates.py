"""The delegates: how each is asked for, where it exists, and what proves that it ran.

A new delegate is one entry in `DELEGATES`.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from edgesr.errors import UsageError

Family = Literal["classic", "litert"]
"""TensorFlow Lite's benchmark_model, or LiteRT's newer one of the same name."""


@dataclass(frozen=True)
class Delegate:
    """One delegate."""

    name: str
    label: str | None
    """As the log calls it: "Explicitly applied LABEL delegate"; None for the plain kernels."""
    nodes: tuple[str, ...] = ()
    """What it is called in "Replacing n out of m node(s) with delegate (NAME)"."""
    flags: dict[Family, tuple[str, ...]] = field(default_factory=dict)
    """Flags that ask for it, per family; a family without an entry doesn't have it."""
    platforms: frozenset[str] = frozenset({"host", "android"})
    needs_proof: bool = True
    """Whether silence in the log means that it did not run. XNNPACK runs silently by default."""


DELEGATES: dict[str, Delegate] = {
    "cpu": Delegate(
        name="cpu",
        label=None,
        flags={"classic": ("--use_xnnpack=false",)},
        needs_proof=False,
    ),
    "xnnpack": Delegate(
        name="xnnpack",
        label="XNNPACK",
        nodes=("TfLiteXNNPackDelegate",),
        flags={"classic": ("--use_xnnpack=true",), "litert": ("--use_cpu=true",)},
        needs_proof=False,
    ),
    "gpu": Delegate(
        name="gpu",
        label="GPU",
        nodes=("TfLiteGpuDelegateV2", "LITERT_CL"),
        flags={
            # without the second flag XNNPACK silently takes what the GPU leaves
            "classic": ("--use_gpu=true", "--use_xnnpack=false"),
            "litert": ("--use_gpu=true",),
        },
        platforms=frozenset({"android"}),
    ),
    "nnapi": Delegate(
        name="nnapi",
        label="NNAPI",
        nodes=("TfLiteNnapiDelegate",),
        flags={"classic": ("--use_nnapi=true", "--use_xnnpack=false")},
        platforms=frozenset({"android"}),
    ),
}


def find_delegate(name: str) -> Delegate:
    """The delegate of that name.

    Raises:
        UsageError: When there is none; close names are given.
    """
    if name not in DELEGATES:
        close = difflib.get_close_matches(name, DELEGATES, n=1)
        known = ", ".join(DELEGATES)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {known}, all"
        raise UsageError(f"no delegate is called {name!r}", hint=hint)
    return DELEGATES[name]


def delegate_names(names: Iterable[str]) -> tuple[str, ...]:
    """Checked names without doubles, in the given order; ``all`` stands for every delegate.

    Raises:
        UsageError: On a name that is not known.
    """
    found: dict[str, None] = {}
    for name in names:
        for one in DELEGATES if name == "all" else (find_delegate(name).name,):
            found[one] = None
    return tuple(found)


def unavailable(delegate: str, platform: str, family: Family) -> str | None:
    """Why a job with this delegate can't be measured there, or None when it can.

    Args:
        delegate: Name of the delegate.
        platform: ``host`` or ``android``.
        family: Which benchmark_model would measure.
    """
    entry = DELEGATES[delegate]
    if platform not in entry.platforms:
        return f"the {delegate} delegate exists on Android phones only, not on {platform}"
    if family not in entry.flags:
        return f"LiteRT's benchmark_model can't be asked for {delegate}: take TensorFlow Lite's"
    return None
