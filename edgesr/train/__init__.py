"""Training: config -> data -> loop -> checkpoints."""
