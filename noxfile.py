"""Every check of the project: ``nox -s NAME``. CI runs the same sessions through .ci/run."""

import shutil
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["lint", "types", "imports", "tests", "wheel"]
nox.options.reuse_existing_virtualenvs = True
nox.options.default_venv_backend = "venv"

PYTHON_FOLDERS = ("edgesr", "tests", "benchmarks", "noxfile.py")


@nox.session
def demo(session: nox.Session) -> None:
    """The whole path on this machine: images to report. Arguments go to ``edgesr demo``."""
    session.install("-e", ".")
    session.run("edgesr", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests but the slow ones."""
    session.install("-e", ".[dev]")
    session.run("pytest", "-m", "not slow", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """The tests that take more than ten seconds each."""
    session.install("-e", ".[dev]")
    session.run("pytest", "-m", "slow", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff's rules and format."""
    session.install("ruff>=0.9")
    session.run("ruff", "check", *PYTHON_FOLDERS)
    session.run("ruff", "format", "--check", *PYTHON_FOLDERS)


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict."""
    session.install("-e", ".[dev]")
    session.run("mypy")


@nox.session
def imports(session: nox.Session) -> None:
    """The directions in which imports may point."""
    session.install("import-linter>=2.1")
    session.env["PYTHONPATH"] = "."
    session.run("lint-imports")


@nox.session
def wheel(session: nox.Session) -> None:
    """Builds the wheel, installs it where nothing else is, and meets it as a user does."""
    session.install("build", "pytest")
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "build", "--wheel", "--outdir", folder, silent=True)
        (built,) = Path(folder).glob("*.whl")
        session.install("--force-reinstall", "--no-deps", str(built))
        session.install(str(built))
        tests_copy = Path(folder) / "tests"
        shutil.copytree("tests/wheel", tests_copy)
        with session.chdir(folder):
            command = ("pytest", "-p", "no:cacheprovider", str(tests_copy))
            session.run(*command, env={"WHEEL": str(built)})
