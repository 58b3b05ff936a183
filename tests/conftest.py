"""Fixtures for all tests."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_adb(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test meets a real phone or the user's caches by accident; `tests/device` asks for adb."""
    monkeypatch.setenv("EDGESR_ADB", "off")
    monkeypatch.setenv("EDGESR_CACHE", str(tmp_path_factory.getbasetemp() / "edgesr-cache"))
    for name in ("EDGESR_BENCHMARK_MODEL", "EDGESR_BINARIES", "EDGESR_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The developers' data beside the checkout; tests that need it skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return folder
