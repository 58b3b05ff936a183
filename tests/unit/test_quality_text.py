"""Scores of text that was read, and the order of lines."""

import pytest

from edgesr.quality.reading import Line, reading_order
from edgesr.quality.text import TextScore, in_reference_order, normalise, score_text


def line(text: str, confidence: float = 0.9, at: tuple[float, float] = (0, 0)) -> Line:
    """A line 20 pixels high, 10 per character wide, at (left, top)."""
    left, top = at
    return Line(text, confidence, (left, top, left + 10 * len(text), top + 20))


def read(*texts: str) -> list[Line]:
    return [line(text) for text in texts]


@pytest.mark.parametrize(
    ("found", "reference", "cer", "wer", "recall"),
    [
        ("kitten", "kitten", 0, 0, 1),
        ("kitten", "sitting", 3 / 7, 1, 0),  # Levenshtein's own example
        ("a cat sat", "the cat sat", 3 / 11, 1 / 3, 2 / 3),
        ("thecat", "the cat", 1 / 7, 1, 0),
        ("one two two", "one two", 4 / 7, 1 / 2, 1),
        ("one", "one one", 4 / 7, 1 / 2, 1 / 2),
        ("abcdef", "ab", 4 / 2, 1, 0),
        ("Cat", "cat", 1 / 3, 1, 0),
    ],
)
def test_rates_are_those_of_the_edit_distance(
    found: str, reference: str, cer: float, wer: float, recall: float
) -> None:
    score = score_text(read(found), reference)
    assert (score.cer, score.wer, score.word_recall) == pytest.approx((cer, wer, recall))
    assert score.reference == "text"


def test_nothing_read_is_all_wrong() -> None:
    assert score_text([], "some text", "truth-ocr") == TextScore(
        1.0, 1.0, 0.0, 0.0, 0.0, "truth-ocr"
    )
    assert score_text(read("•", " "), "some text").confidence == 0.0


def test_a_reference_without_text_is_refused() -> None:
    with pytest.raises(ValueError, match="no text"):
        score_text(read("text"), " \n•\u0002")


def test_confidence_is_the_mean_over_characters() -> None:
    lines = [line("12345678", 1.0), line("ab", 0.5), line("■", 0.0)]
    assert score_text(lines, "x").confidence == pytest.approx(0.9)


def test_recall_without_any_word_asks_for_all_signs() -> None:
    assert score_text(read("+"), "+").word_recall == 1.0
    assert score_text(read("-"), "+").word_recall == 0.0


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a\r\n  b\tc ", "a b c"),
        ("Cafe\u0301", "Café"),
        ("\uff21\uff0c\uff08x\uff09", "A,(x)"),
        ("m₁m₂/r² ﬁts", "m1m2/r2 fits"),
        ("a – b \u2212 c — d", "a - b - c - d"),
        ("“it\u2019s” 3×3 ∆x", '"it\'s" 3x3 Δx'),
        ("• one ■ two", "one two"),
        ("A·B • C", "A·B C"),
        ("hy\u0002phen\u00ad", "hyphen"),
        ("Case IS kept", "Case IS kept"),
        ("10⁻³ s\u207b\u00b9 \ufe58 5\u2034", "10-3 s-1 - 5'''"),
        ("e\u200b́", "é"),
    ],
)
def test_normal_form(text: str, same: str) -> None:
    assert normalise(text) == same
    assert normalise(same) == same


def test_one_very_long_line_is_scored_at_once() -> None:
    long = "abcdefgh " * 4000
    score = score_text(read(long[:-9] + "x"), long)
    assert 0 < (score.cer or 0) < 1e-3


def test_the_order_of_lines_is_not_scored() -> None:
    left = ["The gradient points uphill.", "Steps go against it."]
    right = ["Small steps are slow.", "Large steps diverge."]
    row_by_row = f"{left[0]} {right[0]}\n{left[1]} {right[1]}"
    score = score_text(read(*left, *right), row_by_row)
    assert (score.cer, score.wer, score.word_recall) == (0.0, 0.0, 1.0)
    wrong = score_text(read(*left, "Small sleps are slow.", right[1]), row_by_row)
    assert wrong.cer == pytest.approx(1 / len(row_by_row))


def test_the_order_of_words_is_scored() -> None:
    assert score_text(read("steps small are slow"), "small steps are slow").cer != 0.0


def moved(lines: list[str], reference: str) -> list[str]:
    return [lines[index] for index in in_reference_order(lines, reference)]


def test_equal_lines_go_to_different_places() -> None:
    assert moved(["0", "0", "first", "second"], "0 first 0 second") == ["0", "first", "0", "second"]


def test_a_sign_that_is_also_within_a_word_goes_to_its_own_place() -> None:
    assert moved(["in 2019", "2", "20"], "20 in 2019 2") == ["20", "in 2019", "2"]


def test_lines_count_as_exact_only_as_a_whole_and_once() -> None:
    reference = "one two\none\nthree four"
    assert score_text(read("one two", "one", "three flour"), reference).exact_lines == 2 / 3
    assert score_text(read("one two", "three four"), reference).exact_lines == 2 / 3
    assert score_text(read("bone two"), "one two\ntwo").exact_lines == 1 / 2
    assert score_text(read("three four", "one", "one two"), reference).exact_lines == 1.0


def test_case_may_be_ignored() -> None:
    assert score_text(read("the CAT"), "The cat").cer == 4 / 7
    assert score_text(read("the CAT"), "The cat", ignore_case=True).cer == 0.0


def test_marks_belong_to_words_in_scripts_that_have_them() -> None:
    odia = "\u0b13\u0b21\u0b3c\u0b3f\u0b06 \u0b2d\u0b3e\u0b37\u0b3e"
    wrong = odia.replace("\u0b3f", "\u0b40")  # another vowel sign, in the first word
    assert score_text(read(odia), odia).word_recall == 1.0
    assert score_text(read(wrong), odia).word_recall == 0.5


def texts(lines: tuple[Line, ...]) -> list[str]:
    return [one.text for one in lines]


def test_rows_are_read_from_left_to_right() -> None:
    lines = [line("right", at=(300, 3)), line("below", at=(0, 40)), line("left", at=(0, 0))]
    assert texts(reading_order(lines)) == ["left", "right", "below"]
    assert reading_order([]) == ()


def test_columns_are_read_one_after_the_other() -> None:
    left = [line(f"left column, line {row}", at=(0, 50 + 30 * row)) for row in range(3)]
    right = [line(f"right column, line {row}", at=(400, 53 + 30 * row)) for row in range(3)]
    title = line("a title that is wider than both of its columns", at=(50, 0))
    footer = line("a footer that is wider than both of its columns", at=(50, 200))
    mixed = [row for pair in zip(right, left, strict=True) for row in pair]
    assert reading_order([footer, *mixed, title]) == (title, *left, *right, footer)


def test_a_table_is_read_row_by_row() -> None:
    rows = [
        [line(f"row {row}", at=(0, 30 * row)), line(f"{row}.5", at=(200, 30 * row))]
        for row in range(4)
    ]
    assert reading_order(rows[2] + rows[0] + rows[3] + rows[1]) == tuple(
        cell for row in rows for cell in row
    )
