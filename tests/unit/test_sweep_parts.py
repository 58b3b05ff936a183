"""The sweep's choices, arithmetic and sentences; what it makes is tested in integration."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesr.analysis.doubts import JobDoubt
from edgesr.analysis.summary import JobSummary
from edgesr.data.images import write_png
from edgesr.data.pairs import pairs_from
from edgesr.errors import ConfigError, InputError, PairsError, UsageError
from edgesr.models.checkpoint import load_checkpoint, save_checkpoint
from edgesr.models.registry import ModelSpec, SRModel, build_model
from edgesr.quantize.method import methods
from edgesr.results.store import Workspace
from edgesr.sweep.findings import findings
from edgesr.sweep.images import prepare_images
from edgesr.sweep.latency import _timed
from edgesr.sweep.run import SweepRequest, _together
from edgesr.sweep.table import Row, Table, candidates_of
from edgesr.sweep.training import Schooling, stem, training_config
from edgesr.sweep.ways import FLOAT, FP32, Way, choose_ways
from edgesr.train.config import load_training_config, recipe_path
from tests.fixtures.quantized import network, quantized
from tests.fixtures.tiny import tiny_candidate


def names(text: str, model: SRModel) -> list[str]:
    return [way.name for way in choose_ways(text, model)]


def test_all_is_every_method_and_form_that_the_network_can_have() -> None:
    found = names("all", network("srvgg"))
    trained = set(methods()) - {"ptq"}
    forms = {"ptq", "fp16", "dynamic", "16x8", "int8", "int8-island", "mixed"}
    assert found[:2] == ["float", "fp32"]
    assert set(found[2:]) == trained | forms
    assert len(found) == len(set(found))


def test_a_network_without_prelu_has_no_islands() -> None:
    assert "int8-island" not in names("all", network("espcn"))
    with pytest.raises(UsageError, match="espcn has no PReLU"):
        choose_ways("int8-island", network("espcn"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("lsq", ["float", "lsq"]), ("fp16, lsq", ["float", "fp32", "fp16", "lsq"]),
     ("ptq,ptq", ["fp32", "ptq"]), ("float", ["float"]), ("int8-io", ["fp32", "int8-io"])],
)  # fmt: skip
def test_what_is_needed_to_compare_with_comes_first(text: str, expected: list[str]) -> None:
    assert names(text, network("espcn")) == expected


@pytest.mark.parametrize(("text", "meant"), [("lqs", "lsq"), ("fp61", "fp16"), ("al", "all")])
def test_an_unknown_name_is_told_with_close_ones(text: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"'{text}'") as error:
        choose_ways(f"lsq,{text}", network("espcn"))
    assert f"did you mean {meant}" in error.value.hint or f"or {meant}" in error.value.hint


def test_nothing_named_and_a_quantized_checkpoint_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="names nothing"):
        choose_ways(" , ", network("espcn"))
    with pytest.raises(UsageError, match="quantized already, by lsq"):
        choose_ways("all", quantized("espcn"))


def test_no_step_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--steps 0"):
        SweepRequest("x.pt", steps=0)


# -- trainings ---------------------------------------------------------------------------------


def schooling(tmp_path: Path, **changes: Any) -> Schooling:
    spec = ModelSpec("espcn", 2, {"features": 12, "hidden": 8, "activation": "tanh"})
    path = tmp_path / "mine.pt"
    save_checkpoint(path, build_model(spec), {})
    plain = Schooling(load_checkpoint(path), 'a "b".csv', 7, 5, tmp_path)
    return replace(plain, **changes)


def test_trainings_differ_in_the_method_alone(tmp_path: Path) -> None:
    common = schooling(tmp_path)
    one, other = (training_config(common, method) for method in ("", "lsq"))
    stage = one.stage[0]
    assert (one.seed, stage.steps, stage.train.select) == (5, 7, "last")
    assert stage.data.train == ('a "b".csv',)
    assert stage.model.options["activation"] == "tanh"
    assert stage.model.weights == str(tmp_path / "mine.pt")
    quantize = other.stage[0].quantize
    assert quantize.method == "lsq"
    assert other.stage[0].model_copy(update={"quantize": stage.quantize}) == stage
    recipe = load_training_config(recipe_path("qat-lsq")).stage[0].train
    for key in ("batch_size", "patch", "lr", "lr_end", "warmup_steps", "loss", "ema"):
        assert getattr(stage.train, key) == getattr(recipe, key)


def test_other_steps_seeds_images_or_settings_are_other_trainings(tmp_path: Path) -> None:
    common = schooling(tmp_path)
    changes: list[dict[str, Any]] = [
        {"steps": 8}, {"seed": 6}, {"source": "c.csv"}, {"settings": ("train.lr=1e-4",)},
    ]  # fmt: skip
    others = [replace(common, **change) for change in changes]
    assert len({each.folder for each in (common, *others)}) == 5
    assert common.folder.name == replace(common, root=tmp_path / "elsewhere").folder.name


def test_a_setting_reaches_every_training(tmp_path: Path) -> None:
    common = schooling(tmp_path, settings=("train.lr=0.5", "train.loss=mse"))
    for method in ("", "lsq"):
        train = training_config(common, method).stage[0].train
        assert (train.lr, train.loss) == (0.5, {"mse": 1.0})
    with pytest.raises(ConfigError, match="lrr"):
        training_config(schooling(tmp_path, settings=("train.lrr=1",)), "")


def test_what_is_made_is_called_after_the_file_or_the_folder_of_a_training(tmp_path: Path) -> None:
    checkpoint = schooling(tmp_path).checkpoint
    assert stem(checkpoint) == "mine"
    assert stem(replace(checkpoint, path=tmp_path / "run7" / "best_model.pt")) == "run7"


# -- images ------------------------------------------------------------------------------------


def write_images(folder: Path, count: int) -> Path:
    random = np.random.default_rng(0)
    for number in range(count):
        write_png(folder / f"{number:02d}.png", random.integers(0, 255, (9, 12, 3), np.uint8))
    return folder


def test_large_images_get_small_ones_and_calibrate_thinned(tmp_path: Path) -> None:
    train, test = write_images(tmp_path / "a", 60), write_images(tmp_path / "b", 3)
    found = prepare_images((train, test), 2, tmp_path / "made")
    assert found.train == str(train)
    assert found.names == (str(train), str(test))
    assert [pair.name for pair in pairs_from(found.test)] == ["00", "01", "02"]
    calibration = pairs_from(found.calibration)
    assert [pair.name for pair in calibration] == [f"{number:02d}" for number in range(0, 60, 3)]


def test_pairs_are_taken_as_they_are(tmp_path: Path) -> None:
    made = prepare_images((write_images(tmp_path / "a", 2),) * 2, 2, tmp_path / "made").test
    found = prepare_images((made, made.parent), 2, tmp_path / "again")
    assert (found.train, found.calibration, found.test) == (str(made), made, made.parent)
    assert not (tmp_path / "again").exists()


def test_images_that_are_not_there_are_told_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    good = write_images(tmp_path / "a", 1)
    with pytest.raises(InputError, match="holds no images"):
        prepare_images((tmp_path / "empty", good), 2, tmp_path / "made")
    with pytest.raises(PairsError, match=r"none\.csv does not exist"):
        prepare_images((tmp_path / "none.csv", good), 2, tmp_path / "made")


# -- the table ---------------------------------------------------------------------------------


LSQ, STE, PTQ = (
    Way("lsq", "int8-io", trains="lsq"),
    Way("ste", "int8-io", trains="ste"),
    Way("ptq", "int8-io"),
)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    workspace = Workspace(tmp_path)
    plain = tiny_candidate(workspace)
    integer = tiny_candidate(workspace, "int8-io")
    return Table(
        (
            Row(FLOAT, plain, 35.5, 0.95, latency_us={"cpu": 2000.0, "xnnpack": 1000.0}),
            Row(FP32, plain, 35.0, 0.94, latency_us={"cpu": 2000.0, "xnnpack": 1000.0}),
            Row(LSQ, integer, 35.25, 0.93, integer_only=True,
                latency_us={"cpu": 3800.0, "xnnpack": 400.0}),
            Row(STE, error="it diverged"),
            Row(PTQ, integer, 34.0, 0.9, 0.1, integer_only=True,
                latency_us={"cpu": 3800.0, "xnnpack": None}, notes=("xnnpack: refused",)),
        )
    )  # fmt: skip


def test_drops_are_against_the_float_network_that_had_the_same_chance(table: Table) -> None:
    drops = {row["method"]: row["psnr_drop_db"] for row in table.to_list()}
    assert drops == {"float": 0, "fp32": 0, "lsq": 0.25, "ste": None, "ptq": 1.0}


def test_the_document_has_what_programs_rely_on(table: Table) -> None:
    rows = {row["method"]: row for row in json.loads(json.dumps(table.to_list()))}
    assert rows["ptq"]["latency_us"] == {"cpu": 3800.0, "xnnpack": None}
    assert (rows["ptq"]["reference"], rows["ptq"]["cer"]) == ("fp32", 0.1)
    assert rows["lsq"]["integer_only"] is True
    assert rows["lsq"]["size_bytes"] == Path(rows["lsq"]["path"]).stat().st_size
    assert rows["ste"]["error"] == "it diverged"
    assert {rows["ste"][key] for key in ("psnr_y", "size_bytes", "candidate")} == {None}
    assert "error" not in rows["lsq"]
    assert [row.way.name for row in table.failed()] == ["ste"]


def test_a_file_of_two_ways_is_measured_once(table: Table) -> None:
    assert [c.manifest.variant for c in candidates_of(table.rows)] == ["fp32", "int8-io"]


def test_the_sentences_say_where_int8_is_slower(table: Table) -> None:
    told = findings(table, ("cpu", "xnnpack", "gpu"))
    assert told[0] == (
        "Best pixels: lsq, 35.250 dB, 0.250 dB below the float network trained for as many steps."
    )
    assert told[1].startswith("Smallest: lsq and ptq, ")
    slower = "int8-io takes 1.90 times as long; use fp32 or fp16 there."
    assert told[2:] == [
        "Fastest on cpu: float and fp32, 2 ms.",
        f"On cpu these are slower than fp32: {slower}",
        "Fastest on xnnpack: lsq, 0.4 ms.",
        "On xnnpack these are faster than fp32: int8-io takes 0.40 times as long.",
        "Nothing ran on gpu.",
    ]


def test_of_many_equal_files_three_are_named(table: Table) -> None:
    lsq = table.rows[2]
    more = [replace(lsq, way=replace(LSQ, name=name)) for name in ("a", "b", "c")]
    told = findings(Table((*table.rows, *more)), ("cpu",))
    assert told[1].startswith("Smallest: lsq, ptq and 3 others, ")


def test_a_tie_is_called_one(table: Table) -> None:
    rows = [replace(row, latency_us={"cpu": 1000.0 + 20 * n}) for n, row in enumerate(table.rows)]
    assert "On cpu int8-io and fp32 take equally long." in findings(Table(tuple(rows)), ("cpu",))


# -- latency -----------------------------------------------------------------------------------


def job(row: Row, **changes: Any) -> JobSummary:
    assert row.candidate is not None
    job: Any = JobSummary.__new__(JobSummary)
    fields = {"candidate": row.candidate.manifest.id, "delegate": "xnnpack", "outcome": "full",
              "median_ms": 1.5, "reasons": (), "status": "ok", "nodes_delegated": 3.0,
              "nodes_total": 9.0, "doubts": ()}  # fmt: skip
    job.__dict__.update({**fields, **changes})
    return job  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("changes", "latency", "note"),
    [
        ({}, 1500.0, None),
        ({"outcome": "partial"}, 1500.0, "takes 3 of 9 nodes"),
        ({"doubts": (JobDoubt("busy", {}, 2),)}, 1500.0, "doubtful (busy)"),
        ({"outcome": "fallback"}, None, "did not take the graph"),
        ({"outcome": "unknown"}, None, "nothing proves"),
        ({"median_ms": float("nan"), "reasons": ("no GPU",)}, None, "xnnpack: no GPU"),
    ],
)
def test_a_delegate_that_did_not_run_it_has_a_reason_and_no_number(
    table: Table, changes: dict[str, Any], latency: float | None, note: str | None
) -> None:
    row = replace(table.rows[0], notes=())
    timed = _timed(row, [job(row, **changes)], ("xnnpack",))
    assert timed.latency_us == {"xnnpack": latency}
    assert (note in timed.notes[0]) if note else timed.notes == ()


def test_one_conversion_makes_what_is_alike_and_a_mix_goes_alone() -> None:
    forms = [FP32, Way("fp16", "fp16"), Way("mixed", "mixed"), PTQ]
    assert [[way.name for way in group] for group in _together(forms)] == [
        ["fp32", "fp16", "ptq"],
        ["mixed"],
    ]
