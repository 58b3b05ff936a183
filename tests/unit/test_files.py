"""Nothing half-written is ever seen."""

import json
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edgesr.errors import InputError, StoreError
from edgesr.files import atomic_file, atomic_folder, sha256_file, write_text

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from edgesr.errors import StoreError
from edgesr.files import write_text

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_text(Path(sys.argv[1]), "x" * 10_000)
except StoreError as error:
    print(error)
"""
"""Files may not grow over 4 KiB: the kernel refuses the write, as on a full disk."""


def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    # in a child: the limit would also hit the file that this test run may print to
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True
    )
    assert "file size limit" in child.stdout
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def half_write(target: AbstractContextManager[Path]) -> None:
    with target as part:
        (part / "x" if part.is_dir() else part).write_text("half")
        raise ValueError("mine")


def test_an_error_in_the_block_leaves_nothing(tmp_path: Path) -> None:
    for atomic in (atomic_file, atomic_folder):
        with pytest.raises(ValueError, match="mine"):
            half_write(atomic(tmp_path / "a"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with atomic_folder(tmp_path / "d") as part:
            (part / name).write_text(name)
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["two"]
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_a_folder_that_can_not_be_replaced_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old").write_text("old")
    real = Path.replace

    def fails(self: Path, target: Path) -> Path:
        if self.name.startswith(".d."):
            raise PermissionError(13, "denied")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(StoreError, match="permission denied"), atomic_folder(tmp_path / "d"):
        pass
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")} == {"d", "d/old"}


def test_a_read_only_place_is_named() -> None:
    with pytest.raises(StoreError, match="/sys/edgesr"):
        write_text(Path("/sys/edgesr/a.txt"), "x")


def test_hash_of_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        sha256_file(tmp_path / "none")


def test_a_name_that_is_no_text_is_written_escaped(tmp_path: Path) -> None:
    """As a path that is no UTF-8 comes from the command line."""
    name = b"\xff.pt".decode("utf-8", "surrogateescape")
    write_text(tmp_path / "a.json", json.dumps({"model": name}, ensure_ascii=False))
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"model": name}
