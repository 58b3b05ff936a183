"""Weights for another scale or size: `method` chooses, one file per method, `files` for the CLI."""
