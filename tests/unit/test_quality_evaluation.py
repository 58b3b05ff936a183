"""What a comparison of two evaluations says."""

from edgesr.quality.evaluation import Comparison, Evaluation, ImageScore, worst
from edgesr.quality.readability import Reading
from edgesr.quality.text import NO_TEXT, TextScore


def image(name: str, cer: float | None, confidence: float = 0.9) -> ImageScore:
    score = NO_TEXT if cer is None else TextScore(cer, cer, 1 - cer, 1 - cer, confidence, "text")
    return ImageScore(name, 30.0, 0.9, None, Reading(score))


def evaluation(*images: ImageScore) -> Evaluation:
    return Evaluation({"model": "m"}, images)


def test_a_surer_engine_that_reads_worse_is_warned_of() -> None:
    names = [f"{n}" for n in range(8)]
    plain = evaluation(*(image(name, 0.211, 0.906) for name in names))
    sharp = evaluation(*(image(name, 0.256, 0.919) for name in names))
    assert "reads worse" in Comparison(sharp, plain).warnings()[0]
    assert Comparison(sharp, plain).verdict("cer") == "worse"
    assert Comparison(sharp, plain).verdict("confidence") == "better"
    assert Comparison(plain, sharp).warnings() == []
    assert Comparison(plain, sharp).verdict("cer") == "better"


def test_only_images_that_both_have_a_value_for_are_compared() -> None:
    one = evaluation(image("a", 0.1), image("b", None), image("c", 0.3))
    two = evaluation(image("a", 0.2), image("b", 0.9), image("c", 0.4))
    found = Comparison(one, two).differences()["cer"]
    assert (round(found.mean, 9), found.n) == (-0.1, 2)
    assert Comparison(one, two).to_dict()["mean"]["cer"] == (0.2 + 0.9 + 0.4) / 3


def test_pixels_alone_are_compared_without_text() -> None:
    plain = Evaluation({"model": "m"}, (ImageScore("a", 30, 0.9), ImageScore("b", 32, 0.8)))
    comparison = Comparison(plain, plain)
    assert set(comparison.differences()) == {"psnr_y", "ssim_y"}
    assert comparison.warnings() == []


def test_the_worst_come_first_and_right_ones_not_at_all() -> None:
    images = [image("a", 0.1), image("b", 0.0), image("c", 0.5), image("d", None)]
    assert [one.name for one in worst(images, 5)] == ["c", "a"]
    assert [one.name for one in worst(images, 1)] == ["c"]
