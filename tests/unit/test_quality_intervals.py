"""How often intervals hold the truth, and what they are of."""

import numpy as np
import pytest

from edgesr.quality.intervals import Interval, bootstrap_mean, paired_difference


@pytest.mark.parametrize("n", [8, 20])
def test_95_per_cent_of_the_intervals_hold_the_mean(n: int) -> None:
    rng = np.random.default_rng(0)
    trials, held = 1000, 0
    for trial in range(trials):
        found = bootstrap_mean(rng.normal(3, 2, n).tolist(), seed=trial)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 3 <= found.high
    assert 0.92 <= held / trials <= 0.97


def test_frames_of_one_slide_are_one_value() -> None:
    values = np.random.default_rng(1).normal(0, 1, 10).tolist()
    repeated = [value for value in values for _ in range(30)]
    slides = [slide for slide in range(10) for _ in range(30)]
    alone, clustered = bootstrap_mean(values), bootstrap_mean(repeated, slides)
    assert (clustered.mean, clustered.low, clustered.high) == pytest.approx(
        (alone.mean, alone.low, alone.high)
    )
    assert clustered.n == 10
    naive = bootstrap_mean(repeated)
    assert naive.low is not None
    assert clustered.low is not None
    assert naive.low > clustered.low


def test_clusters_of_unequal_size_keep_the_mean_over_values() -> None:
    assert bootstrap_mean([1, 1, 1, 5], ["a", "a", "a", "b"]).mean == 2


def test_a_small_difference_on_hard_and_easy_images_is_found() -> None:
    rng = np.random.default_rng(2)
    hard = rng.uniform(0, 1, 20)
    better = (hard + 0.02 + rng.normal(0, 0.01, 20)).tolist()
    difference = paired_difference(better, hard.tolist())
    assert difference.excludes_zero
    assert difference.mean == pytest.approx(0.02, abs=0.01)
    assert not paired_difference(hard.tolist(), hard.tolist()).excludes_zero


def test_one_value_has_no_interval() -> None:
    assert bootstrap_mean([0.5]) == Interval(0.5, None, None, 1)
    assert bootstrap_mean([0.5, 0.7], ["one", "one"]).low is None


def test_equal_arguments_give_equal_intervals() -> None:
    values = np.random.default_rng(4).normal(0, 1, 20).tolist()
    assert bootstrap_mean(values) == bootstrap_mean(values)
    assert bootstrap_mean(values) != bootstrap_mean(values, seed=1)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]])
def test_what_is_no_number_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        bootstrap_mean(values)


def test_pairs_have_to_be_complete() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired_difference([1.0], [1.0, 2.0])


def test_many_images_are_drawn_in_pieces() -> None:
    values = np.random.default_rng(3).normal(0, 1, 5000)
    found = bootstrap_mean(values.tolist())
    assert found.low is not None
    assert found.high is not None
    half = 1.96 * values.std(ddof=1) / np.sqrt(5000)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.05)
