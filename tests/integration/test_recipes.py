"""Every recipe, made small: it trains, and what comes out converts and is measured."""

from pathlib import Path

import pytest

from edgesr.bench.runner import BenchRequest, run_bench
from edgesr.bench.suite import load_suite
from edgesr.convert.pipeline import ConvertRequest, convert
from edgesr.models.checkpoint import load_checkpoint
from edgesr.results.manifest import Variant
from edgesr.results.store import Workspace
from edgesr.train.config import load_training_config, recipe_path, recipes
from edgesr.train.loop import TrainRequest, train
from tests.fixtures.training import metrics

SMALL = {
    "train.epochs": 1,
    "train.steps_per_epoch": 2,
    "train.batch_size": 2,
    "train.patch": 16,
    "train.samples": 1,
    "data.train": ["slides:1:1"],
    "data.val": ["slides:1:9001"],
    "data.workers": 0,
}
"""The same recipe with less of everything."""
MADE_BY_DEMO = "demo-finetune"  # tests/integration/test_demo.py runs it


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*recipes()} - {MADE_BY_DEMO}))
def test_a_recipe_runs_from_images_to_a_measured_candidate(name: str, tmp_path: Path) -> None:
    settings = [f"stage.*.{key}={value}" for key, value in SMALL.items()]
    adversarial = "stage.*.train.adversarial.features=8"
    config = load_training_config(recipe_path(name), (*settings, adversarial))
    result = train(TrainRequest(config, tmp_path / "out"))
    assert [stage.name for stage in result.stages] == [stage.name for stage in config.stage]
    rows = metrics(tmp_path / "out")
    assert len(rows) == len(config.stage)
    assert all(float(row["train_loss"]) > 0 for row in rows)
    best = result.last.best
    spec, last = load_checkpoint(best).spec, config.stage[-1]
    assert (spec.arch, spec.scale) == (last.model.arch, last.model.scale)
    assert spec.quantizer == last.quantize.method

    workspace = Workspace(tmp_path / "work")
    variant: Variant = "int8" if spec.quantizer else "fp32"
    candidates = convert(ConvertRequest(str(best), (variant,), (32, 48)), workspace)
    suite = load_suite("quick").model_copy(update={"rounds": 1, "threads": (1,)})
    request = BenchRequest(tuple(candidates), suite, delegates=("xnnpack",))
    (record,) = run_bench(request, workspace).run.records()
    assert record.status == "ok"
    assert record.latency_us
