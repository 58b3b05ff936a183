"""A quiet voice without words, so that footage has a track of sound."""

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
"""Samples a second."""
BLOCK = 1024
"""Samples of one AAC frame."""
_LOUDNESS = 0.05
_OVERTONES = 16


def voice(seed: int, block: int) -> NDArray[np.float32]:
    """A tone of about 120 Hz with overtones that swells four times a second, in a little noise.

    Args:
        seed: Of the footage.
        block: Number of the block, from 0.

    Returns:
        Shape (1, 1024), -1..1; a function of the arguments alone.
    """
    time_s = (block * BLOCK + np.arange(BLOCK)) / RATE
    turns = 120 * time_s - 8 * np.cos(2 * np.pi * 0.6 * time_s)  # the pitch glides by a quarter
    tone = np.zeros(BLOCK)
    for overtone in range(1, _OVERTONES + 1):
        tone += np.sin(2 * np.pi * ((overtone * turns) % 1.0)) / overtone
    syllables = np.sin(np.pi * 3.9 * time_s) ** 2
    phrases = np.sin(2 * np.pi * 0.31 * time_s + seed) > -0.6
    noise = np.random.default_rng([seed, block]).standard_normal(BLOCK)
    sound: NDArray[np.float64] = _LOUDNESS * (tone * syllables * phrases + 0.02 * noise)
    return sound.astype(np.float32)[None]
