"""``tflite.tools.benchmark.BenchmarkResult``, read and written by hand (70 to 80 bytes).

Only three wire types occur: 0 varint, 2 length-delimited, 5 little-endian float32. The file
avoids the six significant digits of the log, so it is preferred where a build writes it.
"""

import math
import struct
from dataclasses import dataclass, fields

VARINT, LENGTH, FLOAT = 0, 2, 5
_LATENCY = {
    1: "avg_ms",
    2: "min_ms",
    3: "max_ms",
    4: "std_ms",
    5: "median_ms",
    6: "p5_ms",
    7: "p95_ms",
    8: "init_ms",
    9: "first_ms",
    10: "warmup_avg_ms",
}
_MEMORY = {1: "init_kb", 2: "overall_kb", 3: "peak_mib"}
_MISC = {1: "model_size_mb", 2: "num_runs", 3: "num_warmup_runs", 4: "throughput_mib_s"}
_MESSAGES = {2: _LATENCY, 3: _MEMORY, 4: _MISC}
_VARINTS = {"init_kb", "overall_kb", "num_runs", "num_warmup_runs"}


@dataclass(frozen=True)
class BenchmarkResult:
    """The numbers of one result file; None where the file holds none.

    Times are milliseconds (float32), footprints KiB, ``peak_mib`` MiB.
    """

    avg_ms: float | None = None
    min_ms: float | None = None
    max_ms: float | None = None
    std_ms: float | None = None
    median_ms: float | None = None
    p5_ms: float | None = None
    p95_ms: float | None = None
    init_ms: float | None = None
    first_ms: float | None = None
    warmup_avg_ms: float | None = None
    init_kb: int | None = None
    overall_kb: int | None = None
    peak_mib: float | None = None
    model_size_mb: float | None = None
    num_runs: int | None = None
    num_warmup_runs: int | None = None
    throughput_mib_s: float | None = None


def decode_result(data: bytes) -> BenchmarkResult:
    """Reads a result file.

    Raises:
        ValueError: When the bytes are no such message (torn, another file), or a number is not
            finite.
    """
    values: dict[str, float | int] = {}
    for number, wire, content in _fields(data):
        names = _MESSAGES.get(number)
        if names is None:
            continue
        if wire != LENGTH or not isinstance(content, bytes):
            raise ValueError(f"field {number} is no message")
        for inner, _, value in _fields(content):
            if inner in names and not isinstance(value, bytes):
                if not math.isfinite(value):
                    raise ValueError(f"{names[inner]} is {value}")
                values[names[inner]] = value
    if not values:
        raise ValueError("no benchmark numbers in it")
    return BenchmarkResult(**values)  # type: ignore[arg-type]


def encode_result(result: BenchmarkResult) -> bytes:
    """The bytes that ``benchmark_model`` would write; None fields are left out."""
    present = {f.name: getattr(result, f.name) for f in fields(result)}
    out = b""
    for number, names in _MESSAGES.items():
        body = b""
        for inner, name in names.items():
            value = present[name]
            if value is None:
                continue
            if name in _VARINTS:
                body += bytes([inner << 3 | VARINT]) + _varint(int(value))
            else:
                body += bytes([inner << 3 | FLOAT]) + struct.pack("<f", value)
        if body:
            out += bytes([number << 3 | LENGTH]) + _varint(len(body)) + body
    return out


def _fields(data: bytes) -> list[tuple[int, int, int | float | bytes]]:
    """All (field number, wire type, value) of one message."""
    found: list[tuple[int, int, int | float | bytes]] = []
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, position = _read_varint(data, position)
            found.append((number, wire, value))
            continue
        if wire == LENGTH:
            size, position = _read_varint(data, position)
        elif wire == FLOAT:
            size = 4
        else:
            raise ValueError(f"wire type {wire} does not occur in a result file")
        content = data[position : position + size]
        if len(content) != size:
            raise ValueError("the file ends in the middle of a field")
        position += size
        if wire == FLOAT:
            found.append((number, wire, struct.unpack("<f", content)[0]))
        else:
            found.append((number, wire, content))
    return found


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ValueError("the file ends in the middle of a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
