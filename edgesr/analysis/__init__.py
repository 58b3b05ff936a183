"""Records -> tidy rows and one summary per job; numpy and pandas only."""
