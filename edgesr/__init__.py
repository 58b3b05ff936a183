"""edgesr: which super-resolution model file, on which delegate, for which phone, and why."""

__version__ = "0.1.0"
