"""A model on a video: pixels, flicker, text and speed, against figures worked out by hand."""

import csv
import io
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from fixtures.clips import FPS, Recipe, moving, write_clip

from edgesr.data.footage import FootageOptions, write_footage
from edgesr.data.footage_text import KnownText, TextTrack, read_text_track
from edgesr.data.frames import probe_clip, read_frames
from edgesr.data.images import RgbImage
from edgesr.errors import ImageError, InputError, UsageError
from edgesr.quality import video as video_module
from edgesr.quality.bicubic import upscale_bicubic
from edgesr.quality.flicker import FlickerMeter
from edgesr.quality.metrics import psnr_y, ssim_y
from edgesr.quality.reader import Reader
from edgesr.quality.reading import Line
from edgesr.quality.runners import RunnerOptions
from edgesr.quality.video import VideoRequest, evaluate_video
from edgesr.quality.video_frames import Sampling
from edgesr.quality.video_speed import Stopwatch

STEP = 219 / 255
"""Luma of studio range per step of grey."""


def _clip(path: Path, frames: Sequence[RgbImage], times: Sequence[int] | None = None) -> Path:
    """Writes frames without loss, at given 10ths of a second."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264rgb", rate=10)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = "rgb24", {"crf": "0", "x264-params": "log-level=none"}
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number if times is None else times[number]
            frame.time_base = Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _noise(seed: int, height: int = 48, width: int = 64) -> RgbImage:
    return np.random.default_rng(seed).integers(40, 200, (height, width, 3), dtype=np.uint8)


class _Doubler:
    """Repeats pixels; every second frame is lighter by ``jitter``."""

    sha256 = None
    notes = ()
    scale = 2

    def __init__(self, jitter: int = 0) -> None:
        self.jitter, self.frames = jitter, 0

    def upscale(self, image: RgbImage) -> RgbImage:
        lighter = self.jitter * (self.frames % 2)
        self.frames += 1
        return (image.repeat(2, 0).repeat(2, 1) + lighter).astype(np.uint8)


@pytest.fixture
def doubler(monkeypatch: pytest.MonkeyPatch) -> _Doubler:
    made = _Doubler()
    monkeypatch.setattr(video_module, "open_runner_with", lambda _model, _options: made)
    return made


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("footage") / "out"
    write_footage(out, FootageOptions(seconds=3, fps=10, seed=9, size=(128, 72), hold_s=(0.7, 1.1)))
    return out


def test_a_video_that_stands_still_does_not_flicker(tmp_path: Path, doubler: _Doubler) -> None:
    clip = _clip(tmp_path / "a.mkv", [_noise(1)] * 6)
    found = evaluate_video(VideoRequest("any", clip, every=1))
    assert (found.flicker.model, found.flicker.bicubic) == (0.0, 0.0)
    assert (found.flicker.still_share, found.flicker.pairs) == (1.0, 5)
    assert doubler.frames == 6


def test_planted_flicker_is_found_to_the_step(tmp_path: Path, doubler: _Doubler) -> None:
    doubler.jitter = 4
    clip = _clip(tmp_path / "a.mkv", [_noise(1)] * 6)
    found = evaluate_video(VideoRequest("any", clip))
    assert found.flicker.model == pytest.approx(4 * STEP, abs=1e-9)
    assert found.flicker.bicubic == 0.0


def test_what_moves_in_the_source_does_not_flicker() -> None:
    meter = FlickerMeter()
    for number in range(3):
        lr = _noise(1)
        lr[:, 32:] = 180 if number % 2 else 60
        sr = lr.repeat(2, 0).repeat(2, 1)
        sr[40:60, 10:20] += np.uint8(3 * number)
        meter.add(sr, lr)
    found = meter.result()
    assert 0.45 < found.still_share <= 0.5
    planted = 3 * STEP * 20 * 10 / (found.still_share * 96 * 128)
    assert found.model == pytest.approx(planted)


def test_the_truth_tells_what_stands_still() -> None:
    """A codec's pulse is flicker although the source itself changes."""
    truth = _noise(3, 96, 128)
    against_truth, against_source = FlickerMeter(), FlickerMeter()
    for pulse in (0, 10, 0):
        lr = np.full((48, 64, 3), 100 + pulse, np.uint8)
        sr = np.full((96, 128, 3), 100 + pulse, np.uint8)
        against_truth.add(sr, lr, truth)
        against_source.add(sr, lr)
    assert against_truth.result().model == pytest.approx(10 * STEP)
    assert against_truth.result().bicubic == pytest.approx(10 * STEP)
    assert against_source.result().model is None


