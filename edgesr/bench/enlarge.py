"""A whole picture through a device: cut into tiles, one launch for each, put together here.

``benchmark_model`` takes one input and writes one output per process, so a picture costs as many
launches as it has tiles. They are cut as `edgesr eval` cuts them (`quality.tiling`).
"""

import contextlib
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesr.bench.argv import Launch, Pixels
from edgesr.bench.launch import Slot, Station, VanishedError, cant_launch, run_launch
from edgesr.bench.outcome import read_launch
from edgesr.bench.pixels import decode_output, encode_tile
from edgesr.errors import DeviceFileError
from edgesr.files import write_bytes
from edgesr.quality.litert import tiling_of
from edgesr.quality.tiling import Tiling, upscale_tiled
from edgesr.results.store import Candidate


class AccuracyFailedError(Exception):
    """The pixels of a job can't be had or can't be right; the message says why."""


class PixelsNotFiniteError(AccuracyFailedError):
    """The device produced NaN or infinity."""


@dataclass(frozen=True)
class Launcher:
    """How the pictures of one job are run."""

    station: Station
    launch: Launch
    """Delegate and threads; model and pixels are filled in."""
    turn: str
    """Names the job's launches."""
    timeout_s: float
    """Total time for one tile."""
    folder: Path
    """Here; for the raw input on its way."""


def tiling(candidate: Candidate) -> Tiling:
    """How pictures are cut for a candidate."""
    _, height, width, _ = candidate.manifest.inputs[0].shape
    return tiling_of(candidate.path, height, width)


def enlarge(
    launcher: Launcher, candidate: Candidate, image: NDArray[np.uint8]
) -> NDArray[np.floating[Any]]:
    """Enlarges a picture on the device.

    Args:
        launcher: How to launch.
        candidate: What to run.
        image: H,W,3 RGB of any size, 0..255.

    Returns:
        sH,sW,3 in 0..1, not clipped.

    Raises:
        AccuracyFailedError: When a launch fails, or its output is incomplete or not finite.
        TransportError: When the way to the device breaks.
    """
    scale = candidate.manifest.model.scale
    return upscale_tiled(
        image, tiling(candidate), scale, lambda tile: _run_tile(launcher, candidate, tile)
    )


def _run_tile(
    launcher: Launcher, candidate: Candidate, tile: NDArray[np.uint8]
) -> NDArray[np.floating[Any]]:
    """One launch: h,w,3 pixels -> sh,sw,3 values."""
    data = encode_tile(tile, candidate.manifest.inputs[0])
    output = _launch(launcher, candidate, data)
    try:
        values = decode_output(output, candidate.manifest.outputs[0])
    except ValueError as error:
        raise AccuracyFailedError(f"the output has {len(output)} bytes, the wrong size") from error
    if not np.isfinite(values).all():
        raise PixelsNotFiniteError("the output holds NaN or infinite values")
    return values


def _launch(launcher: Launcher, candidate: Candidate, data: bytes) -> bytes:
    """Runs one input; what goes to the device for it is deleted there again."""
    station, name = launcher.station, f"{hashlib.sha256(data).hexdigest()}.raw"
    sent = f"{station.transport.folder}/files/{name}"
    launch = replace(
        launcher.launch,
        graph=station.transport.stage(candidate.path),
        pixels=Pixels(sent, candidate.manifest.inputs[0].shape, ""),
    )
    reason = cant_launch(station, launch)
    if reason:
        raise AccuracyFailedError(reason)
    slot = Slot(launcher.turn, name[:16])
    local = launcher.folder / name
    try:
        write_bytes(local, data)
        station.transport.push(local, sent)
        done = run_launch(station, launch, slot, timeout_s=launcher.timeout_s)
    except VanishedError as error:
        raise AccuracyFailedError(str(error)) from error
    finally:
        local.unlink(missing_ok=True)
    with contextlib.suppress(DeviceFileError):
        station.transport.remove(sent)
    station.executor.forget(str(slot))
    reading = read_launch(done.printed, launch.delegate)
    if reading.status != "ok":
        raise AccuracyFailedError(str(reading.reason))
    if done.output is None:
        raise AccuracyFailedError("no output file was written")
    return done.output
