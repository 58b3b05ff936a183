"""Colours and type of rendered slides."""

from dataclasses import dataclass
from typing import Literal

_SERIF = "DejaVu Serif"
_STIX = "STIXGeneral"


@dataclass(frozen=True)
class Theme:
    """One look. Every colour pair that carries text has a contrast of at least 4.5."""

    background: str
    ink: str
    """Body text."""
    title: str
    """Title text, on the header bar where there is one."""
    accent: str
    """Bars, bullets, lines, first curve."""
    second: str
    """Second curve, keywords of code."""
    third: str
    """Third curve, strings of code."""
    muted: str
    """Footers and axis numbers."""
    panel: str
    """Boxes that lie under body text."""
    header: Literal["bar", "line", "stripe", "plain"]
    family: str = "DejaVu Sans"
    math: str = "dejavusans"

    @property
    def smallest(self) -> int:
        """Smallest size of body text, pixels: STIX has lower letters than DejaVu of equal size."""
        return 15 if self.family == _STIX else 12


THEMES: tuple[Theme, ...] = (
    Theme("#ffffff", "#1a1a1a", "#ffffff", "#1f4e8c", "#b03a2e", "#1a7045", "#5a6470", "#eaf0f7",
          "bar"),
    Theme("#ffffff", "#222222", "#111111", "#c0392b", "#1f618d", "#7d6608", "#666666", "#f4f4f4",
          "line"),
    Theme("#fdf6e3", "#3b4a50", "#23373d", "#1a6fb0", "#9c2a28", "#5d6d00", "#5c6b70", "#f1e8cd",
          "plain", _SERIF, "dejavuserif"),
    Theme("#f7f4ee", "#2b2b2b", "#5b1a1a", "#7b1e1e", "#1c4f72", "#4b6b1f", "#6a5f55", "#ece5d8",
          "line", _STIX, "stix"),
    Theme("#ffffff", "#000000", "#000000", "#000000", "#0b5394", "#a61c00", "#555555", "#eeeeee",
          "plain", _STIX, "cm"),
    Theme("#f2f6f4", "#17332a", "#ffffff", "#1d6b4f", "#8e3b1f", "#274b8f", "#4f665c", "#dcebe4",
          "bar"),
    Theme("#ffffff", "#2d2438", "#4a235a", "#6c3483", "#8a5705", "#0e6655", "#6b6275", "#f3ecf7",
          "stripe"),
    Theme("#eef2f5", "#1c2833", "#1c2833", "#ca6f1e", "#21618c", "#7b241c", "#566573", "#dde5ea",
          "stripe", _SERIF, "dejavuserif"),
    Theme("#14213d", "#f1f3f8", "#fca311", "#fca311", "#7ec8e3", "#b8e986", "#a8b3c7", "#22335c",
          "plain"),
    Theme("#1e1e1e", "#e4e4e4", "#ffffff", "#4fc1ff", "#dcdc8b", "#ce9178", "#a0a0a0", "#2d2d30",
          "line"),
    Theme("#1f3b2f", "#f4f4e8", "#fff8c6", "#ffe08a", "#a8dadc", "#f7b7a3", "#b9cbbf", "#2b4f40",
          "plain", _SERIF, "dejavuserif"),
    Theme("#000000", "#f5f5f5", "#ffffff", "#00b4d8", "#ffd166", "#06d6a0", "#aaaaaa", "#1c1c1c",
          "stripe"),
    Theme("#2e1a47", "#f3eafc", "#ffffff", "#8e44ad", "#f4d03f", "#7fdbca", "#c3b1d6", "#40285f",
          "bar"),
    Theme("#002b36", "#d9e2e2", "#e9d8a6", "#2aa198", "#e9c46a", "#f4a261", "#9fb3b5", "#073642",
          "line", _STIX, "stix"),
)  # fmt: skip
