"""Videos through a model: times, sound, colours, interruptions, and files that are no good."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from fixtures.clips import Recipe, contents, moving, turn, write_clip, write_sound

from edgesr.errors import EdgesrError, InputError, Interrupted, StoreError, UsageError
from edgesr.quality.bicubic import upscale_bicubic
from edgesr.quality.runners import RunnerOptions
from edgesr.upscale.parts import hold_parts, parts_folder
from edgesr.upscale.request import UpscaleRequest, VideoOptions
from edgesr.upscale.run import upscale
from edgesr.upscale.video import VideoOutcome

SHORT = VideoOptions(crf=1, segment_s=0.2)
"""Segments of five frames."""


def request(source: Path, out: Path, scale: int = 2, **changes: Any) -> UpscaleRequest:
    runner = RunnerOptions(scale=scale, threads=2)
    return replace(UpscaleRequest(source, out, "bicubic", runner, SHORT), **changes)


def run(source: Path, out: Path, scale: int = 2, **changes: Any) -> VideoOutcome:
    outcome = upscale(request(source, out, scale, **changes))
    assert isinstance(outcome, VideoOutcome)
    assert not parts_folder(out).exists()
    return outcome


class StopError(Exception):
    """Stands for whatever may end a program."""


def stopped(call: UpscaleRequest, frame: int, error: BaseException) -> None:
    """Runs a call that ends at a frame."""

    def tick(what: str, done: int, _total: int) -> None:
        if what == "upscaling" and done == frame:
            raise error

    upscale(call, tick)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("times", [range(23), [0, 7, 31, 32, 90, 600, 601, 640, 900, 901, 990]])
def test_times_and_sound_stay_exactly(tmp_path: Path, suffix: str, times: Any) -> None:
    unit = Fraction(1, 25) if isinstance(times, range) else Fraction(1, 600)
    source = write_clip(tmp_path / "in.mp4", Recipe(audio="aac", unit=unit), times)
    out = tmp_path / f"out{suffix}"
    outcome = run(source, out)
    before, after = contents(source), contents(out)
    assert after.times == before.times
    assert after.sound == before.sound
    assert after.images[0].shape == (96, 128, 3)
    assert (outcome.frames, outcome.copied.audio) == (len(list(times)), 1)
    with av.open(source) as one, av.open(out) as other:
        assert other.duration == pytest.approx(one.duration, abs=50_000)
    expected = upscale_bicubic(before.images[7], 2).astype(int)
    assert abs(after.images[7].astype(int) - expected).mean() < 3


def test_matroska_keeps_times_to_the_millisecond(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", Recipe(audio="aac"), range(23))
    run(source, tmp_path / "out.mkv")
    before, after = contents(source), contents(tmp_path / "out.mkv")
    moved = after.sound[0][0] - before.sound[0][0]  # what began before 0 begins at 0 there
    for old, new in zip(before.times, after.times, strict=True):
        assert abs(new - moved - old) <= Fraction(1, 500)
    assert [packet[2] for packet in after.sound] == [packet[2] for packet in before.sound]


def test_chapters_subtitles_and_metadata(tmp_path: Path) -> None:
    plain = write_clip(tmp_path / "plain.mkv", Recipe(audio="aac"), range(30))
    source = tmp_path / "in.mkv"
    part = {"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000)}
    with av.open(plain) as old, av.open(source, "w") as new:
        streams = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        new.metadata["title"] = "Gradient descent"
        new.set_chapters([part | {"metadata": {"title": "Start"}}])
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    run(source, tmp_path / "out.mp4")
    with av.open(tmp_path / "out.mp4") as found:
        assert found.metadata["title"] == "Gradient descent"
        assert [chapter["metadata"]["title"] for chapter in found.chapters()] == ["Start"]


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_codecs_begin_every_segment_with_a_key_frame(tmp_path: Path, codec: Any) -> None:
    source = write_clip(tmp_path / "in.mp4", times=range(23))
    run(source, tmp_path / "out.mp4", video=replace(SHORT, codec=codec, crf=10))
    with av.open(tmp_path / "out.mp4") as found:
        packets = [packet for packet in found.demux(video=0) if packet.size]
        assert found.streams.video[0].codec_context.name in (codec, "hevc")
    keys = sorted(packet.pts for packet in packets if packet.is_keyframe)
    every = sorted(packet.pts for packet in packets)
    assert keys == every[::5]
    decoding = [packet.dts for packet in packets]
    assert decoding == sorted(set(decoding))
    assert all(packet.dts <= packet.pts for packet in packets)
    assert len(contents(tmp_path / "out.mp4").times) == 23


CHART = np.array(
    [[(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 30, 60)]], np.uint8
)


@pytest.mark.parametrize("matrix", [None, 1, 6, 9])
@pytest.mark.parametrize("full", [False, True])
def test_colours_do_not_shift(tmp_path: Path, matrix: int | None, full: bool) -> None:
    tags = {"color_range": 2 if full else 1} | ({"colorspace": matrix} if matrix else {})
    recipe = Recipe(size=(96, 48), options={"crf": "1"}, colour=tags)
    image = CHART.repeat(16, 1).repeat(48, 0)
    source = write_clip(tmp_path / "in.mp4", recipe, range(3), images=[image])
    outcome = run(source, tmp_path / "out.mp4")
    found = contents(tmp_path / "out.mp4")
    assert found.colour[:2] == (matrix or 6, 2 if full else 1)
    assert any("matrix" in note for note in outcome.notes) == (matrix is None)
    large = image.repeat(2, 0).repeat(2, 1)
    inner = [column for column in range(192) if 10 <= column % 32 < 22]
    assert abs(found.images[0].astype(int) - large)[:, inner].max() <= 5


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_rotated_video_becomes_an_upright_one(tmp_path: Path, quarters: int) -> None:
    source = write_clip(tmp_path / "in.mp4")
    run(source, tmp_path / "plain.mp4")
    outcome = run(turn(source, quarters), tmp_path / "out.mp4")
    plain, found = contents(tmp_path / "plain.mp4"), contents(tmp_path / "out.mp4")
    expected = np.rot90(plain.images[3], -quarters)
    assert found.images[3].shape == expected.shape
    assert abs(found.images[3].astype(int) - expected).mean() < 3
    assert outcome.to_dict()["rotation"] == quarters * 90
    with av.open(tmp_path / "out.mp4") as container:
        assert next(container.decode(video=0)).rotation == 0  # else players would turn it again


def test_odd_sides_at_scale_three(tmp_path: Path) -> None:
    recipe = Recipe(size=(63, 47), codec="libvpx-vp9", options={}, audio="libopus")
    outcome = run(write_clip(tmp_path / "in.webm", recipe, range(3)), tmp_path / "out.mp4", 3)
    assert contents(tmp_path / "out.mp4").images[0].shape == (142, 190, 3)
    assert any("odd" in note for note in outcome.notes)


def test_identical_frames_are_upscaled_once_per_segment(tmp_path: Path) -> None:
    slides = [moving(0)] * 9 + [moving(5)] * 4
    lossless = Recipe(codec="ffv1", options={})
    source = write_clip(tmp_path / "in.mkv", lossless, range(13), images=slides)
    outcome = run(source, tmp_path / "out.mp4")
    # segments begin at 0, 5, 10; the slide changes at 9
    assert (outcome.frames, outcome.reused) == (13, 13 - 4)
    found = contents(tmp_path / "out.mp4").images
    assert abs(found[8].astype(int) - upscale_bicubic(moving(0), 2)).mean() < 3
    assert abs(found[9].astype(int) - upscale_bicubic(moving(5), 2)).mean() < 3


@pytest.mark.parametrize("frame", [3, 5, 17])
def test_what_was_stopped_goes_on_to_the_same_file(tmp_path: Path, frame: int) -> None:
    source = write_clip(tmp_path / "in.mp4", Recipe(audio="aac"), range(23))
    run(source, tmp_path / "whole.mp4")
    call = request(source, tmp_path / "out.mp4")
    with pytest.raises(StopError):
        stopped(call, frame, StopError())
    assert not call.out.exists()
    outcome = run(source, call.out)
    assert outcome.resumed == frame // 5 * 5
    assert outcome.frames == 23
    assert _alike(call.out, tmp_path / "whole.mp4")


def _alike(one: Path, other: Path) -> bool:
    first, second = contents(one), contents(other)
    return (first.times, first.frames, first.sound) == (second.times, second.frames, second.sound)


KILLED = """
import os, signal, sys
from pathlib import Path
from edgesr.quality.runners import RunnerOptions
from edgesr.upscale.request import UpscaleRequest, VideoOptions
from edgesr.upscale.run import upscale

