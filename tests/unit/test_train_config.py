"""A training's config: defaults and stages, `--set`, rates, and what is said about mistakes."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import Field

from edgesr.config import Config, load_config, parse_config
from edgesr.errors import ConfigError
from edgesr.train import config as module
from edgesr.train.config import StageConfig, TrainConfig, TrainingConfig, load_training_config
from edgesr.train.losses import LOSSES
from edgesr.train.schedules import learning_rate

BASE = """
seed = 3
[model]
arch = "elsr"
scale = 4
weights = "first.pt"
[data]
train = "a"
val = "v"
[train]
epochs = 5
steps_per_epoch = 7
loss = { l1 = 1.0, fft = 0.1 }
adversarial = { lr = 3e-4 }
"""
STAGES = """
[[stage]]
name = "x2"
scale = 2
epochs = 9
adversarial = { features = 16 }
[[stage]]
name = "x4"
loss = { mse = 2.0 }
[stage.data]
train = ["b", "c"]
[stage.model]
transfer = "head"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path, BASE + STAGES)


def write(folder: Path, text: str) -> Path:
    path = folder / "t.toml"
    path.write_text(text, encoding="utf-8")
    return path


def stages(path: Path, *overrides: str) -> tuple[StageConfig, ...]:
    return load_training_config(path, overrides).stage


