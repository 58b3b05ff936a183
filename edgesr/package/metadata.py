"""TFLite metadata: what a .tflite says about itself to Android's tools, written and read.

A flatbuffer of its own, ``ModelMetadata`` of TensorFlow Lite Support's metadata_schema.fbs (1.1.0;
only fields of 1.0.0 are used), in the buffer that the model's metadata entry ``TFLITE_METADATA``
names. It is written here because the packages that bring the schema's Python form do not live with
ours: tflite-support pins protobuf below 4, and mediapipe brings OpenCV.
"""

import struct
from dataclasses import dataclass
from typing import Any

from edgesr.errors import InputError
from edgesr.quality.flatbuffer import pack

ENTRY = b"TFLITE_METADATA"
_IDENTIFIER = b"M001"
_PARSER_VERSION = "1.0.0"
_IMAGE_PROPERTIES = 2
_NORMALIZATION = 1
_RGB = 1
_COLOURS = {1: "RGB", 2: "grayscale"}
_DAMAGED = (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError)


@dataclass(frozen=True)
class TensorNotes:
    """One input or output: a picture."""

    name: str
    description: str = ""
    colour: str = "RGB"
    """``RGB``, ``grayscale``, or empty where the file doesn't tell."""
    mean: tuple[float, ...] = ()
    """Normalization ``(x - mean) / std``. Of an input: from bytes 0..255 to real values, before
    quantization. Of an output: from real values to bytes."""
    std: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    """What black has in the tensor, after quantization."""
    high: tuple[float, ...] = ()
    """What white has."""


@dataclass(frozen=True)
class ModelNotes:
    """The metadata of one model; empty texts are left out of the file."""

    name: str
    description: str = ""
    version: str = ""
    author: str = ""
    licence: str = ""
    inputs: tuple[TensorNotes, ...] = ()
    outputs: tuple[TensorNotes, ...] = ()


