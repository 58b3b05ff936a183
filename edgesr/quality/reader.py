"""Reading text once: by several copies of an engine at a time, and never the same image twice.

What was read is kept in the user's cache, one small file per image, under a digest of the pixels
and of the engine with its version, language and edgesr's own code for it: another reads anew.
"""

import contextlib
import hashlib
import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

import numpy as np

from edgesr.assets import cache_folder
from edgesr.data.images import RgbImage
from edgesr.errors import StoreError
from edgesr.files import atomic_file
from edgesr.quality.cores import usable_cores
from edgesr.quality.ocr import OcrEngine, open_engine, reads_in_copies
from edgesr.quality.own_code import code_digest
from edgesr.quality.reading import Line

_CODE = ("quality/engines", "quality/reading.py", "quality/vlm")


class Reader:
    """An engine as `OcrEngine` itself, with a cache and copies that read at the same time.

    Every copy has one thread, so what is read does not depend on how many cores there are. May be
    used from several threads.

    Args:
        spec: As `open_engine` takes it.
        threads: How many images are read at once; None takes one per core.
        cache: Folder of what was read before; None keeps nothing.
        fresh: Read everything anew; the cache then holds that.

    Raises:
        UsageError: When no engine has this name.
        MissingExtraError: When its package is not installed.
        InputError: When its model can't be loaded.
    """

    copies = False

    def __init__(
        self,
        spec: str,
        threads: int | None = None,
        cache: Path | None = None,
        *,
        fresh: bool = False,
    ) -> None:
        wanted = threads or usable_cores()
        copies = wanted if reads_in_copies(spec) else 1
        first = open_engine(spec, wanted // copies)
        self.spec = spec
        self.name, self.version, self.language = first.name, first.version, first.language
        self._cache, self._fresh = cache, fresh
        self._spare = [first]
        self._pool = ThreadPoolExecutor(copies, thread_name_prefix="edgesr-ocr")
        self._limit = threading.Semaphore(copies)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the threads; images that no thread has begun are not read any more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, image: RgbImage) -> Future[tuple[Line, ...]]:
        """Begins to read an image; the future's result is what `read` gives or raises."""
        return self._pool.submit(self.read, image)

    def read(self, image: RgbImage) -> tuple[Line, ...]:
        """Reads an image, from the cache where it was read before; see `OcrEngine`."""
        if self._cache is None:
            return self._read_anew(image)
        path = self._cache / f"{self._key(image)}.json"
        known = None if self._fresh else _stored(path)
        if known is not None:
            return known
        lines = self._read_anew(image)
        with contextlib.suppress(StoreError):  # a cache that can't be written only costs time
            text = json.dumps([vars(line) for line in lines])
            with atomic_file(path, durable=False) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return lines

    def _read_anew(self, image: RgbImage) -> tuple[Line, ...]:
        with self._limit:
            try:
                engine = self._spare.pop()
            except IndexError:
                engine = open_engine(self.spec, 1)
            try:
                return engine.read(image)
            finally:
                self._spare.append(engine)

    def _key(self, image: RgbImage) -> str:
        code = code_digest(*_CODE)
        what = repr((self.name, self.version, self.language, code, image.shape))
        digest = hashlib.sha256(what.encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
        return f"{digest[:2]}/{digest}"


def open_reader(
    spec: str = "rapidocr", threads: int | None = None, *, fresh: bool = False
) -> Reader:
    """A reader that keeps what it read in the user's cache (``EDGESR_CACHE``); see `Reader`.

    Args:
        spec: As `open_engine` takes it.
        threads: How many images are read at once; None takes one per core.
        fresh: Read everything anew; the cache then holds that.
    """
    return Reader(spec, threads, cache_folder() / "ocr", fresh=fresh)


def describe(engine: OcrEngine) -> dict[str, str]:
    """Engine, version and language as every document names them."""
    return {"engine": engine.name, "version": engine.version, "language": engine.language}


def _stored(path: Path) -> tuple[Line, ...] | None:
    """What was read before; None where nothing was, or the file is damaged."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return tuple(Line(row["text"], row["confidence"], tuple(row["box"])) for row in rows)
    except (OSError, ValueError, TypeError, KeyError):
        return None
