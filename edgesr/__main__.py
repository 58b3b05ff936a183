"""``python -m edgesr``."""

from edgesr.cli.app import app

app(prog_name="edgesr")
