"""The README's way from a checkpoint into an app, on three simulated phones, as it is written."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgesr.device.standin import PrivateAdbServer

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.slow
def test_the_readmes_path_ends_in_the_app(adb_server: PrivateAdbServer, tmp_path: Path) -> None:  # noqa: ARG001
    text = README.read_text(encoding="utf-8")
    found = re.search(r"<!-- the whole path -->\n```sh\n(.*?)```", text, re.DOTALL)
    assert found is not None
    script = f"trap 'kill %1; wait' EXIT\n{found[1]}"
    programs = Path(sys.executable).parent
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert result.returncode == 0, f"{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    work = tmp_path / "edgesr-work"
    (run,) = (work / "runs").iterdir()
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    selection = json.loads((work / "selection.json").read_text(encoding="utf-8"))
    classes = {winner["device_class"] for winner in selection["winners"]}
    assert classes == {"budget", "flagship"}
    assert all(winner["name"] in page for winner in selection["winners"])
    records = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    assert len({record["job"]["device"] for record in records}) == 3
    assert all(record["simulated"] for record in records)
    assets = tmp_path / "my-app/app/src/main/assets/edgesr"
    packaged = {path.name for path in assets.iterdir()}
    assert packaged == {winner["name"] for winner in selection["winners"]}
    for folder in assets.iterdir():
        contract = json.loads((folder / "contract.json").read_text(encoding="utf-8"))
        assert contract["candidate"] in {one["candidate"] for one in selection["winners"]}