def refused(path: Path, *overrides: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_training_config(path, overrides)
    assert "\n" not in str(caught.value)
    return caught.value


def fields() -> Iterator[tuple[str, str, bool]]:
    """(class, field, whether a docstring follows it) of every table of a training config."""
    for node in ast.parse(inspect.getsource(module)).body:
        if not (isinstance(node, ast.ClassDef) and issubclass(getattr(module, node.name), Config)):
            continue
        for field, following in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                told = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
                yield node.name, field.target.id, told


def test_every_key_is_documented_where_it_is_declared() -> None:
    found = list(fields())
    assert len(found) > 45
    assert [f"{table}.{name}" for table, name, told in found if not told] == []


def test_every_loss_name_can_be_built() -> None:
    assert {*module.LOSS_NAMES} == {*LOSSES, "adversarial"}


def test_a_stage_is_the_defaults_with_its_own_keys_on_top(path: Path) -> None:
    first, second = stages(path)
    assert (first.name, first.model.scale, first.train.epochs, first.steps) == ("x2", 2, 9, 63)
    assert (second.name, second.model.scale, second.train.epochs, second.steps) == ("x4", 4, 5, 35)
    assert (first.data.train, second.data.train, second.data.val) == (("a",), ("b", "c"), ("v",))
    assert first.train.adversarial.features == 16
    assert first.train.adversarial.lr == 3e-4  # merged key by key
    assert first.train.loss == {"l1": 1.0, "fft": 0.1}
    assert second.train.loss == {"mse": 2.0}  # replaced as a whole


def test_a_stage_is_float_unless_a_method_is_named(path: Path) -> None:
    assert [stage.quantize.method for stage in stages(path)] == ["", ""]
    assert [stage.quantize.method for stage in stages(path, "quantize.method=lsq")] == ["lsq"] * 2
    first, second = stages(path, "stage.x4.method=lsq", "quantize.ranges=minmax")
    assert (first.quantize.method, second.quantize.method) == ("", "lsq")
    assert (first.quantize.ranges, second.quantize.ranges) == ("minmax", "minmax")


def test_weights_of_the_model_table_are_where_the_first_stage_starts(path: Path) -> None:
    first, second = stages(path)
    assert (first.model.weights, first.model.transfer) == ("first.pt", "none")
    assert (second.model.weights, second.model.transfer) == (None, "head")
    assert [s.model.weights for s in stages(path, "model.weights=my.pt")] == ["my.pt", None]


def test_without_stages_there_is_one(tmp_path: Path) -> None:
    (stage,) = stages(write(tmp_path, BASE))
    assert stage.name == "main"
    assert stage.train.epochs == 5


def test_stages_without_names_are_numbered(tmp_path: Path) -> None:
    path = write(tmp_path, BASE + "[[stage]]\n[[stage]]\nlr = 1.0\n")
    assert [stage.name for stage in stages(path)] == ["stage1", "stage2"]
    assert [stage.train.lr for stage in stages(path, "stage.stage1.lr=2.0")] == [2.0, 1.0]


def test_flat_and_nested_keys_mean_the_same(tmp_path: Path) -> None:
    flat = write(tmp_path, BASE + '[[stage]]\nscale = 3\nval = "w"\npatch = 20\n')
    loaded = load_training_config(flat)
    nested = write(
        tmp_path,
        BASE + '[[stage]]\nmodel = {scale = 3}\ndata = {val = "w"}\ntrain = {patch = 20}\n',
    )
    assert load_training_config(nested) == loaded


def test_a_config_without_tables_holds_everything_in_its_stages(tmp_path: Path) -> None:
    stage = '[[stage]]\narch = "elsr"\nscale = 2\nval = "v"\nepochs = 1\nsteps_per_epoch = 1\n'
    (loaded,) = stages(write(tmp_path, stage + 'data = { train = "a" }\n'))
    assert loaded.data.train == ("a",)


def test_a_complete_config_can_be_written_and_read_again(path: Path) -> None:
    loaded = load_training_config(path)
    dumped = loaded.model_dump(mode="json")
    assert parse_config(dumped, TrainingConfig, source="checkpoint") == loaded


@pytest.mark.parametrize(
    ("override", "rates"),
    [
        ("train.lr=0.5", [0.5, 0.5]),
        ("stage.*.lr=0.5", [0.5, 0.5]),
        ("stage.*.train.lr=0.5", [0.5, 0.5]),
        ("stage.x4.lr=0.5", [1e-3, 0.5]),
        ("stage.x2.train.lr=0.5", [0.5, 1e-3]),
        ("stage.0.lr=0.5", [0.5, 1e-3]),
        ("stage.1.train.lr=0.5", [1e-3, 0.5]),
    ],
)
def test_set_reaches_stages_by_name_number_or_all(
    override: str, rates: list[float], path: Path
) -> None:
    assert [stage.train.lr for stage in stages(path, override)] == rates


@pytest.mark.parametrize("key", ["epochs", "train.epochs"])
def test_set_on_a_stage_wins_however_the_file_is_written(key: str, tmp_path: Path) -> None:
    for own in ("epochs = 9", "train = { epochs = 9 }", "train = { lr = 1.0 }\nepochs = 9"):
        path = write(tmp_path, f"{BASE}[[stage]]\n{own}\n[[stage]]\n{own}\n")
        assert [s.train.epochs for s in stages(path, f"stage.*.{key}=2")] == [2, 2]
        assert [s.train.epochs for s in stages(path, "train.epochs=2")] == [9, 9]


@pytest.mark.parametrize("stage", ["*", "main", "0"])
def test_set_on_stages_also_works_where_none_is_written(stage: str, tmp_path: Path) -> None:
    path = write(tmp_path, BASE)
    overrides = (f"stage.{stage}.epochs=2", f"stage.{stage}.data.train=slides:2:1")
    (loaded,) = stages(path, *overrides, f"stage.{stage}.train.adversarial.features=8")
    assert loaded.train.epochs == 2
    assert loaded.data.train == ("slides:2:1",)
    assert (loaded.train.adversarial.features, loaded.train.adversarial.lr) == (8, 3e-4)


@pytest.mark.parametrize(
    ("override", "message", "hint"),
    [
        ("stage.x3.lr=1", "there is no 'x3'", "there are x2, x4, and * for all of them"),
        ("stage.2.lr=1", "there is no '2'", "there are x2, x4"),
        ("stage.x2=1", "stage is not a table", "stage.*.KEY=value"),
        ("data.train.0=b", "train is not a table", ""),
        ("seed.x=1", "seed is not a table", ""),
        ("seed.x.y=1", "'x' can't be in what is not a table", ""),
        ("stage.x2.train=b", "stage 'x2': train is a table, not 'b'", ""),
    ],
)
def test_a_set_that_leads_nowhere_is_refused(
    override: str, message: str, hint: str, path: Path
) -> None:
    error = refused(path, override)
    assert message in str(error)
    assert hint in error.hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("ephocs = 1", "[train] has no key 'ephocs'; did you mean 'epochs'?", ""),
        ("[modle]\nx = 1", "a training has no key 'modle'; did you mean 'model'?", ""),
        ("[[stage]]\nephocs = 1", "stage 'main' has no key 'ephocs'; did you mean 'epochs'?", ""),
        ("[[stage]]\ntrain = {ephocs = 1}", "stage.main.train.ephocs", "did you mean 'epochs'?"),
        ("[[stage]]\nadversarial = {feature = 9}", "stage.main.train.adversarial.feature",
         "did you mean 'features'?"),
        ("[[stage]]\nname='z'\n[[stage]]\ntrain = {zzz = 1}", "stage.stage2.train.zzz", "patch"),
        ("[[stage]]\nloss = 'mae'", "no loss is called 'mae'; did you mean mse? ", ""),
        ("[[stage]]\nloss = 'nothing'", "no loss is called 'nothing'; l1, mse", ""),
        ("[[stage]]\nloss = {l1 = 0.0}", "the weight of l1 has to be above 0", ""),
        ("[[stage]]\nloss = 'adversarial'", "needs a loss that compares with the target", ""),
        ("[[stage]]\nname='a'\n[[stage]]\nname='a'", "two stages are called 'a'", ""),
        ("[[stage]]\nname='a'\nweights='stage:b'\n[[stage]]\nname='b'",
         "stage 'a' starts from stage 'b', which does not run before", ""),
        ("[[stage]]\nname='a.b'", "stage.a.b.name: String should match pattern", ""),
        ("[[stage]]\nepochs = 0", "stage.main.train.epochs: Input should be greater", ""),
        ("[[stage]]\ndata = {val = ''}", "needs at least one source of images", ""),
        ("[[stage]]\nprecision='no'\n[[stage]]", "all stages need the same precision", ""),
        ("[quantize]\nmethod = 'lqs'",
         "no quantization method is called 'lqs'; did you mean lsq? there are: ", ""),
        ("[[stage]]\nmethod = 'nothing'", "no quantization method is called 'nothing'", ""),
        ("[quantize]\nmehtod = 'lsq'", "[quantize] has no key 'mehtod'; did you mean 'method'", ""),
        ("[[stage]]\nranges = 'max'", "stage.main.quantize.ranges: Input should be 'minmax'", ""),
        ("[quantize]\ncalibration = 0", "stage.main.quantize.calibration: Input should", ""),
        ("[stage]\nlr = 1.0", "stage is a list of tables: write [[stage]]", ""),
        ("stage = [3]", "[[stage]] is a table, not 3", ""),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_the_likely_right_key(
    text: str, message: str, hint: str, tmp_path: Path
) -> None:
    whole = f"{text}\n{BASE}" if text.startswith("stage =") else BASE + text
    error = refused(write(tmp_path, whole))
    assert str(error).startswith(f"{tmp_path / 't.toml'}: ")
    assert "Value error" not in str(error)
    assert message in str(error)
    assert hint in error.hint


@pytest.mark.parametrize("table", ["model", "data", "train", "quantize"])
def test_a_table_that_is_none_is_told(table: str, path: Path) -> None:
    assert f"{table} is a table, not 3" in str(refused(path, f"{table}=3"))


class Leaf(Config):
    patch: int = 1


class Tree(Config):
    """Tables in every kind of container."""

    maybe: Leaf | None = None
    many: list[Leaf] = Field(default_factory=list)
    named: dict[str, Leaf] = Field(default_factory=dict)
    deep: tuple[tuple[Leaf, ...], ...] = ()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("maybe = {path = 1}", "maybe.path"),
        ("many = [{patch = 1}, {path = 1}]", "many.1.path"),
        ("named = {a = {path = 1}}", "named.a.path"),
        ("deep = [[{patch = 2}, {path = 1}]]", "deep.0.1.path"),
    ],
)
def test_a_near_key_is_found_through_containers(text: str, place: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=place) as caught:
        load_config(write(tmp_path, text), Tree)
    assert caught.value.hint == "did you mean 'patch'?"


