"""What a training tells: event files that TensorBoard reads, metrics.csv, sample pictures."""

import csv
import io
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgesr.data.images import RgbImage, read_image
from edgesr.data.resize import imresize
from edgesr.errors import ImageError, StoreError
from edgesr.quality.bicubic import upscale_bicubic
from edgesr.quality.metrics import psnr_y
from edgesr.train import pictures as drawing
from edgesr.train.logs import TensorBoardLog, metrics_csv
from edgesr.train.pictures import busiest_part, sample_sheet, write_pictures

READER = """
import json, sys, types
sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")  # tensorboard without TensorFlow
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0}).Reload()
tags = events.Tags()
print(json.dumps({
    "scalars": {t: [[e.step, e.value] for e in events.Scalars(t)] for t in tags["scalars"]},
    "images": {
        t: [[e.step, e.width, e.height, e.encoded_image_string.hex()] for e in events.Images(t)]
        for t in tags["images"]
    },
    "tensorflow": "tensorflow" in sys.modules,
}))
"""


def read(folder: Path) -> dict[str, dict[str, list[list[float | str]]]]:
    """What TensorBoard's own reader finds, all files of the folder together."""
    command = [sys.executable, "-c", READER, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, dict[str, list[list[float | str]]]] = json.loads(done.stdout)
    assert not found.pop("tensorflow")
    return found


def picture(height: int, width: int, seed: int = 0) -> RgbImage:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_tensorboard_reads_curves_and_pictures(tmp_path: Path) -> None:
    log = TensorBoardLog(tmp_path / "a" / "tensorboard", 10)
    log.scalars(10, {"loss": 0.5, "val/psnr_y": 30.25})
    log.scalars(20, {"loss": 0.25})
    image = picture(5, 7)
    log.image(20, "sample", image)
    found = read(tmp_path / "a" / "tensorboard")  # complete before it is closed
    log.close()
    assert found["scalars"] == {"loss": [[10, 0.5], [20, 0.25]], "val/psnr_y": [[10, 30.25]]}
    step, width, height, png = found["images"]["sample"][0]
    assert (step, width, height) == (20, 7, 5)
    with Image.open(io.BytesIO(bytes.fromhex(str(png)))) as opened:
        assert np.array_equal(np.asarray(opened), image)


def test_after_a_resume_no_step_appears_twice(tmp_path: Path) -> None:
    """The first training told of steps 10 to 40 and was saved at 20; the resumed one goes on."""
    for first, value, last in ((10, 1.0, 40), (30, 2.0, 50), (50, 3.0, 60)):
        log = TensorBoardLog(tmp_path, first)
        for step in range(first, last + 1, 10):
            log.scalars(step, {"loss": value})
        log.close()
    expected = [[10, 1.0], [20, 1.0], [30, 2.0], [40, 2.0], [50, 3.0], [60, 3.0]]
    assert read(tmp_path)["scalars"]["loss"] == expected


def test_a_clock_set_back_does_not_bring_files_out_of_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    TensorBoardLog(tmp_path, 1).close()
    before = set(tmp_path.iterdir())
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 100_000)
    TensorBoardLog(tmp_path, 2).close()
    (new,) = set(tmp_path.iterdir()) - before
    assert new.name > max(path.name for path in before)