def add_notes(data: bytes, notes: ModelNotes) -> bytes:
    """The same model with this metadata in place of what it had.

    Args:
        data: A .tflite file's bytes.
        notes: One entry per input and output of its main graph.

    Raises:
        InputError: When the bytes are no .tflite.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = _parse(data)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = _encode(notes)
    kept = [one for one in model.metadata or [] if one.name != ENTRY]
    for old in model.metadata or []:
        if old.name == ENTRY:
            model.buffers[old.buffer].data = None
    model.buffers.append(buffer)
    entry.name, entry.buffer = ENTRY, len(model.buffers) - 1
    model.metadata = [*kept, entry]
    return pack(model)


def read_notes(data: bytes) -> ModelNotes | None:
    """What a .tflite's metadata says; None where it carries none.

    Raises:
        InputError: When the bytes are no .tflite, or its metadata is damaged.
    """
    model = _parse(data)
    for entry in model.metadata or []:
        if entry.name == ENTRY:
            try:
                return _decode(bytes(bytearray(model.buffers[entry.buffer].data)))
            except _DAMAGED as error:
                raise InputError(f"the TFLite metadata is damaged: {error}") from error
    return None


def min_runtime(data: bytes) -> str | None:
    """The oldest TensorFlow Lite that runs the file, where its converter noted it."""
    model = _parse(data)
    for entry in model.metadata or []:
        found = model.buffers[entry.buffer].data if entry.name == b"min_runtime_version" else None
        if found is not None:
            text = bytes(bytearray(found)).rstrip(b"\0").decode("ascii", "replace")
            return text if all(part.isdigit() for part in text.split(".")) else None
    return None


def _parse(data: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    try:
        if data[4:8] != b"TFL3":
            raise ValueError("it does not begin as one")
        return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    except _DAMAGED as error:
        raise InputError(f"this is no whole .tflite file: {error}") from error


class _Writer:
    """Tables of the metadata schema; fields are numbered in the order they are declared there."""

    def __init__(self) -> None:
        import flatbuffers

        self.builder = flatbuffers.Builder(1024)

    def text(self, value: str) -> int | None:
        """A string; None, which leaves the field out, where it is empty."""
        return self.builder.CreateString(value) if value else None

    def floats(self, values: tuple[float, ...]) -> int | None:
        """A vector of float32."""
        if not values:
            return None
        self.builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self.builder.PrependFloat32(value)
        return int(self.builder.EndVector())

    def tables(self, offsets: list[int]) -> int:
        """A vector of tables."""
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return int(self.builder.EndVector())

    def table(self, fields: dict[int, int | None], numbers: dict[int, int] | None = None) -> int:
        """A table of offsets and of one-byte numbers."""
        self.builder.StartObject(max([*fields, *(numbers or {})], default=-1) + 1)
        for slot, offset in fields.items():
            if offset is not None:
                self.builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for slot, number in (numbers or {}).items():
            self.builder.PrependUint8Slot(slot, number, 0)
        return int(self.builder.EndObject())


def _encode(notes: ModelNotes) -> bytes:
    writer = _Writer()
    given = writer.tables([_tensor(writer, one) for one in notes.inputs])
    made = writer.tables([_tensor(writer, one) for one in notes.outputs])
    graphs = writer.tables([writer.table({2: given, 3: made})])
    texts = (notes.name, notes.description, notes.version, notes.author, notes.licence)
    name, description, version, author, licence = (writer.text(text) for text in texts)
    parser = writer.text(_PARSER_VERSION)
    fields = {0: name, 1: description, 2: version, 3: graphs, 4: author, 5: licence, 7: parser}
    writer.builder.Finish(writer.table(fields), _IDENTIFIER)
    return bytes(writer.builder.Output())


def _tensor(writer: _Writer, notes: TensorNotes) -> int:
    image = writer.table({}, {0: _RGB})
    content = writer.table({1: image}, {0: _IMAGE_PROPERTIES})
    scaling = writer.table({0: writer.floats(notes.mean), 1: writer.floats(notes.std)})
    units = writer.tables([writer.table({1: scaling}, {0: _NORMALIZATION})])
    stats = writer.table({0: writer.floats(notes.high), 1: writer.floats(notes.low)})
    name, description = writer.text(notes.name), writer.text(notes.description)
    return writer.table({0: name, 1: description, 3: content, 4: units, 5: stats})


class _Table:
    """Reads fields of one table by their number."""

    def __init__(self, data: bytes, position: int) -> None:
        from flatbuffers.table import Table

        self.data, self.table = data, Table(data, position)

    def _field(self, slot: int) -> int | None:
        offset = int(self.table.Offset(4 + 2 * slot))
        return offset + int(self.table.Pos) if offset else None

    def text(self, slot: int) -> str:
        at = self._field(slot)
        return "" if at is None else bytes(self.table.String(at)).decode("utf-8", "replace")

    def byte(self, slot: int) -> int:
        at = self._field(slot)
        return 0 if at is None else self.data[at]

    def child(self, slot: int) -> "_Table | None":
        at = self._field(slot)
        return None if at is None else _Table(self.data, int(self.table.Indirect(at)))

    def children(self, slot: int) -> list["_Table"]:
        start, count = self._vector(slot)
        places = range(start, start + 4 * count, 4)
        return [_Table(self.data, int(self.table.Indirect(place))) for place in places]

    def floats(self, slot: int) -> tuple[float, ...]:
        start, count = self._vector(slot)
        return struct.unpack_from(f"<{count}f", self.data, start)

    def _vector(self, slot: int) -> tuple[int, int]:
        offset = int(self.table.Offset(4 + 2 * slot))
        if not offset:
            return 0, 0
        start, count = int(self.table.Vector(offset)), int(self.table.VectorLen(offset))
        if start + 4 * count > len(self.data):
            raise ValueError("a list is longer than the file")
        return start, count


def _decode(data: bytes) -> ModelNotes:
    if data[4:8] != _IDENTIFIER:
        raise ValueError("it is of another schema")
    root = _Table(data, struct.unpack_from("<I", data, 0)[0])
    graphs = root.children(3)
    given, made = (
        tuple(_tensor_notes(one) for one in graphs[0].children(slot)) if graphs else ()
        for slot in (2, 3)
    )
    return ModelNotes(
        name=root.text(0),
        description=root.text(1),
        version=root.text(2),
        author=root.text(4),
        licence=root.text(5),
        inputs=given,
        outputs=made,
    )


def _tensor_notes(table: _Table) -> TensorNotes:
    content, stats = table.child(3), table.child(5)
    image = content.child(1) if content and content.byte(0) == _IMAGE_PROPERTIES else None
    units = [one.child(1) for one in table.children(4) if one.byte(0) == _NORMALIZATION]
    scaling = units[0] if units else None
    return TensorNotes(
        name=table.text(0),
        description=table.text(1),
        colour=_COLOURS.get(image.byte(0), "") if image else "",
        mean=scaling.floats(0) if scaling else (),
        std=scaling.floats(1) if scaling else (),
        low=stats.floats(1) if stats else (),
        high=stats.floats(0) if stats else (),
    )
