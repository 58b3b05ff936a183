"""Frames of video files: the right ones, upright, in the right colours."""

import pickle
import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edgesr.data.sources import Source, open_source
from edgesr.errors import ConfigError, ImageError, InputError

_BITS = 7


def _numbered(number: int) -> np.ndarray:
    """A frame 64 wide that shows its number in black and white stripes, which survive coding."""
    bits = [255 * (number >> bit & 1) for bit in range(_BITS)]
    return np.repeat(np.array([[*bits, 128]], np.uint8), 8, 1).repeat(48, 0)[..., None].repeat(3, 2)


def _number(image: np.ndarray) -> int:
    stripes = image[16:32, :, 1].reshape(16, 8, 8)[:, :_BITS, 2:6].mean((0, 2))
    return sum(int(value > 128) << bit for bit, value in enumerate(stripes))


def _write(
    path: Path, codec: str = "libx264", options: str = "keyint=20", times: Iterable[int] = range(70)
) -> str:
    """Writes numbered frames at given 25ths of a second."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        kind = codec.removeprefix("lib") + "-params"
        stream.options = {kind: options + ":log-level=none"} if options else {"g": "20"}
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(_numbered(number))
            frame.pts, frame.time_base = time, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return str(path)


def _numbers(source: Source) -> list[int]:
    return [_number(source[index].hr) for index in range(len(source))]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", "keyint=20:bframes=3"),
        ("short groups.mp4", "libx264", "keyint=3:bframes=2"),
        ("open groups.mkv", "libx264", "keyint=12:open-gop=1:bframes=5:b-adapt=0"),
        ("b.mkv", "libx265", "keyint=12:open-gop=1:bframes=4:b-adapt=0"),
        ("c.mov", "libx264", "keyint=250"),
        ("d.webm", "libvpx-vp9", ""),
        ("reordered.avi", "libx264", "keyint=20:bframes=3"),
        ("e.avi", "mpeg4", ""),
    ],
)
def test_every_frame_is_found_by_its_index(
    tmp_path: Path, name: str, codec: str, options: str
) -> None:
    source = open_source(_write(tmp_path / name, codec, options, range(40)) + ":1", 2)
    assert len(source) == 40
    for index in (39, 0, 13, 14, 12, 11, 20, 38, 1, 39):
        assert _number(source[index].hr) == index
    scene = source[13]
    assert scene.hr.shape == (48, 64, 3)
    assert scene.hr.dtype == np.uint8
    assert scene.lr is None
    assert scene.name == f"{Path(name).stem}-000013"


def test_one_frame_a_second_or_every_nth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path / "a:b.mp4")
    monkeypatch.chdir(tmp_path)
    text = "a:b.mp4"
    source = open_source(text, 2)
    assert _numbers(source) == [0, 25, 50]
    assert source.label(1) == f"{text}, frame 25 at 1.00 s"
    assert _numbers(open_source(f"{text}:30", 2)) == [0, 30, 60]
    assert open_source(f"{text}:30", 2).name == f"{text}:30"
    assert len({open_source(t, 2).digest() for t in (text, f"{text}:30", f"{text}:35")}) == 3
    with pytest.raises(ConfigError, match="takes no frame"):
        open_source(f"{text}:0", 2)


def test_a_second_is_measured_by_the_clock(tmp_path: Path) -> None:
    times = [0, 1, 2, 30, 31, 90, 114, 115, 116]  # a screen recording stores a frame on a change
    assert _numbers(open_source(_write(tmp_path / "a.mkv", times=times), 2)) == [0, 3, 5, 7]


def test_a_phone_held_upright_gives_upright_frames(tmp_path: Path) -> None:
    path = Path(_write(tmp_path / "a.mp4"))
    upright = open_source(str(path), 2)[1].hr
    data = bytearray(path.read_bytes())
    # ISO 14496-12, track header, version 0: the matrix follows 36 bytes after the version
    place = data.index(b"tkhd") + 4 + 40
    assert struct.unpack(">9i", data[place : place + 36])[0] == 1 << 16
    quarter_clockwise = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    data[place : place + 36] = struct.pack(">9i", *quarter_clockwise)
    path.write_bytes(data)
    turned = open_source(str(path), 2)[1].hr
    assert np.array_equal(turned, np.rot90(upright, -1))


@pytest.mark.parametrize(("tag", "matrix"), [(1, "ITU709"), (5, "ITU601")])
def test_colours_follow_the_matrix_that_the_video_names(
    tmp_path: Path, tag: int, matrix: str
) -> None:
    colour = np.full((48, 64, 3), (200, 30, 60), np.uint8)
    with av.open(tmp_path / "a.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        stream.options = {"crf": "1"}
        stream.codec_context.colorspace = tag
        frame = av.VideoFrame.from_ndarray(colour)
        frame = frame.reformat(format="yuv444p", dst_colorspace=matrix)
        frame.colorspace = tag
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    found = open_source(str(tmp_path / "a.mp4"), 2)[0].hr
    assert abs(found.astype(int) - colour).max() <= 4  # the wrong matrix is off by 15 and more


def test_damage_within_a_video_is_named(tmp_path: Path) -> None:
    path = Path(_write(tmp_path / "a.mkv", options="keyint=20:bframes=0"))
    with av.open(path) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    start = data.index(packets[20])
    data[start : start + len(packets[20])] = bytes(len(packets[20]))
    path.write_bytes(data)
    source = open_source(f"{path}:5", 2)
    assert len(source) == 14
    assert _number(source[3].hr) == 15
    assert _number(source[8].hr) == 40
    with pytest.raises(ImageError, match=r"a\.mkv, frame 20 at 0\.80 s can't be decoded"):
        source[4]


def test_files_that_are_no_videos(tmp_path: Path) -> None:
    path = Path(_write(tmp_path / "a.mp4"))
    path.write_bytes(path.read_bytes()[:-500])  # cut off before its index was written
    with pytest.raises(ImageError, match=r"can't read the video .*a\.mp4"):
        open_source(str(path), 2)
    path.write_text("hello")
    with pytest.raises(ImageError, match="can't read the video"):
        open_source(str(path), 2)
    for text in (tmp_path / "none.mp4", f"{tmp_path / 'none.mp4'}:5"):
        with pytest.raises(InputError, match=r"none\.mp4 does not exist"):
            open_source(str(text), 2)


def test_a_file_of_sound_alone(tmp_path: Path) -> None:
    with av.open(tmp_path / "a.mp4", "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        sound.rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(ImageError, match="no pictures"):
        open_source(str(tmp_path / "a.mp4"), 2)


def test_a_video_crosses_processes_and_has_a_digest(tmp_path: Path) -> None:
    text = _write(tmp_path / "a.mp4")
    source = open_source(text, 2)
    copy = pickle.loads(pickle.dumps(source))  # noqa: S301
    assert _numbers(copy) == [0, 25, 50]
    before = source.digest()
    moved = Path(text).rename(tmp_path / "b.mp4")
    assert open_source(str(moved), 2).digest() == before
    assert open_source(_write(tmp_path / "a.mp4", times=range(0, 140, 2)), 2).digest() != before
