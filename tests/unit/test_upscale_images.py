"""Images and folders through a model: what is kept, what is skipped, what is said."""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from edgesr.data.images import read_image
from edgesr.errors import ImageError, Interrupted, SomeJobsFailedError, StoreError, UsageError
from edgesr.quality.bicubic import upscale_bicubic
from edgesr.quality.runners import BicubicRunner, Runner, RunnerOptions
from edgesr.upscale.crew import Crew
from edgesr.upscale.images import ImagesOutcome
from edgesr.upscale.request import UpscaleRequest
from edgesr.upscale.run import upscale


def request(source: Path, out: Path, scale: int = 2, **changes: Any) -> UpscaleRequest:
    runner = RunnerOptions(scale=scale, threads=2)
    return replace(UpscaleRequest(source, out, "bicubic", runner), **changes)


def run(source: Path, out: Path, scale: int = 2, **changes: Any) -> ImagesOutcome:
    outcome = upscale(request(source, out, scale, **changes))
    assert isinstance(outcome, ImagesOutcome)
    return outcome


def picture(seed: int = 0, size: tuple[int, int] = (20, 12)) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))


def save(path: Path, seed: int = 0, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(seed)).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp", ".jpg"])
@pytest.mark.parametrize("scale", [2, 3])
def test_the_ending_decides_about_the_format(tmp_path: Path, suffix: str, scale: int) -> None:
    out = tmp_path / f"out{suffix.upper()}"
    run(save(tmp_path / "in.png"), out, scale)
    expected = upscale_bicubic(picture(), scale)
    found = read_image(out)
    if suffix == ".jpg":
        assert abs(found.astype(int) - expected).mean() < 3
    else:
        np.testing.assert_array_equal(found, expected)
    with Image.open(out) as image:
        kinds = {".tif": "TIFF", ".jpg": "JPEG"}
        assert image.format == kinds.get(suffix, suffix[1:].upper())


