"""``edgesr bench --until``: a steady job ends early, a noisy one at its limit, resumed or not."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgesr.cli.app import app
from edgesr.results.store import RunFolder, Workspace
from tests.fixtures.tiny import tiny_candidate

RECORDED = Path(__file__).parents[1] / "fixtures" / "benchmark_model"
LIMIT = 8


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path / "ws")
    tiny_candidate(found)
    return found


def slower(text: str, factor: float) -> str:
    """A launch's output in which all inferences took so many times as long."""
    lines = text.splitlines(keepends=True)
    place = max(n for n, line in enumerate(lines) if "count=" in line)
    fields = (field.partition("=") for field in lines[place].split()[2:])
    told = " ".join(f"{name}={float(value) * factor:.0f}" for name, _, value in fields)
    lines[place] = f"{' '.join(lines[place].split()[:2])} {told}\n"
    average = float(re.findall(r"Inference \(avg\): ([\d.]+)", text)[0])
    return "".join(lines).replace(f"{average:g}", f"{average * factor:.0f}")


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """With one thread the same time at every launch, with two a fifth more at every other."""
    path, count, log = tmp_path / "tool", tmp_path / "launches", RECORDED / "04_elsr_default"
    slow = tmp_path / "slow"
    slow.write_text(slower((log.with_suffix(".stdout")).read_text(), 1.2))
    path.write_text(
        "#!/bin/sh\n"
        f'case "$1" in --help) cat "{RECORDED / "01_help.stderr"}" >&2; exit 1;; esac\n'
        f'cat "{log}.stderr" >&2\n'
        f'case "$*" in *--num_threads=2*) echo x >> "{count}"\n'
        f'  [ $(($(wc -l < "{count}") % 2)) = 0 ] && exec cat "{slow}";; esac\n'
        f'exec cat "{log}.stdout"\n'
    )
    path.chmod(0o755)
    return path


def bench(workspace: Workspace, *options: str) -> str:
    done = CliRunner().invoke(app, ["bench", "--workspace", str(workspace.root), *options])
    assert done.exit_code == 0, done.output
    return done.stdout


def measure(workspace: Workspace, binary: Path, *options: str) -> RunFolder:
    document = bench(
        workspace, "--binary", str(binary), "--delegate", "xnnpack", "--threads", "1,2",
        "--until", "3%", "--rounds", str(LIMIT), "--json", *options,
    )  # fmt: skip
    return workspace.run(json.loads(document)["run"])


def rounds(run: RunFolder) -> list[tuple[int, int | None]]:
    return [(r.job.threads, r.round) for r in run.records() if r.job]


def test_a_steady_job_ends_early_and_a_noisy_one_at_the_limit(
    workspace: Workspace, binary: Path
) -> None:
    run = measure(workspace, binary)
    assert run.header()["suite"]["until_pct"] == 3
    found = rounds(run)
    assert [number for threads, number in found if threads == 1] == [0, 1, 2, 3, 4]
    assert [number for threads, number in found if threads == 2] == list(range(LIMIT))
    assert found[:4] == [(1, 0), (2, 0), (2, 1), (1, 1)]  # still interleaved
    before = len(run.records())
    bench(workspace, "--resume", run.path.name, "--json")
    assert len(run.records()) == before


def test_resume_goes_on_from_the_records_alone(workspace: Workspace, binary: Path) -> None:
    run = measure(workspace, binary)
    path = run.path / "records.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    cut = next(n for n, line in enumerate(lines) if '"round":4' in line.replace(" ", ""))
    path.write_text("".join(lines[:cut]))  # as if it had been killed in the fifth round
    told = bench(workspace, "--resume", run.path.name)
    assert "1 of 2 jobs are not known to 3 %" in " ".join(told.split())
    found = rounds(run)
    assert [number for threads, number in found if threads == 1] == [0, 1, 2, 3, 4]
    assert [number for threads, number in found if threads == 2] == list(range(LIMIT))


def test_the_plan_tells_least_and_most(workspace: Workspace) -> None:
    options = ("--threads", "1,2", "--delegate", "cpu", "--until", "3%", "--dry-run")
    plan = json.loads(bench(workspace, *options, "--json"))
    assert (plan["launches_least"], plan["launches"]) == (10, 60)
    assert plan["suite"]["until_pct"] == 3
    assert 5 * plan["estimate_s"]["least"] < plan["estimate_s"]["most"]
    assert "5 to 30 rounds" in bench(workspace, *options)
    fixed = json.loads(bench(workspace, "--threads", "1", *options[2:4], "--dry-run", "--json"))
    assert fixed["launches"] == fixed["launches_least"] == 5
    assert workspace.runs() == []
