"""The whole path in one call, at its smallest."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgesr.demo import VARIANTS, DemoRequest
from edgesr.errors import UsageError


@pytest.mark.parametrize("minutes", [0.5, 121, float("nan")])
def test_a_time_that_makes_no_sense_is_a_usage_error(minutes: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--minutes"):
        DemoRequest(tmp_path, minutes)


@pytest.mark.slow
def test_the_demo_ends_with_a_page_of_its_own_numbers(tmp_path: Path) -> None:
    command = ("demo", "--out", str(tmp_path / "out"), "--minutes", "1", "--json")
    result = subprocess.run(
        [sys.executable, "-m", "edgesr", *command],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert len(document["candidates"]) == 2 * len(VARIANTS)
    assert document["psnr_y_after"] >= document["psnr_y_before"]
    page = Path(document["page"]).read_text(encoding="utf-8")
    assert all(name in page for name in document["candidates"])
    lines = (Path(document["run"]) / "records.jsonl").read_text().splitlines()
    assert {json.loads(line)["status"] for line in lines} == {"ok"}
    chosen = {winner["name"] for winner in document["winners"]}  # none where the machine is busy
    assert chosen <= set(document["candidates"])
    assert (tmp_path / "out" / "selection.json").exists() == bool(chosen)
    assert "6/6" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
