"""Logs that were recorded elsewhere: finds what belongs to one launch and reads it.

A launch may have left one text file, our own run's ``logs/*.txt`` (command first, exit code
last), or ``NAME.stdout``, ``NAME.stderr`` or both as ``NAME.out``, with ``NAME.rc``, ``NAME.cmd``,
the result file and the profile beside them.
"""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgesr.bench.benchmark_log import join_streams
from edgesr.bench.op_profile import read_op_profile
from edgesr.bench.outcome import Printed, Reading, read_launch
from edgesr.errors import InputError
from edgesr.files import read_errors
from edgesr.results.records import OpTime, Record

_STREAMS = (".stdout", ".stderr", ".out")
_PARTS = (*_STREAMS, ".rc", ".cmd")
_COMMAND = re.compile(r"\A# command: (?P<command>.*)\n")
_EXIT = re.compile(r"^# exit code: (?P<code>-?\d{1,6}|time-out)\n?\Z", re.MULTILINE | re.ASCII)
_LARGEST = 64 * 2**20
"""Bytes; a log has some kilobytes, a whole logcat some megabytes."""
_PROFILE_SLACK = 1.02


@dataclass(frozen=True)
class Recorded:
    """One launch as it was found on the disk."""

    name: str
    """The path that was given; without its ending where several files belong together."""
    printed: Printed
    profile: str | None = None
    """Content of a profile of its own file."""


@dataclass(frozen=True)
class Parsed:
    """One launch, read."""

    name: str
    record: Record


def find_recorded(paths: Iterable[Path]) -> list[Recorded]:
    """The launches that files or stems belong to, each once, in the given order.

    Args:
        paths: Text files, files of a group, or the stem of a group.

    Raises:
        InputError: When a path leads to nothing, or a file can't be read or is far too large.
    """
    found: dict[str, Recorded] = {}
    for path in paths:
        stem = _stem(path)
        name = str(path) if stem is None else stem
        if name not in found:
            found[name] = _single(path) if stem is None else _group(stem)
    return list(found.values())


def parse(recorded: Recorded) -> Parsed:
    """Reads and judges one launch; the record has no job, for no log tells the candidate."""
    printed = recorded.printed
    reading = read_launch(printed)
    fields: dict[str, object] = {
        "argv": list(printed.argv),
        "status": reading.status,
        "reason": reading.reason,
        "cause": reading.cause,
        "verdict": reading.verdict,
        "latency_us": reading.latency,
        "init_us": reading.init_us,
        "init_kind": reading.init_kind,
        "memory_mb": reading.memory,
        "profile": _profile(recorded, reading),
        "source": reading.source,
    }
    return Parsed(recorded.name, Record.model_validate(fields))


def _profile(recorded: Recorded, reading: Reading) -> tuple[OpTime, ...] | None:
    """The profile in the log or beside it; one that takes longer than the whole is another's."""
    latency = reading.latency
    if latency is None or latency.avg is None:
        return None
    rows = read_op_profile(recorded.printed.text) or read_op_profile(recorded.profile or "")
    if rows is None or sum(row.ms for row in rows) * 1000 > latency.avg * _PROFILE_SLACK:
        return None
    return tuple(rows)


def _stem(path: Path) -> str | None:
    """The common name of a group that the path is a part or the stem of; None for a lone file."""
    text = str(path)
    if path.suffix in _PARTS:
        text = text.removesuffix(path.suffix)
    elif path.is_file():
        return None
    return text if any(Path(text + part).is_file() for part in _STREAMS) else None


def _single(path: Path) -> Recorded:
    text = _read(path)
    command, code = _COMMAND.match(text), _EXIT.search(text)
    argv = _split(command["command"]) if command else []
    body = text[command.end() :] if command else text
    body = body[: len(body) - len(code[0])] if code else body
    if code and code["code"] == "time-out":
        return Recorded(str(path), Printed(body, None, argv=argv))
    known = int(code["code"]) if code else None
    printed = Printed(body, known, argv=argv, exit_known=code is not None)
    return Recorded(str(path), printed, _named_profile(path.parent, argv))


def _group(stem: str) -> Recorded:
    streams = [Path(stem + part) for part in _STREAMS if Path(stem + part).is_file()]
    text = join_streams(*(_read(path) for path in streams))
    argv = _command(Path(f"{stem}.cmd"))
    code = _exit_code(Path(f"{stem}.rc"))
    folder = Path(stem).parent
    result = _beside(Path(f"{stem}.pb"), folder, argv, "--result_file_path=")
    profile = _beside(Path(f"{stem}.csv"), folder, argv, "--op_profiling_output_file=")
    printed = Printed(
        text=text,
        exit_code=code,
        result=_bytes(result) if result else None,
        argv=argv,
        exit_known=code is not None,
    )
    return Recorded(stem, printed, _read(profile) if profile else None)


def _named_profile(folder: Path, argv: list[str]) -> str | None:
    found = _beside(None, folder, argv, "--op_profiling_output_file=")
    return _read(found) if found else None


def _beside(own: Path | None, folder: Path, argv: list[str], flag: str) -> Path | None:
    """The file of that name, else the one that the command named, in the same folder."""
    names = [PurePosixPath(a.removeprefix(flag)).name for a in argv if a.startswith(flag)]
    for path in ([own] if own else []) + [folder / name for name in names if name]:
        if path.is_file():
            return path
    return None


def _command(path: Path) -> list[str]:
    """The command of a ``.cmd`` file: its first line that is no comment."""
    if not path.is_file():
        return []
    lines = (line for line in _read(path).split("\n") if line.strip() and line[0] != "#")
    return _split(next(lines, ""))


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # an unpaired quote: our own logs join the arguments as they are
        return command.split()


def _exit_code(path: Path) -> int | None:
    """The exit code in a ``.rc`` file; None where it is absent or no number."""
    if not path.is_file():
        return None
    text = _read(path).strip()
    return int(text) if re.fullmatch(r"-?\d{1,6}", text, re.ASCII) else None


def _read(path: Path) -> str:
    data = _bytes(path)
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    return data.decode(encoding, "replace")


def _bytes(path: Path) -> bytes:
    with read_errors(path):
        if path.is_file() and path.stat().st_size > _LARGEST:
            raise InputError(f"{path} is too large to be a log of benchmark_model")
        return path.read_bytes()
