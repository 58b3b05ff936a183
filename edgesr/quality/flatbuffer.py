"""A .tflite in the schema's object form -> the bytes of a file."""

from typing import Any

_ALIGNMENT = 16


def pack(model: Any) -> bytes:
    """A model in object form as the bytes of a file.

    The schema wants constants at multiples of 16 bytes, for kernels that read them where the file
    is mapped; the generated Python code does not see to that.
    """
    import flatbuffers

    class Builder(flatbuffers.Builder):  # type: ignore[misc]
        def StartVector(self, element: int, count: int, alignment: int) -> Any:  # noqa: N802
            aligned = _ALIGNMENT if element == 1 else alignment
            return super().StartVector(element, count, max(alignment, aligned))

    builder = Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
