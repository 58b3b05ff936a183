"""``edgesr publish`` in a process of its own, against a hub on this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.hub import GOOD, Hub
from fixtures.tiny import tiny_candidate

from edgesr.errors import EdgesrError, InputError, MissingExtraError, TransportError, UsageError
from edgesr.package.hub import HubRequest, publish
from edgesr.results.store import Workspace

pytest.importorskip("huggingface_hub")
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content")
"""huggingface_hub 2.4 uploads in a way that its HTTP client deprecates."""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    tiny_candidate(Workspace(tmp_path / "work"))
    return tmp_path / "work"


def _publish(
    workspace: Path, url: str, *arguments: str, token: str = GOOD, **environment: str
) -> subprocess.CompletedProcess[str]:
    home = workspace.parent / "home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    hub = {"HF_ENDPOINT": url, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    if token:
        hub["HF_TOKEN"] = token
    done = subprocess.run(
        [sys.executable, "-m", "edgesr", "publish", "tiny-12x16-fp32", "--workspace",
         str(workspace), "--hub", "me/tiny", *arguments],
        check=False, capture_output=True, text=True,
        env={**kept, "HOME": str(home), "HF_HOME": str(home / "hf"), **hub, **environment},
    )  # fmt: skip
    assert token not in (done.stdout + done.stderr) or not token
    assert "Traceback" not in done.stderr
    for path in home.rglob("*"):
        assert path.is_dir() or not token or token.encode() not in path.read_bytes()
    return done


def test_the_files_arrive_in_one_commit(workspace: Path) -> None:
    with Hub() as hub:
        done = _publish(workspace, hub.url, "--force", "--private", "--licence", "mit", "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        (commit,) = hub.commits
        assert told["commit"] == f"{hub.url}/me/tiny/commit/{1:040x}"
    assert (commit["repo"], commit["revision"]) == ("me/tiny", "main")
    assert "private" in json.dumps(hub.repos["me/tiny"])
    files = commit["files"]
    assert sorted(files) == sorted(told["files"])
    assert "README.md" in files
    assert "MODEL_CARD.md" not in files
    contract = json.loads(files["contract.json"])
    assert contract["selected"] is False
    assert len(files["model.tflite"]) == contract["file"]["size_bytes"]
    assert len(files["golden-input.bin"]) == 12 * 16 * 3 * 4
    assert len(files["golden-output.bin"]) == 24 * 32 * 3 * 4
    assert b'license: "mit"' in files["README.md"]
    assert sorted(p.name for p in workspace.iterdir()) == ["candidates"]


def test_a_branch_and_a_message_and_a_repository_that_is_there(workspace: Path) -> None:
    with Hub() as hub:
        hub.repos["me/tiny"] = {}
        done = _publish(workspace, hub.url, "--force", "--revision", "next", "--message", "two")
        assert done.returncode == 0, done.stderr
        assert hub.branches == ["next"]
        (commit,) = hub.commits
        assert (commit["revision"], commit["summary"]) == ("next", "two")
        assert f"{hub.url}/me/tiny/commit/" in done.stdout


def test_a_dry_run_asks_nobody(workspace: Path) -> None:
    with Hub() as hub:
        done = _publish(workspace, hub.url, "--force", "--dry-run", token="")
        assert done.returncode == 0, done.stderr
        assert hub.requests == []
    assert "model.tflite" in done.stdout
    assert "README.md" in done.stdout


def test_what_was_not_selected_is_not_published(workspace: Path) -> None:
    with Hub() as hub:
        done = _publish(workspace, hub.url)
        assert done.returncode == 2
        assert "--force" in done.stderr
        assert hub.requests == []


def test_a_token_that_is_wrong(workspace: Path) -> None:
    with Hub() as hub:
        done = _publish(workspace, hub.url, "--force", token="hf_wrong_token_of_mine")  # noqa: S106
        assert done.returncode == 3, done.stderr
        assert "401" in done.stderr
        assert hub.commits == []


def test_offline(workspace: Path) -> None:
    with Hub() as hub:
        done = _publish(workspace, hub.url, "--force", HF_HUB_OFFLINE="1")
        assert done.returncode == 5, done.stderr
        assert "HF_HUB_OFFLINE" in done.stderr
        assert hub.requests == []


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """Publishes two small files from this process, which leaves the user's home alone."""
    from huggingface_hub import constants

    for name in ("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setattr(constants, name, True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    files = (tmp_path / "README.md", tmp_path / "a.bin")
    for path in files:
        path.write_text("some bytes")

    def call(hub: Hub, endpoint: str = "") -> str:
        monkeypatch.setenv("HF_ENDPOINT", endpoint or hub.url)
        monkeypatch.setenv("HF_TOKEN", GOOD)
        return publish(files, HubRequest("me/tiny"))

    return call


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("create", 403, InputError),
        ("create", 404, InputError),
        ("create", 429, TransportError),
        ("create", 503, TransportError),
        ("validate", 500, TransportError),
        ("commit", 403, InputError),
        ("upload/", 403, InputError),
    ],
)
def test_a_hub_that_refuses(
    here: Callable[[Hub], str], path: str, status: int, kind: type[EdgesrError]
) -> None:
    with Hub(refuse=(path, status)) as hub:
        with pytest.raises(kind, match=str(status)) as caught:
            here(hub)
        assert GOOD not in str(caught.value) + caught.value.hint
        assert hub.commits == []


def test_nobody_answers(here: Callable[[Hub], str]) -> None:
    with Hub() as hub:
        pass
    with pytest.raises(TransportError, match="could not publish"):
        here(hub)


def test_an_endpoint_with_a_slash_at_its_end(here: Callable[[Hub, str], str]) -> None:
    with Hub() as hub:
        assert here(hub, f"{hub.url}/").startswith(f"{hub.url}/me/tiny/")
        assert not any("//" in request for request in hub.requests)


def test_publishing_twice_is_two_commits(here: Callable[[Hub], str]) -> None:
    with Hub() as hub:
        assert here(hub) != here(hub)
        assert [sorted(commit["files"]) for commit in hub.commits] == [["README.md", "a.bin"]] * 2


def test_without_a_token_or_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", " ")
    with pytest.raises(InputError, match="HF_TOKEN"):
        publish((), HubRequest("me/tiny"))
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError) as caught:
        publish((), HubRequest("me/tiny"))
    assert "edgesr[hub]" in caught.value.hint


@pytest.mark.parametrize(
    "name",
    ["tiny", "me/a/b", "../x", "me/..", "", "me/a b", "me/t?x=1", "me/a.git", "me/a-", "me/a--b",
     "me/a..b", "me/" + "x" * 94, "me/a\n"],
)  # fmt: skip
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(UsageError):
        HubRequest(name)


@pytest.mark.parametrize("name", ["me/a", "me-2/_x", "Me.x/a.b_c-1", "me/" + "x" * 93])
def test_a_name_that_the_hub_takes(name: str) -> None:
    from huggingface_hub.utils import validate_repo_id

    validate_repo_id(name)
    assert HubRequest(name).repo == name


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "a?b", "refs/../x"])
def test_a_branch_that_is_none(name: str) -> None:
    with pytest.raises(UsageError):
        HubRequest("me/tiny", revision=name)
