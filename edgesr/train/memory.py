"""Running out of memory, said in a way that helps."""

import contextlib
import resource
import signal
from collections.abc import Iterator

import torch

from edgesr.errors import ConfigError
from edgesr.train.config import StageConfig


@contextlib.contextmanager
def memory_hint(stage: StageConfig) -> Iterator[None]:
    """Turns the allocators' errors, and the end of a worker, into one that says what to change.

    Raises:
        ConfigError: When memory ran out inside.
    """
    try:
        yield
    except (MemoryError, RuntimeError, ConnectionError, EOFError) as error:
        reason = (str(error).splitlines() or [""])[0].strip()[:160]
        train = stage.train
        # torch tells of it in a signal handler, wherever we are, or the pipe to it breaks first
        if "DataLoader worker" in reason or isinstance(error, ConnectionError | EOFError):
            with contextlib.suppress(ValueError):  # and would tell again while we clear up
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            raise ConfigError(
                f"a process that reads images ended, perhaps for want of memory: {reason}",
                hint=f"go on with --resume and --set stage.{stage.name}.data.workers="
                f"{stage.data.workers // 2}",
            ) from error
        if not _is_memory(error):
            raise
        raise ConfigError(
            f"out of memory with batches of {train.batch_size} patches of "
            f"{train.patch}x{train.patch}: {reason}",
            hint=_smaller(stage),
        ) from error


def _is_memory(error: BaseException) -> bool:
    """Torch's CPU allocator raises a bare RuntimeError."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "not enough memory" in str(error) or "can't allocate memory" in str(error)
    )


def _smaller(stage: StageConfig) -> str:
    train, key = stage.train, f"--set stage.{stage.name}.train"
    if train.batch_size == 1:
        return f"use smaller patches: {key}.patch={max(8, train.patch // 2)}"
    return (
        f"{key}.batch_size={train.batch_size // 2} {key}.accumulate={train.accumulate * 2} "
        "needs half the memory for a step of the same size; with another --out"
    )


def peak_mb(device: torch.device) -> float:
    """Most memory held so far in MB: the GPU's on CUDA, else this process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
