"""The profile in both of the tool's forms: times per inference that sum up to the total."""

import random
from pathlib import Path

import pytest

from edgesr.bench.op_profile import read_op_profile
from tests.unit.log_mutations import MUTATIONS

RECORDED = Path(__file__).parents[1] / "fixtures" / "benchmark_model"


def text_of(name: str) -> str:
    return (RECORDED / name).read_bytes().decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("name", "rows", "total_ms", "op", "ms", "pct"),
    [
        ("05b_elsr_prof_noxnn.stdout", 8, 114.9546, "CONV_2D", 24.355, 21.186),
        (
            "05c_elsr_prof_csv_xnn.csv",
            8,
            33.2836,
            "Convolution (NHWC, F32) IGEMM",
            6.42566,
            19.3058,
        ),
        ("05e_elsr_prof_csv_stdout.stdout", 8, 124.574, "CONV_2D", 25.3842, 20.3768),
        ("05j_srvgg_prof_xnn.stdout", 71, 688.386, "Convolution (NHWC, F32) IGEMM", 22.026, 3.2),
        ("18f_gpu_prof.stdout", 6, 1.6882, "convolution_2d 6", 0.334, 19.784),
        ("19g_partial_gpu_prof.stdout", 5, 1.43733, "convolution_2d 0 -> relu 1", 0.599, 41.674),
    ],
)
def test_recorded_profiles(
    name: str, rows: int, total_ms: float, op: str, ms: float, pct: float
) -> None:
    profile = read_op_profile(text_of(name))
    assert profile is not None
    assert len(profile) == rows
    assert sum(row.ms for row in profile) == pytest.approx(total_ms, abs=0.0006 * rows)
    assert sum(row.pct or 0 for row in profile) == pytest.approx(100, abs=0.1)
    assert (profile[0].op, profile[0].ms, profile[0].pct) == (op, ms, pct)
    assert [row.ms for row in profile] == sorted((row.ms for row in profile), reverse=True)


def test_a_row_of_several_calls_counts_with_all_of_them() -> None:
    profile = read_op_profile(text_of("19g_partial_gpu_prof.stdout"))
    assert profile is not None
    (twice,) = [row for row in profile if row.calls == 2]
    assert (twice.op, twice.ms) == ("Convolution (NHWC, F32) IGEMM", pytest.approx(0.214))
    assert twice.pct == 14.935


def test_names_get_their_commas_back() -> None:
    profile = read_op_profile(text_of("05c_elsr_prof_csv_xnn.csv"))
    assert profile is not None
    assert profile[0].name == "Delegate/Convolution (NHWC, F32) IGEMM:1"


@pytest.mark.parametrize("name", ["03b_elsr_xnn_t2.stdout", "01_help.stderr", "08a_result.pb"])
def test_other_texts_hold_no_profile(name: str) -> None:
    assert read_op_profile(text_of(name)) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("6.42566, 19.3058%", "9.42566, 19.3058%"),  # two tables say it, the sum says no
        ("6.42566, 19.3058%", "6.42566, 29.3058%"),
        ("Number of nodes executed: 8", "Number of nodes executed: 9"),
        ("PReLU (ND), 2.326, 3.53368, 10.6169%, 39.7993%, 0, 1, ", "PReLU (ND), 3.53368, "),
        ("3.53368", "nan"),
        ("3.53368", "3,53368"),
        ("avg=33283.6", "avg=43283.6"),
    ],
)
def test_a_damaged_profile_is_none(old: str, new: str) -> None:
    text = text_of("05c_elsr_prof_csv_xnn.csv")
    assert old in text
    assert read_op_profile(text.replace(old, new)) is None


def test_two_profiles_in_one_text_are_none() -> None:
    text = text_of("05c_elsr_prof_csv_xnn.csv")
    assert read_op_profile(text + text) is None


def test_damage_never_raises_and_never_changes_the_sum() -> None:
    rng = random.Random(20261126)  # noqa: S311 - a test's dice
    names = (
        "05c_elsr_prof_csv_xnn.csv",
        "05j_srvgg_prof_xnn.stdout",
        "19g_partial_gpu_prof.stdout",
    )
    read = 0
    for name in names:
        data = (RECORDED / name).read_bytes()
        true = read_op_profile(data.decode())
        assert true is not None
        for mutation in MUTATIONS * 10:
            got = read_op_profile(mutation(rng, data, data).decode("utf-8", "replace"))
            if got is None:
                continue
            read += 1
            assert len(got) == len(true)
            assert sum(r.ms for r in got) == pytest.approx(sum(r.ms for r in true), rel=0.03)
    assert read > 100