def test_a_misspelt_key_is_told_of_before_the_one_that_it_leaves_missing(tmp_path: Path) -> None:
    text = BASE.replace('arch = "elsr"', "") + '[[stage]]\nmodel = {arhc = "elsr"}\n'
    error = refused(write(tmp_path, text))
    assert "stage.main.model.arhc" in str(error)
    assert error.hint == "did you mean 'arch'?"


def rates(**train: Any) -> list[float]:
    """The rate of each of the 20 steps of a stage of 4 epochs, at 1 if nothing else is said."""
    table = TrainConfig(epochs=4, steps_per_epoch=5, **{"lr": 1.0, "lr_end": 0.0, **train})
    return [learning_rate(table, step) for step in range(20)]


def test_a_constant_rate_is_neither_squared_nor_moved() -> None:
    assert rates(schedule="constant", lr=0.02) == [0.02] * 20


def test_a_cosine_falls_along_half_a_cosine_from_lr_to_lr_end() -> None:
    # 1 + cos(x) = 2 cos^2(x/2): another way to write it, and values known by heart
    expected = 0.2 + 0.8 * np.cos(np.arange(20) / 20 * np.pi / 2) ** 2
    found = rates(lr_end=0.2)
    assert found == pytest.approx(expected, abs=1e-12)
    assert found[0] == 1.0
    assert found[10] == pytest.approx(0.6)
    assert rates(lr_end=0.0)[5] == pytest.approx(0.5 + 0.25 * 2**0.5)


