"""Launches on a phone, detached from the adb session: begun, waited for, fetched, checked.

A launch has a folder of its own on the phone, named after run, job, round and pass. Whoever gives
the same order again (after a pulled cable, a killed adb server, a killed edgesr) finds it running
or done there, and picks it up.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgesr.assets import asset
from edgesr.bench.doubts import Code, because, doubt
from edgesr.bench.launch import Executed, Order, VanishedError
from edgesr.device.readings import parse_state
from edgesr.device.transport import Transport
from edgesr.errors import DeviceFileError
from edgesr.results.records import Doubt

_STEP_TIMEOUT_S = 60
_WAIT_S = 2
"""How long one question "is it done?" may wait on the phone."""
_GRACE_S = 60
"""Beyond a launch's own limit, until it is ended from here."""
_LONGEST_S = 3600
"""For a launch whose limit is not known here; the phone does."""
_KILLED = 137
_TIMED_OUT = 124
_FETCHES = 3
_LATE_S = 10
"""A result that waited longer than this for being fetched was out of reach."""


@dataclass(frozen=True)
class Handling:
    """How launches are run on one phone."""

    run: str
    """Name of the run: its launches lie in one folder."""
    mask: str | None = None
    """Cores to pin to, hexadecimal; None leaves the choice to the phone."""
    fixed_performance: bool = False
    big_core_mask: str | None = None
    """Cores whose clock is read."""
    between: Callable[[], object] = lambda: None
    """Called while waiting; may raise to end it."""


