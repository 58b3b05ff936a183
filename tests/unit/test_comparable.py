"""What must agree before two runs are compared, and how a difference is named."""

from pathlib import Path
from typing import Any

import pytest

from edgesr.analysis.comparable import FIELDS, NEEDS, UNKNOWN, conditions, differences
from edgesr.analysis.matching import match_devices
from edgesr.analysis.rows import RunData, read_run
from tests.unit.fake_pairs import PHONE, SUITE, job, phones, rounds_of, run_of
from tests.unit.fake_runs import HOSTILE, PHONES

ADDRESS = "127.0.0.1:46001"


def run_with(workspace: Path, device: str = "host", **changes: Any) -> RunData:
    return read_run(run_of(workspace, rounds_of(job(device=device), 10, 1, rounds=1), **changes))


def fields(first: RunData, second: RunData, device: str = "host") -> dict[str, tuple[str, str]]:
    found = differences(conditions(first, device), conditions(second, device))
    return {one.field: (one.first, one.second) for one in found}


def test_equal_runs_do_not_differ(tmp_path: Path) -> None:
    assert fields(run_with(tmp_path), run_with(tmp_path)) == {}
    one, other = (run_with(tmp_path, PHONE, **phones()) for _ in range(2))
    assert fields(one, other, PHONE) == {}


@pytest.mark.parametrize(
    ("changes", "field", "values"),
    [
        (phones(build="google/panther/panther:15/X"), "os_build",
         ("google/panther/panther:14/AP2A.240805.005", "google/panther/panther:15/X")),
        (phones(engine={"name": "benchmark_model", "sha256": "99" * 32}), "binary",
         ("cd" * 32, "99" * 32)),
        (phones(engine={"name": "litert-python", "sha256": "cd" * 32}), "engine",
         ("benchmark_model", "litert-python")),
        (phones(simulated=True), "simulated", ("no", "yes")),
        (phones(model="Pixel 8", soc="Tensor G3"), "device",
         (f"Pixel 7, Tensor G2, {PHONE}", f"Pixel 8, Tensor G3, {PHONE}")),
        ({**phones(), "suite": {**SUITE, "name": "full"}}, "suite", ("quick", "full")),
        ({**phones(), "suite": {**SUITE, "num_runs": 20}}, "suite.num_runs", ("5", "20")),
        ({**phones(), "suite": {**SUITE, "warmup_min_secs": 1}}, "suite.warmup_min_secs",
         ("0.2", "1")),
        ({**phones(), "suite": {**SUITE, "pace": {"minutes": 10, "segment_s": 30.0}}}, "suite.pace",
         ("none", "minutes 10, segment_s 30")),
        ({**phones(), "options": {"pin": True}}, "pin", (UNKNOWN, "true")),
        ({**phones(), "accuracy": {"protocol": {"name": "rgb"}}}, "protocol",
         ("float Y, BT.601", "rgb")),
    ],
)  # fmt: skip
def test_each_difference_is_named(
    tmp_path: Path, changes: dict[str, Any], field: str, values: tuple[str, str]
) -> None:
    plain, other = run_with(tmp_path, PHONE, **phones()), run_with(tmp_path, PHONE, **changes)
    assert fields(plain, other, PHONE) == {field: values}


def test_rounds_and_how_a_number_is_written_make_no_difference(tmp_path: Path) -> None:
    other = run_with(tmp_path, suite={**SUITE, "rounds": 3, "min_secs": 0.30, "max_secs": 6})
    assert fields(run_with(tmp_path), other) == {}


def test_unknown_on_one_side_differs_and_on_both_sides_not(tmp_path: Path) -> None:
    known, unknown = run_with(tmp_path), run_with(tmp_path, suite={"name": "quick"})
    assert fields(unknown, unknown) == {}
    assert fields(known, unknown)["suite.num_runs"] == ("5", UNKNOWN)
    nothing = run_with(tmp_path, suite=None, devices=None, engine=None, accuracy=None)
    assert fields(nothing, nothing) == {}
    named = fields(known, nothing)
    assert named["binary"] == ("ab" * 32, UNKNOWN)
    assert {"os_build", "engine", "suite", "protocol", "cores"} <= named.keys()