def test_a_cosine_is_pytorchs_annealing() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20, eta_min=1e-6)
    expected = []
    for _ in range(20):
        expected.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates(lr=3e-3, lr_end=1e-6) == pytest.approx(expected, rel=1e-9)


def test_steps_multiply_by_gamma_after_every_so_many_epochs() -> None:
    assert rates(schedule="step") == [0.5 ** (step // 5) for step in range(20)]
    found = rates(schedule="step", step_epochs=2, gamma=0.1)
    assert found == pytest.approx([1.0] * 10 + [0.1] * 10)


def test_steps_do_not_go_below_lr_end() -> None:
    assert rates(schedule="step", lr_end=0.3)[::5] == [1.0, 0.5, 0.3, 0.3]


@pytest.mark.parametrize("schedule", ["cosine", "constant", "step"])
def test_the_warm_up_is_linear_and_ends_at_lr(schedule: str) -> None:
    found = rates(schedule=schedule, warmup_steps=4)
    assert found[:4] == [0.25, 0.5, 0.75, 1.0]
    assert found[4] == 1.0
    assert max(found) == 1.0


def test_a_cosine_after_a_warm_up_spans_what_is_left() -> None:
    expected = [np.cos((step - 4) / 16 * np.pi / 2) ** 2 for step in range(4, 20)]
    assert rates(warmup_steps=4)[4:] == pytest.approx(expected, abs=1e-12)


def test_a_warm_up_longer_than_the_stage_never_arrives() -> None:
    assert rates(warmup_steps=40) == pytest.approx([(step + 1) / 40 for step in range(20)])
