"""Quantization: one method per file, and the network that they make of a float one."""
