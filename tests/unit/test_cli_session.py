"""What a verb leaves of the process that called it."""

import os
import signal
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from edgesr.cli._session import Session, verb

app = typer.Typer()


@app.command()
@verb
def command(_session: Session, *, end: Annotated[bool, typer.Option("--end")] = False) -> None:
    if end:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()


def test_sigterm_is_ctrl_c_for_the_verb_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    stopped = CliRunner().invoke(app, ["--end"])
    assert stopped.exit_code == 130
    assert "interrupted" in stopped.stderr
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("arguments", [[], ["--nonsense"]])
def test_the_handler_is_put_back(arguments: list[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    CliRunner().invoke(app, arguments)
    assert signal.getsignal(signal.SIGTERM) is before
