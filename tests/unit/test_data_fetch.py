"""``edgesr data fetch``: whole, resumed, verified, unpacked safely; and what is said otherwise."""

import contextlib
import hashlib
import io
import json
import shutil
import stat
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from edgesr.assets import cache_folder
from edgesr.cli.data import app
from edgesr.data.fetch import fetch_set, public_sets
from edgesr.data.images import read_image
from edgesr.data.pairs import read_pairs
from edgesr.errors import ConfigError, InputError, StoreError, TransportError, UsageError


def png(side: int = 8, seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w:gz", **link: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo("set/link.png")
            info.type, info.linkname = link["type"], link["target"]
            archive.addfile(info)
    return buffer.getvalue()


FILES = {f"SET/inner/{n}.png": png(seed=n) for n in range(3)} | {"SET/inner/README": b"about"}


@dataclass
class Site:
    """A server of archives, and the list of sets that names them."""

    folder: Path
    base: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next answers break off."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range of each request."""
    sets: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, name: str, data: bytes, file: str = "set.zip", **more: Any) -> None:
        self.files[f"/{name}/{file}"] = data
        url = f"{self.base}/{name}/{file}"
        common = {"title": "A set", "images": 3, "licence": "free", "page": "https://example.org/x"}
        self.sets[name] = {**common, "url": url, **more}
        lines = []
        for key, one in self.sets.items():
            lines += [f"[{key}]", *(f"{k} = {json.dumps(v)}" for k, v in one.items())]
        (self.folder / "sets.toml").write_text("\n".join(lines))


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        data, wanted = self.site.files[self.path], self.headers.get("Range")
        self.site.asked.append((self.path, wanted))
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Content-Type", "application/zip")
        self.end_headers()
        rest = data[start:]
        with contextlib.suppress(ConnectionError):
            self.wfile.write(rest[: self.site.cuts.pop(0)] if self.site.cuts else rest)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("EDGESR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EDGESR_DATASETS", str(tmp_path / "sets.toml"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("EDGESR_OFFLINE", raising=False)
    made = Site(tmp_path)
    handler = type("SiteHandler", (Handler,), {"site": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.base = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def silent(_what: str, _done: int, _total: int) -> None:
    pass


def call(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["fetch", *(str(argument) for argument in arguments)])
    return result.exit_code, result.stdout, result.stderr


def names(folder: Path) -> list[str]:
    """Of all files; a lock file may stay, it belongs to nobody then."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return sorted(path.relative_to(folder).as_posix() for path in found)


ARCHIVES = {
    "set.zip": zipped({**FILES, "__MACOSX/SET/inner/._0.png": b"x", "SET/.DS_Store": b"x"}),
    "set.tar": tarred(FILES, "w"),
    "set.tar.gz": tarred({f"./{name}": data for name, data in FILES.items()}),
    "set.tar.xz": tarred(FILES, "w:xz"),
}


@pytest.mark.parametrize("file", ARCHIVES)
def test_a_set_is_fetched_verified_and_unpacked(site: Site, tmp_path: Path, file: str) -> None:
    digest = hashlib.sha256(ARCHIVES[file]).hexdigest()
    site.add("one", ARCHIVES[file], file, sha256=digest)
    said: list[tuple[str, int, int]] = []
    found = fetch_set("one", tmp_path / "out", lambda *what: said.append(what))
    assert names(tmp_path / "out") == [
        f"one/{name}" for name in ("0.png", "1.png", "2.png", "README", "dataset.json")
    ]
    assert (tmp_path / "out" / "one" / "2.png").read_bytes() == FILES["SET/inner/2.png"]
    assert read_image(tmp_path / "out" / "one" / "0.png").shape == (8, 8, 3)
    assert (found.images, found.sha256, found.verified) == (3, digest, "sha256")
    total = sum(map(len, FILES.values()))
    assert said[-1] == ("unpacking README", total, total)
    assert names(cache_folder()) == []


def test_a_second_call_says_it_is_there(site: Site, tmp_path: Path) -> None:
    site.add("one", ARCHIVES["set.zip"])
    code, stdout, _ = call("one", "--out", tmp_path / "out")
    assert code == 0
    assert "3 images\n" in stdout
    digest = hashlib.sha256(ARCHIVES["set.zip"]).hexdigest()
    assert f"sha256 {digest} (not known before" in stdout
    assert f'[data] train = "{tmp_path / "out" / "one"}"' in stdout
    assert f"edgesr data pairs {tmp_path / 'out' / 'one'}" in stdout
    note = json.loads((tmp_path / "out" / "one" / "dataset.json").read_text())
    assert (note["sha256"], note["verified"], note["images"]) == (digest, "size", 3)
    code, stdout, _ = call("one", "--out", tmp_path / "out", "--json")
    assert code == 0
    (told,) = json.loads(stdout)["sets"]
    assert told["was_there"] is True
    assert told["sha256"] == digest
    assert told["folder"] == str(tmp_path / "out" / "one")
    assert len(site.asked) == 1


def test_after_a_cut_a_later_call_goes_on(site: Site, tmp_path: Path) -> None:
    site.add("one", ARCHIVES["set.zip"])
    site.cuts = [300, 0]
    with pytest.raises(TransportError, match="broke after 300 of"):
        fetch_set("one", tmp_path / "out", silent)
    assert not (tmp_path / "out").exists()
    assert fetch_set("one", tmp_path / "out", silent).images == 3
    assert site.asked[-1] == ("/one/set.zip", "bytes=300-")


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_wrong_digest_is_told_and_nothing_is_kept(site: Site, tmp_path: Path, kind: str) -> None:
    site.add("one", ARCHIVES["set.zip"], **{kind: "0" * (64 if kind == "sha256" else 32)})
    code, _, stderr = call("one", "--out", tmp_path / "out")
    assert code == 3
    assert hashlib.new(kind, ARCHIVES["set.zip"]).hexdigest() in stderr
    assert "not kept" in stderr
    assert not (tmp_path / "out").exists()
    assert names(cache_folder()) == []


def test_a_right_md5_is_told(site: Site, tmp_path: Path) -> None:
    data = ARCHIVES["set.zip"]
    site.add("one", data, md5=hashlib.md5(data, usedforsecurity=False).hexdigest())
    found = fetch_set("one", tmp_path / "out", silent)
    assert (found.verified, found.sha256) == ("md5", hashlib.sha256(data).hexdigest())


def test_an_archive_put_there_by_hand_is_used_and_stays(site: Site, tmp_path: Path) -> None:
    site.add("one", b"", md5=hashlib.md5(b"right", usedforsecurity=False).hexdigest())
    archive = cache_folder() / "datasets" / "one" / "set.zip"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(ARCHIVES["set.zip"])
    with pytest.raises(InputError, match="it should have") as raised:
        fetch_set("one", tmp_path / "out", silent)
    assert "delete it" in raised.value.hint
    site.add("one", b"")
    assert fetch_set("one", tmp_path / "out", silent).images == 3
    assert archive.is_file()
    assert site.asked == []


def zip_with(mode: int = 0, flags: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("set/0.png")
        info.external_attr = mode << 16
        archive.writestr(info, png())
        info.flag_bits |= flags
    return buffer.getvalue()


UNSAFE = {
    "zip, up": (zipped({"a.png": png(), "../evil.png": png()}), "leads out"),
    "zip, up inside": (zipped({"a/../../evil.png": png()}), "leads out"),
    "zip, absolute": (zipped({"/srv/evil.png": png()}), "leads out"),
    "zip, backslash": (zipped({"..\\evil.png": png()}), "leads out"),
    "zip, link": (zip_with(stat.S_IFLNK | 0o777), "link or device"),
    "zip, encrypted": (zip_with(flags=1), "is encrypted"),
    "tar, up": (tarred({"../evil.png": png()}), "leads out"),
    "tar, absolute": (tarred({"/srv/evil.png": png()}), "leads out"),
    "tar, symlink": (tarred(FILES, type=tarfile.SYMTYPE, target="/etc"), "link or device"),
    "tar, hard link": (tarred(FILES, type=tarfile.LNKTYPE, target="../../x"), "link or device"),
    "tar, fifo": (tarred(FILES, type=tarfile.FIFOTYPE, target=""), "link or device"),
    "no archive": (b"<html>", "neither a zip nor a tar"),
    "no image": (zipped({"a.txt": b"a"}), "holds no image"),
    "tar, cut": (tarred({"a/0.png": b"".join(png(64, n) for n in range(9))})[:-2000], "is damaged"),
}


@pytest.mark.parametrize("what", UNSAFE)
def test_an_unsafe_archive_is_refused_whole(site: Site, tmp_path: Path, what: str) -> None:
    data, words = UNSAFE[what]
    site.add("one", data)
    with pytest.raises(InputError, match=words) as raised:
        fetch_set("one", tmp_path / "out" / "deep", silent)
    assert "\n" not in str(raised.value)
    assert not [name for name in names(tmp_path) if name.endswith(".png")]
    assert not (tmp_path / "out" / "deep" / "one").exists()


def test_one_path_twice_is_refused(site: Site, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", png())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", png())
    site.add("one", buffer.getvalue())
    with pytest.raises(InputError, match="one path twice"):
        fetch_set("one", tmp_path / "out", silent)


def test_a_damaged_member_is_named_and_leaves_nothing(site: Site, tmp_path: Path) -> None:
    data = bytearray(zipped({"a.png": png(32)}))
    data[200] ^= 255
    site.add("one", bytes(data))
    with pytest.raises(InputError, match="is damaged: Bad CRC-32"):
        fetch_set("one", tmp_path / "out", silent)
    assert names(tmp_path / "out") == []


def test_an_archive_that_grows_without_measure_is_refused(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(3_000_000))
    site.add("one", buffer.getvalue())
    monkeypatch.setattr("edgesr.data.unpack._MOST_SMALL", 2_000_000)
    with pytest.raises(InputError, match="far more than it is large"):
        fetch_set("one", tmp_path / "out", silent)


def test_without_space_nothing_is_fetched(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("one", ARCHIVES["set.zip"], size_mb=3000)
    usage = type(shutil.disk_usage("/"))(10**10, 5 * 10**9, 5 * 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    code, _, stderr = call("one", "--out", tmp_path / "out")
    assert code == 8
    assert "6.00 GB are needed, 5.00 GB are free" in stderr
    assert "--out" in stderr
    assert site.asked == []


def test_without_space_for_the_files_the_archive_stays(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("one", ARCHIVES["set.zip"])
    usage = type(shutil.disk_usage("/"))(1000, 900, 100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StoreError, match="not enough space"):
        fetch_set("one", tmp_path / "out", silent)
    monkeypatch.undo()
    monkeypatch.setenv("EDGESR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EDGESR_DATASETS", str(tmp_path / "sets.toml"))
    assert fetch_set("one", tmp_path / "out", silent).images == 3
    assert len(site.asked) == 1


def test_another_folder_is_never_replaced(site: Site, tmp_path: Path) -> None:
    site.add("one", ARCHIVES["set.zip"])
    (tmp_path / "out" / "one").mkdir(parents=True)
    (tmp_path / "out" / "one" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="was not written by"):
        fetch_set("one", tmp_path / "out", silent)
    assert names(tmp_path / "out") == ["one/mine.txt"]


def test_a_part_of_an_archive(site: Site, tmp_path: Path) -> None:
    files = {"all/T91/a.png": png(), "all/T91/b.png": png(), "all/T91-more/c.png": png()}
    site.add("part", zipped(files), only="T91")
    code, stdout, _ = call("part", "--out", tmp_path / "out")
    assert code == 0
    assert "2 images (its source says 3)" in stdout
    assert names(tmp_path / "out") == ["part/a.png", "part/b.png", "part/dataset.json"]


def test_small_images_are_paired_with_the_large_ones(site: Site, tmp_path: Path) -> None:
    large = {f"HR/{n:04d}.png": png(16, n) for n in (1, 2)}
    site.add("large", zipped(large), images=2)
    small = {f"LR/X2/{n:04d}x2.png": png(8, n) for n in (1, 2)}
    site.add("small", zipped(small), images=2, hr="large", scale=2)
    out = tmp_path / "out"
    code, stdout, _ = call("small", "--out", out)
    assert code == 0
    assert f"edgesr data fetch large small --out {out}" in stdout
    code, stdout, stderr = call("large", "small", "--out", out, "--json")
    assert code == 0, stderr
    assert [one["pairs"] for one in json.loads(stdout)["sets"]] == [None, str(out / "small.csv")]
    pairs = read_pairs(out / "small.csv")
    assert [(pair.lr.name, pair.hr.name) for pair in pairs] == [
        ("0001x2.png", "0001.png"),
        ("0002x2.png", "0002.png"),
    ]


def test_what_is_not_there_is_told(site: Site, tmp_path: Path) -> None:
    site.add("one-hr", b"")
    site.add("two", b"", url="", licence="on application")
    with pytest.raises(ConfigError, match=r"there are one-hr$"):
        fetch_set("ONE", tmp_path, silent)
    code, _, stderr = call("two", "--out", tmp_path)
    assert (code, "no direct download: on application" in stderr) == (3, True)
    assert "https://example.org/x" in stderr
    code, _, stderr = call()
    assert (code, "--list" in stderr) == (2, True)


def test_the_list_as_table_and_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGESR_DATASETS", raising=False)
    code, stdout, _ = call("--list")
    assert code == 0
    assert "div2k-train-hr" in stdout
    code, stdout, _ = call("--list", "--json")
    assert code == 0
    listed = {one["name"]: one for one in json.loads(stdout)["sets"]}
    assert listed["reds-train"]["licence"] == "CC BY 4.0"
    assert listed["div2k-valid-hr"]["sha256"].startswith("20dd31fd")


def test_the_packaged_list_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGESR_DATASETS", raising=False)
    sets = public_sets()
    wanted = {"flickr2k", "reds-train", "reds-val", "set5", "set14", "bsd100", "urban100"}
    assert wanted | {"manga109", "t91", "general100"} < set(sets)
    assert not [name for name, one in sets.items() if one.hr and one.hr not in sets]
    assert [name for name, one in sets.items() if not one.url] == ["manga109"]
    for one in sets.values():
        assert bool(one.hr) == (one.scale > 1)
        assert one.url.startswith("https://") or not one.sha256
