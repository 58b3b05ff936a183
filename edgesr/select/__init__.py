"""Measurements and written criteria -> which candidate, on which delegate, and why not the others."""
