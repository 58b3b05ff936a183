"""Where training images come from: one module per kind of source, one way to open them all."""

from edgesr.data.sources.base import Scene, Source
from edgesr.data.sources.registry import KINDS, open_source, open_sources

__all__ = ["KINDS", "Scene", "Source", "open_source", "open_sources"]
