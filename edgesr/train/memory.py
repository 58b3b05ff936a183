"""Running out of memory, said in a way that helps."""

import contextlib
import resource
from collections.abc import Iterator

import torch

from edgesr.errors import ConfigError
from edgesr.train.config import StageConfig


@contextlib.contextmanager
def memory_hint(stage: StageConfig) -> Iterator[None]:
    """Turns the allocators' errors into one that names a smaller batch.

    Raises:
        ConfigError: When memory ran out inside.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_memory(error):
            raise
        train = stage.train
        raise ConfigError(
            f"out of memory with batches of {train.batch_size} patches of "
            f"{train.patch}x{train.patch}: {str(error).splitlines()[0][:160]}",
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
        "trains the same with half the memory"
    )


def peak_mb(device: torch.device) -> float:
    """Most memory held so far in MB: the GPU's on CUDA, else this process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