def tick(what, done, total):
    if [what, str(done)] == sys.argv[3:]:
        os.kill(os.getpid(), signal.SIGKILL)

runner = RunnerOptions(scale=2, threads=2)
options = VideoOptions(crf=1, segment_s=0.2)
upscale(UpscaleRequest(Path(sys.argv[1]), Path(sys.argv[2]), "bicubic", runner, options), tick)
"""


@pytest.mark.parametrize("when", [("upscaling", 12), ("joining", 4), ("joining", 20)])
def test_kill_leaves_no_result_and_the_next_call_finishes(
    tmp_path: Path, when: tuple[str, int]
) -> None:
    source = write_clip(tmp_path / "in.mp4", Recipe(audio="aac"), range(23))
    run(source, tmp_path / "whole.mp4")
    out = tmp_path / "out.mp4"
    command = [sys.executable, "-c", KILLED, str(source), str(out), *map(str, when)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not out.exists()
    assert parts_folder(out).is_dir()
    outcome = run(source, out)
    assert outcome.resumed == (10 if when[0] == "upscaling" else 23)
    assert _alike(out, tmp_path / "whole.mp4")


def test_a_torn_segment_is_made_again(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", times=range(23))
    call = request(source, tmp_path / "out.mp4")
    with pytest.raises(StopError):
        stopped(call, 17, StopError())
    torn = parts_folder(call.out) / "000001.bin"
    torn.write_bytes(torn.read_bytes()[:-1])
    assert run(source, call.out).resumed == 5


@pytest.mark.parametrize("change", ["options", "scale", "source"])
def test_parts_of_another_call_are_not_taken(tmp_path: Path, change: str) -> None:
    source, out = write_clip(tmp_path / "in.mp4", times=range(23)), tmp_path / "out.mp4"
    with pytest.raises(StopError):
        stopped(request(source, out), 17, StopError())
    changed: dict[str, Any] = {}
    if change == "options":
        changed["video"] = replace(SHORT, crf=20)
    if change == "source":
        write_clip(source, Recipe(options={"crf": "40"}), range(23))
    outcome = run(source, out, 3 if change == "scale" else 2, **changed)
    assert outcome.resumed == 0
    assert any("began anew" in note for note in outcome.notes)


def test_ctrl_c_tells_how_to_go_on(tmp_path: Path) -> None:
    call = request(write_clip(tmp_path / "in.mp4", times=range(23)), tmp_path / "out.mp4")
    with pytest.raises(Interrupted, match="not finished") as caught:
        stopped(call, 12, KeyboardInterrupt())
    assert (caught.value.exit_code, "same command" in caught.value.hint) == (130, True)
    assert not call.out.exists()


def test_two_calls_for_one_result(tmp_path: Path) -> None:
    source, out = write_clip(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    with hold_parts(out, {}), pytest.raises(UsageError, match="another edgesr"):
        upscale(request(source, out))


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from edgesr.cli.app import app
app(sys.argv[2:])
"""


