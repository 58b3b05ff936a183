"""Every check of the project: ``nox -s NAME``. CI runs the same sessions through .ci/run."""

import shutil
import sys
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["lint", "types", "imports", "tests", "wheel"]
nox.options.reuse_existing_virtualenvs = True
nox.options.default_venv_backend = "venv"

PYTHON_FOLDERS = ("edgesr", "tests", "benchmarks", "noxfile.py")


def pinned(tool: str) -> str:
    """The requirement that pyproject.toml's extra ``dev`` has for a tool."""
    wanted = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]["dev"]
    return next(requirement for requirement in wanted if requirement.startswith(tool))


def project(session: nox.Session, *extras: str) -> str:
    """Folder of the programs of one environment that several sessions share.

    torch and TensorFlow take minutes to install; once for demo, tests, slow and types will do.
    """
    programs = Path(".nox/project/bin")
    if not (programs / "python").exists():
        session.run(sys.executable, "-m", "venv", str(programs.parent), external=True)
    wanted = f".[{','.join(extras)}]" if extras else "."
    session.run(str(programs / "pip"), "install", "-q", "-e", wanted, external=True)
    return str(programs.resolve())


@nox.session(venv_backend="none")
def demo(session: nox.Session) -> None:
    """The whole path on this machine: images to report. Arguments go to ``edgesr demo``."""
    session.run(f"{project(session)}/edgesr", "demo", *session.posargs, external=True)


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """All tests but the slow ones."""
    pytest = f"{project(session, 'dev')}/pytest"
    session.run(pytest, "-m", "not slow", *session.posargs, external=True)


@nox.session(venv_backend="none")
def slow(session: nox.Session) -> None:
    """The tests that take more than ten seconds each."""
    pytest = f"{project(session, 'dev')}/pytest"
    session.run(pytest, "-m", "slow", *session.posargs, external=True)


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """Mypy, strict."""
    session.run(f"{project(session, 'dev')}/mypy", external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff's rules and format."""
    session.install(pinned("ruff"))
    session.run("ruff", "check", *PYTHON_FOLDERS)
    session.run("ruff", "format", "--check", *PYTHON_FOLDERS)


@nox.session
def imports(session: nox.Session) -> None:
    """The directions in which imports may point."""
    session.install(pinned("import-linter"))
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
