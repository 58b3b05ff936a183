"""OCR engines, one file each: its name is the engine's, its `ENGINE` is called to open it.

``ENGINE(argument, threads)`` gets what followed the name (``tesseract:deu`` -> ``deu``, else None)
and a number of CPU threads, and gives an `edgesr.quality.ocr.OcrEngine`.
``ENGINE.version_of(argument)`` gives a text that changes whenever the engine may read something
else, without loading it.
"""
