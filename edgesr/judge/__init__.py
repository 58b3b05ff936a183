"""An OCR judge of one's own: merge sets, fine-tune a vision-language model, evaluate, describe."""