def test_a_gap_is_no_flicker() -> None:
    meter = FlickerMeter()
    meter.add(np.zeros((4, 4, 3), np.uint8), np.zeros((2, 2, 3), np.uint8))
    meter.skip()
    meter.add(np.full((4, 4, 3), 9, np.uint8), np.zeros((2, 2, 3), np.uint8))
    assert (meter.result().pairs, meter.result().model) == (0, None)


def test_pixels_equal_a_computation_by_hand(footage: Path) -> None:
    found = evaluate_video(VideoRequest("bicubic", footage / "lr.mp4", footage / "hr.mp4", every=7))
    assert [frame.frame for frame in found.frames] == [0, 7, 14, 21, 28]
    small, large = list(read_frames(footage / "lr.mp4")), list(read_frames(footage / "hr.mp4"))
    for score in found.frames:
        sr, hr = upscale_bicubic(small[score.frame].image, 2), large[score.frame].image
        assert score.psnr_y == pytest.approx(psnr_y(sr, hr, 2), abs=1e-9)
        assert score.ssim_y == pytest.approx(ssim_y(sr, hr, 2), abs=1e-9)
        assert score.time_s == pytest.approx(score.frame / 10)
    mean = sum(score.psnr_y or 0 for score in found.frames) / 5
    assert found.mean()["psnr_y"] == pytest.approx(mean)
    assert found.protocol["frames_with_truth"] == 30
    assert found.interval("psnr_y").low is None  # type: ignore[union-attr]  # no slides are known
    assert found.flicker.model is not None
    assert found.flicker.model == pytest.approx(found.flicker.bicubic, rel=0.1)


def test_text_gives_slides_intervals_and_a_frame_of_every_slide(footage: Path) -> None:
    request = VideoRequest(
        "bicubic", footage / "lr.mp4", footage / "hr.mp4", footage / "text.csv", every=25
    )
    found = evaluate_video(request)
    track = read_text_track(footage / "text.csv")
    stable = {row.slide for row in track.rows if row.stable}
    scored = {frame.slide for frame in found.frames if track.rows[frame.frame].stable}
    assert stable == scored
    assert {0, 25} <= {frame.frame for frame in found.frames}
    interval = found.interval("psnr_y")
    assert interval is not None
    assert interval.n == len({frame.slide for frame in found.frames}) > 1
    assert interval.low is not None
    assert interval.low <= interval.mean <= (interval.high or 0)


def test_the_truth_itself_is_perfect_and_has_no_speed(footage: Path) -> None:
    found = evaluate_video(VideoRequest("truth", footage / "lr.mp4", footage / "hr.mp4"))
    assert found.speed is None
    assert all(math.isinf(frame.psnr_y or 0) for frame in found.frames)
    assert found.mean()["psnr_y"] is None
    assert found.mean()["ssim_y"] == pytest.approx(1)
    assert found.flicker.model is not None
    assert found.flicker.model < 0.01
    assert found.to_dict()["speed"] is None
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [row["psnr_y"] for row in rows] == ["inf"] * 3


