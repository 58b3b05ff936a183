"""Networks: one architecture per file, behind one registry.

Legend for all tensors here: ``N, C, H, W`` with low-res height ``H`` and width ``W``, scale ``s``,
RGB in [0, 1].
"""
