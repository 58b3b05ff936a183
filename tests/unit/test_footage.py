"""Lecture footage: the same every time, with the right text, in files of the right kind."""

import functools
import hashlib
import json
import random
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from edgesr.cli.data import app
from edgesr.data import footage as footage_module
from edgesr.data.footage import FootageOptions, write_footage
from edgesr.data.footage_clips import Coding, TruthClip
from edgesr.data.footage_draw import Patch, blend, hides, lay, pointer_patch, stroke_patch
from edgesr.data.footage_film import Film, FilmOptions
from edgesr.data.footage_script import Layout, write_shot
from edgesr.data.footage_sound import voice
from edgesr.data.footage_text import FrameText, read_text_track, write_frame_texts
from edgesr.data.frames import probe_clip, read_frames
from edgesr.data.slide_canvas import Box
from edgesr.data.slides import render_slide
from edgesr.errors import EdgesrError, InputError, StoreError, UsageError

TINY = FilmOptions(seed=3, fps=10, width=320, height=180)
QUICK = FootageOptions(seconds=1.2, fps=10, seed=5, size=(128, 72), hold_s=(0.4, 0.6))


def _call(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["footage", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_a_frame_is_a_function_of_seed_and_index() -> None:
    forwards = [frame.image.copy() for frame in Film(TINY).frames(70)]
    again = Film(TINY)
    for index in (69, 3, 40, 41, 0):
        np.testing.assert_array_equal(again.frame(index).image, forwards[index])
    other = Film(FilmOptions(seed=4, fps=10, width=320, height=180)).frame(3).image
    assert not np.array_equal(other, forwards[3])


def test_text_transitions_and_cover_of_every_frame_are_right() -> None:
    film = Film(TINY)
    texts = functools.lru_cache(lambda number: render_slide(3, number).text)
    kinds = set()
    drawn_on_in_full_view = 0
    for index in range(200):
        frame = film.frame(index)
        scene = film._scene(frame.slide)
        assert frame.text == texts(frame.slide)
        assert frame.stable == (not frame.transition and not frame.covered)
        kinds.add((frame.transition, frame.covered))
        if not frame.transition:
            changed = (frame.image != scene.page).any(axis=2)
            assert frame.covered or not changed[scene.mask].any()
            drawn_on_in_full_view += changed.any() and frame.stable
    assert kinds == {(False, False), (False, True), (True, False)}
    assert drawn_on_in_full_view


def test_every_slide_is_seen_whole_before_anything_lies_on_it() -> None:
    film = Film(TINY)
    first: dict[int, list[bool]] = {}
    for frame in film.frames(200):
        if not frame.transition:
            first.setdefault(frame.slide, []).append(frame.stable)
    assert len(first) >= 4
    assert all(all(seen[:7]) for seen in first.values() if len(seen) >= 7)


def test_a_transition_goes_from_the_old_slide_with_its_ink_to_the_new_one() -> None:
    before = np.full((4, 10, 3), 200, np.uint8)
    after = np.full((4, 10, 3), 40, np.uint8)
    for kind in ("fade", "push", "slide-in", "cut"):
        np.testing.assert_array_equal(blend(before, after, kind, 0.0), before)
        np.testing.assert_array_equal(blend(before, after, kind, 1.0), after)
    assert blend(before, after, "fade", 0.5)[0, 0, 0] == 120
    ramp = np.arange(10, dtype=np.uint8)[None, :, None].repeat(4, 0).repeat(3, 2)
    assert blend(ramp, after, "push", 0.5)[0, :, 0].tolist() == [5, 6, 7, 8, 9, *[40] * 5]
    assert blend(ramp, after, "slide-in", 0.5)[0, :, 0].tolist() == [0, 1, 2, 3, 4, *[40] * 5]


def test_frames_move_only_while_something_moves() -> None:
    """The same array stands for still frames, so that they are shrunk once."""
    film = Film(TINY)
    assert film.frame(0).image is film.frame(1).image
    moving = [index for index in range(200) if film.frame(index).transition]
    assert moving
    one = next(index for index in moving if index + 1 in moving)
    assert not np.array_equal(film.frame(one).image, film.frame(one + 1).image)


@pytest.mark.parametrize("kind", ["arrow", "laser"])
def test_a_pointer_is_cut_at_the_edge_and_hides_what_it_lies_on(kind: str) -> None:
    page = np.full((60, 80, 3), 255, np.uint8)
    for place in ((40.3, 30.7), (-3.0, 5.0), (79.5, 59.5), (-200.0, 10.0)):
        patch = pointer_patch(kind, place, 1.0)  # type: ignore[arg-type]
        image = page.copy()
        taken = lay(image, patch)
        changed = (image != page).any(axis=2)
        assert hides(patch, np.ones((60, 80), bool)) == (taken is not None)
        if taken is None:
            assert not changed.any()
            continue
        rows, columns = taken
        changed[rows, columns] = False
        assert not changed.any()
    middle = lay(image := page.copy(), pointer_patch(kind, (40.0, 30.0), 1.0))  # type: ignore[arg-type]
    assert middle
    assert (image[33:35, 41:43] != 255).any()


def test_ink_is_opaque_in_the_middle_and_soft_at_the_edge() -> None:
    patch = stroke_patch(((10.0, 10.0), (30.0, 10.0)), 4.0, (9, 8, 7))
    image = np.full((20, 40, 3), 200, np.uint8)
    lay(image, patch)
    assert image[10, 20].tolist() == [9, 8, 7]
    assert image[5, 20].tolist() == [200, 200, 200]
    assert (patch.alpha[patch.alpha < 255] > 0).sum() > 0
    soft = Patch(0, 0, np.full((1, 1), 128, np.uint8), np.zeros(3, np.uint8))
    lay(image, soft)
    assert image[0, 0, 0] == round(200 * 127 / 255)


def test_scripts_stay_on_the_page_and_in_their_time() -> None:
    boxes = (Box(100, 80, 500, 120), Box(900, 600, 1270, 710), Box(3, 3, 20, 20))
    for number in range(40):
        layout = Layout(1280, 720, boxes if number % 2 else ())
        shot = write_shot(8, number, 4.0, layout)
        assert shot == write_shot(8, number, 4.0, layout)
        assert shot.moving_s <= 4.0 / 3
        for stroke in shot.strokes:
            places = np.array(stroke.points)
            assert (places >= 0).all()
            assert (places < (1280, 720)).all()
            assert stroke.drawn(stroke.start_s) == 0
            assert stroke.drawn(stroke.end_s) == len(stroke.points)
        for pointer in shot.pointers:
            for time_s in np.arange(0, 4, 0.05):
                place = pointer.at(float(time_s))
                assert place is None or (-5 <= place[0] <= 1285 and -5 <= place[1] <= 725)


def test_the_pointer_moves_smoothly() -> None:
    random.seed(0)  # global randomness decides nothing
    shot = next(
        shot
        for number in range(20)
        if (
            shot := write_shot(1, number, 5.0, Layout(1280, 720, (Box(400, 300, 700, 340),)))
        ).pointers
    )
    pointer = shot.pointers[0]
    places = [pointer.at(float(t)) for t in np.arange(0, 5, 1 / 60)]
    seen = np.array([place for place in places if place is not None])
    steps = np.hypot(*np.diff(seen, axis=0).T)
    assert steps.max() < 80
    assert steps.sum() > 50


def test_the_voice_is_quiet_and_not_silent() -> None:
    sound = np.concatenate([voice(1, block)[0] for block in range(200)])
    assert 0.005 < np.sqrt(np.mean(sound**2)) < 0.1
    assert np.abs(sound).max() < 0.5
    np.testing.assert_array_equal(voice(1, 7), voice(1, 7))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("footage") / "out"
    write_footage(out, QUICK)
    return out


def test_the_large_clip_is_the_film_without_loss(made: Path) -> None:
    film = Film(FilmOptions(5, 10, 256, 144, hold_s=(0.4, 0.6)))
    frames = list(read_frames(made / "hr.mp4"))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 10 for i in range(12)])
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.image, film.frame(index).image)