def test_tensorflow_is_not_loaded(tmp_path: Path) -> None:
    """It is installed beside edgesr and would cost seconds and 600 MiB."""
    code = (
        "import sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from edgesr.train.logs import TensorBoardLog\n"
        "log = TensorBoardLog(Path(sys.argv[1]), 0)\nlog.scalars(0, {'a': 1.0})\n"
        "log.image(0, 'b', np.zeros((4, 4, 3), np.uint8))\nlog.close()\n"
        "print('tensorflow' in sys.modules)"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        TensorBoardLog(tmp_path / "file" / "tensorboard", 0)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    log = TensorBoardLog(tmp_path, 0)
    log.close()
    with Path("/dev/full").open("wb", buffering=0) as full:
        log._records._writer = full
        with pytest.raises(StoreError, match="the disk is full"):
            log.scalars(1, {"loss": 1.0})


def test_metrics_have_leading_columns_then_as_first_seen() -> None:
    rows: list[dict[str, float | int | str | None]] = [
        {"train_loss": 0.1, "step": 4, "epoch": 1, "stage": "a", "cer": None},
        {"stage": "b, c", "epoch": 2, "step": 8, "train_loss": 1 / 3, "psnr": 1e-17},
    ]
    text = metrics_csv(rows)
    assert text.splitlines()[0] == "stage,epoch,step,train_loss,cer,psnr"
    first, second = csv.DictReader(io.StringIO(text))
    assert first == {
        "stage": "a", "epoch": "1", "step": "4", "train_loss": "0.1", "cer": "", "psnr": ""
    }  # fmt: skip
    assert (float(second["train_loss"]), float(second["psnr"])) == (1 / 3, 1e-17)
    assert second["stage"] == "b, c"
    assert text.endswith("\n")
    assert "\r" not in text


def test_without_rows_metrics_are_a_header() -> None:
    assert metrics_csv([]) == "stage,epoch,step\n"


@pytest.mark.parametrize(("scale", "size"), [(2, (120, 200)), (3, (120, 201)), (4, (64, 300))])
def test_the_busiest_part_is_that_of_a_slow_search(scale: int, size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 128, dtype=np.uint8)
    image[20:60, 30:80] = picture(40, 50)
    rows, columns = busiest_part(image, scale)
    high, wide = rows.stop - rows.start, columns.stop - columns.start
    assert (high, wide) == (min(96, size[0]), min(144, size[1]))
    y = image @ (np.array([65.481, 128.553, 24.966]) / 255)
    edges = np.zeros(size)
    edges[1:] += np.abs(y[1:] - y[:-1]) ** 0.5
    edges[:, 1:] += np.abs(y[:, 1:] - y[:, :-1]) ** 0.5
    best = max(
        edges[top : top + high, left : left + wide].sum()
        for top in range(0, size[0] - high + 1, scale)
        for left in range(0, size[1] - wide + 1, scale)
    )
    assert edges[rows, columns].sum() == pytest.approx(best, rel=1e-9)
    assert rows.start % scale == columns.start % scale == 0


def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every line that is drawn from now on."""
    lines: list[str] = []
    original = drawing._write

    def write(draw: object, corner: tuple[int, int], text: list[str], room: int) -> None:
        lines.extend(text)
        original(draw, corner, text, room)  # type: ignore[arg-type]

    monkeypatch.setattr(drawing, "_write", write)
    return lines


def test_a_sheet_shows_the_same_part_four_times_and_says_how_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hr = imresize(picture(60, 90), 2)
    lr = imresize(hr, 0.5)
    sr = hr.copy()
    sr[::2] = np.clip(sr[::2].astype(int) + 4, 0, 255)
    lines = said(monkeypatch)
    sheet = sample_sheet("name.png", lr, sr, hr)
    assert sheet.shape == (732, 1360, 3)
    rows, columns = busiest_part(hr, 2)
    bicubic = upscale_bicubic(lr, 2)
    for image, left in ((bicubic, 16), (sr, 464), (hr, 912)):
        tile = sheet[428:716, left : left + 432]
        assert np.array_equal(tile[1::3, 1::3], image[rows, columns])
    small = lr[rows.start // 2 : rows.stop // 2, columns.start // 2 : columns.stop // 2]
    assert np.array_equal(sheet[70:358, 912:1344][3::6, 3::6], small)
    before, after = psnr_y(bicubic, hr, 2), psnr_y(sr, hr, 2)
    assert f"bicubic {before:.2f} dB" in lines
    assert f"network {after:.2f} dB ({after - before:+.2f})" in lines
    here = psnr_y(sr[rows, columns], hr[rows, columns], 0)
    assert f"PSNR-Y of this part: {here:.2f} dB" in lines


def test_a_tiny_image_a_perfect_network_and_a_long_name(monkeypatch: pytest.MonkeyPatch) -> None:
    hr = picture(20, 16)
    lines = said(monkeypatch)
    sheet = sample_sheet("long " * 60, hr[::4, ::4], hr, hr)
    assert "network no difference" in lines
    assert (sheet[:60, 905:912] == 255).all()  # the name ends before the next column


def test_sizes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ImageError, match="differ in size"):
        sample_sheet("a", picture(10, 10), picture(20, 22), picture(20, 20))


def test_pictures_are_files_named_by_number_and_image(tmp_path: Path) -> None:
    from edgesr.train.validate import Picture

    hr = picture(40, 60)
    made = [Picture(name, hr[::2, ::2], hr, hr) for name in ("a/b c.png", "a/b c.png", "..")]
    write_pictures(tmp_path / "epoch_001", made, 2)
    names = sorted(path.name for path in (tmp_path / "epoch_001").iterdir())
    assert names == ["01_b_c_x2.png", "02_b_c_x2.png", "03_image_x2.png"]
    sheet = read_image(tmp_path / "epoch_001" / names[0])
    assert np.array_equal(sheet, sample_sheet("a/b c.png", hr[::2, ::2], hr, hr))
