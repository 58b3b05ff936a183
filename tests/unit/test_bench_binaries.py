"""Which benchmark_model a device gets, and what is said when there is none."""

import os
import re
from pathlib import Path

import pytest

from edgesr.assets import cache_folder
from edgesr.bench.binaries import (
    BinaryOptions,
    find_binary,
    load_binaries,
    note_key,
    note_sha256,
    version_of,
)
from edgesr.bench.elf import misfit, read_elf
from edgesr.errors import ConfigError, InputError, TransportError
from tests.fixtures.elf import ANDROID, ANDROID32, LINUX, elf

RECORDED = Path(__file__).parents[1] / "fixtures" / "benchmark_model"
LIST = """
[classic]
tells = "INFO: Graph: ["
version = "7"
base = "{base}/v{{version}}-"
[classic.abi.arm64-v8a]
file = "arm64"
[classic.abi.armeabi-v7a]
file = "arm"
sha256 = "{zeros}"
[classic.abi.x86_64]
file = ""
"""


@pytest.fixture
def binaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a list of binaries that EDGESR_BINARIES names, and what that list names."""
    monkeypatch.setenv("EDGESR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGESR_BENCHMARK_MODEL", raising=False)
    monkeypatch.setenv("EDGESR_OFFLINE", "1")  # nothing here may reach the network
    text = LIST.format(base=tmp_path.as_uri(), zeros="0" * 64)
    (tmp_path / "binaries.toml").write_text(text)
    monkeypatch.setenv("EDGESR_BINARIES", str(tmp_path / "binaries.toml"))
    elf(tmp_path / "v7-arm64", 183, ANDROID)
    elf(tmp_path / "v7-arm", 40, ANDROID32, 32)
    return tmp_path


@pytest.mark.parametrize(
    ("machine", "interpreter", "bits", "fits"),
    [
        (183, ANDROID, 64, {"arm64-v8a"}),
        (40, ANDROID32, 32, {"armeabi-v7a"}),
        (62, ANDROID, 64, {"x86_64"}),
        (62, LINUX, 64, {"linux-x86_64"}),
        (62, None, 64, {"x86_64", "linux-x86_64"}),
        (183, "/lib/ld-linux-aarch64.so.1", 64, {"linux-aarch64"}),
        (183, "/lib/ld-musl-aarch64.so.1", 64, {"linux-aarch64"}),
        (183, "/apex/com.android.runtime/bin/linker64", 64, {"arm64-v8a"}),
        (3, ANDROID32, 32, {"x86"}),
        (62, LINUX, 32, set()),
        (20, None, 32, set()),
    ],
)
def test_a_program_fits_the_abi_it_was_built_for(
    tmp_path: Path, machine: int, interpreter: str | None, bits: int, fits: set[str]
) -> None:
    path = elf(tmp_path / "tool", machine, interpreter, bits)
    abis = ["arm64-v8a", "armeabi-v7a", "x86_64", "x86", "linux-x86_64", "linux-aarch64"]
    assert {abi for abi in abis if misfit(path, abi) is None} == fits
    assert misfit(path, None) is None
    assert misfit(path, "abi-of-tomorrow") is None


def test_a_script_fits_anything_and_a_real_program_is_read(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    assert read_elf(script) is None
    assert misfit(script, "arm64-v8a") is None
    shell = read_elf(Path("/bin/sh"))
    assert shell is not None
    assert shell.android is not True


def test_a_header_that_was_cut_off_is_no_traceback(tmp_path: Path) -> None:
    whole = elf(tmp_path / "tool", 183, ANDROID).read_bytes()
    for size in range(4, len(whole)):
        (tmp_path / "cut").write_bytes(whole[:size])
        with pytest.raises(InputError, match="cut off"):
            read_elf(tmp_path / "cut")
    for at in range(4, len(whole)):  # nor is a damaged one, whatever it says
        (tmp_path / "odd").write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
        try:
            read_elf(tmp_path / "odd")
        except InputError as error:
            assert "odd" in str(error)  # noqa: PT017 - either may happen


def test_the_named_binary_that_fits_comes_first(
    binaries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = binaries / "v7-arm", binaries / "v7-arm64"
    other = elf(binaries / "other", 183, ANDROID)
    monkeypatch.setenv("EDGESR_BENCHMARK_MODEL", str(other))
    options = BinaryOptions(named=(small, large))
    assert find_binary("arm64-v8a", options) == large
    assert find_binary("armeabi-v7a", options) == small
    assert find_binary(None, options) == small


def test_a_named_binary_is_never_replaced_silently(binaries: Path) -> None:
    with pytest.raises(InputError) as raised:
        find_binary("arm64-v8a", BinaryOptions(named=(binaries / "v7-arm",)))
    assert "runs on arm64-v8a" in str(raised.value)
    assert "v7-arm: it is built for armeabi-v7a (Android)" in str(raised.value)
    with pytest.raises(InputError, match="missing does not exist"):
        find_binary("arm64-v8a", BinaryOptions(named=(binaries / "missing",)))
    desktop = elf(binaries / "desktop", 62, LINUX)
    with pytest.raises(InputError, match="Linux, not Android"):
        find_binary("x86_64", BinaryOptions(named=(desktop,)))


def test_the_environment_may_name_several_for_several_machines(
    binaries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desktop = elf(binaries / "desktop", 62, LINUX)
    phone = elf(binaries / "phone", 183, ANDROID)
    monkeypatch.setenv("EDGESR_BENCHMARK_MODEL", f"{desktop}{os.pathsep}{phone}{os.pathsep}")
    assert find_binary("arm64-v8a", BinaryOptions()) == phone
    fetched = find_binary("linux-x86_64", BinaryOptions())
    assert fetched == desktop
    (binaries / "desktop").unlink()
    with pytest.raises(InputError, match="desktop does not exist"):
        find_binary("arm64-v8a", BinaryOptions())


def test_without_one_the_official_is_fetched_into_the_cache(binaries: Path) -> None:
    said: list[str] = []
    path = find_binary("arm64-v8a", BinaryOptions(), lambda text, *_: said.append(text))
    assert path == cache_folder() / "binaries" / "classic-7" / "arm64-v8a" / "benchmark_model"
    assert path.read_bytes() == (binaries / "v7-arm64").read_bytes()
    assert os.access(path, os.X_OK)
    assert said == ["fetching v7-arm64"]
    assert version_of(path) == "7"
    assert version_of(binaries / "v7-arm64") is None
    (binaries / "v7-arm64").unlink()
    assert find_binary("arm64-v8a", BinaryOptions()) == path


def test_a_known_sha256_is_insisted_on(binaries: Path) -> None:
    with pytest.raises(InputError, match="it should have 0000"):
        find_binary("armeabi-v7a", BinaryOptions())
    assert not list(cache_folder().rglob("benchmark_model"))
    assert (binaries / "v7-arm").is_file()


def test_where_none_is_published_a_file_put_by_hand_is_taken(binaries: Path) -> None:
    for abi in ("x86_64", "riscv64"):
        with pytest.raises(InputError, match=f"is published for {abi}") as raised:
            find_binary(abi, BinaryOptions())
        found = re.search(r"put it at (\S+),", raised.value.hint)
        assert found
    place = cache_folder() / "binaries" / "classic-7" / "x86_64" / "benchmark_model"
    assert str(place) in raised.value.hint.replace("riscv64", "x86_64")
    place.parent.mkdir(parents=True)
    elf(place, 62, ANDROID).chmod(0o644)
    assert find_binary("x86_64", BinaryOptions()) == place
    assert os.access(place, os.X_OK)
    elf(place, 62, LINUX)
    with pytest.raises(InputError, match="Linux, not Android"):
        find_binary("x86_64", BinaryOptions())
    assert place.is_file()
    assert not (binaries / "v7-").exists()


def test_a_download_that_can_not_be_had_names_the_ways_out(
    binaries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGESR_BINARIES")
    for family, version in (("classic", "nightly"), ("litert", load_binaries("litert").version)):
        with pytest.raises(TransportError) as raised:
            find_binary("arm64-v8a", BinaryOptions(family=family))  # type: ignore[arg-type]
        place = cache_folder() / "binaries" / f"{family}-{version}" / "arm64-v8a"
        hint = raised.value.hint
        assert hint.startswith(f"put the file by hand at {place / 'benchmark_model'}, ")
        assert "--binary PATH or EDGESR_BENCHMARK_MODEL" in hint
    assert (binaries / "cache").exists()


def test_a_device_without_an_abi_needs_a_name(binaries: Path) -> None:
    with pytest.raises(InputError, match="does not tell its ABI"):
        find_binary(None, BinaryOptions())
    assert not (binaries / "cache").exists()


def test_the_list_is_checked(binaries: Path) -> None:
    with pytest.raises(ConfigError, match=r"no table \[litert\]"):
        find_binary("arm64-v8a", BinaryOptions(family="litert"))
    text = (binaries / "binaries.toml").read_text()
    (binaries / "binaries.toml").write_text(text.replace("0" * 64, "0" * 63))
    with pytest.raises(ConfigError, match="sha256"):
        find_binary("arm64-v8a", BinaryOptions())


def recorded_flags(name: str) -> set[str]:
    return set(re.findall(r"^\s*--([\w-]+)=", (RECORDED / name).read_text(), re.MULTILINE))


def test_the_packaged_list_agrees_with_recorded_binaries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGESR_BINARIES", raising=False)
    classic, litert = load_binaries("classic"), load_binaries("litert")
    assert recorded_flags("01_help.stderr") <= set(classic.flags)
    assert set(litert.flags) <= recorded_flags("20a3_litert_badbool.stderr")
    for family in (classic, litert):
        assert len(set(family.flags)) == len(family.flags)
        assert {"arm64-v8a", "armeabi-v7a", "x86_64", "linux-x86_64"} <= set(family.abi)
        for abi in family.abi:
            assert (family.url(abi) or "https://").startswith("https://")
    assert classic.url("x86_64") is None
    assert (litert.url("arm64-v8a") or "").endswith(
        f"/{litert.version}/android_arm64/benchmark_model"
    )


def test_another_sha256_than_last_time_is_noticed(binaries: Path) -> None:
    path = find_binary("arm64-v8a", BinaryOptions())
    key = note_key(path)
    assert key == "classic-7/arm64-v8a"
    assert note_key(binaries / "v7-arm") == str((binaries / "v7-arm").resolve())
    assert note_sha256(key, "a") is None
    assert note_sha256("another", "x") is None
    assert note_sha256(key, "a") is None
    assert note_sha256(key, "b") == "a"
    assert note_sha256(key, "b") is None
    assert note_sha256("another", "y") == "x"


@pytest.mark.parametrize("text", ["", "[]", '{"k": 1}', "{", "\x00\xff"])
def test_damaged_notes_are_no_notes(binaries: Path, text: str) -> None:
    note_sha256("k", "a")
    path = cache_folder() / "binaries" / "sha256.json"
    path.write_text(text)
    assert note_sha256("k", "b") is None
    assert note_sha256("k", "c") == "b"
    assert binaries


def test_a_cache_that_can_not_be_written_still_remembers_what_it_has(
    binaries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGESR_CACHE", str(binaries / "v7-arm"))  # a file, so no folder
    assert note_sha256("k", "a") is None
    assert note_sha256("k", "b") is None
