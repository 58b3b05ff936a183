"""The accuracy pass: the device enlarges held-out images, and its own pixels are scored."""

import hashlib
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from edgesr.bench.argv import ONCE, Launch, Pixels
from edgesr.bench.delegates import unavailable
from edgesr.bench.launch import Slot, Station, VanishedError, cant_launch, run_launch
from edgesr.bench.outcome import read_launch
from edgesr.bench.pixels import decode_output, encode_image, to_uint8
from edgesr.bench.scenes import Scene, Scenes, mean_scores
from edgesr.data.images import read_image, write_png
from edgesr.files import store_errors, write_bytes
from edgesr.quality.metrics import PROTOCOL
from edgesr.results.records import Accuracy, Job
from edgesr.results.store import Candidate, RunFolder

PICTURED = 2
"""Pairs of each scale and input size of which pictures are kept."""


_FLOOR_DB = 40.0
"""Against the fp32 reference no variant has to come closer: fp16 arithmetic on a GPU may not."""
_MARGIN_DB = 3.0
"""The images of a bench are others than those on which the variant's parity was checked."""


class AccuracyFailedError(Exception):
    """The pixels of a job can't be had or can't be right; the message says why."""


class PixelsNotFiniteError(AccuracyFailedError):
    """The device produced NaN or infinity."""


@dataclass(frozen=True)
class Pass:
    """What all jobs of a run share."""

    scenes: Scenes
    run: RunFolder
    candidates: Sequence[Candidate]
    """Where the fp32 reference is looked for."""
    reference: Station | None
    """The machine that makes the reference's pixels with plain kernels; None where there is no
    program for that."""
    timeout_s: float
    """Total time for one image."""


class Scorer:
    """Scores jobs; the reference's pixels are made once per image.

    Args:
        shared: What all jobs have in common.
    """

    def __init__(self, shared: Pass) -> None:
        self._pass = shared
        self._folder = TemporaryDirectory(prefix="edgesr-reference-")
        self._one_at_a_time = threading.Lock()  # phones are measured in parallel

    def close(self) -> None:
        """Deletes the reference's pixels."""
        self._folder.cleanup()

    def score(self, station: Station, job: Job, candidate: Candidate) -> Accuracy | None:
        """Runs every image of the candidate's scale through the job's delegate.

        Returns:
            The means over the images, None when no pair fits the candidate.

        Raises:
            AccuracyFailedError: When a launch fails or its output is wrong.
            TransportError: When the way to the device breaks.
        """
        scenes = self._pass.scenes.of(candidate)
        if not scenes:
            return None
        reference = self._reference_of(candidate)
        scores: list[tuple[float, float]] = []
        differences: list[NDArray[np.float64]] = []
        for number, scene in enumerate(scenes):
            slot = Slot(f"pixels-{job.key}", str(number))
            image = _region(upscale(self._launcher(station, job, slot), candidate, scene), scene)
            pixels = to_uint8(image)
            scores.append(scene.score(pixels))
            if reference is not None:
                truth = self._reference_image(reference, scene)
                if truth is None:
                    reference, differences = None, []
                else:
                    differences.append((image.clip(0, 1) - truth.clip(0, 1)) * 255)
            if number < PICTURED:
                self._keep(scene, job, pixels)
        psnr_db, max_abs = _difference(differences)
        return Accuracy(
            **mean_scores(scores),
            reference_psnr_db=psnr_db,
            reference_max_abs=max_abs,
            floor_db=floor_db(candidate) if differences else None,
            images=len(scenes),
            protocol=PROTOCOL["name"],
        )

    def share(self, candidate: Candidate) -> float:
        """Mean share of the pictures' area that the candidate's figures are of, 0..1."""
        return self._pass.scenes.share_of(candidate)

    def _launcher(self, station: Station, job: Job, slot: Slot) -> "Launcher":
        folder = Path(self._folder.name)
        base = Launch("", job.delegate, job.threads, ONCE, compiled=station.compiled(job))
        return Launcher(station, base, slot, self._pass.timeout_s, folder)

    def _reference_of(self, candidate: Candidate) -> Candidate | None:
        """The fp32 candidate of the same checkpoint, scale and input size."""
        wanted = candidate.manifest
        if self._pass.reference is None:
            return None
        for other in (candidate, *self._pass.candidates):
            found = other.manifest
            same = found.source.sha256 == wanted.source.sha256
            same = same and found.inputs[0].shape == wanted.inputs[0].shape
            if found.variant == "fp32" and same and found.model.scale == wanted.model.scale:
                tool = self._pass.reference.tool
                usable = unavailable("cpu", "host", tool.family) is None
                return other if usable else None
        return None

    def _reference_image(self, reference: Candidate, scene: Scene) -> NDArray[np.float64] | None:
        """The reference's pixels, None where its plain kernels fail or take too long."""
        with self._one_at_a_time:
            return self._made_once(reference, scene)

    def _made_once(self, reference: Candidate, scene: Scene) -> NDArray[np.float64] | None:
        station = self._pass.reference
        if station is None:
            return None
        name = f"{reference.manifest.short_id}-{scene.folder}.npy"
        path = Path(self._folder.name) / name
        if not path.is_file():
            slot = Slot("reference", hashlib.sha256(name.encode()).hexdigest()[:16])
            base = Launch("", "cpu", 1, ONCE)
            launcher = Launcher(station, base, slot, self._pass.timeout_s, path.parent)
            try:
                made = _region(upscale(launcher, reference, scene), scene)
            except AccuracyFailedError:
                return None
            with store_errors(path):
                np.save(path, made)
        image: NDArray[np.float64] = np.load(path)
        return image

    def _keep(self, scene: Scene, job: Job, pixels: NDArray[np.uint8]) -> None:
        folder = self._pass.run.path / "accuracy" / scene.folder
        makers: dict[str, Callable[[], NDArray[np.uint8]]] = {
            "lr": scene.low,
            "hr": scene.truth,
            "bicubic": scene.bicubic,
        }
        for name, make in makers.items():
            if not (folder / f"{name}.png").is_file():
                write_png(folder / f"{name}.png", make())
        write_png(folder / f"{job.key}.png", pixels)


