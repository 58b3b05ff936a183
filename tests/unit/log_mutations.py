"""Damages recordings of benchmark_model as cables, disks, editors and locales do."""

import random
import re
from collections.abc import Callable

Mutation = Callable[[random.Random, bytes, bytes], bytes]

_NUMBER = re.compile(rb"\d+(?:\.\d+)?(?:e[+-]\d+)?")
_DIGIT = re.compile(rb"\d")


def cut_tail(rng: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def cut_head(rng: random.Random, data: bytes, _: bytes) -> bytes:
    return data[rng.randrange(len(data) + 1) :]


def hole(rng: random.Random, data: bytes, _: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.choice((1, 2, 3, 10, 100, 1000)) :]


def interleave(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Line by line, each log in its own order."""
    left, right = data.splitlines(keepends=True), other.splitlines(keepends=True)
    mixed = []
    while left or right:
        source = left if left and (not right or rng.random() < 0.5) else right
        mixed.append(source.pop(0))
    return b"".join(mixed)


def appended(_: random.Random, data: bytes, other: bytes) -> bytes:
    return data + other


def change_digits(rng: random.Random, data: bytes, _: bytes) -> bytes:
    out = bytearray(data)
    places = [m.start() for m in _DIGIT.finditer(data)]
    for place in rng.sample(places, min(len(places), rng.choice((1, 1, 1, 2, 3)))):
        out[place] = rng.choice(b"0123456789")
    return bytes(out)


def change_a_figure(rng: random.Random, data: bytes, _: bytes) -> bytes:
    """A digit of a line that matters."""
    places = [
        match.start() + digit.start()
        for match in re.finditer(rb"(?m)^.*(?:count=|timings|session|footprint|Replac).*$", data)
        for digit in _DIGIT.finditer(match[0])
    ]
    out = bytearray(data)
    if places:
        out[rng.choice(places)] = rng.choice(b"0123456789")
    return bytes(out)


def drop_lines(rng: random.Random, data: bytes, _: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    for _count in range(rng.choice((1, 1, 2, 3))):
        if lines:
            lines.pop(rng.randrange(len(lines)))
    return b"".join(lines)


def double_lines(rng: random.Random, data: bytes, _: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    for _count in range(rng.choice((1, 1, 2, 3))):
        place = rng.randrange(len(lines)) if lines else 0
        lines[place:place] = lines[place : place + 1]
    return b"".join(lines)


def swap_lines(rng: random.Random, data: bytes, _: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    if len(lines) > 1:
        one, two = rng.sample(range(len(lines)), 2)
        lines[one], lines[two] = lines[two], lines[one]
    return b"".join(lines)


def decimal_comma(rng: random.Random, data: bytes, _: bytes) -> bytes:
    def replace(match: re.Match[bytes]) -> bytes:
        return match[0].replace(b".", b",")

    return _some_lines(rng, data, lambda line: re.sub(rb"\d\.\d", replace, line))


def thousands(rng: random.Random, data: bytes, _: bytes) -> bytes:
    mark = rng.choice((b",", b".", b" ", b"'", "\u00a0".encode(), "\u202f".encode(), b"_"))

    def group(match: re.Match[bytes]) -> bytes:
        return mark.join(
            match[0][max(0, end - 3) : end] for end in range(len(match[0]), 0, -3)[::-1]
        )

    return _some_lines(rng, data, lambda line: re.sub(rb"(?<![\d.])\d{4,}", group, line))


def other_digits(rng: random.Random, data: bytes, _: bytes) -> bytes:
    zero = rng.choice((0x0660, 0x06F0, 0x0966, 0xFF10))

    def translate(match: re.Match[bytes]) -> bytes:
        return chr(zero + int(match[0])).encode()

    return _some_lines(rng, data, lambda line: _DIGIT.sub(translate, line))


def line_ends(rng: random.Random, data: bytes, _: bytes) -> bytes:
    return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\r\r\n", b"\n\n")))


def control_bytes(rng: random.Random, data: bytes, _: bytes) -> bytes:
    out = bytearray(data)
    for _count in range(rng.choice((1, 1, 2, 20))):
        place = rng.randrange(len(out) + 1)
        byte = rng.choice((0, 0, 0x0B, 0x0C, 0x1C, 0x1D, 0x85, 0x0D, 0x0A, 0x20, 0x09))
        out[place : place + rng.randrange(2)] = bytes([byte])
    return bytes(out)


def garbage(rng: random.Random, data: bytes, _: bytes) -> bytes:
    place, size = rng.randrange(len(data) + 1), rng.choice((1, 2, 8, 64, 4096))
    gone = rng.choice((0, size))
    return data[:place] + rng.randbytes(size) + data[place + gone :]


def strange_numbers(rng: random.Random, data: bytes, _: bytes) -> bytes:
    """Huge, negative, not numbers at all."""
    found = list(_NUMBER.finditer(data))
    if not found:
        return data
    match = rng.choice(found)
    strange = rng.choice(
        (b"nan", b"NaN", b"inf", b"-inf", b"-" + match[0], b"0", b"-1", b"1e308", b"1e309",
         b"9" * 20, b"9" * 400, b"9" * 5000, match[0] + b"0", match[0] + b"e+06", b"0x10", b"",
         b"+" + match[0], b"0" + match[0], b"1e-400", b"1_000")
    )  # fmt: skip
    return data[: match.start()] + strange + data[match.end() :]


def replace_everywhere(rng: random.Random, data: bytes, _: bytes) -> bytes:
    """One number by another wherever it stands, as an editor does."""
    found = list(_NUMBER.finditer(data))
    if not found:
        return data
    old = rng.choice(found)[0]
    return data.replace(old, rng.choice((b"0", b"1", old + b"0", b"9" * 9, b"nan", b"7")))


def _some_lines(rng: random.Random, data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    lines = data.splitlines(keepends=True)
    share = rng.choice((0.05, 0.3, 1.0))
    return b"".join(change(line) if rng.random() < share else line for line in lines)


MUTATIONS: tuple[Mutation, ...] = (
    cut_tail, cut_head, hole, interleave, appended, change_digits, change_a_figure, drop_lines,
    double_lines, swap_lines, decimal_comma, thousands, other_digits, line_ends, control_bytes,
    garbage, strange_numbers, replace_everywhere,
)  # fmt: skip