def test_frames_are_matched_by_time(tmp_path: Path, doubler: _Doubler) -> None:
    """The truth lacks frames and starts earlier; what it lacks is not scored."""
    pictures = [_noise(seed) for seed in range(6)]
    small = _clip(tmp_path / "s.mkv", pictures, [2, 3, 4, 5, 6, 7])
    doubled = [_Doubler().upscale(picture) for picture in pictures]
    large = _clip(tmp_path / "l.mkv", [doubled[0], *doubled[:3], doubled[4]], [0, 2, 3, 4, 6])
    found = evaluate_video(VideoRequest("any", small, large, every=1))
    assert [frame.frame for frame in found.frames] == [0, 1, 2, 4]
    assert all(math.isinf(frame.psnr_y or 0) for frame in found.frames)
    assert found.protocol["frames_with_truth"] == 4
    assert found.flicker.pairs == 2
    assert doubler.frames == 6


def test_the_nearest_frame_of_a_faster_truth_counts(tmp_path: Path, doubler: _Doubler) -> None:
    """Those between show something else, and lie half a frame away."""
    small = write_clip(tmp_path / "s.mp4", Recipe())
    doubled = [_Doubler().upscale(moving(number)) for number in range(12)]
    images = [image for one in doubled for image in (one, 255 - one)]
    twice = Recipe(size=(128, 96), unit=Fraction(1, 2 * FPS))
    large = write_clip(tmp_path / "l.mp4", twice, range(24), images=images)
    found = evaluate_video(VideoRequest("any", small, large, every=1))
    assert len(found.frames) == doubler.frames == 12
    assert min(frame.psnr_y or 0 for frame in found.frames) > 30


def test_a_broadcast_stream_begins_at_0(tmp_path: Path, doubler: _Doubler) -> None:
    """Its own times begin anywhere, and those of an .mp4 of the same film at 0."""
    small = write_clip(tmp_path / "s.ts", times=range(35, 47))
    assert stamps(small)[0] > 0
    images = [_Doubler().upscale(moving(number)) for number in range(12)]
    large = write_clip(tmp_path / "l.mp4", Recipe(size=(128, 96)), images=images)
    (tmp_path / "t.csv").write_text("time_s,slide,stable,text\n0,first,1,a\n0.44,last,1,b\n")
    found = evaluate_video(VideoRequest("any", small, large, tmp_path / "t.csv", every=1))
    assert [frame.slide for frame in found.frames] == ["first", *[None] * 10, "last"]
    assert min(frame.psnr_y or 0 for frame in found.frames) > 30
    assert doubler.frames == 12


def stamps(path: Path) -> list[int]:
    """Times as the file has them."""
    return [frame.pts for frame in read_frames(path)]


@pytest.mark.parametrize("changes", ["small", "large"])
def test_a_size_that_changes_midway_is_named(
    tmp_path: Path, doubler: _Doubler, changes: str
) -> None:
    sizes = {"small": (64, 48), "large": (128, 96)}
    paths = {name: write_clip(tmp_path / f"{name}.ts", Recipe(size=sizes[name])) for name in sizes}
    other = write_clip(tmp_path / "o.ts", Recipe(size=(80, 64)), range(12, 24))
    with paths[changes].open("ab") as file:
        file.write(other.read_bytes())
    longer = next(path for name, path in paths.items() if name != changes)
    write_clip(longer, Recipe(size=sizes[longer.stem]), range(24))
    with pytest.raises(ImageError, match=rf"{changes}\.ts changes its size at .*to 80x64"):
        evaluate_video(VideoRequest("any", paths["small"], paths["large"]))
    assert doubler.frames > 0


