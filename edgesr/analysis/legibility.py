"""How well the device's pictures can be read: a record's figures as plain columns."""

from typing import Any

from edgesr.analysis.devices import mapping, number
from edgesr.results.records import Accuracy, Interval

TEXT_NUMBERS = (
    "cer", "cer_low", "cer_high", "word_recall", "confidence", "text_images",
    "cer_vs_bicubic", "cer_vs_bicubic_low", "cer_vs_bicubic_high",
    "cer_vs_reference", "cer_vs_reference_low", "cer_vs_reference_high",
)  # fmt: skip
"""Columns that hold numbers; NaN where nothing was read."""


def text_part(quality: Accuracy | None) -> dict[str, Any]:
    """`TEXT_NUMBERS` and ``ocr``: engine, version and language, None where nothing was read."""
    if quality is None or quality.cer is None:
        return {**dict.fromkeys(TEXT_NUMBERS, number(None)), "ocr": None}
    engine = quality.ocr
    _, low, high = _three(quality.cer_interval)
    vs_bicubic, vs_reference = _three(quality.cer_vs_bicubic), _three(quality.cer_vs_reference)
    values = (
        number(quality.cer, least=0), low, high,
        number(quality.word_recall, least=0), number(quality.confidence, least=0),
        number(quality.text_images, least=0), *vs_bicubic, *vs_reference,
    )  # fmt: skip
    named = f"{engine.engine} {engine.version} ({engine.language})" if engine else None
    return {**dict(zip(TEXT_NUMBERS, values, strict=True)), "ocr": named}


def baselines(accuracy: dict[str, Any], key: str) -> dict[str, float]:
    """CER of bicubic and of the truth on the same pictures, from ``run.json``.

    Args:
        accuracy: Its part about accuracy.
        key: Scale and input size, ``2:360x640``.
    """
    return {
        f"{name}_cer": number(mapping(mapping(accuracy.get(name)).get(key)).get("cer"), least=0)
        for name in ("bicubic", "truth")
    }


def _three(interval: Interval | None) -> tuple[float, float, float]:
    if interval is None:
        return number(None), number(None), number(None)
    return number(interval.mean), number(interval.low), number(interval.high)