@pytest.mark.parametrize("limit", [3_000, 60_000])
def test_a_full_disk(tmp_path: Path, limit: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 48, 64, 3), dtype=np.uint8)
    source = write_clip(tmp_path / "in.mp4", times=range(8), images=list(noise))
    command = [sys.executable, "-c", FULL, str(limit), "upscale", str(source)]
    command += [str(tmp_path / "out.mp4"), "--model", "bicubic", "--scale", "2", "--crf", "1"]
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    assert found.returncode == StoreError.exit_code, found.stderr
    assert "Traceback" not in found.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4"]


def test_sound_that_the_container_cannot_hold_is_refused_at_once(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", Recipe(audio="pcm_s16le"))
    with pytest.raises(UsageError) as caught:
        upscale(request(source, tmp_path / "out.mp4"))
    assert ".mkv" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]
    run(source, tmp_path / "out.mkv")
    assert [packet[2] for packet in contents(tmp_path / "out.mkv").sound] == [
        packet[2] for packet in contents(source).sound
    ]


def test_damaged_sound_costs_its_packets_and_not_the_video(tmp_path: Path) -> None:
    recipe = Recipe(audio="aac", unit=Fraction(1, 90_000))
    source = write_clip(tmp_path / "in.ts", recipe, range(0, 180_000, 3600))
    whole = len(contents(source).sound)
    data = bytearray(source.read_bytes())
    place = data.rindex(b"\xff\xf1")  # the header of an ADTS frame
    data[place : place + 2] = b"\0\0"
    source.write_bytes(data)
    outcome = run(source, tmp_path / "out.mp4")
    assert outcome.frames == 50
    assert outcome.copied.packets + outcome.copied.refused >= whole - 1
    assert len(contents(tmp_path / "out.mp4").sound) == outcome.copied.packets


def test_a_title_that_is_no_utf8(tmp_path: Path) -> None:
    source = tmp_path / "in.avi"
    with av.open(source, "w") as container:
        container.metadata["title"] = "caf?"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode())
    source.write_bytes(source.read_bytes().replace(b"caf?", b"caf\xe9"))
    assert run(source, tmp_path / "out.mp4").frames == 1


def test_one_frame_and_no_sound(tmp_path: Path) -> None:
    outcome = run(write_clip(tmp_path / "in.mp4", times=[0]), tmp_path / "out.mp4")
    assert (outcome.frames, outcome.copied.audio) == (1, 0)
    assert len(contents(tmp_path / "out.mp4").times) == 1


