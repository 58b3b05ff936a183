"""Configs: what is wrong is named with file, key and the likely right one."""

from pathlib import Path

import pytest

from edgesr.assets import asset_names
from edgesr.config import Config, load_config
from edgesr.errors import ConfigError, InputError
from edgesr.train.config import load_training_config, recipe_path


class Inner(Config):
    patch: int = 3


class Outer(Config):
    name: str
    inner: Inner = Inner()


def write(folder: Path, text: str) -> Path:
    path = folder / "c.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_overrides_are_toml_values_or_else_text(tmp_path: Path) -> None:
    path = write(tmp_path, 'name = "a"')
    loaded = load_config(path, Outer, ["inner.patch=7", "name=plain text"])
    assert loaded == Outer(name="plain text", inner=Inner(patch=7))


def test_a_misspelt_key_is_named_with_the_near_one(tmp_path: Path) -> None:
    path = write(tmp_path, 'name = "a"\n[inner]\npath = 7')
    with pytest.raises(ConfigError, match=r"c\.toml: inner\.path") as caught:
        load_config(path, Outer)
    assert caught.value.hint == "did you mean 'patch'?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "no TOML"),
        ("[inner]\npatch = 1", "name: Field required"),
        ('name = "a"\ninner = {patch = "x"}', "inner.patch"),
    ],
)
def test_bad_files_are_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(write(tmp_path, text), Outer)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_utf8_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_bytes('name = "é"'.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"c\.toml is no TOML"):
        load_config(tmp_path / "c.toml", Outer)


@pytest.mark.parametrize("override", ["patch", "=3", "name.x=1"])
def test_bad_overrides_are_refused(override: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--set"):
        load_config(write(tmp_path, 'name = "a"'), Outer, [override])


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_config(tmp_path / "no.toml", Outer)


@pytest.mark.parametrize("name", asset_names("recipes"))
def test_every_shipped_recipe_validates(name: str) -> None:
    assert load_training_config(recipe_path(name)).stage[0].train.epochs >= 1


def test_an_unknown_recipe_lists_those_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        recipe_path("elsr-big")
    assert "elsr-tiny" in caught.value.hint
