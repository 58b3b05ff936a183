"""Fetching into the cache: whole, resumed, verified, once; and what the user is told otherwise."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from edgesr.assets import Download, cache_folder, fetch
from edgesr.errors import InputError, StoreError, TransportError

DATA = bytes(range(256)) * 1024
SHA256 = hashlib.sha256(DATA).hexdigest()


@dataclass
class Site:
    """What the local server gives, and what it was asked."""

    data: bytes = DATA
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True
    heeds_if_range: bool = True
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next answers break off."""
    length: bool = True
    status: int = 200
    kind: str = "application/octet-stream"
    location: str | None = None
    hold: threading.Event | None = None
    """The first answer stops after its first half until this is set."""
    url: str = ""
    asked: list[str | None] = field(default_factory=list)
    """The Range of each request."""


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site = self.site
        wanted = self.headers.get("Range")
        site.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and site.ranges else 0
        same = self.headers.get("If-Range") in (None, site.etag or site.modified)
        start = start if same or not site.heeds_if_range else 0
        if start > len(site.data):
            self.send_error(416)
            return
        self.send_response(206 if start else site.status)
        if start:
            total = len(site.data)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        for name, value in (
            ("ETag", site.etag),
            ("Last-Modified", site.modified if not start else None),
            ("Location", site.location),
            ("Content-Length", str(len(site.data) - start) if site.length else None),
            ("Content-Type", site.kind),
        ):
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        rest = site.data[start:]
        hold, site.hold = site.hold, None
        if hold:
            self.wfile.write(rest[: len(rest) // 2])
            hold.wait(30)
            rest = rest[len(rest) // 2 :]
        with contextlib.suppress(ConnectionError):
            self.wfile.write(rest[: site.cuts.pop(0)] if site.cuts else rest)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("EDGESR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("EDGESR_OFFLINE", raising=False)
    made = Site()
    handler = type("SiteHandler", (Handler,), {"site": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/dir/tool"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def download(site: Site, sha256: str | None = SHA256) -> Download:
    return Download(site.url, "a/tool", sha256, otherwise="or do without")


def left() -> list[str]:
    """Names in the cache; a lock file may stay, it belongs to nobody then."""
    names = [path.name for path in (cache_folder() / "a").iterdir()]
    return sorted(name for name in names if not name.endswith(".lock"))


def test_a_file_is_fetched_once_whole_and_executable(site: Site) -> None:
    said: list[tuple[str, int, int]] = []
    path = fetch(download(site), lambda *what: said.append(what))
    assert path == cache_folder() / "a" / "tool"
    assert path.read_bytes() == DATA
    assert os.access(path, os.X_OK)
    assert left() == ["tool"]
    assert said[-1] == ("fetching tool", len(DATA), len(DATA))
    assert [done for _, done, _ in said] == sorted({done for _, done, _ in said})
    assert fetch(download(site)) == path
    assert site.asked == [None]


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_cut_transfer_goes_on_where_it_stopped(site: Site, sha256: str | None) -> None:
    site.cuts = [100_000, 1]
    said: list[int] = []
    path = fetch(download(site, sha256), lambda _, done, __: said.append(done))
    assert path.read_bytes() == DATA
    assert site.asked == [None, "bytes=100000-", "bytes=100001-"]
    assert said[-1] == len(DATA)
    assert left() == ["tool"]


def test_a_later_call_goes_on_too(site: Site) -> None:
    site.cuts = [100_000, 0]
    with pytest.raises(TransportError, match="broke after 100000 of 262144 bytes") as raised:
        fetch(download(site, None))
    assert str(cache_folder() / "a" / "tool") in raised.value.hint
    assert raised.value.hint.endswith(", or do without")
    assert left() == ["tool.part", "tool.part.json"]
    assert fetch(download(site, None)).read_bytes() == DATA
    assert site.asked[-1] == "bytes=100000-"


def test_a_server_may_know_only_the_time_of_the_last_change(site: Site) -> None:
    site.etag, site.modified = None, "Wed, 25 Nov 2026 08:00:00 GMT"
    site.cuts = [70_000]
    assert fetch(download(site, None)).read_bytes() == DATA
    assert site.asked == [None, "bytes=70000-"]


@pytest.mark.parametrize(
    "changes", [{"ranges": False}, {"etag": None}, {"etag": 'W/"weak"'}], ids=str
)
def test_where_a_half_file_can_not_be_trusted_it_starts_over(
    site: Site, changes: dict[str, Any]
) -> None:
    for name, value in changes.items():
        setattr(site, name, value)
    site.cuts = [100_000]
    assert fetch(download(site, None)).read_bytes() == DATA
    assert site.asked == [None, "bytes=100000-" if "ranges" in changes else None]


@pytest.mark.parametrize("heeds", [True, False])
@pytest.mark.parametrize("size", [300_000, 200_000, 50_000])
def test_another_version_is_never_glued_to_an_old_half(
    site: Site, size: int, *, heeds: bool
) -> None:
    site.cuts = [100_000, 0]
    with pytest.raises(TransportError):
        fetch(download(site, None))
    site.data, site.etag, site.heeds_if_range = b"n" * size, '"two"', heeds
    assert fetch(download(site, None)).read_bytes() == site.data
    assert left() == ["tool"]


def test_a_half_file_of_another_address_is_not_used(site: Site) -> None:
    site.cuts = [100_000, 0]
    with pytest.raises(TransportError):
        fetch(download(site, None))
    site.url += "-two"
    assert fetch(download(site, None)).read_bytes() == DATA
    assert site.asked[-1] is None


def test_a_whole_half_file_is_only_renamed(site: Site) -> None:
    """As after a kill between the last byte and the renaming."""
    folder = cache_folder() / "a"
    folder.mkdir(parents=True)
    (folder / "tool.part").write_bytes(DATA)
    origin = {"url": site.url, "validator": '"one"', "size": len(DATA)}
    (folder / "tool.part.json").write_text(json.dumps(origin))
    assert fetch(download(site)).read_bytes() == DATA
    assert site.asked == []


@pytest.mark.parametrize("note", ["", "[]", '{"x": 1}', '{"url": 1, "size": "a"}', "\x00"])
def test_a_damaged_note_costs_a_new_start_only(site: Site, note: str) -> None:
    folder = cache_folder() / "a"
    folder.mkdir(parents=True)
    (folder / "tool.part").write_bytes(b"old")
    (folder / "tool.part.json").write_text(note)
    assert fetch(download(site)).read_bytes() == DATA


def test_a_wrong_sha256_is_told_with_both_and_not_kept(site: Site) -> None:
    with pytest.raises(InputError) as raised:
        fetch(download(site, "0" * 64))
    assert SHA256 in str(raised.value)
    assert "0" * 64 in str(raised.value)
    assert left() == []


def test_a_cached_file_is_verified_too_and_left_alone(site: Site) -> None:
    path = cache_folder() / "a" / "tool"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"by hand")
    with pytest.raises(InputError, match="has the sha256") as raised:
        fetch(download(site))
    assert "delete it" in raised.value.hint
    assert path.read_bytes() == b"by hand"
    assert fetch(download(site, None)) == path
    assert os.access(path, os.X_OK)
    assert site.asked == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": 404}, "answers 404 Not Found"),
        ({"status": 503}, "answers 503"),
        ({"kind": "text/html; charset=utf-8"}, "web page"),
        ({"length": False}, "does not tell the file's size"),
        ({"status": 302, "location": "ftp://127.0.0.1/x"}, "unknown url type: ftp"),
        ({"status": 302, "location": "file:///etc/passwd"}, "answers 302"),
    ],
    ids=str,
)
def test_a_useless_answer_is_named(site: Site, changes: dict[str, Any], words: str) -> None:
    for name, value in changes.items():
        setattr(site, name, value)
    with pytest.raises(TransportError, match=words) as raised:
        fetch(download(site, None))
    assert "\n" not in str(raised.value)
    assert "put the file by hand at" in raised.value.hint
    assert left() == []


def test_without_a_size_the_sha256_decides(site: Site) -> None:
    site.length = False
    assert fetch(download(site)).read_bytes() == DATA


def test_nobody_there(site: Site) -> None:
    gone = Download("http://127.0.0.1:9/tool", "a/tool")
    with pytest.raises(TransportError, match="Connection refused"):
        fetch(gone)
    assert site.asked == []


def test_offline_never_connects_and_takes_what_is_there(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGESR_OFFLINE", "1")
    with pytest.raises(TransportError, match="EDGESR_OFFLINE") as raised:
        fetch(download(site))
    assert str(cache_folder() / "a" / "tool") in raised.value.hint
    (cache_folder() / "a" / "tool").write_bytes(DATA)
    assert fetch(download(site)).read_bytes() == DATA
    assert site.asked == []


def test_a_file_address_is_copied_and_other_schemes_are_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(DATA)
    copied = fetch(Download((tmp_path / "here").as_uri(), "a/copied", SHA256))
    assert copied.read_bytes() == DATA
    with pytest.raises(TransportError, match="No such file"):
        fetch(Download((tmp_path / "missing").as_uri(), "a/tool"))
    with pytest.raises(InputError, match="ftp://x/y"):
        fetch(Download("ftp://x/y", "a/tool"))
    assert site.asked == []


def test_a_cache_that_can_not_be_written_is_named(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGESR_CACHE", str(tmp_path / "file"))
    with pytest.raises(StoreError, match="a part of the path is a file"):
        fetch(download(site))


CHILD = """
import resource, signal, sys
from edgesr.assets import Download, fetch
from edgesr.errors import StoreError

url, limit = sys.argv[1], int(sys.argv[2])
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
said = []
def say(text, *_):
    if text not in said:
        said.append(text)
        print(text, flush=True)
try:
    print(fetch(Download(url, "a/tool"), say).stat().st_size)
except StoreError as error:
    print(f"StoreError: {error}")
"""


def child(site: Site, limit: int = 0) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", CHILD, site.url, str(limit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_full_disk_is_no_network_error_and_the_rest_is_fetched_later(site: Site) -> None:
    process = child(site, limit=100_000)
    stdout, stderr = process.communicate(timeout=30)
    assert "StoreError: can't write" in stdout, stderr
    assert "file size limit" in stdout
    assert (cache_folder() / "a" / "tool.part").read_bytes() == DATA[:100_000]
    assert fetch(download(site)).read_bytes() == DATA
    assert site.asked == [None, "bytes=100000-"]


def read_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("killed", [False, True])
def test_a_second_process_waits_for_the_first_and_takes_over_when_it_dies(
    site: Site, *, killed: bool
) -> None:
    gate = site.hold = threading.Event()
    first = child(site)
    assert read_line(first) == "fetching tool"
    second = child(site)
    assert read_line(second) == "waiting for another process that fetches tool"
    if killed:
        first.kill()
    else:
        gate.set()
    stdout, stderr = second.communicate(timeout=30)
    gate.set()
    first.communicate(timeout=30)
    assert stdout.splitlines()[-1] == str(len(DATA)), stderr
    assert (cache_folder() / "a" / "tool").read_bytes() == DATA
    assert left() == ["tool"]
    assert len(site.asked) == 1 + killed
    assert [asked is None for asked in site.asked] == [True, False][: 1 + killed]


def test_threads_fetch_it_once(site: Site) -> None:
    gate = site.hold = threading.Event()
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(fetch(download(site))))
               for _ in range(4)]  # fmt: skip
    for thread in threads:
        thread.start()
    while not site.asked:
        time.sleep(0.01)
    gate.set()
    for thread in threads:
        thread.join()
    assert found == [cache_folder() / "a" / "tool"] * 4
    assert site.asked == [None]


def test_the_cache_has_a_place_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EDGESR_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder().name == "edgesr"
    monkeypatch.setenv("EDGESR_CACHE", "~/somewhere")
    assert cache_folder() == Path.home() / "somewhere"
