"""The courses that rendered slides draw from; the order is part of every slide's identity."""

from edgesr.data.slide_content import Subject
from edgesr.data.slide_subjects_formal import ALGEBRA, ALGORITHMS, LEARNING, STATISTICS
from edgesr.data.slide_subjects_nature import ASTRONOMY, BIOLOGY, CHEMISTRY, PHYSICS
from edgesr.data.slide_subjects_society import ECONOMICS, HISTORY, LINGUISTICS

SUBJECTS: tuple[Subject, ...] = (
    LEARNING,
    ALGEBRA,
    PHYSICS,
    BIOLOGY,
    HISTORY,
    CHEMISTRY,
    ALGORITHMS,
    ECONOMICS,
    ASTRONOMY,
    STATISTICS,
    LINGUISTICS,
)
