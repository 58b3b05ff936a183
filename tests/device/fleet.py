"""What the fleet tests share: a tiny candidate, a short suite, phones that count their launches."""

import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgesr.bench.fleet import choose
from edgesr.bench.phone_station import PhoneUse
from edgesr.bench.runner import BenchRequest
from edgesr.bench.suite import Suite
from edgesr.device.adb import default_servers
from edgesr.device.profile import Fit
from edgesr.device.standin import PrivateAdbServer, StandIn
from edgesr.results.store import RunFolder, Workspace
from tests.fixtures.tiny import tiny_candidate

SUITE = Suite(
    name="test",
    threads=(1,),
    rounds=2,
    num_runs=3,
    min_secs=0,
    max_secs=5,
    warmup_min_secs=0,
    timeout_s=60,
    fit=Fit(busy_pct=None, wait_s=0),
)


def counting_program(path: Path) -> Path:
    """A benchmark_model that leaves a line in ``<phone's root>/launches`` for each timed launch."""
    path.write_text(
        "#!/bin/sh\n"
        'case "$*" in *--graph=*) case "$*" in *report_peak*) ;; '
        '*) echo "$*" >> "$EDGESR_ROOT/launches";; esac;; esac\n'
        'sleep "$(cat "$EDGESR_ROOT/pause" 2>/dev/null || echo 0)"\n'
        f'exec "{sys.executable}" -m edgesr.bench.host_runner "$@"\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def launches(phone: StandIn) -> int:
    """How often the phone began a timed launch."""
    path = phone.root / "launches"
    return len(path.read_text().splitlines()) if path.is_file() else 0


def pause_launches(phone: StandIn, seconds: float) -> None:
    """Every launch from now on sleeps so long before it measures."""
    (phone.root / "pause").write_text(str(seconds))


def request(workspace: Workspace, **changes: object) -> BenchRequest:
    """One candidate on all phones that adb shows, XNNPACK and plain kernels."""
    defaults: dict[str, object] = {
        "candidates": (tiny_candidate(workspace),),
        "suite": SUITE,
        "devices": choose(["all"], default_servers()),
        "phones": PhoneUse(lost_wait_s=30),
    }
    return BenchRequest(**{**defaults, **changes})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Told:
    """What a run's records say."""

    statuses: Counter[str]
    doubled: list[tuple[str, int]]
    """(job, round) with more than one record that is ok or refused."""
    codes: Counter[str]
    """Doubts but the one that all stand-ins have."""


def told(run: RunFolder) -> Told:
    """Counts the records."""
    records = [record for record in run.records() if record.job]
    answered = Counter(
        (r.job.key, r.round or 0) for r in records if r.job and r.status in {"ok", "refused"}
    )
    return Told(
        Counter(record.status for record in records),
        [key for key, times in answered.items() if times > 1],
        Counter(d.code for r in records for d in r.doubts if d.code != "simulated"),
    )


def left_on(phones: Sequence[StandIn]) -> list[str]:
    """Files of edgesr's on the phones, and processes of theirs that are still there."""
    files = [str(p) for phone in phones for p in phone.scratch.glob("edgesr*")]
    found = []
    for phone in phones:
        for link in Path("/proc").glob("[0-9]*/cwd"):
            try:
                if link.readlink().is_relative_to(phone.scratch):
                    found.append(f"process {link.parent.name} of {phone.serial}")
            except OSError:
                continue
    return files + found


def reconnect(server: PrivateAdbServer, phone: StandIn) -> None:
    """As somebody who puts the cable back."""
    phone.replug()
    server.connect(phone.serial)


def bench_process(workspace: Workspace, *options: str) -> "subprocess.Popen[str]":
    """``edgesr bench`` as a process of its own."""
    command = [sys.executable, "-m", "edgesr", "--workspace", str(workspace.root), "bench"]
    return subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
