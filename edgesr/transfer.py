"""One file from a server into a half file that grows: resumed where that is safe, never glued."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edgesr.files import store_errors, write_text

Progress = Callable[[str, int, int], None]
"""Called with (text, bytes done, bytes in all); 0 in all where that is not known."""

_READ_TIMEOUT_S = 30
"""Longest silence of a server."""
_ATTEMPTS = 4
"""A connection that breaks is resumed so often, as long as each one brought something."""
_CHUNK = 1 << 16


class UnreachableError(Exception):
    """The file can't be had; the message says why, one line."""


class _BrokenError(Exception):
    """The transfer ended too early, or what came belongs to another file; it may go on."""


@dataclass(frozen=True)
class _Origin:
    """Which version of which remote file a half file is the beginning of."""

    url: str
    validator: str | None = None
    """Strong ETag, else time of the last change, as the server gave it."""
    size: int | None = None
    """Of the whole file, bytes."""


def bring(part: Path, url: str, progress: Progress, *, needs_size: bool) -> None:
    """Brings a half file to the full size of the remote one.

    What the half file holds already is kept where the server can go on from there and says that
    its file is still the same.

    Args:
        part: The half file; beside it lies a note of which version it is the beginning of.
        url: Of scheme http, https or file.
        progress: Told of every piece.
        needs_size: Whether a server that doesn't tell the size is refused.

    Raises:
        UnreachableError: When it can't be had whole; what came is kept.
        StoreError: When the half file can't be written.
    """
    from http.client import HTTPException

    for attempt in range(_ATTEMPTS):
        before = _size(part)
        try:
            _transfer(part, url, progress, needs_size=needs_size)
        except _BrokenError as error:
            # a half file that was thrown away is no reason to give up, nor one that has grown
            if attempt + 1 == _ATTEMPTS or before == _size(part):
                raise UnreachableError(str(error)) from error
        except (OSError, HTTPException) as error:
            raise UnreachableError(_reason(error)) from error
        else:
            return


def discard(part: Path) -> None:
    """Deletes a half file and its note.

    Raises:
        StoreError: When they can't be deleted.
    """
    with store_errors(part):
        part.unlink(missing_ok=True)
        _origin_file(part).unlink(missing_ok=True)


def _transfer(part: Path, url: str, progress: Progress, *, needs_size: bool) -> None:
    """One try.

    Raises:
        _BrokenError: When the connection breaks after it stood, or brings another file's rest.
        OSError, HTTPException: When there is no connection.
    """
    known, start = _known_half(part, url)
    if known and start == known.size:
        return  # all came the last time, but for the renaming
    with _open(url, start, known, part) as response:
        now = _origin_of(response, url)
        if start and not _continues(response, known, now, start):
            if response.status == 206:
                discard(part)
                raise _BrokenError("the file changed on the server")
            start = 0
        if now.size is None and needs_size:
            raise OSError("the server does not tell the file's size, so a cut could not be seen")
        if not start:
            discard(part)
            write_text(_origin_file(part), json.dumps(asdict(now)))
        whole = known if start and known else now
        done = _append(part, response, lambda came: _say(progress, whole, start + came))
    if whole.size is not None and start + done != whole.size:
        raise _BrokenError(f"the connection broke after {start + done} of {whole.size} bytes")


def _open(url: str, start: int, known: _Origin | None, part: Path) -> Any:
    """The server's answer, from byte ``start`` on where it can do that."""
    from urllib.error import HTTPError
    from urllib.request import Request

    headers = {"User-Agent": "edgesr", "Accept-Encoding": "identity"}
    if start and known and known.validator:
        headers |= {"Range": f"bytes={start}-", "If-Range": known.validator}
    try:
        response = _opener().open(Request(url, headers=headers), timeout=_READ_TIMEOUT_S)  # noqa: S310 - the scheme was checked
    except HTTPError as error:
        error.close()
        if error.code == 416:  # what is here is longer than what is there
            discard(part)
            raise _BrokenError("the file changed on the server") from error
        raise
    if response.headers.get_content_type() == "text/html" and not url.endswith(".html"):
        response.close()
        raise OSError("a web page came instead of the file (a sign-in page of the network?)")
    return response


def _opener() -> Any:
    """Opens http, https and file, through the system's proxies; never from https to http."""
    from urllib import request

    class Redirects(request.HTTPRedirectHandler):
        def redirect_request(self, req: Any, *rest: Any) -> Any:
            new = super().redirect_request(req, *rest)
            if new and req.type == "https" and new.type != "https":
                raise OSError(f"https leads to {new.full_url}, which is not secure")
            return new

    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(), request.HTTPHandler(), request.HTTPSHandler(),
        request.FileHandler(), request.UnknownHandler(), Redirects(),
        request.HTTPDefaultErrorHandler(), request.HTTPErrorProcessor(),
    ):  # fmt: skip
        opener.add_handler(handler)
    return opener


def _origin_of(response: Any, url: str) -> _Origin:
    """What the answer tells of the whole file."""
    headers = response.headers
    etag = headers.get("ETag")
    validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")
    _, _, total = (headers.get("Content-Range") or "").rpartition("/")
    size = total if response.status == 206 else headers.get("Content-Length") or ""
    return _Origin(url, validator, int(size) if size.isdecimal() else None)


def _continues(response: Any, known: _Origin | None, now: _Origin, start: int) -> bool:
    """Whether the answer is the rest of the half file that is here.

    What it leaves out has not changed: the request said If-Range.
    """
    if known is None or response.status != 206:
        return False
    begins = (response.headers.get("Content-Range") or "").startswith(f"bytes {start}-")
    same = now.validator in (None, known.validator) and now.size in (None, known.size)
    return begins and same


def _append(part: Path, response: Any, came: Callable[[int], None]) -> int:
    """Writes what comes until it ends or breaks; the number of bytes."""
    done = 0
    with store_errors(part):
        file = part.open("ab", buffering=0)
    with file:
        while chunk := _read(response):
            with store_errors(part):
                view = memoryview(chunk)
                while view:  # a disk that fills up takes a part of it
                    view = view[file.write(view) :]
            done += len(chunk)
            came(done)
    return done


def _read(response: Any) -> bytes:
    """The next bytes; none at the end, and where the connection broke: the size will tell."""
    from http.client import HTTPException

    try:
        data: bytes = response.read1(_CHUNK)
    except (OSError, HTTPException) as error:
        raise _BrokenError(f"the connection broke: {_reason(error)}") from error
    return data


def _say(progress: Progress, origin: _Origin, done: int) -> None:
    progress(f"fetching {urlsplit(origin.url).path.rpartition('/')[2]}", done, origin.size or 0)


def _origin_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _known_half(part: Path, url: str) -> tuple[_Origin | None, int]:
    """The origin and size of a half file that can be gone on with, else None and 0."""
    try:
        known = _Origin(**json.loads(_origin_file(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None, 0
    usable = known.url == url and known.validator is not None
    return (known, _size(part)) if usable else (None, 0)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _reason(error: Exception) -> str:
    """One line, as the user should read it."""
    from urllib.error import HTTPError, URLError

    if isinstance(error, HTTPError):
        return f"the server answers {error.code} {error.reason}"
    inner = error.reason if isinstance(error, URLError) else error
    if isinstance(inner, TimeoutError):
        return f"the server was silent for {_READ_TIMEOUT_S} s"
    text = (isinstance(inner, OSError) and inner.strerror) or str(inner) or type(inner).__name__
    return text.splitlines()[0]
