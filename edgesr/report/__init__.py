"""Run folders -> one self-contained page, plots, tables and Markdown."""
