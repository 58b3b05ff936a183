"""What rendered slides say: the shape of a subject, and all subjects."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Formula:
    """A displayed formula."""

    tex: str
    """In matplotlib's mathtext, without dollar signs."""
    reading: str
    """Its signs from left to right as plain text, as an OCR engine would give them."""
    note: str
    """A sentence that explains its symbols."""


@dataclass(frozen=True)
class TableSpec:
    """A table whose numbers are drawn at random."""

    caption: str
    """One line below the table."""
    head: tuple[str, ...]
    """Column titles; the first column holds the row names."""
    rows: tuple[str, ...]
    """Row names to draw from."""
    ranges: tuple[tuple[float, float, int], ...]
    """Per number column: lowest, highest, decimals."""


@dataclass(frozen=True)
class PlotSpec:
    """A plot with one to three curves or a group of bars."""

    caption: str
    """One line above the plot."""
    x: str
    """Title of the horizontal axis."""
    y: str
    """Title of the vertical axis."""
    series: tuple[str, ...]
    """Names of curves."""
    bars: tuple[str, ...]
    """Names of bars."""


@dataclass(frozen=True)
class Subject:
    """The material of one course."""

    course: str
    titles: tuple[str, ...]
    sentences: tuple[str, ...]
    terms: tuple[str, ...]
    """Short names of things, fit for a box of a diagram."""
    formulas: tuple[Formula, ...]
    tables: tuple[TableSpec, ...]
    plots: tuple[PlotSpec, ...]
    code: tuple[str, ...]
    """Source text of 8 to 16 lines, at most 64 characters wide, indented by spaces."""
    definitions: tuple[tuple[str, str], ...]
    """(term, what it means)."""


LECTURERS = (
    "Anna Keller", "Prof. Rafael Ortiz", "Dr. Mei Tanaka", "Samuel Okafor", "Ingrid Larsen",
    "Prof. Priya Raman", "Dr. Thomas Weber", "Leila Haddad", "Prof. David Cohen", "Julia Novak",
    "Dr. Carlos Mendes", "Prof. Hannah Fischer", "Oliver Grant", "Dr. Sofia Rossi",
)  # fmt: skip

INSTITUTES = (
    "Institute of Applied Mathematics", "Department of Computer Science", "Faculty of Science",
    "School of Engineering", "Department of Natural Sciences", "Open University Lectures",
    "Graduate School", "Faculty of Arts and Humanities",
)  # fmt: skip

TERMS_OF_YEAR = ("Spring term", "Autumn term", "Winter semester", "Summer semester", "Fall term")

OUTLINE = (
    "Recap of last week", "Motivation and examples", "Basic definitions", "The main result",
    "Proof sketch", "Worked example", "Common mistakes", "Applications", "Limits of the method",
    "Summary and outlook", "Reading for next week", "Exercises", "Historical notes",
    "Open questions", "Discussion",
)  # fmt: skip

REMARKS = (
    "This will be on the exam.",
    "Compare with chapter 3 of the textbook.",
    "See exercise sheet 5, problems 2 and 4.",
    "We return to this point next week.",
    "Ask yourself: which assumption is used here?",
    "The details are left as an exercise.",
    "Note the units on both sides.",
    "A short quiz follows after the break.",
    "The recording and the slides are online.",
    "Keep this example in mind for the next section.",
)