@pytest.mark.parametrize(
    ("recipe", "word"),
    [
        (Recipe(options={"flags": "+ilme+ildct", "x264-params": "tff=1"}), "interlaced"),
        (
            Recipe(
                codec="libx265", pix_fmt="yuv420p10le", options={"x265-params": "log-level=none"},
                colour={"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 1},
            ),
            "HDR",
        ),
    ],
)  # fmt: skip
def test_what_a_user_has_to_know(tmp_path: Path, recipe: Recipe, word: str) -> None:
    outcome = run(write_clip(tmp_path / "in.mkv", recipe), tmp_path / "out.mp4")
    assert any(word in note for note in outcome.notes)
    tags = tuple(recipe.colour.get(f"color{name}", 2) for name in ("_primaries", "_trc"))
    assert contents(tmp_path / "out.mp4").colour[2:] == tags


def test_a_file_that_breaks_off_and_says_so(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", Recipe(audio="aac"), range(100))
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    outcome = run(source, tmp_path / "out.mp4")
    assert 20 < outcome.frames < 90
    assert len(contents(tmp_path / "out.mp4").times) == outcome.frames
    assert any("end at" in note for note in outcome.notes)


def test_damage_in_the_middle_costs_a_few_frames(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", Recipe(options={"g": "5", "bf": "0"}), range(40))
    with av.open(source) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    source.write_bytes(source.read_bytes().replace(packets[20], bytes(len(packets[20]))))
    outcome = run(source, tmp_path / "out.mp4")
    assert 34 <= outcome.frames <= 40
    assert any("decode" in note for note in outcome.notes)
    assert contents(tmp_path / "out.mp4").times[-1] == Fraction(39, 25)


@pytest.mark.parametrize(
    ("source", "out", "error"),
    [
        ("none.mp4", "a.mp4", InputError),
        ("empty.mp4", "a.mp4", InputError),
        ("text.mp4", "a.mp4", InputError),
        ("sound.mp4", "a.mp4", InputError),
        ("good.mp4", "good.mp4", UsageError),
        ("good.mp4", "there.mp4", UsageError),
        ("good.mp4", "a.webm", UsageError),
        ("good.mp4", "a.xyz", UsageError),
        ("good.mp4", "a", UsageError),
        ("good.mp4", "a.png", UsageError),
        ("good.mp4", "folder.mp4", UsageError),
        ("good.mp4", "n" * 251 + ".mp4", StoreError),
        ("good.mp4", "good.mp4/a.mp4", StoreError),
        ("good.mp4", "/proc/a.mp4", StoreError),
        ("still.png", "a.mp4", UsageError),
    ],
)
def test_calls_that_make_no_sense_change_nothing(
    tmp_path: Path, source: str, out: str, error: type[EdgesrError]
) -> None:
    from PIL import Image

    write_clip(tmp_path / "good.mp4")
    write_sound(tmp_path / "sound.mp4")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello\n" * 99)
    (tmp_path / "there.mp4").write_text("mine")
    (tmp_path / "folder.mp4").mkdir()
    Image.fromarray(moving(0)).save(tmp_path / "still.png")
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    with pytest.raises(error) as caught:
        upscale(request(tmp_path / source, tmp_path / out))
    assert caught.value.exit_code == error.exit_code
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_a_result_is_replaced_only_when_asked(tmp_path: Path) -> None:
    source, out = write_clip(tmp_path / "in.mp4"), tmp_path / "deep" / "out.mp4"
    run(source, out)
    first = out.stat().st_ino
    outcome = run(source, out, 3, overwrite=True)
    assert out.stat().st_ino != first
    assert outcome.to_dict()["size_out"] == [192, 144]
    assert os.listdir(out.parent) == ["out.mp4"]  # noqa: PTH208 - hidden ones too
    json.dumps(outcome.to_dict())


def test_a_gif_becomes_a_video(tmp_path: Path) -> None:
    from PIL import Image

    first, *others = (Image.fromarray(moving(number)) for number in range(3))
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=[100, 50, 70])
    run(tmp_path / "a.gif", tmp_path / "out.mp4")
    found = contents(tmp_path / "out.mp4")
    assert found.times == [0, Fraction(1, 10), Fraction(15, 100)]
    assert found.colour[1] == 1
    assert abs(found.images[2].astype(int) - upscale_bicubic(moving(2), 2)).mean() < 4


def test_no_thread_outlives_a_stopped_call(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", Recipe(), range(23))
    before = threading.active_count()
    with pytest.raises(StopError) as caught:
        stopped(request(source, tmp_path / "out.mp4"), 5, StopError())
    assert caught.value.__traceback__ is not None  # it holds the frames of the call
    assert threading.active_count() == before
