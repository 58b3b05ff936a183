"""Archives carry runs whole, and a foreign one can neither leave its place nor flood the disk."""

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_runs import full_run, simple_run

from edgesr.errors import EdgesrError, InputError, StoreError
from edgesr.results import unpack
from edgesr.results.archive import candidate_folders, write_archive
from edgesr.results.contents import CONTENTS
from edgesr.results.store import RunFolder, Workspace
from edgesr.results.unpack import read_archive
from tests.fixtures.tiny import tiny_candidate

RUN = "20261125T120000Z-0123abcd"
RUN_JSON = f"runs/{RUN}/run.json"
HEADER = json.dumps({"schema": 1, "run": RUN}).encode()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def contents(files: dict[str, bytes], **changes: Any) -> dict[str, Any]:
    told = {name: {"size": len(data), "sha256": digest(data)} for name, data in files.items()}
    return {"schema": 1, "edgesr": "0.1.0", "runs": [RUN], "candidates": [], "files": told,
            **changes}  # fmt: skip


def member(name: str, data: bytes, /, **changes: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in changes.items():
        setattr(info, key, value)
    return info, data


def pack(path: Path, tree: object, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """An archive with these members after its table of contents, whatever they are."""
    with tarfile.open(path, "w:gz") as tar:
        for info, data in (member(CONTENTS, json.dumps(tree).encode()), *members):
            tar.addfile(info, io.BytesIO(data))
    return path


def files_below(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@contextmanager
def nothing_left(root: Path) -> Iterator[None]:
    before = files_below(root)
    yield
    assert files_below(root) == before
    assert not list(root.rglob("*.part"))


def test_a_run_arrives_whole_with_its_pictures_and_logs(tmp_path: Path) -> None:
    run = full_run(tmp_path / "here")
    run.write_log("job-0", "raw\n")
    (run.path / "report").mkdir()
    (run.path / "report" / "index.html").write_text("derived")
    (run.path / "records.parquet").write_text("derived")
    (run.path / ".hidden").write_text("x")
    (run.path / "logs" / "link").symlink_to("/etc/hostname")
    told = write_archive(tmp_path / "x.tar.gz", [run])
    there = Workspace(tmp_path / "there")
    found = read_archive(tmp_path / "x.tar.gz", there)
    assert (found.runs, found.there) == ((run.path.name,), ())
    sent = {
        name: data
        for name, data in files_below(run.path).items()
        if not name.startswith((".", "report/", "records.parquet")) and name != "logs/link"
    }
    assert files_below(there.run().path) == sent
    assert len(told.files) == len(sent) > 50
    assert there.run().records() == run.records()
    assert there.run().torn_lines() == 1
    again = read_archive(tmp_path / "x.tar.gz", there)
    assert (again.runs, again.there) == ((), (run.path.name,))


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    write_archive(tmp_path / "a.tar.gz", [run])
    (run.path / "run.json").touch()
    write_archive(tmp_path / "b.tar.gz", [run])
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()


def test_candidates_travel_with_the_runs(tmp_path: Path) -> None:
    here, there = Workspace(tmp_path / "here"), Workspace(tmp_path / "there")
    made, _other = tiny_candidate(here), tiny_candidate(here, seed=1)
    run = here.new_run({"candidates": {made.manifest.id: {}}})
    foreign = here.new_run({"candidates": 7})
    folders = candidate_folders(here, [run, foreign])
    write_archive(tmp_path / "x.tar.gz", [run], folders)
    found = read_archive(tmp_path / "x.tar.gz", there)
    assert found.candidates == (made.manifest.short_id,)
    there.candidate(made.manifest.id).check()
    assert len(there.candidates()) == 1


def test_a_candidate_that_is_not_what_it_says_is_refused(tmp_path: Path) -> None:
    here, there = Workspace(tmp_path / "here"), Workspace(tmp_path / "there")
    made = tiny_candidate(here)
    made.path.write_bytes(made.path.read_bytes() + b"x")
    run = here.new_run({})
    write_archive(tmp_path / "x.tar.gz", [run], [made.path.parent])
    with pytest.raises(InputError, match="manifest"):
        read_archive(tmp_path / "x.tar.gz", there)
    assert files_below(there.root) == {}


def test_a_run_of_the_same_name_that_differs_is_not_replaced(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    write_archive(tmp_path / "x.tar.gz", [run])
    with (run.path / "records.jsonl").open("a") as file:
        file.write("more\n")
    with nothing_left(tmp_path), pytest.raises(StoreError, match="differs"):
        read_archive(tmp_path / "x.tar.gz", Workspace(tmp_path))


def test_of_several_runs_all_arrive_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [simple_run(tmp_path / "here") for _ in range(3)]
    write_archive(tmp_path / "x.tar.gz", runs)
    there = Workspace(tmp_path / "there")
    rename, moved = Path.rename, []

    def break_off(self: Path, target: Path) -> Path:
        if len(moved) == 2:
            raise OSError(28, "No space left on device")
        moved.append(target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", break_off)
    with pytest.raises(StoreError, match="disk is full"):
        read_archive(tmp_path / "x.tar.gz", there)
    monkeypatch.undo()
    assert len(moved) == 2
    assert files_below(there.root) == {}
    assert len(read_archive(tmp_path / "x.tar.gz", there).runs) == 3


def test_a_run_that_is_being_measured_is_not_exported(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    with run.exclusively(), pytest.raises(StoreError, match="measuring"):
        write_archive(tmp_path / "x.tar.gz", [run])
    assert not (tmp_path / "x.tar.gz").exists()


def test_a_run_that_can_not_be_read_whole_is_not_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, scan = simple_run(tmp_path), os.scandir

    def refuse(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("logs"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(StoreError, match="logs: Permission denied"):
        write_archive(tmp_path / "x.tar.gz", [run])


def test_what_no_archive_may_carry_is_refused_where_it_is_made(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    (run.path / "logs" / "back\\slash").write_text("x")
    with pytest.raises(StoreError, match="can't be exported"):
        write_archive(tmp_path / "x.tar.gz", [run])
    run.path.joinpath("logs", "back\\slash").unlink()
    shutil.copytree(run.path, tmp_path / "two words")
    with pytest.raises(StoreError, match="'two words' is no name"):
        write_archive(tmp_path / "x.tar.gz", [RunFolder(tmp_path / "two words")])
    twin = RunFolder(tmp_path / "other" / run.path.name)
    twin.path.parent.mkdir()
    run.path.rename(twin.path)
    with pytest.raises(StoreError, match="one name"):
        write_archive(tmp_path / "x.tar.gz", [twin, twin])


def test_a_folder_where_a_file_is_declared_too_breaks_nothing(tmp_path: Path) -> None:
    files = {RUN_JSON: HEADER, f"runs/{RUN}/a": b"x", f"runs/{RUN}/a/b": b"y"}
    members = [member(name, data) for name, data in files.items()]
    path = pack(tmp_path / "x.tar.gz", contents(files), *members)
    with nothing_left(tmp_path), pytest.raises(EdgesrError):
        read_archive(path, Workspace(tmp_path / "w"))


ESCAPES = [
    "../../evil", "/etc/evil", f"runs/{RUN}/../../../evil", f"runs/{RUN}/./x", f"runs/{RUN}//x",
    f"runs/{RUN}/.hidden", f"runs/{RUN}/a\\..\\b", f"runs/{RUN}/a\x00b", f"runs/{RUN}/a\nb",
    "runs/other/run.json", f"runs/{RUN}", "report/index.html", f"runs/{RUN}/" + "x/" * 20 + "y",
    f"runs/{RUN}/" + "x" * 2000, "candidates/aaaaaaaaaaaa/model.tflite",
]  # fmt: skip


@pytest.mark.parametrize("name", ESCAPES)
def test_a_file_that_would_land_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    files = {RUN_JSON: HEADER, name: b"x"}
    path = pack(tmp_path / "x.tar.gz", contents(files), member(RUN_JSON, HEADER))
    with nothing_left(tmp_path), pytest.raises(InputError, match="refused"):
        read_archive(path, Workspace(tmp_path / "w"))


@pytest.mark.parametrize("name", ["..", ".", "", ".x", "a/b", "a b", "x" * 200, "/", "a\n"])
def test_a_run_whose_name_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    data = f"runs/{name}/run.json"
    path = pack(tmp_path / "x.tar.gz", contents({data: HEADER}, runs=[name]), member(data, HEADER))
    with nothing_left(tmp_path), pytest.raises(InputError):
        read_archive(path, Workspace(tmp_path / "w"))


KINDS = {
    "symbolic link": {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
    "hard link": {"type": tarfile.LNKTYPE, "linkname": RUN_JSON},
    "device": {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3},
    "pipe": {"type": tarfile.FIFOTYPE},
    "folder": {"type": tarfile.DIRTYPE},
    "undeclared": {"name": f"runs/{RUN}/other"},
    "elsewhere": {"name": "../../evil"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_that_is_no_declared_file_is_refused(tmp_path: Path, kind: str) -> None:
    log = f"runs/{RUN}/logs/a.txt"
    tree = contents({RUN_JSON: HEADER, log: b""})
    odd = member(log, b"", **KINDS[kind])
    path = pack(tmp_path / "x.tar.gz", tree, member(RUN_JSON, HEADER), odd)
    with nothing_left(tmp_path), pytest.raises(InputError, match="declare"):
        read_archive(path, Workspace(tmp_path / "w"))


LOG = f"runs/{RUN}/logs/a.txt"
MEMBERS: dict[str, list[tuple[str, bytes]]] = {
    "other content": [(RUN_JSON, HEADER), (LOG, b"evil")],
    "longer": [(RUN_JSON, HEADER), (LOG, b"goodgood")],
    "missing": [(RUN_JSON, HEADER)],
    "twice": [(RUN_JSON, HEADER), (LOG, b"good"), (LOG, b"good")],
}


@pytest.mark.parametrize("what", MEMBERS)
def test_a_member_must_be_what_was_declared(tmp_path: Path, what: str) -> None:
    tree = contents({RUN_JSON: HEADER, LOG: b"good"})
    path = pack(tmp_path / "x.tar.gz", tree, *(member(*one) for one in MEMBERS[what]))
    with nothing_left(tmp_path), pytest.raises(InputError):
        read_archive(path, Workspace(tmp_path / "w"))


def test_no_more_is_unpacked_than_was_declared(tmp_path: Path) -> None:
    tree = contents({RUN_JSON: HEADER})
    zeros = member("padding", b"\0" * (64 << 20))
    path = pack(tmp_path / "x.tar.gz", tree, member(RUN_JSON, HEADER), zeros)
    assert path.stat().st_size < 200_000
    with nothing_left(tmp_path), pytest.raises(InputError):
        read_archive(path, Workspace(tmp_path / "w"))


def test_a_header_that_swells_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PAX header is read whole by the library, however long it says it is."""
    monkeypatch.setattr(unpack, "LONGEST_CONTENTS", 1 << 20)
    swollen = tarfile.TarInfo("pax")
    swollen.type, swollen.size = tarfile.XHDTYPE, 32 << 20
    path = tmp_path / "x.tar.gz"
    with gzip.open(path, "wb") as file:
        file.write(swollen.tobuf())
        file.write(b"\0" * (32 << 20))
    with nothing_left(tmp_path), pytest.raises(InputError, match="more than it declares"):
        read_archive(path, Workspace(tmp_path / "w"))


def test_more_than_the_disk_holds_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    tree = contents({RUN_JSON: HEADER})
    tree["files"][LOG] = {"size": 1 << 40, "sha256": "0" * 64}
    path = pack(tmp_path / "x.tar.gz", tree, member(RUN_JSON, HEADER))
    with nothing_left(tmp_path), pytest.raises(StoreError, match="MB left"):
        read_archive(path, Workspace(tmp_path / "w"))


TREES: dict[str, object] = {
    "list": [], "null": None, "nothing": {}, "text size": contents({RUN_JSON: HEADER}) | {
        "files": {RUN_JSON: {"size": "many", "sha256": "0" * 64}}},
    "negative size": contents({}) | {"files": {RUN_JSON: {"size": -1, "sha256": "0" * 64}}},
    "no sha": contents({}) | {"files": {RUN_JSON: {"size": 1}}},
    "no run": contents({RUN_JSON: HEADER}, runs=[]),
    "half a candidate": contents({RUN_JSON: HEADER}, candidates=["a" * 12]),
    "no run.json": contents({LOG: b""}),
}  # fmt: skip


@pytest.mark.parametrize("what", TREES)
def test_a_table_of_contents_that_makes_no_sense_is_refused(tmp_path: Path, what: str) -> None:
    path = pack(tmp_path / "x.tar.gz", TREES[what], member(RUN_JSON, HEADER))
    with nothing_left(tmp_path), pytest.raises(InputError):
        read_archive(path, Workspace(tmp_path / "w"))


def test_newer_archives_and_runs_are_refused_by_name(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar.gz", contents({RUN_JSON: HEADER}, schema=2))
    with pytest.raises(StoreError, match="schema 2"):
        read_archive(path, Workspace(tmp_path / "w"))
    newer = json.dumps({"schema": 7}).encode()
    path = pack(tmp_path / "y.tar.gz", contents({RUN_JSON: newer}), member(RUN_JSON, newer))
    with pytest.raises(StoreError, match="schema 7"):
        read_archive(path, Workspace(tmp_path / "w"))
    assert files_below(tmp_path / "w") == {}


def whole_archive(path: Path) -> bytes:
    return pack(path, contents({RUN_JSON: HEADER}), member(RUN_JSON, HEADER)).read_bytes()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"hello",
    "cut in the middle": lambda data: data[: len(data) // 2],
    "cut at the end": lambda data: data[:-9],
    "bytes turned": lambda data: data[:60] + bytes(255 - b for b in data[60:90]) + data[90:],
    "no tar": lambda _: gzip.compress(b"x" * 5000),
    "an empty tar": lambda _: gzip.compress(b"\0" * 10240),
    "no gzip": gzip.decompress,
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_archive_is_named(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(DAMAGE[what](whole_archive(path)))
    with nothing_left(tmp_path), pytest.raises(InputError, match=r"x\.tar\.gz"):
        read_archive(path, Workspace(tmp_path / "w"))


def test_every_cut_of_an_archive_is_refused_or_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    data = whole_archive(path)
    for end in range(0, len(data), 7):
        path.write_bytes(data[:end])
        with pytest.raises(EdgesrError):
            read_archive(path, Workspace(tmp_path / "w"))
    assert files_below(tmp_path / "w") == {}


def test_an_absent_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_archive(tmp_path / "x.tar.gz", Workspace(tmp_path / "w"))
