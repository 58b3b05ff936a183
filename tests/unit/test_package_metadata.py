"""TFLite metadata: written, read back, damaged; and the rules of a golden pair."""

import struct

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from fixtures.tiny import tiny_tflite

from edgesr.errors import InputError
from edgesr.package.golden import (
    Difference,
    Golden,
    check_same,
    golden_picture,
    make_golden,
    tolerance_steps,
)
from edgesr.package.metadata import (
    ENTRY,
    ModelNotes,
    TensorNotes,
    add_notes,
    min_runtime,
    read_notes,
)
from edgesr.package.model import PackedModel
from edgesr.results.manifest import Variant

TENSOR = TensorNotes("image", "what it is", "RGB", (0.0,), (255.0,), (-128.0,), (127.0,))
NOTES = ModelNotes("näme", "about", "1", "me", "mit", (TENSOR,), (TENSOR,))


def _buffer(data: bytes) -> bytes:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    (entry,) = [one for one in model.metadata if one.name == ENTRY]
    return bytes(bytearray(model.buffers[entry.buffer].data))


def test_written_and_read_back() -> None:
    data = add_notes(tiny_tflite(), NOTES)
    assert read_notes(data) == NOTES
    other = ModelNotes("other", inputs=(TENSOR,), outputs=(TENSOR, TENSOR))
    twice = add_notes(data, other)
    assert read_notes(twice) == other
    assert _buffer(twice)[4:8] == b"M001"
    assert read_notes(tiny_tflite()) is None
    assert min_runtime(data) is None


def test_fields_lie_where_the_schema_has_them() -> None:
    """Slots of ModelMetadata, read without our reader: name 0, author 4, license 5, parser 7."""
    raw = _buffer(add_notes(tiny_tflite(), NOTES))
    root = struct.unpack_from("<I", raw)[0]
    vtable = root - struct.unpack_from("<i", raw, root)[0]

    def text(slot: int) -> str:
        at = root + struct.unpack_from("<H", raw, vtable + 4 + 2 * slot)[0]
        at += struct.unpack_from("<I", raw, at)[0]
        (length,) = struct.unpack_from("<I", raw, at)
        return raw[at + 4 : at + 4 + length].decode()

    assert [text(slot) for slot in (0, 1, 2, 4, 5, 7)] == [
        "näme", "about", "1", "me", "mit", "1.0.0",
    ]  # fmt: skip


def test_the_model_still_runs_and_constants_stay_aligned() -> None:
    before, after = tiny_tflite(), add_notes(tiny_tflite(), NOTES)
    golden = make_golden(before, "tiny", "fp32")
    check_same(before, after, golden, "tiny")
    changed = add_notes(tiny_tflite(seed=1), NOTES)
    with pytest.raises(InputError, match="other values"):
        check_same(before, changed, golden, "tiny")
    with pytest.raises(InputError, match="other operations"):
        check_same(before, tiny_tflite(partial=True), golden, "tiny")


@pytest.mark.parametrize("seed", range(40))
def test_damaged_metadata_is_an_error_or_text(seed: int) -> None:
    data = add_notes(tiny_tflite(), NOTES)
    raw, random = bytearray(_buffer(data)), np.random.default_rng(seed)
    at = data.index(bytes(raw))
    for place in random.integers(8, len(raw), 12):
        raw[place] = random.integers(0, 256)
    broken = data[:at] + bytes(raw) + data[at + len(raw) :]
    try:
        found = read_notes(broken)
    except InputError:
        return
    assert found is None or isinstance(found.name, str)


def test_what_is_no_tflite() -> None:
    for data in (b"", b"TFL3", b"\0" * 100, tiny_tflite()[:60]):
        with pytest.raises(InputError):
            add_notes(data, NOTES)
        with pytest.raises(InputError):
            PackedModel(data, "it")


def test_the_golden_picture_shows_every_swap() -> None:
    picture = golden_picture(360, 640, 2)
    assert picture.shape == (360, 640, 3)
    assert np.array_equal(picture, golden_picture(360, 640, 2))
    for other in (picture[..., ::-1], picture[::-1], picture[:, ::-1]):
        assert np.abs(picture.astype(int) - other).max() > 200
    for size in ((8, 8), (1, 1), (1000, 2000), (17, 3)):
        assert golden_picture(*size, 3).shape == (*size, 3)


@pytest.mark.parametrize("variant", ["fp32", "fp16", "dynamic", "16x8", "int8", "int8-io"])
def test_tolerances_grow_with_what_was_measured(variant: Variant) -> None:
    calm, wild = (tolerance_steps(variant, Difference(*x)) for x in ((0, 0), (20.0, 0.7)))
    assert 0 < calm["cpu"].worst <= calm["xnnpack"].worst <= calm["gpu"].worst
    assert 0 < calm["cpu"].mean <= calm["xnnpack"].mean <= calm["gpu"].mean
    assert wild["cpu"] == calm["cpu"]
    assert wild["xnnpack"] == wild["gpu"].or_more(Difference(0, 0)) == Difference(40, 1.4)


def test_an_output_that_is_not_finite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PackedModel, "run", lambda *_: np.full((1, 24, 32, 3), np.nan, np.float32))
    with pytest.raises(InputError, match="NaN"):
        make_golden(tiny_tflite(), "tiny", "fp32")


def test_a_golden_pair_holds_the_file_s_own_types() -> None:
    golden: Golden = make_golden(tiny_tflite(uint8_io=True), "tiny", "int8-io")
    assert (golden.given.dtype, golden.made.dtype) == (np.uint8, np.uint8)
    assert golden.tolerance["cpu"].worst == pytest.approx(3)
