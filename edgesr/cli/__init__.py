"""The command line: one thin module per verb; what a verb does lives in the package it names."""
