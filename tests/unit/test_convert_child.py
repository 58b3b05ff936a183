import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgesr.convert.child import ChildJob, run_child
from edgesr.errors import ConversionError


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ChildJob]:
    """A stand-in converter: a module made of the given lines."""

    def make(source: str, timeout_s: float = 30) -> ChildJob:
        (tmp_path / "stand_in.py").write_text(source)
        return ChildJob("stand_in", {"answer": 42}, tmp_path, timeout_s)

    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return make


def test_steps_are_passed_on_and_parameters_arrive(
    program: Callable[..., ChildJob], tmp_path: Path
) -> None:
    steps: list[str] = []
    source = (
        "import json, sys\n"
        "print('noise')\n"
        "print('edgesr-step: one', flush=True)\n"
        "open('seen', 'w').write(str(json.load(open(sys.argv[1]))['answer']))\n"
    )
    run_child(program(source), steps.append)
    assert steps == ["one"]
    assert (tmp_path / "seen").read_text() == "42"


def test_a_failure_shows_its_last_lines(program: Callable[..., ChildJob]) -> None:
    source = "for i in range(50): print('line', i)\nraise SystemExit('no such layer')"
    with pytest.raises(ConversionError) as caught:
        run_child(program(source), lambda _: None)
    message = str(caught.value)
    assert "exit code 1" in message
    assert "no such layer" in message
    assert "line 49" in message
    assert "line 10\n" not in message
    assert caught.value.exit_code == 6


def test_a_killed_child_is_reported_as_such(program: Callable[..., ChildJob]) -> None:
    source = "import os, signal\nprint('loading', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(ConversionError, match="killed by signal 9") as caught:
        run_child(program(source), lambda _: None)
    assert "loading" in str(caught.value)
    assert "memory" in caught.value.hint


def test_a_child_that_hangs_is_stopped(program: Callable[..., ChildJob]) -> None:
    start = time.monotonic()
    with pytest.raises(ConversionError, match="did not finish in 1 s"):
        run_child(program("import time\ntime.sleep(60)", timeout_s=1), lambda _: None)
    assert time.monotonic() - start < 20


def test_an_error_of_the_caller_leaves_no_child(
    program: Callable[..., ChildJob], tmp_path: Path
) -> None:
    source = (
        "import os, time\nopen('pid', 'w').write(str(os.getpid()))\n"
        "print('edgesr-step: one', flush=True)\ntime.sleep(60)\n"
    )

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_child(program(source), interrupt)
    pid = (tmp_path / "pid").read_text()
    assert not Path("/proc", pid).exists() or sys.platform != "linux"
