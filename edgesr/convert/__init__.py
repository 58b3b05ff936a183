"""Checkpoints to TFLite candidates: fold, export, convert, check, verify, publish."""
