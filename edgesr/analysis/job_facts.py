"""What is the same for all rounds of a job: from the plan, its device and the candidate."""

import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from edgesr.analysis.devices import DeviceFacts, mapping, number
from edgesr.analysis.legibility import baselines
from edgesr.results.records import Job


def job_part(
    run: str, header: dict[str, Any], job: dict[str, Any], devices: Mapping[str, DeviceFacts]
) -> dict[str, Any]:
    """The cells of a job that all its rows share.

    Args:
        run: The run's name.
        header: Its run.json.
        job: As a record or the plan has it; may be damaged.
        devices: By name.
    """
    candidate, device = str(job.get("candidate", "")), str(job.get("device", ""))
    delegate, threads = str(job.get("delegate", "")), job.get("threads")
    manifest = mapping(mapping(header.get("candidates")).get(candidate))
    model = mapping(manifest.get("model"))
    scale = number(model.get("scale"), least=1)
    bicubic = _bicubic(header, scale, manifest)
    known = devices.get(device) or DeviceFacts(device, {}, {})
    return {
        "run": run,
        "key": job_key(job),
        "candidate": candidate,
        "name": str(manifest.get("name") or candidate[:12]),
        "variant": str(job.get("variant") or manifest.get("variant") or "unknown"),
        "arch": str(model.get("arch") or ""),
        "scale": scale,
        "parameters": number(model.get("parameters"), least=0),
        "macs": number(model.get("macs"), least=0),
        "input": _input_size(manifest),
        "size_bytes": number(manifest.get("size_bytes"), least=0),
        "device": device,
        "device_label": known.label,
        "device_class": known.device_class,
        "simulated": known.simulated,
        "listed": not known.unlisted,
        "delegate": delegate,
        "threads": number(threads, least=1),
        "pace_fps": number(job.get("pace_fps"), least=0),
        "rounds_planned": _rounds_planned(mapping(header.get("suite"))),
        "bicubic_psnr_y": number(bicubic.get("psnr_y")),
        "bicubic_ssim_y": number(bicubic.get("ssim_y")),
        **baselines(mapping(header.get("accuracy")), _group_key(scale, manifest)),
    }


def job_key(job: Mapping[str, Any]) -> str:
    """The job's key as its records have it; one from a damaged plan just has to be unique."""
    try:
        return Job.model_validate(job).key
    except ValidationError:
        return json.dumps(job, default=str)


def _input_size(manifest: dict[str, Any]) -> str:
    """``640×360`` (width times height) of the first input, or nothing."""
    inputs = manifest.get("inputs")
    first = mapping(inputs[0]) if isinstance(inputs, list) and inputs else {}
    shape = first.get("shape")
    return f"{shape[2]}×{shape[1]}" if isinstance(shape, list) and len(shape) == 4 else ""


def _group_key(scale: float, manifest: dict[str, Any]) -> str:
    width, _, height = _input_size(manifest).partition("×")
    return f"{scale:.0f}:{height}x{width}"


def _bicubic(header: dict[str, Any], scale: float, manifest: dict[str, Any]) -> dict[str, Any]:
    """Bicubic's mean quality on the same regions, given per scale and input size.

    Older runs give it per scale, or for the only scale.
    """
    found = mapping(mapping(header.get("accuracy")).get("bicubic"))
    if "psnr_y" in found or math.isnan(scale):
        return found
    older = found.get(f"{scale:.0f}")
    return mapping(found.get(_group_key(scale, manifest), older))


def _rounds_planned(suite: Mapping[str, Any]) -> float:
    """NaN where a job gets as many as its precision needs (``--until``): none is missing."""
    if not math.isnan(number(suite.get("until_pct"), least=0)):
        return math.nan
    return number(suite.get("rounds"), least=1)
