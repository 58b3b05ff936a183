"""The same files on the Hugging Face hub, in one commit.

The token comes from ``HF_TOKEN`` alone and is told to nobody but the hub; ``HF_ENDPOINT`` names
another hub, ``HF_HUB_OFFLINE`` forbids every request.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgesr.errors import EdgesrError, InputError, MissingExtraError, TransportError, UsageError
from edgesr.text import short

CARD = "README.md"
TOKEN = "HF_TOKEN"  # noqa: S105 - the variable's name
_REPO = re.compile(
    r"(?=.{3,96}$)(?!.*(?:--|\.\.))(?!.*\.git$)[A-Za-z0-9][\w.-]*/[A-Za-z0-9_](?:[\w.-]*\w)?",
    re.ASCII,
)
"""The hub's own rules."""
_BRANCH = re.compile(r"[A-Za-z0-9_][\w./-]*", re.ASCII)
_MAIN = "main"
_REFUSED = {
    401: ("does not accept the token", f"make a new one with the right to write, for {TOKEN}"),
    403: ("does not allow it with this token", "take a token with the right to write there"),
    404: ("has no such repository, or hides it", "check OWNER/NAME and what the token may see"),
    409: ("says that somebody else changed it at the same time", "try again"),
    429: ("has had too many requests", "try again later"),
}


@dataclass(frozen=True)
class HubRequest:
    """Where to publish.

    Args:
        repo: ``OWNER/NAME``; it is made where there is none.
        private: Whether a new repository is private; one that is there stays as it is.
        revision: Branch; one that is not there is made from the main one.
        message: Of the commit.
    """

    repo: str
    private: bool = False
    revision: str = _MAIN
    message: str = ""

    def __post_init__(self) -> None:
        if not _REPO.fullmatch(self.repo):
            raise UsageError(
                f"{short(self.repo, 80)!r} is no name of a repository", hint="write OWNER/NAME"
            )
        if not _BRANCH.fullmatch(self.revision) or ".." in self.revision:
            raise UsageError(f"{short(self.revision, 80)!r} is no name of a branch")


def publish(files: Sequence[Path], request: HubRequest) -> str:
    """Uploads files in one commit.

    Args:
        files: What to upload, to the top of the repository.
        request: Where to.

    Returns:
        Address of the commit.

    Raises:
        MissingExtraError: Without the package huggingface_hub.
        InputError: Without a token, or where the hub refuses it, the repository or the files.
        TransportError: When the hub can't be reached or fails.
    """
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.utils.tqdm import disable_progress_bars
    except ImportError as error:
        raise MissingExtraError("publish", extra="hub") from error
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise InputError(
            f"publishing needs a token, and {TOKEN} is not set",
            hint=f"set {TOKEN} to a token with the right to write",
        )
    disable_progress_bars()
    endpoint = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/")
    hub = HfApi(endpoint=endpoint or None, token=token)
    try:
        return _commit(hub, request, files)
    except Exception as error:  # noqa: BLE001 - the layers below raise nearly anything
        raise _told(error, request, hub.endpoint, token) from None  # it may hold headers


def _commit(hub: Any, request: HubRequest, files: Sequence[Path]) -> str:
    from huggingface_hub import CommitOperationAdd

    hub.create_repo(request.repo, private=request.private, exist_ok=True)
    if request.revision != _MAIN:
        hub.create_branch(request.repo, branch=request.revision, exist_ok=True)
    made = hub.create_commit(
        request.repo,
        [CommitOperationAdd(path.name, str(path)) for path in files],
        commit_message=request.message or "A model packaged by edgesr",
        revision=request.revision,
    )
    return str(made.commit_url)


def _told(error: Exception, request: HubRequest, endpoint: str, token: str) -> EdgesrError:
    """One of our errors with the hub's reason, and never the token."""
    answers = (getattr(one, "response", None) for one in (error, error.__cause__))
    status = next((one.status_code for one in answers if one is not None), None)
    told = (str(one) or type(one).__name__ for one in (error, error.__cause__) if one is not None)
    reason = " ".join(" ".join(dict.fromkeys(told)).split())
    reason = short(reason.replace(token, "***"), 300)
    where = f"{endpoint}, {request.repo}"
    if status in _REFUSED:
        why, hint = _REFUSED[status]
        kind = TransportError if status == 429 else InputError
        return kind(f"the hub {why} ({status}): {where}", hint=hint)
    if isinstance(status, int) and status < 500:
        return InputError(f"the hub refused ({status}): {where}: {reason}")
    if type(error).__name__ == "OfflineModeIsEnabled":
        return TransportError(
            f"nothing was published to {where}: HF_HUB_OFFLINE forbids every request",
            hint="unset HF_HUB_OFFLINE, or look at the files with --dry-run",
        )
    return TransportError(
        f"could not publish to {where}: {reason}", hint="check the network and try again"
    )