class PhoneExecutor:
    """Implements `edgesr.bench.launch.Executor` by ``android_bench/run_bench.sh``.

    Args:
        transport: The phone.
        handling: How.
    """

    def __init__(self, transport: Transport, handling: Handling) -> None:
        self._transport = transport
        self._handling = handling
        self._jobs = f"{transport.folder}/jobs/{handling.run}"

    def execute(self, order: Order) -> Executed:
        """As `edgesr.bench.launch.Executor`."""
        folder = f"{self._jobs}/{order.slot}"
        argv = order.argv(folder)
        begun = self._begin(folder, argv, order)
        doubts = []
        sums = self._await(folder, order.timeout_s)
        if sums is None:
            reason = "the phone restarted, or killed it" if begun else "it had died before"
            doubts.append(because(Code.RELAUNCHED, reason))
            self._script("drop", folder)
            self._begin(folder, argv, order)
            sums = self._await(folder, order.timeout_s)
            if sums is None:
                raise VanishedError(
                    "the launch vanished twice: the phone restarts, kills it, or is full"
                )
        files = self._fetch(folder, sums)
        waited_s = _late(files)
        if waited_s > _LATE_S or not (begun or doubts):
            doubts.append(doubt(Code.PICKED_UP, seconds=round(max(0, waited_s))))
        return self._executed(argv, files, order, doubts)

    def settle(self) -> None:
        """Waits for launches of this run that an earlier call left running."""
        open_ones = '[ -e "$d/note" ] && [ ! -e "$d/done" ] && echo "$d"'
        script = f'for d in "{self._jobs}"/*/*; do {open_ones}; done; true'
        listed = self._transport.run(["sh", "-c", script], timeout_s=_STEP_TIMEOUT_S)
        for folder in listed.stdout.splitlines():
            if self._await(folder, _LONGEST_S) is None:
                self._script("drop", folder)

    def forget(self, slot: str) -> None:
        """As `edgesr.bench.launch.Executor`."""
        self._transport.remove(f"{self._jobs}/{slot}")

    def clean(self, *, keep_run: bool) -> None:
        """Kills what earlier runs left running and deletes their folders, and this run's too."""
        keep = [self._handling.run] if keep_run else []
        self._script("clean", self._transport.folder, *keep)

    def _begin(self, folder: str, argv: list[str], order: Order) -> bool:
        """Starts the launch unless it has been started; tells whether it was this call."""
        handling = self._handling
        command = hashlib.sha256(json.dumps(argv).encode()).hexdigest()
        note = json.dumps({"command": command, "started_at": _now()})
        limit = str(max(1, round(order.timeout_s)))
        options = ["-s", self._transport.stage(asset("android_bench", "device_state.sh"))]
        options += ["-m", handling.mask] if handling.mask else []
        options += ["-f"] if handling.fixed_performance else []
        options += ["-p"] if order.watch_pss else []
        said = self._script("start", folder, note, limit, *options, "--", *argv)
        if not said or said[0] == "started":
            return bool(said)
        if self._note(folder).get("command") != command:  # another file or binary than then
            self._script("drop", folder)
            return self._begin(folder, argv, order)
        return False

    def _await(self, folder: str, limit_s: float) -> dict[str, str] | None:
        """Waits for the marker; gives sha256 by file name, None when the launch is gone."""
        end = time.monotonic() + limit_s + _GRACE_S
        while True:
            said = self._script("wait", folder, str(_WAIT_S))
            if said and said[0] == "done":
                pairs = (line.split("  ", 1) for line in said[1:])
                return {name: digest for digest, name in pairs}
            if not said or said[0] != "running":
                return None
            if time.monotonic() > end:
                self._script("drop", folder)
                raise VanishedError("the phone did not end the launch at its limit")
            self._handling.between()

    def _script(self, verb: str, *arguments: str) -> list[str]:
        script = self._transport.stage(asset("android_bench", "run_bench.sh"))
        argv = ["sh", script, verb, *arguments]
        done = self._transport.run(argv, timeout_s=_STEP_TIMEOUT_S)
        if done.exit_code != 0:
            why = done.stderr.strip() or f"exit code {done.exit_code}"
            raise DeviceFileError(f"{self._transport.name} can't {verb} a launch: {why}")
        return done.stdout.splitlines()

    def _fetch(self, folder: str, sums: dict[str, str]) -> dict[str, bytes]:
        """The launch's files, each checked against the sum that the phone made of it."""
        found = {}
        with TemporaryDirectory(prefix="edgesr-") as temporary:
            local = Path(temporary) / "file"
            for name, digest in {**sums, "note": "-"}.items():
                for _ in range(_FETCHES):
                    self._transport.pull(f"{folder}/{name}", local)
                    found[name] = local.read_bytes()
                    if digest in {"-", hashlib.sha256(found[name]).hexdigest()}:
                        break
                else:
                    raise VanishedError(f"its {name} arrives damaged from the phone")
        if "rc" not in found:
            raise VanishedError("the phone could not write the result: is it full?")
        return found

    def _executed(
        self, argv: list[str], files: dict[str, bytes], order: Order, doubts: list[Doubt]
    ) -> Executed:
        texts = {name: data.decode("utf-8", errors="replace") for name, data in files.items()}
        seconds = _whole(texts.get("seconds"))
        if "refused" in texts.get("fixed", ""):
            doubts = [*doubts, doubt(Code.CLOCKS_NOT_FIXED)]
        pss_kb = _whole(texts.get("pss"))
        mask = self._handling.big_core_mask
        pinned = ["taskset", self._handling.mask] if self._handling.mask else []
        return Executed(
            argv=[*pinned, *argv],
            exit_code=_exit_code(_whole(texts.get("rc")), seconds, order.timeout_s),
            stdout=texts.get("stdout", ""),
            stderr=texts.get("stderr", ""),
            files=files,
            before=parse_state(texts.get("before", ""), mask),
            after=parse_state(texts.get("after", ""), mask),
            started_at=_parse_note(texts["note"]).get("started_at"),
            pss_mb=pss_kb / 1024 if pss_kb is not None and pss_kb > 0 else None,
            doubts=tuple(doubts),
        )

    def _note(self, folder: str) -> dict[str, Any]:
        with TemporaryDirectory(prefix="edgesr-") as temporary:
            local = Path(temporary) / "note"
            try:
                self._transport.pull(f"{folder}/note", local)
            except DeviceFileError:
                return {}
            return _parse_note(local.read_text(encoding="utf-8", errors="replace"))


def _parse_note(text: str) -> dict[str, Any]:
    try:
        tree = json.loads(text)
    except ValueError:  # torn when the phone died
        return {}
    return tree if isinstance(tree, dict) else {}


def _exit_code(code: int | None, seconds: int | None, limit_s: float) -> int | None:
    """None for a command that its time-out ended, by TERM or in the end by KILL."""
    late = seconds is not None and seconds >= round(limit_s)
    return None if code == _TIMED_OUT or (code == _KILLED and late) else code


def _late(files: Mapping[str, bytes]) -> float:
    """Seconds between the end of a launch and now; 0 where that can't be told."""
    note = _parse_note(files["note"].decode("utf-8", errors="replace"))
    seconds = _whole(files.get("seconds", b"").decode("ascii", errors="replace"))
    try:
        begun = datetime.fromisoformat(str(note.get("started_at")))
    except ValueError:
        return 0
    if seconds is None:
        return 0
    return (datetime.now(UTC) - begun).total_seconds() - seconds


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _whole(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:
        return None
