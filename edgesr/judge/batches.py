"""Which images make a batch: a pure function of the seed and the number of the batch."""

import functools

import numpy as np
from numpy.typing import NDArray


def batch_indices(count: int, size: int, seed: int, batch: int) -> list[int]:
    """The images of a batch: every epoch goes once through all, in an order of its own.

    Args:
        count: How many images there are.
        size: How many a batch has; a batch may reach into the next epoch.
        seed: Of the training.
        batch: Its number, from 0.
    """
    places = range(batch * size, (batch + 1) * size)
    return [int(_order(count, seed, place // count)[place % count]) for place in places]


@functools.lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(count)
