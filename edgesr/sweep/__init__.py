"""Every way to quantize a checkpoint: trained, converted, scored and timed side by side."""
