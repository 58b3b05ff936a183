"""The page in a real browser, where there is one: its scripts run, and nobody else's."""

import shutil
import subprocess
from pathlib import Path

import pytest

from edgesr.report.page import ReportRequest, write_report
from tests.unit.fake_runs import full_run

BROWSER = next((found for name in ("chromium", "google-chrome", "chromium-browser")
                if (found := shutil.which(name))), None)  # fmt: skip
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium here"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = full_run(tmp_path_factory.mktemp("run"))
    header = run.path / "run.json"
    evil = "<img src=x onerror=document.title=`owned`></script><script>document.title='owned'//"
    header.write_text(header.read_text().replace("Xeon, 2 cores", evil))
    return write_report(ReportRequest((run,)))


def dom(page: Path, fragment: str) -> str:
    """The document after its scripts ran."""
    assert BROWSER
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000",
               f"--user-data-dir={page.parent.parent / 'browser'}", "--dump-dom",
               f"{page.as_uri()}#{fragment}"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def test_the_fragment_chooses_the_page(page: Path) -> None:
    text = dom(page, "table")
    assert "<title>All jobs · edgesr report</title>" in text
    assert 'href="#table" aria-current="page"' in text
    assert "128 of 128 jobs shown" in text
    assert text.count('class="view current"') == 1


def test_pictures_become_a_slider(page: Path) -> None:
    text = dom(page, "pictures")
    assert text.count('type="range"') == 2
    assert "owned" not in text.partition("</title>")[0]
