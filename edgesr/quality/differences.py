"""Which signs were misread: the alignment behind a character error rate, line by line."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgesr.quality.reading import Line
from edgesr.quality.text import best_order, normalise


@dataclass(frozen=True)
class Run:
    """Signs that follow each other and are all right or all wrong."""

    text: str
    right: bool


@dataclass(frozen=True)
class ReadLine:
    """One line that was read, beside what stands there."""

    line: Line
    read: tuple[Run, ...]
    """What was read; wrong runs were put in or in the place of others."""
    wanted: tuple[Run, ...]
    """What stands there; wrong runs were left out or read as others."""

    @property
    def right(self) -> bool:
        """Whether not one sign differs."""
        return all(run.right for run in (*self.read, *self.wanted))


def compare_lines(
    lines: Sequence[Line], reference: str, *, ignore_case: bool = False
) -> list[ReadLine]:
    """Aligns what was read with what stands there, with as few edits as `score_text` counts.

    Signs of the reference that nothing was read for stand with the line before them.

    Args:
        lines: As the engine read them, in reading order.
        reference: The text that is there.
        ignore_case: As in `score_text`.

    Returns:
        The lines that hold text, in the order in which they were compared.
    """
    from rapidfuzz.distance import Levenshtein

    truth = normalise(reference, ignore_case=ignore_case)
    texts = [normalise(line.text, ignore_case=ignore_case) for line in lines]
    order = best_order(texts, truth)
    owners = [index for index in order for _ in f"{texts[index]} "]  # the line of each sign
    read: dict[int, list[Run]] = {index: [] for index in order}
    wanted: dict[int, list[Run]] = {index: [] for index in order}
    found = " ".join(texts[index] for index in order)
    for edit in Levenshtein.opcodes(truth, found) if order else ():
        right = edit.tag == "equal"
        for offset in range(max(edit.src_end - edit.src_start, edit.dest_end - edit.dest_start)):
            source, at = edit.src_start + offset, edit.dest_start + offset
            owner = owners[min(at, max(edit.dest_end - 1, 0))]
            if at < edit.dest_end:
                _extend(read[owner], found[at], right=right)
            if source < edit.src_end:
                _extend(wanted[owner], truth[source], right=right)
    return [ReadLine(lines[index], tuple(read[index]), tuple(wanted[index])) for index in order]


def _extend(runs: list[Run], sign: str, *, right: bool) -> None:
    if runs and runs[-1].right == right:
        runs[-1] = Run(runs[-1].text + sign, right)
    else:
        runs.append(Run(sign, right))
