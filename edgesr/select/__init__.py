"""Measurements and written criteria -> a candidate and a delegate, and why not the others."""