def test_the_small_clip_has_the_same_times_sound_and_named_colours(made: Path) -> None:
    clip = probe_clip(made / "lr.mp4")
    assert (clip.width, clip.height, clip.frames, clip.has_audio) == (128, 72, 12, True)
    assert (clip.colour.matrix, clip.colour.full_range, clip.colour.named) == (1, False, True)
    times = [frame.time_s for frame in read_frames(made / "lr.mp4")]
    assert times == pytest.approx([i / 10 for i in range(12)])
    with av.open(made / "lr.mp4") as container:
        sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    assert len(sound) / 48_000 == pytest.approx(1.2, abs=0.05)
    assert np.sqrt(np.mean(sound**2)) > 0.003


def test_the_small_clip_shows_the_large_one(made: Path) -> None:
    pairs = zip(read_frames(made / "hr.mp4"), read_frames(made / "lr.mp4"), strict=True)
    for large, small in pairs:
        halved = large.image.reshape(72, 2, 128, 2, 3).mean(axis=(1, 3))
        assert np.abs(halved.mean(axis=(0, 1)) - small.image.mean(axis=(0, 1))).max() < 4


def test_the_table_and_the_record_tell_what_was_made(made: Path) -> None:
    track = read_text_track(made / "text.csv")
    film = Film(FilmOptions(5, 10, 256, 144, hold_s=(0.4, 0.6)))
    assert len(track.rows) == 12
    for index, row in enumerate(track.rows):
        frame = film.frame(index)
        assert (row.text, row.slide, row.stable) == (frame.text, str(frame.slide), frame.stable)
        assert row.time_s == pytest.approx(index / 10, abs=1e-6)
    record = json.loads((made / "footage.json").read_text())
    assert record["schema"] == 1
    assert record["options"]["seed"] == 5
    assert record["slides"] == len({row.slide for row in track.rows})
    for file, digest in record["sha256"].items():
        assert hashlib.sha256((made / file).read_bytes()).hexdigest() == digest
    assert {"av", "matplotlib", "libavcodec"} <= set(record["versions"])


