"""What a video is, and its frames: upright, in the right colours, at their times."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from fixtures.clips import Recipe, moving, turn, write_clip, write_sound

from edgesr.data.frames import Damage, probe_clip, read_frames
from edgesr.errors import InputError

CHART = np.repeat(
    np.array(
        [[(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 30, 60)]],
        np.uint8,
    ),
    16,
    1,
).repeat(48, 0)


def test_what_a_clip_is(tmp_path: Path) -> None:
    clip = probe_clip(write_clip(tmp_path / "a:b.mp4", Recipe(audio="aac"), range(30)))
    assert (clip.width, clip.height, clip.coded_width, clip.coded_height) == (64, 48, 64, 48)
    assert clip.fps == 25
    assert clip.frames == 30
    assert clip.duration_s == pytest.approx(1.2, abs=0.05)
    assert clip.has_audio
    assert (clip.rotation, clip.variable_rate, clip.interlaced, clip.bits) == (0, False, False, 8)
    assert not clip.colour.named


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_variable_rate_is_seen_and_rounded_times_are_none(tmp_path: Path, name: str) -> None:
    unit = Recipe(unit=Fraction(1, 600))
    times = [0, 7, 31, 32, 90, 600, 601, 640]
    path = write_clip(tmp_path / name, unit, times)
    assert probe_clip(path).variable_rate
    found = [frame.time_s for frame in read_frames(path)]
    assert found == pytest.approx([time / 600 for time in times], abs=0.001)
    even = write_clip(tmp_path / f"even-{name}", Recipe(unit=Fraction(1, 30)), range(20))
    assert not probe_clip(even).variable_rate


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_frames_are_upright(tmp_path: Path, quarters: int, mirrored: bool) -> None:
    path = write_clip(tmp_path / "a.mp4")
    plain = next(read_frames(path)).image
    turn(path, quarters, mirrored=mirrored)
    clip, found = probe_clip(path), next(read_frames(path)).image
    assert clip.rotation == quarters * 90
    assert (clip.height, clip.width) == found.shape[:2]
    expected = plain[:, ::-1] if mirrored else plain
    np.testing.assert_array_equal(found, np.rot90(expected, -quarters))


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full", [False, True])
def test_colours_follow_matrix_and_range(tmp_path: Path, matrix: int, full: bool) -> None:
    tags = {"colorspace": matrix, "color_range": 2 if full else 1}
    recipe = Recipe(size=(96, 48), options={"crf": "1"}, colour=tags)
    path = write_clip(tmp_path / "a.mp4", recipe, images=[CHART])
    colour = probe_clip(path).colour
    assert (colour.matrix, colour.full_range, colour.named) == (matrix, full, True)
    found = next(read_frames(path)).image
    inner = [column for column in range(96) if 4 <= column % 16 < 12]
    difference = abs(found.astype(int) - CHART)[:, inner]
    assert difference.max() <= 4  # another matrix or range is off by 15 and more


def test_ten_bits_and_names_of_high_dynamic_range(tmp_path: Path) -> None:
    tags = {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": 16}
    quiet = {"x265-params": "log-level=none"}
    recipe = Recipe(codec="libx265", pix_fmt="yuv420p10le", options=quiet, colour=tags)
    clip = probe_clip(write_clip(tmp_path / "a.mkv", recipe))
    assert clip.bits == 10
    assert (clip.colour.primaries, clip.colour.transfer) == (9, 16)
    assert next(read_frames(clip.path)).image.dtype == np.uint8


def test_a_file_that_breaks_off_gives_what_is_there(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", times=range(100))
    whole = [frame.image for frame in read_frames(path)]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = [frame.image for frame in read_frames(path)]
    assert 20 < len(found) < 80
    np.testing.assert_array_equal(found[:20], whole[:20])


def test_what_cannot_be_decoded_is_counted(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", Recipe(options={"g": "5", "bf": "0"}), range(40))
    with av.open(path) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = path.read_bytes()
    path.write_bytes(data.replace(packets[20], bytes(len(packets[20]))))
    damage = Damage()
    frames = list(read_frames(path, damage))
    assert damage.packets + damage.corrupt >= 1
    assert str(damage)
    assert 35 <= len(frames) < 41
    times = [frame.time_s for frame in frames]
    assert times == sorted(set(times))
    assert not str(Damage())


def test_skipped_frames_are_those_at_the_start(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4")
    whole, rest = list(read_frames(path)), list(read_frames(path, skip=5))
    assert [frame.pts for frame in rest] == [frame.pts for frame in whole[5:]]
    np.testing.assert_array_equal(rest[0].image, whole[5].image)


@pytest.mark.parametrize("name", ["a.avi", "a.h264"])
def test_files_without_times_are_even(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / name, Recipe(options={"bf": "3", "crf": "12"}), range(20))
    frames = list(read_frames(path))
    assert len(frames) == 20
    assert np.ptp(np.diff([frame.pts for frame in frames])) == 0


def _cut(path: Path) -> None:
    write_clip(path)
    path.write_bytes(path.read_bytes()[:-400])  # its index comes last


def _sound(path: Path) -> None:
    write_sound(path)


def _sound_with_cover(path: Path) -> None:
    write_sound(path, cover=True)


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("none.mp4", lambda _: None, "does not exist"),
        ("empty.mp4", lambda path: path.write_bytes(b""), "is empty"),
        ("text.mp4", lambda path: path.write_text("hello\n" * 99), "can't read the video"),
        ("cut.mp4", _cut, "can't read the video"),
        ("sound.mp4", _sound, "no pictures"),
        ("cover.mp3", _sound_with_cover, "no pictures"),
        (
            "list.mp4",
            lambda path: path.write_text("#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n"),
            "can't read",
        ),
    ],
)
def test_files_that_are_no_videos(
    tmp_path: Path, name: str, make: Callable[[Path], object], reason: str
) -> None:
    path = tmp_path / name
    make(path)
    for read in (probe_clip, lambda path: next(read_frames(path))):
        with pytest.raises(InputError, match=reason) as caught:
            read(path)
        assert name in str(caught.value)
        assert caught.value.hint


def test_the_picture_of_a_gif(tmp_path: Path) -> None:
    from PIL import Image

    first, *others = (Image.fromarray(moving(number)) for number in range(3))
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=[100, 50, 70])
    clip = probe_clip(tmp_path / "a.gif")
    assert (clip.width, clip.height, clip.frames, clip.colour.rgb) == (64, 48, 3, True)
    assert [frame.time_s for frame in read_frames(clip.path)] == pytest.approx([0, 0.1, 0.15])
