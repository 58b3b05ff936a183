"""The plots, one per file; a new file with one decorated function is a new plot."""