def test_transparency_is_enlarged_by_itself(tmp_path: Path) -> None:
    alpha = np.zeros((12, 20, 1), np.uint8)
    alpha[3:9, 5:15] = 255
    pixels = np.concatenate([picture(), alpha], axis=2)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    run(tmp_path / "in.png", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert image.mode == "RGBA"
        found = np.asarray(image)
    np.testing.assert_array_equal(found[..., :3], upscale_bicubic(picture(), 2))
    np.testing.assert_array_equal(found[..., 3:], upscale_bicubic(alpha, 2))
    outcome = run(tmp_path / "in.png", tmp_path / "out.jpg")
    assert any("white" in note for note in outcome.notes)
    assert read_image(tmp_path / "out.jpg")[:4, :4].min() > 240


def test_a_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    palette = Image.fromarray(picture()).quantize(8)
    palette.save(tmp_path / "in.png", transparency=0)
    run(tmp_path / "in.png", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert (image.mode, image.size) == ("RGBA", (40, 24))


@pytest.mark.parametrize(
    ("mode", "said"), [("L", False), ("1", False), ("CMYK", True), ("I;16", True)]
)
def test_other_ways_to_store_pixels(tmp_path: Path, mode: str, said: bool) -> None:
    if mode == "I;16":
        grey = picture()[..., 0].astype(np.uint16) * 257
        Image.fromarray(grey).save(tmp_path / "in.tif")
    else:
        Image.fromarray(picture()).convert(mode).save(tmp_path / "in.tif")
    outcome = run(tmp_path / "in.tif", tmp_path / "out.png")
    expected = upscale_bicubic(read_image(tmp_path / "in.tif"), 2)
    np.testing.assert_array_equal(read_image(tmp_path / "out.png"), expected)
    assert bool(outcome.notes) == said


def test_the_rotation_of_a_camera_and_the_profile_of_colours(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6  # EXIF orientation: to be turned clockwise
    save(tmp_path / "in.png", exif=exif, icc_profile=profile)
    run(tmp_path / "in.png", tmp_path / "out.png")
    expected = upscale_bicubic(np.ascontiguousarray(np.rot90(picture(), -1)), 2)
    np.testing.assert_array_equal(read_image(tmp_path / "out.png"), expected)
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["icc_profile"] == profile
        assert image.getexif().get(0x0112, 1) == 1


def test_a_folder_keeps_names_and_goes_on(tmp_path: Path) -> None:
    names = ["a.png", "a.jpg", "deep/er/b.webp", "c.bmp"]
    for number, name in enumerate(names):
        save(tmp_path / "in" / name, number)
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    outcome = run(tmp_path / "in", tmp_path / "out")
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in outcome.written) == sorted(
        names
    )
    for name in names:
        assert read_image(tmp_path / "out" / name).shape == (24, 40, 3)
    (tmp_path / "out" / "c.bmp").unlink()
    again = run(tmp_path / "in", tmp_path / "out")
    assert (again.skipped, [path.name for path in again.written]) == (3, ["c.bmp"])
    changed = save(tmp_path / "in" / "a.png", 9)
    later = (tmp_path / "out" / "a.png").stat().st_mtime_ns + 10**9
    os.utime(changed, ns=(later, later))
    assert [path.name for path in run(tmp_path / "in", tmp_path / "out").written] == ["a.png"]
    np.testing.assert_array_equal(
        read_image(tmp_path / "out" / "a.png"), upscale_bicubic(picture(9), 2)
    )


def test_images_of_another_model_are_not_taken_for_ones_own(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.png")
    run(tmp_path / "in", tmp_path / "out")
    with pytest.raises(UsageError, match="another model"):
        run(tmp_path / "in", tmp_path / "out", 3)
    assert read_image(tmp_path / "out" / "a.png").shape[0] == 24
    assert run(tmp_path / "in", tmp_path / "out", 3, overwrite=True).skipped == 0
    assert read_image(tmp_path / "out" / "a.png").shape[0] == 36
    save(tmp_path / "mine" / "a.png")
    with pytest.raises(UsageError, match="none of edgesr's"):
        run(tmp_path / "in", tmp_path / "mine")


def test_a_replacement_that_was_stopped_leaves_no_image_of_the_model_before(
    tmp_path: Path,
) -> None:
    for name in ("a.png", "b.png"):
        save(tmp_path / "in" / name)
    run(tmp_path / "in", tmp_path / "out")

    def stop(_what: str, done: int, _total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        upscale(request(tmp_path / "in", tmp_path / "out", 3, overwrite=True), stop)
    run(tmp_path / "in", tmp_path / "out", 3)
    assert read_image(tmp_path / "out" / "a.png").shape[0] == 36
    assert read_image(tmp_path / "out" / "b.png").shape[0] == 36


def test_a_damaged_image_stops_no_folder(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"\x89PNG broken")
    outcome = run(tmp_path / "in", tmp_path / "out")
    assert [path.name for path in outcome.written] == ["a.png"]
    assert "b.png" in outcome.failed[0]
    with pytest.raises(SomeJobsFailedError, match=r"b\.png"):
        outcome.check()
    (tmp_path / "in" / "a.png").unlink()
    (tmp_path / "out" / "a.png").unlink()
    with pytest.raises(ImageError, match=r"b\.png"):
        run(tmp_path / "in", tmp_path / "out").check()


@pytest.mark.parametrize(
    ("source", "out", "error"),
    [
        ("broken.png", "o.png", ImageError),
        ("moving.png", "o.png", UsageError),
        ("a.png", "a.png", UsageError),
        ("a.png", "there.png", UsageError),
        ("a.png", "o", UsageError),
        ("in", "in", UsageError),
        ("in", "there.png", UsageError),
        ("in/deep", "in", UsageError),
        ("empty", "o", ImageError.__base__),
        ("a.png", "/proc/o.png", StoreError),
    ],
)
def test_calls_that_make_no_sense(tmp_path: Path, source: str, out: str, error: Any) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "there.png", 1)
    save(tmp_path / "in/deep/a.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    frames = [Image.fromarray(picture(seed)) for seed in range(2)]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    with pytest.raises(error):
        run(tmp_path / source, tmp_path / out)
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_ctrl_c_in_a_folder(tmp_path: Path) -> None:
    for name in "abcdefghijkl":
        save(tmp_path / "in" / f"{name}.png")

    def tick(_what: str, done: int, _total: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        upscale(request(tmp_path / "in", tmp_path / "out"), tick)
    assert run(tmp_path / "in", tmp_path / "out").skipped >= 2


def test_a_crew_keeps_order_and_bounds_what_is_under_way() -> None:
    lock, under_way, most = threading.Lock(), [0], [0]

    def work(_runner: Runner, item: int) -> int:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.002 if item % 3 else 0.02)
        with lock:
            under_way[0] -= 1
        return item * item

    taken = [0]

    def items() -> Any:
        for number in range(40):
            taken[0] = number
            yield number

    crew: Crew[int, int] = Crew([BicubicRunner(2) for _ in range(3)], work)
    for given, (item, result, again) in enumerate(crew.map(items())):
        assert (item, result, again) == (given, given * given, False)
        assert taken[0] - given <= crew.window
    assert most[0] == 3


def test_a_crew_passes_an_error_on_and_works_once_on_the_same() -> None:
    done = []

    def work(_runner: Runner, item: int) -> int:
        done.append(item)
        if item == 7:
            raise ImageError("seven")
        return item

    crew: Crew[int, int] = Crew([BicubicRunner(2)], work)
    found = list(crew.map([1, 1, 1, 2, 2, 1], lambda before, item: before == item))
    assert [(item, again) for item, _, again in found] == [
        (1, False), (1, True), (1, True), (2, False), (2, True), (1, False),
    ]  # fmt: skip
    assert done == [1, 2, 1]
    with pytest.raises(ImageError, match="seven"):
        list(crew.map(range(9)))


def test_a_webp_that_would_be_too_large(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((1, 8200, 3), np.uint8)).save(tmp_path / "in.png")
    with pytest.raises(StoreError, match="WebP"):
        run(tmp_path / "in.png", tmp_path / "out.webp")
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]
