"""``contract.json``: what an app and its tests have to know of a packaged model, for programs."""

import json
from typing import Any

from edgesr import __version__
from edgesr.package.content import Content
from edgesr.package.golden import Golden
from edgesr.package.measured import job_dict
from edgesr.package.text import nameless, one_line

SCHEMA = 1
FILE = "contract.json"
MADE_BY = "edgesr package"


def contract_text(content: Content) -> str:
    """The file's text."""
    return (
        json.dumps(_tidy(contract(content)), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )


def contract(content: Content) -> dict[str, Any]:
    """Everything known, with null for what is not.

    Args:
        content: What is packaged.
    """
    manifest, decision, measured = content.manifest, content.decision, content.measured
    return {
        "schema": SCHEMA,
        "made_by": MADE_BY,
        "edgesr": __version__,
        "name": manifest.name,
        "candidate": manifest.id,
        "variant": manifest.variant,
        "scale": content.model.scale,
        "file": {
            "name": "model.tflite",
            "sha256": content.sha256,
            "size_bytes": len(content.tflite),
            "candidate_sha256": manifest.id,
            "min_runtime": content.min_runtime,
        },
        "input": content.model.input.to_dict(),
        "output": content.model.output.to_dict(),
        "values": "value = black + byte / 255 * (white - black), with range = [black, white]",
        "run_with": {
            "delegate": decision.default.delegate,
            "threads": decision.default.threads,
            "device_class": decision.default.device_class or None,
        },
        "selected": decision.selected,
        "choices": [choice.to_dict() for choice in decision.choices],
        "selection": _selection(content),
        "measured": [job_dict(job, measured.engine(job)) for job in measured.jobs],
        "runs": sorted({job.run for job in measured.jobs}),
        "parity": manifest.parity.model_dump(mode="json"),
        "tiling": tiling(content),
        "golden": _golden(content.golden),
        "author": content.about.author or None,
        "licence": content.about.licence or None,
        "source": manifest.source.model_dump(mode="json"),
        "tools": dict(manifest.tools),
    }


def tiling(content: Content) -> dict[str, Any]:
    """How a larger picture is cut so that no seam shows."""
    overlap, known = content.overlap
    given = content.model.input
    return {
        "tile": [given.height, given.width],
        "overlap": overlap,
        "overlap_from": "receptive field" if known else "unknown receptive field: a guess",
        "how": (
            "Tiles lie inside the picture, the first and last of a row or column at its border."
            " Neighbours share twice the overlap at least; of each, keep what is further than the"
            " overlap from its inner sides."
        ),
    }


def _selection(content: Content) -> dict[str, Any] | None:
    selection = content.decision.selection
    if selection is None:
        return None
    return {
        "criteria": _nameless(selection.criteria, {job.device for job in content.measured.jobs}),
        "created_at": selection.created_at,
        "runs": list(selection.runs),
    }


def _nameless(value: Any, serials: set[str]) -> Any:
    """Criteria without the serial numbers that a limit may name devices by."""
    if isinstance(value, dict):
        return {key: _nameless(item, serials) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_nameless(item, serials) for item in value]
    return nameless(value) if isinstance(value, str) and value in serials else value


def _golden(golden: Golden) -> dict[str, Any]:
    return {
        "input_image": "golden-input.png",
        "input": "golden-input.bin",
        "output": "golden-output.bin",
        "made_with": "LiteRT's plain CPU kernels, one thread, on the machine that packaged it",
        "byte_order": "little",
        "xnnpack_here_steps": vars(golden.xnnpack),
        "tolerance": {
            "what": "largest absolute difference of any value of the output tensor",
            **{name: allowed.worst for name, allowed in golden.tolerance.items()},
        },
        "mean_tolerance": {
            "what": "mean absolute difference over all values of the output tensor",
            **{name: allowed.mean for name, allowed in golden.tolerance.items()},
        },
    }


def _tidy(value: Any) -> Any:
    """Foreign texts without control characters, numbers that are none as null."""
    if isinstance(value, dict):
        return {one_line(str(key)): _tidy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tidy(item) for item in value]
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