@dataclass(frozen=True)
class Launcher:
    """How the images of one job are run."""

    station: Station
    launch: Launch
    """Delegate and threads; model and pixels are filled in."""
    slot: Slot
    timeout_s: float
    folder: Path
    """Here; keeps the raw inputs as long as any launch may want them."""


def floor_db(candidate: Candidate) -> float:
    """PSNR against the fp32 reference below which a candidate's pixels are wrong, dB.

    What its variant had to reach against the checkpoint, 40 dB at most, less 3 dB.
    """
    return min(candidate.manifest.parity.floor_db, _FLOOR_DB) - _MARGIN_DB


def upscale(launcher: Launcher, candidate: Candidate, scene: Scene) -> NDArray[np.float64]:
    """Enlarges a scene on the device, one process for one image.

    Returns:
        The whole output tensor as an image in 0..1, H,W,3.

    Raises:
        AccuracyFailedError: When the launch fails, or the output is incomplete or not finite.
    """
    station, manifest = launcher.station, candidate.manifest
    sent = _send(launcher, encode_image(read_image(scene.pair.lr), manifest.inputs[0]))
    launch = replace(
        launcher.launch,
        graph=station.transport.stage(candidate.path),
        pixels=Pixels(sent, manifest.inputs[0].shape, ""),
    )
    reason = cant_launch(station, launch)
    if reason:
        raise AccuracyFailedError(reason)
    try:
        done = run_launch(station, launch, launcher.slot, timeout_s=launcher.timeout_s)
    except VanishedError as error:
        raise AccuracyFailedError(f"{scene.pair.name}: {error}") from error
    station.executor.forget(str(launcher.slot))
    reading = read_launch(done.printed, launch.delegate)
    if reading.status != "ok":
        raise AccuracyFailedError(f"{scene.pair.name}: {reading.reason}")
    if done.output is None:
        raise AccuracyFailedError(f"{scene.pair.name}: no output file was written")
    try:
        image = decode_output(done.output, manifest.outputs[0])
    except ValueError as error:
        raise AccuracyFailedError(
            f"{scene.pair.name}: the output has {len(done.output)} bytes, the wrong size"
        ) from error
    if not np.isfinite(image).all():
        raise PixelsNotFiniteError(f"{scene.pair.name}: the output holds NaN or infinite values")
    return image


def _send(launcher: Launcher, data: bytes) -> str:
    """Puts raw input on the device under its content's name; gives its path there."""
    local = launcher.folder / f"{hashlib.sha256(data).hexdigest()}.raw"
    if not local.is_file():
        write_bytes(local, data)
    return launcher.station.transport.stage(local)


def _region(image: NDArray[np.float64], scene: Scene) -> NDArray[np.float64]:
    """What of an output shows the scene's region."""
    return image[: scene.height * scene.scale, : scene.width * scene.scale]


def _difference(
    differences: Sequence[NDArray[np.float64]],
) -> tuple[float | None, float | None]:
    """PSNR (dB, None for no difference) and largest difference, from 8-bit steps."""
    if not differences:
        return None, None
    squares = sum(float(np.square(d).sum()) for d in differences)
    mean = squares / sum(d.size for d in differences)
    largest = max(float(np.abs(d).max()) for d in differences)
    return (10 * math.log10(255**2 / mean) if mean else None), largest
