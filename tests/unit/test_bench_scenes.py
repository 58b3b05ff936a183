"""Which pictures are scored, and what their figures come to."""

import math

import numpy as np
import pytest

from edgesr.bench.pixel_doubts import pixel_doubts
from edgesr.bench.scenes import Scoring, spread
from edgesr.bench.scores import PictureScore, mean_scores, text_part
from edgesr.quality.readability import Reading
from edgesr.quality.reading import Line
from edgesr.quality.text import score_text
from edgesr.quality.tiling import Tiling, plan_axis
from edgesr.results.records import Accuracy, Interval


@pytest.mark.parametrize(
    ("costs", "most", "places"),
    [
        ([1] * 5, 5, [0, 1, 2, 3, 4]),
        ([1] * 10, 2, [2, 7]),
        ([1] * 7, 1, [3]),
        ([4] * 10, 64, list(range(10))),
        ([4] * 10, 9, [2, 7]),
        ([1, 9, 1, 1], 9, [0, 2, 3]),
        ([9, 9, 1, 1], 9, [2]),
        ([], 9, []),
        ([2] * 1000, 6, [166, 500, 833]),
    ],
)
def test_pictures_are_spread_evenly(costs: list[int], most: int, places: list[int]) -> None:
    assert spread(costs, most) == places


@pytest.mark.parametrize("seed", range(20))
def test_no_choice_costs_more_than_allowed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    most = int(rng.integers(1, 40))
    costs = [int(cost) for cost in rng.integers(1, most + 1, rng.integers(1, 60))]
    places = spread(costs, most)
    assert places == sorted(set(places))
    assert 0 < sum(costs[place] for place in places) <= most


@pytest.mark.parametrize("size", [(5, 9), (12, 16), (13, 16), (40, 61)])
def test_tiles_are_counted_before_they_are_cut(size: tuple[int, int]) -> None:
    tiling = Tiling(12, 16, 2, fixed=True)
    assert tiling.runs(*size) == len(plan_axis(size[0], 12, 2)) * len(plan_axis(size[1], 16, 2))
    assert Tiling(12, 16, 2, fixed=False).runs(5, 9) == 1


def test_scoring_survives_run_json_and_passes_over_keys_of_others() -> None:
    scoring = Scoring(ocr="tesseract:deu", launches=7)
    assert Scoring.from_dict({**scoring.to_dict(), "newer": 1}) == scoring
    assert Scoring.from_dict({}) == Scoring()


def read(text: str, confidence: float = 0.9) -> Reading:
    lines = (Line(text, confidence, (0.0, 0.0, 9.0, 9.0)),)
    return Reading(score_text(lines, "abcdefghij"), lines, "abcdefghij")


def picture(
    own: Reading | None, bicubic: Reading | None = None, fp32: Reading | None = None
) -> PictureScore:
    others = [one.score if one else None for one in (bicubic, fp32)]
    return PictureScore("x", 30.0, 0.9, own, *others)


def test_a_mean_of_psnr_leaves_out_the_infinite() -> None:
    assert mean_scores([(30.0, 0.5), (math.inf, 1.0)]) == {"psnr_y": 30.0, "ssim_y": 0.75}
    assert mean_scores([(math.inf, 1.0)])["psnr_y"] is None
    assert PictureScore("x", math.inf, 1.0).to_dict()["psnr_y"] is None


def test_text_is_compared_on_the_same_pictures_only() -> None:
    bad, good = read("abcdefgh??"), read("abcdefghij")
    found = text_part([picture(bad, good, good)] * 5 + [picture(None)])
    assert (found["cer"], found["text_images"]) == (pytest.approx(0.2), 5)
    assert found["cer_vs_bicubic"].mean == pytest.approx(0.2)
    assert found["cer_vs_reference"].n == 5
    torn = text_part([picture(bad, good, good)] * 4 + [picture(bad, good, None)])
    assert "cer_vs_reference" not in torn  # the reference failed in the middle
    assert "cer_vs_bicubic" in torn
    assert text_part([picture(None)]) == {}


def accuracy(cer: Interval, confidence: Interval, *, reference: bool = True) -> Accuracy:
    name = "reference" if reference else "bicubic"
    differences = {f"cer_vs_{name}": cer, f"confidence_vs_{name}": confidence}
    return Accuracy(images=9, images_of=9, protocol="y", cer=0.2, **differences)  # type: ignore[arg-type]


def interval(low: float, high: float, n: int = 9) -> Interval:
    return Interval(mean=(low + high) / 2, low=low, high=high, n=n)


SURER, LESS_SURE = interval(0.01, 0.03), interval(-0.05, -0.01)


@pytest.mark.parametrize(
    ("found", "codes"),
    [
        (accuracy(interval(0.01, 0.05), LESS_SURE), ["cer_worse"]),
        (accuracy(interval(0.01, 0.05), SURER), ["cer_worse", "confidence_misleads"]),
        (accuracy(interval(0.01, 0.05), SURER, reference=False), ["confidence_misleads"]),
        (accuracy(interval(0.01, 0.05), LESS_SURE, reference=False), []),
        (accuracy(interval(-0.01, 0.05), SURER), []),
        (accuracy(interval(0.01, 0.05, n=4), SURER), []),
        (accuracy(Interval(mean=0.3, n=1), SURER), []),
        (accuracy(interval(-0.05, -0.01), SURER), []),  # it reads better
        (Accuracy(images=3, images_of=9, protocol="y"), ["accuracy_sampled"]),
        (Accuracy(images=3, protocol="y"), []),  # of an older run
        (Accuracy(images=3, protocol="y", reference_psnr_db=20, floor_db=27), ["pixels_wrong"]),
    ],
)
def test_what_pixels_say_against_a_job(found: Accuracy, codes: list[str]) -> None:
    assert [doubt.code for doubt in pixel_doubts(found)] == codes