def test_what_is_lost_of_the_truth_is_told(tmp_path: Path, doubler: _Doubler) -> None:
    small = _clip(tmp_path / "s.mkv", [_noise(seed) for seed in range(20)])
    large = _clip(tmp_path / "l.mkv", [_noise(seed, 96, 128) for seed in range(20)])
    data = bytearray(large.read_bytes())
    for place in range(len(data) // 3, len(data) // 2, 97):
        data[place] ^= 255
    large.write_bytes(data)
    protocol = evaluate_video(VideoRequest("any", small, large)).protocol
    assert protocol["damage"] is None
    assert protocol["truth_damage"]
    assert doubler.frames == 20


class _Engine:
    """Reads bright pictures right and dark ones wrong."""

    name, version, language, copies = "fake", "1", "en", True
    seen = 0

    def read(self, image: RgbImage) -> tuple[Line, ...]:
        type(self).seen += 1
        return (Line("gradient descent" if image[0, 0, 0] > 128 else "gradual", 0.9, (0, 0, 9, 9)),)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> type[_Engine]:
    monkeypatch.setattr("edgesr.quality.reader.open_engine", lambda _spec, _threads=None: _Engine())
    monkeypatch.setattr("edgesr.quality.reader.reads_in_copies", lambda _spec: True)
    monkeypatch.setattr(
        video_module, "open_reader", lambda spec, threads, **_: Reader(spec, threads)
    )
    _Engine.seen = 0
    return _Engine


def test_only_stable_frames_with_known_text_are_read(
    tmp_path: Path, doubler: _Doubler, engine: type[_Engine]
) -> None:
    bright, dark = np.full((48, 64, 3), 200, np.uint8), np.full((48, 64, 3), 10, np.uint8)
    clip = _clip(tmp_path / "a.mkv", [bright, bright, dark, dark, bright, bright])
    rows = ["time_s,slide,stable,text"]
    rows += ["0.0,a,1,gradient descent", "0.1,a,0,gradient descent", "0.2,b,1,gradient descent"]
    rows += ["0.3,b,1,gradient descent", "0.4,c,1,", "0.6,d,1,elsewhere"]
    (tmp_path / "text.csv").write_text("\n".join(rows))
    request = VideoRequest("any", clip, text=tmp_path / "text.csv", every=1, ocr="fake")
    found = evaluate_video(request)
    rates = [frame.to_dict()["cer"] for frame in found.frames]
    assert rates[:2] == [0.0, None]
    assert rates[2] == rates[3] == pytest.approx(12 / 16)
    assert rates[4:] == [None, None]
    assert engine.seen == 3
    assert found.mean()["cer"] == pytest.approx((0 + 12 / 16 * 2) / 3)
    assert found.interval("cer").n == 2  # type: ignore[union-attr]
    assert found.protocol["ocr"]["references"] == {"text": 3, "truth-ocr": 0, "none": 1}
    assert doubler.frames == 6


def test_without_a_table_the_truth_is_read(
    tmp_path: Path, doubler: _Doubler, engine: type[_Engine]
) -> None:
    bright, dark = np.full((48, 64, 3), 200, np.uint8), np.full((48, 64, 3), 10, np.uint8)
    small = _clip(tmp_path / "s.mkv", [bright, dark])
    large = _clip(tmp_path / "l.mkv", [_Doubler().upscale(bright)] * 2)
    found = evaluate_video(VideoRequest("any", small, large, every=1, ocr="fake"))
    assert [frame.to_dict()["cer"] for frame in found.frames] == [0.0, pytest.approx(12 / 16)]
    assert [frame.to_dict()["reference"] for frame in found.frames] == ["truth-ocr"] * 2
    assert engine.seen == 3
    assert found.interval("cer").low is None  # type: ignore[union-attr]
    assert doubler.frames == 2


def test_the_same_call_gives_the_same_figures(footage: Path) -> None:
    request = VideoRequest(
        "bicubic", footage / "lr.mp4", footage / "hr.mp4", footage / "text.csv", every=5
    )
    one, two = (evaluate_video(request).to_dict() for _ in range(2))
    del one["speed"], two["speed"]
    assert one == two


def test_speed_leaves_the_first_frames_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("edgesr.quality.video_speed.time.perf_counter", lambda: now[0])

    def frames():  # noqa: ANN202
        for _ in range(10):
            now[0] += 0.01
            yield object()

    def wait(seconds: float) -> None:
        now[0] += seconds

    watch = Stopwatch()
    for number, _ in enumerate(watch.decoded(frames())):
        watch.upscaled(lambda number=number: wait(9.0 if number < 3 else 0.04))
        now[0] += 5.0  # scoring
    speed = watch.speed(20.0, threads=1, cores=2)
    assert speed is not None
    assert speed.fps == pytest.approx(25)
    assert speed.real_time_factor == pytest.approx(1.25)
    assert speed.fps_with_decode == pytest.approx(20)
    assert speed.real_time_factor_with_decode == pytest.approx(1.0)
    assert (speed.frames_timed, speed.warm_up_frames) == (7, 3)
    assert speed.median_ms == pytest.approx(40)
    assert Stopwatch().speed(20.0, threads=1, cores=2) is None


def test_sampling_takes_each_slide_once_at_least(footage: Path) -> None:
    rows = [
        KnownText(i / 10, "a" if i < 14 else "b", "x", stable=i not in (10, 12)) for i in range(18)
    ]
    clip = probe_clip(footage / "lr.mp4")
    sampling = Sampling(10, TextTrack(rows), clip)
    taken = [i for i in range(30) if sampling.takes(i, sampling.text_at(i / 10))]
    assert taken == [0, 10, 16, 20]
    assert sampling.matched == 18
    assert [i for i in range(30) if Sampling(10, None, clip).takes(i, None)] == [0, 10, 20]


def test_a_truth_of_another_size_is_named(footage: Path, tmp_path: Path) -> None:
    truth = _clip(tmp_path / "odd.mkv", [_noise(1, 72, 128)] * 3)
    with pytest.raises(ImageError, match=r"odd\.mkv has 128x72 pixels, the model makes 256x144"):
        evaluate_video(
            VideoRequest("bicubic", footage / "lr.mp4", truth, runner=RunnerOptions(scale=2))
        )
    with pytest.raises(InputError, match="not larger"):
        evaluate_video(VideoRequest("bicubic", footage / "lr.mp4", truth))


def test_clips_and_tables_that_do_not_overlap_are_named(footage: Path, tmp_path: Path) -> None:
    late = _clip(tmp_path / "late.mkv", [_noise(1, 144, 256)] * 3, [500, 501, 502])
    with pytest.raises(InputError, match=r"no frame of .*late\.mkv"):
        evaluate_video(VideoRequest("bicubic", footage / "lr.mp4", late))
    (tmp_path / "late.csv").write_text("time_s,slide,stable,text\n500,0,1,a\n")
    with pytest.raises(InputError, match=r"no row of .*late\.csv"):
        evaluate_video(
            VideoRequest(
                "bicubic", footage / "lr.mp4", text=tmp_path / "late.csv",
                runner=RunnerOptions(scale=2),
            )
        )  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"no video", b"\x00" * 4096])
def test_a_damaged_clip_is_named(footage: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.mp4"):
        evaluate_video(VideoRequest("bicubic", tmp_path / "bad.mp4", footage / "hr.mp4"))
    with pytest.raises(InputError, match=r"bad\.mp4"):
        evaluate_video(VideoRequest("bicubic", footage / "lr.mp4", tmp_path / "bad.mp4"))


def test_a_clip_that_breaks_off_is_scored_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = _clip(tmp_path / "w.mkv", [_noise(seed, 72, 128) for seed in range(20)])
    (tmp_path / "half.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    found = evaluate_video(
        VideoRequest("bicubic", tmp_path / "half.mkv", runner=RunnerOptions(scale=2), every=1)
    )
    assert 0 < len(found.frames) < 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"every": 0},
        {"model": "truth"},
        {"ocr": "rapidocr"},
    ],
)
def test_requests_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    options = {"model": "bicubic", "video": Path("a.mp4")} | wrong
    with pytest.raises(UsageError):
        VideoRequest(**options)  # type: ignore[arg-type]
