"""The names of all degradations, without anything heavy: the command line needs them at once.

`edgesr.data.degrade.DEGRADATIONS` has exactly these keys.
"""

from enum import StrEnum


class Degrade(StrEnum):
    """How the small image is made from the large one."""

    BICUBIC = "bicubic"
    REAL = "real"
    REAL_ESRGAN = "real-esrgan"
    LECTURE_VIDEO = "lecture-video"
