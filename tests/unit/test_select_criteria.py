"""Criteria files: units, names, and what is refused."""

import math
from pathlib import Path

import pytest

from edgesr.assets import asset_names
from edgesr.errors import ConfigError, InputError
from edgesr.select.criteria import Criteria, load_criteria
from edgesr.select.metrics import METRICS

OBJECTIVE = '[objective]\norder = ["latency_median_ms"]\n'


def load(tmp_path: Path, text: str, *overrides: str) -> Criteria:
    path = tmp_path / "mine.toml"
    path.write_text(f'name = "mine"\n{text}', encoding="utf-8")
    return load_criteria(str(path), overrides)


def limit(tmp_path: Path, name: str, raw: str, end: str = "max") -> float:
    found = load(tmp_path, f"[constraints]\n{name} = {{ {end} = {raw} }}\n{OBJECTIVE}")
    value = getattr(found.constraints[name][0], end)
    assert isinstance(value, float)
    return value


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("latency_median_ms", "33", 33),
        ("latency_median_ms", '"33 ms"', 33),
        ("latency_p95_ms", '"0.033 s"', 33),
        ("init_ms", '"500us"', 0.5),
        ("size_mb", '"4 MB"', 4),
        ("size_mb", '"400 kB"', 0.4),
        ("size_mb", '"1 MiB"', 1.048576),
        ("memory_peak_mb", '"1 GiB"', 1024),
        ("memory_peak_mb", "256", 256),
        ("cer", '"2.5 %"', 0.025),
        ("cer", '"1e-2"', 0.01),
        ("psnr_y", '"34 dB"', 34),
        ("psnr_gain_db", "-0.5", -0.5),
        ("cer_vs_bicubic", "-0.01", -0.01),
        ("fps_sustained", '"30 fps"', 30),
        ("refused_ops", "0", 0),
    ],
)
def test_limits_come_in_their_units(tmp_path: Path, name: str, raw: str, value: float) -> None:
    assert limit(tmp_path, name, raw) == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("latency_median_ms", '"33 MB"'),
        ("latency_median_ms", '"fast"'),
        ("latency_median_ms", '"33 ms 5"'),
        ("latency_median_ms", "-1"),
        ("latency_median_ms", "nan"),
        ("latency_median_ms", "inf"),
        ("latency_median_ms", '"1e400 ms"'),
        ("latency_median_ms", "true"),
        ("latency_median_ms", "[1]"),
        ("size_mb", '"4 ms"'),
        ("psnr_y", '"34 %"'),
        ("trust", '"A"'),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(tmp_path: Path, name: str, raw: str) -> None:
    with pytest.raises(ConfigError, match=name):
        limit(tmp_path, name, raw)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[constraints]\nlatency_medan_ms = {max = 3}\n" + OBJECTIVE, "latency_median_ms"),
        ("[constraints]\nsize_mb = {min = 5, max = 4}\n" + OBJECTIVE, "above max"),
        ("[constraints]\nsize_mb = {}\n" + OBJECTIVE, "a min or a max"),
        ("[constraints]\nsize_mb = 4\n" + OBJECTIVE, "takes a table"),
        ("[constraints]\nsize_mb = []\n" + OBJECTIVE, "takes a table"),
        ("[constraints]\nsize_mb = [4]\n" + OBJECTIVE, "size_mb"),
        ("[constraints]\nsize_mb = {maximum = 4}\n" + OBJECTIVE, "maximum"),
        ('[constraints]\ntrust = {min = "D"}\n' + OBJECTIVE, "C, B, A"),
        ('[constraints]\nverdict = {min = "fallback"}\n' + OBJECTIVE, "partial, full"),
        ("constraints = 3\n" + OBJECTIVE, "constraints"),
        ("", "objective"),
        ("[objective]\n", "none is given"),
        ("[objective]\norder = []\n", "none is given"),
        ('[objective]\norder = ["cer"]\nweights = {cer = 1}\n', "both are given"),
        ('[objective]\norder = ["cerr"]\n', "cer"),
        ('[objective]\norder = ["cer", "cer"]\n', "twice"),
        ("[objective]\nweights = {cer = -1}\n", "above 0"),
        ("[objective]\nweights = {cer = nan}\n", "above 0"),
        ("[objective]\nweights = {trust = 1}\n", "constraint"),
        ("by = 'phone'\n" + OBJECTIVE, "by"),
    ],
)
def test_what_does_not_hold_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert "mine.toml" in str(caught.value)
    assert told in f"{caught.value} {caught.value.hint}"


def test_set_overrides_and_several_devices(tmp_path: Path) -> None:
    limits = '[{max = 9, device = "P1"}, {max = "12 ms", device = ["P2", "Pixel 7"]}]'
    text = f'[constraints]\ntrust = {{min = "B"}}\nlatency_p95_ms = {limits}\n{OBJECTIVE}'
    found = load(tmp_path, text, "constraints.trust.min=C", "constraints.latency_p95_ms.1.max=14")
    assert found.to_dict()["constraints"] == {
        "trust": [{"min": "C"}],
        "latency_p95_ms": [{"max": 9, "device": ["P1"]}, {"max": 14, "device": ["P2", "Pixel 7"]}],
    }
    assert found.named_devices == ("P1", "P2", "Pixel 7")


def test_missing_files_and_names(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        load_criteria(str(tmp_path / "none.toml"))
    with pytest.raises(ConfigError) as caught:
        load_criteria("nonsense")
    assert "slides-quality" in caught.value.hint


@pytest.mark.parametrize("name", asset_names("criteria"))
def test_shipped_criteria_hold(name: str) -> None:
    found = load_criteria(name)
    assert found.name == name
    assert found.description
    assert found.to_dict()["constraints"]["trust"] == [{"min": "B"}]
    assert set(found.metrics) <= set(METRICS)


def test_all_three_uses_are_shipped() -> None:
    assert {"slides-quality", "video-30fps", "smallest"} <= set(asset_names("criteria"))


def test_every_metric_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "selection.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in METRICS)


def test_words_of_any_number_are_finite_text() -> None:
    for metric in METRICS.values():
        for value in (math.nan, math.inf, -math.inf, 0.0, -1.0, 1e-12, 1e300, 3.0):
            assert metric.words(value)