def test_an_engine_without_a_hash_goes_by_its_version(tmp_path: Path) -> None:
    runs = [run_with(tmp_path, engine={"name": "litert-python", "sha256": None, "version": version})
            for version in ("2.3.0", "2.4.0")]  # fmt: skip
    assert fields(*runs) == {"binary": ("version 2.3.0", "version 2.4.0")}


def test_this_machine_is_known_by_its_processor(tmp_path: Path) -> None:
    facts = {"model": "EPYC", "cpu": "EPYC", "os": "Debian 12", "cores": 2}
    one = run_with(tmp_path, devices={"host": facts})
    other = run_with(tmp_path, devices={"host": {**facts, "model": "Xeon", "cpu": "Xeon"}})
    assert fields(one, other) == {"device": ("EPYC", "Xeon")}
    more = run_with(tmp_path, devices={"host": {**facts, "cores": 64}})
    assert fields(one, more) == {"cores": ("2", "64")}


def test_phones_of_the_same_model_and_soc_are_the_same_and_addresses_tell_nothing(
    tmp_path: Path,
) -> None:
    other = {**phones(), "devices": {"OTHERSERIAL": PHONES[PHONE]}}
    mine = conditions(run_with(tmp_path, PHONE, **phones()), PHONE)
    theirs = conditions(run_with(tmp_path, "OTHERSERIAL", **other), "OTHERSERIAL")
    assert mine.is_device(theirs)
    redmi = run_with(tmp_path, ADDRESS, devices={ADDRESS: PHONES[ADDRESS]})
    pixel = run_with(tmp_path, ADDRESS, devices={ADDRESS: PHONES[PHONE]})
    assert fields(redmi, pixel, ADDRESS)["device"][1].startswith("Pixel 7")
    unknown_soc = run_with(tmp_path, ADDRESS, devices={ADDRESS: {"model": "Redmi 12C"}})
    assert "device" in fields(redmi, unknown_soc, ADDRESS)


def test_devices_find_one_another(tmp_path: Path) -> None:
    run = run_with(tmp_path, devices=PHONES)
    first = [conditions(run, name) for name in PHONES]
    assert {name: one.name for name, one in match_devices(first, first[::-1]).items()} == {
        name: name for name in PHONES
    }
    pixel, galaxy, redmi = first
    moved = run_with(tmp_path, devices={"127.0.0.1:50000": PHONES[ADDRESS]})
    there = conditions(moved, "127.0.0.1:50000")
    assert match_devices([redmi], [there])[ADDRESS] is there
    assert match_devices([pixel], [galaxy]) == {PHONE: galaxy}  # so that it can be said why not
    assert match_devices([pixel, redmi], [galaxy]) == {}


@pytest.mark.parametrize(
    "value", [HOSTILE, 10**400, -1.5, [1], {"a": {"b": []}}, True, "x" * 10**5]
)
def test_foreign_values_are_told_on_one_short_line(tmp_path: Path, value: Any) -> None:
    odd = {"suite": {**dict.fromkeys(SUITE, value)}, "options": value,
           "devices": {"host": dict.fromkeys(("model", "cpu", "os", "cores", "engine"), value)},
           "engine": {"name": value, "sha256": value}, "accuracy": {"protocol": value}}  # fmt: skip
    plain, foreign = run_with(tmp_path), run_with(tmp_path, **odd)
    assert fields(foreign, foreign) == {}
    for first, second in fields(plain, foreign).values():
        assert len(first) < 130
        assert len(second) < 130
        assert "\n" not in second


def test_every_field_has_a_use() -> None:
    assert {field for fields in NEEDS.values() for field in fields} == set(FIELDS)