def test_made_again_the_files_are_the_same(made: Path, tmp_path: Path) -> None:
    write_footage(tmp_path / "again", QUICK)
    for file in ("hr.mp4", "lr.mp4", "text.csv"):
        assert (tmp_path / "again" / file).read_bytes() == (made / file).read_bytes()


def test_the_bitrate_is_near_what_was_asked_for(tmp_path: Path) -> None:
    def kbps(name: str, coding: Coding) -> float:
        options = FootageOptions(
            seconds=4, fps=15, seed=2, size=(320, 180), coding=coding, hold_s=(0.8, 1.2)
        )
        return write_footage(tmp_path / name, options).lr_kbps

    low, high = kbps("low", Coding(40_000)), kbps("high", Coding(80_000))
    assert 20 < low < 50
    assert low < high < 100
    assert kbps("fine", Coding(crf=15)) > 2 * kbps("coarse", Coding(crf=38))


@pytest.mark.slow
def test_an_engine_reads_the_text_of_stable_frames() -> None:
    from edgesr.quality.ocr import open_engine
    from edgesr.quality.text import score_text

    film, engine = Film(FilmOptions(0, 30, 1280, 720)), open_engine("rapidocr", 1)
    stable = [i for i in range(0, 450, 75) if film.frame(i).stable]
    assert len(stable) >= 3
    rates = [score_text(engine.read(film.frame(i).image), film.frame(i).text).cer for i in stable]
    assert all(rate is not None and rate < 0.1 for rate in rates), rates


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"scale": 5}, "scale"),
        ({"fps": 0}, "frames"),
        ({"seconds": 0}, "at least one"),
        ({"seconds": 0.001}, "at least one"),
        ({"seconds": float("nan")}, "at least one"),
        ({"seconds": 1e9}, "hour"),
        ({"size": (641, 360)}, "even"),
        ({"size": (32, 18)}, "even"),
        ({"size": (360, 640)}, "large"),
        ({"size": (400, 360)}, "16:9"),
        ({"size": (1280, 720)}, "large"),
        ({"coding": Coding(bitrate=10)}, "bitrate"),
        ({"coding": Coding(bitrate=3_000_000_000)}, "bitrate"),
        ({"coding": Coding(gop_s=float("nan"))}, "alone"),
        ({"coding": Coding(gop_s=float("inf"))}, "alone"),
        ({"coding": Coding(crf=60)}, "rate factor"),
        ({"coding": Coding(gop_s=0)}, "alone"),
        ({"hold_s": (3.0, 2.0)}, "stand"),
    ],
)
def test_options_that_make_no_sense_are_refused(changes: dict[str, object], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        FootageOptions(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_default_sizes_fit_every_scale(scale: int) -> None:
    options = FootageOptions(scale=scale)
    width, height = options.lr_size
    assert options.hr_size == (width * scale, height * scale)
    assert options.hr_size[0] >= 1278


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    def stop(_what: str, done: int, _total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_footage(tmp_path / "out", QUICK, stop)
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(TruthClip):
        def write(self, _image: object) -> None:
            with self._out._errors():
                raise av.error.OSError(28, "No space left on device")

    monkeypatch.setattr(footage_module, "TruthClip", Failing)
    with pytest.raises(StoreError, match=r"hr\.mp4"):
        write_footage(tmp_path / "out", QUICK)
    assert list(tmp_path.iterdir()) == []


def test_the_verb_writes_guards_and_tells(tmp_path: Path) -> None:
    out = tmp_path / "out"
    flags = ("--seconds", 0.5, "--fps", 8, "--size", "128x72", "--bitrate", "0.05M", "--gop", 1)
    code, stdout, stderr = _call(out, *flags, "--json")
    assert code == 0, stderr
    told = json.loads(stdout)
    assert (told["frames"], told["slides"]) == (4, 1)
    assert Path(told["lr"]).is_file()
    assert {path.name for path in out.iterdir()} == {
        "hr.mp4", "lr.mp4", "text.csv", "footage.json",
    }  # fmt: skip
    code, stdout, stderr = _call(out, *flags)
    assert (code, stdout) == (2, "")
    assert "--overwrite" in stderr
    code, stdout, _ = _call(out, *flags, "--overwrite")
    assert code == 0
    assert "4 frames" in stdout
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    assert _call(tmp_path / "mine", *flags, "--overwrite")[0] == 2
    assert (tmp_path / "mine" / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (("--size", "big"), 2),
        (("--size", "640x"), 2),
        (("--bitrate", "fast"), 2),
        (("--bitrate", "0"), 2),
        (("--seconds", "-1"), 2),
        (("--crf", "99"), 2),
    ],
)
def test_bad_flags(tmp_path: Path, flags: tuple[str, ...], code: int) -> None:
    got, stdout, stderr = _call(tmp_path / "out", *flags)
    assert got == code, stderr
    assert stdout == ""
    assert "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == []


def test_a_table_survives_its_file(tmp_path: Path) -> None:
    odd = 'quotes " and, commas\nand lines ✓ =SUM(A1)'
    rows = [
        FrameText(0, 0.0, 0, odd),
        FrameText(1, 0.04, 0, "", transition=True),
        FrameText(2, 0.08, 1, odd, covered=True),
    ]
    write_frame_texts(tmp_path / "t.csv", rows)
    track = read_text_track(tmp_path / "t.csv")
    assert [(row.text, row.stable) for row in track.rows] == [
        (odd, True), ("", False), (odd, False),
    ]  # fmt: skip
    found = track.at(0.05, 0.02)
    assert found is not None
    assert found.time_s == 0.04
    assert track.at(0.2, 0.02) is None
    assert track.at(-0.5, 0.02) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"time_s,slide,stable,text\n",
        b"time_s,slide,text\n0,0,a\n",
        b"time_s,slide,stable,text\nsoon,0,1,a\n",
        b"time_s,slide,stable,text\nnan,0,1,a\n",
        b"time_s,slide,stable,text\n0,0,yes,a\n",
        b"time_s,slide,stable,text\n0,0,1\n",
        b"time_s,slide,stable,text\n0\n",
        b'time_s,slide,stable,text\n0,0,1,"open',
        b"time_s,slide,stable,text\n0,0,1,\xff\xfe\n",
        b"\x00\x01\x02\x00",
    ],
)
def test_damaged_tables_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.csv"):
        read_text_track(path)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(EdgesrError, match=r"none\.csv"):
        read_text_track(tmp_path / "none.csv")
    with pytest.raises(InputError):
        read_text_track(tmp_path)
