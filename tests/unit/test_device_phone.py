"""What phones of several Android versions print, read; and the two scripts themselves."""

import os
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgesr.assets import asset
from edgesr.bench.doubts import Code, conditions, doubt, merged, phone_conditions, unmet
from edgesr.device.guard import unfit
from edgesr.device.info import Cluster
from edgesr.device.phone import (
    Call,
    PhoneFacts,
    big_core_mask,
    parse_clusters,
    parse_getprop,
    parse_info,
    phone_info,
    phone_state,
)
from edgesr.device.profile import Fit, Limits, Profile
from edgesr.device.readings import parse_state
from edgesr.device.transport import Completed
from edgesr.results.records import DeviceState

PHONES = Path(__file__).parents[1] / "fixtures" / "phones"
CALL = Call("SERIAL", "127.0.0.1:5037", 1_717_000_000.0)
SHELLS = [shell for shell in ("dash", "mksh", "sh") if shutil.which(shell)]


def printed(name: str) -> str:
    return (PHONES / f"{name}.txt").read_text(encoding="utf-8")


def info(name: str) -> PhoneFacts:
    return parse_info(printed(f"{name}.info"), CALL)


# ---- states

STATES = {
    # no thermalservice before Android 10, half of the cores off
    "android-6-nexus-5x": DeviceState(
        temperature_c=28.1, battery_pct=57, charging="usb", big_core_clock_mhz=600,
        big_core_limit_mhz=1440, screen_on=False, load_1m=6.41, busy_pct=17.6,
    ),
    # Samsung's extra lines; a cached 99 °C that is not the current one; an absent sensor at 0 °C
    "android-10-galaxy-a21s": DeviceState(
        temperature_c=33.4, cpu_temperature_c=41.7, battery_pct=91, charging="ac",
        thermal_status=0, big_core_clock_mhz=1742, big_core_limit_mhz=2002, screen_on=True,
        load_1m=12.84, busy_pct=83.8,
    ),
    # the thermal HAL isn't ready: zones, in thousandths and in tenths, one of them off
    "android-13-redmi-12c": DeviceState(
        temperature_c=30.5, cpu_temperature_c=45.1, battery_pct=18, charging="none",
        thermal_status=0, big_core_clock_mhz=1181, big_core_limit_mhz=2000, screen_on=False,
        load_1m=3.1, busy_pct=5,
    ),
    "android-14-pixel-8": DeviceState(
        temperature_c=26.7, cpu_temperature_c=32, battery_pct=73, charging="usb",
        thermal_status=0, big_core_clock_mhz=500, big_core_limit_mhz=2914, screen_on=True,
        load_1m=0.42, busy_pct=0.5,
    ),
    "android-15-galaxy-s24-ultra": DeviceState(
        temperature_c=43.8, cpu_temperature_c=71.4, battery_pct=49, charging="wireless",
        thermal_status=2, big_core_clock_mhz=1958.4, big_core_limit_mhz=2035.2, screen_on=True,
        load_1m=18, busy_pct=50,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_states_of_real_formats(name: str, newline: str) -> None:
    text = printed(f"{name}.state").replace("\n", newline)
    assert parse_state(text) == STATES[name]


def test_the_mask_says_which_cores_are_meant() -> None:
    text = printed("android-14-pixel-8.state")
    without_prime = parse_state(text, "f0")
    assert (without_prime.big_core_clock_mhz, without_prime.big_core_limit_mhz) == (402, 2367)
    assert parse_state(text, "f000") == parse_state(text), "a mask without a core there"


@pytest.mark.parametrize(
    "text", ["", "garbage", "== battery\n", "== battery\n== \x00\n", "== stat"]
)
def test_nothing_told_is_nothing_known(text: str) -> None:
    assert parse_state(text) == DeviceState()
    facts = parse_info(text, CALL)
    assert (facts.info.model, facts.info.android, facts.info.clusters) == (None, None, None)
    assert (facts.info.serial, facts.info.listed, facts.info.simulated) == ("SERIAL", False, False)


def battery(*lines: str) -> DeviceState:
    return parse_state("== battery\n" + "".join(f"  {line}\n" for line in lines) + "== end\n")


@pytest.mark.parametrize(
    "lines",
    [
        ("temperature: 0", "level: 0", "scale: 100"),  # no gauge
        ("temperature: 0", "level: 50", "voltage: 0"),
        ("present: false", "level: 50", "temperature: 250", "AC powered: true"),
        ("(UPDATES STOPPED -- use 'reset' to restart)", "level: 50", "temperature: 250"),
        ("level: 150", "scale: 100", "temperature: -2730"),
        ("level: 50%", "temperature: 25,0"),
    ],
)
def test_a_battery_that_cannot_be_so_is_not_known(lines: Sequence[str]) -> None:
    state = battery(*lines)
    assert state.temperature_c is None
    assert state.battery_pct in (None, 0, 50)
    if "present: false" in lines or any("STOPPED" in line for line in lines):
        assert state == DeviceState()


def test_a_cold_battery_and_another_scale_are_known() -> None:
    state = battery("level: 127", "scale: 254", "temperature: -105", "Dock powered: true")
    assert (state.battery_pct, state.temperature_c, state.charging) == (50, -10.5, "ac")
    assert battery("level: 50", "temperature: 0", "voltage: 3900").temperature_c == 0


def test_the_output_may_end_anywhere_or_be_damaged() -> None:
    chance = random.Random(0)  # noqa: S311 - the same damage every time
    for name in STATES:
        for kind in ("state", "info"):
            text = printed(f"{name}.{kind}")
            for _ in range(150):
                cut = text[: chance.randrange(len(text))]
                at = chance.randrange(len(text) - 9)
                odd = chance.choice(["\x00", "é²٣", "-", "9" * 40, "\n== end\n", "", "]\n["])
                for damaged in (cut, text[:at] + odd + text[at + 9 :]):
                    state, facts = parse_state(damaged), parse_info(damaged, CALL)
                    assert state.temperature_c is None or -30 <= state.temperature_c <= 100
                    assert state.battery_pct is None or 0 <= state.battery_pct <= 100
                    assert facts.info.serial == "SERIAL"


# ---- what a phone is


def test_facts_of_phones_that_are_listed() -> None:
    pixel = info("android-14-pixel-8")
    assert (pixel.info.profile, pixel.info.listed, pixel.profile.big_core_mask) == (
        "pixel-8", True, "1f0",
    )  # fmt: skip
    assert (pixel.info.soc, pixel.info.gpu, pixel.info.cores) == (
        "Google Tensor G3", "Mali-G715", 9,
    )  # fmt: skip
    assert (pixel.info.os, pixel.info.android, pixel.info.api) == ("Android 14", "14", 34)
    assert pixel.info.memory_mb == 7530
    assert pixel.info.free_mb == 71332
    assert pixel.info.clock_offset_s == 3
    assert pixel.info.max_mhz == 2914
    assert (pixel.uptime_s, pixel.toybox) == (10003.12, "0.8.9-android")
    assert pixel.props["persist.sys.boot.reason.history"].endswith("1716000000")
    redmi = info("android-13-redmi-12c")
    assert (redmi.info.profile, redmi.info.gpu) == ("redmi-12c", "Mali-G52 MC2")
    assert redmi.profile.big_core_mask == "c0", "computed: the file names none"
    galaxy = info("android-15-galaxy-s24-ultra")
    assert (galaxy.info.profile, galaxy.info.gpu) == ("galaxy-s24", "Adreno 750"), "gpu from file"
    assert big_core_mask(galaxy.info.clusters or ()) == galaxy.profile.big_core_mask == "fc"
    a21s = info("android-10-galaxy-a21s")
    assert a21s.profile.big_core_mask is None, "all cores alike"
    assert a21s.info.abi == "armeabi-v7a"


def test_facts_of_an_old_phone_that_no_profile_knows() -> None:
    old = info("android-6-nexus-5x")
    assert (old.info.profile, old.info.listed, old.profile.name) == ("unlisted", False, "Nexus 5X")
    assert old.info.cores == 6, "two are off"
    assert old.info.clusters == (Cluster((0, 1, 2, 3), 1440),)
    assert (old.info.soc, old.info.gpu) == ("msm8992", "Adreno (TM) 418")
    assert old.info.free_mb == 2457, "toolbox's df"
    assert (old.info.boot_id, old.toybox) == (None, None)
    assert "nnapi" not in old.profile.delegates


def test_a_stand_in_says_that_it_is_one() -> None:
    text = (
        "== getprop\n[ro.edgesr.simulated]: [1]\n[ro.edgesr.benchmark_model]: [/x/benchmark_model]"
    )
    found = parse_info(text, CALL).info
    assert (found.simulated, found.benchmark_model) == (True, "/x/benchmark_model")
    real = text.replace("[1]", "[0]")
    assert parse_info(real, CALL).info.benchmark_model is None


def test_json_of_a_phone_has_all_it_could_know() -> None:
    tree = info("android-14-pixel-8").info.to_dict()
    assert tree["clusters"][2] == {"cpus": (8,), "max_mhz": 2914.0}
    assert {"serial", "server", "simulated", "boot_id", "free_mb", "listed"} <= set(tree)


def test_big_cores_are_all_but_the_slowest() -> None:
    text = "\n".join(f"{cpu} max {khz}" for cpu, khz in enumerate([18] * 4 + [24] * 3 + [30]))
    assert big_core_mask(parse_clusters(text.replace("max ", "max 1000"))) == "f0"
    assert big_core_mask(()) is None
    assert big_core_mask((Cluster((0, 1), 2000),)) is None


def test_a_torn_property_does_not_swallow_the_next() -> None:
    assert parse_getprop("[a]: [b\n[c]: [d]\n[e]: [f\ng]\n") == {"c": "d", "e": "f\ng"}


# ---- the scripts


class Here:
    """Runs a script with another shell and a phone's files, as a transport would."""

    platform = "android"
    name = "here"

    def __init__(self, shell: str, root: Path, programs: Path) -> None:
        self.shell, self.root, self.programs = shell, root, programs

    def stage(self, local: Path) -> str:
        return str(local)

    def run(self, argv: Sequence[str], *, timeout_s: float) -> Completed:
        path = f"{self.programs}:{os.environ['PATH']}"
        done = subprocess.run(
            [self.shell, *argv[1:]],
            env={"PATH": path, "EDGESR_ROOT": str(self.root)},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Completed(done.returncode, done.stdout, done.stderr, 0)


def phone_files(root: Path) -> None:
    files = {
        "proc/stat": "cpu  10 0 10 80 0 0 0 0 0 0\ncpu0 1 1 1 1\n",
        "proc/loadavg": "1.25 1.00 0.50 1/200 4242\n",
        "proc/meminfo": "MemTotal: 2097152 kB\n",
        "proc/sys/kernel/random/boot_id": "0b5c7b1e-3c1f-4a52-93e5-5a6f3c0e7d11\n",
        "sys/devices/system/cpu/possible": "0-3\n",
        "sys/class/thermal/thermal_zone0/type": "cpu-0-0-usr\n",
        "sys/class/thermal/thermal_zone0/temp": "38500\n",
        "sys/class/thermal/thermal_zone1/type": "pa\n",
        "sys/class/thermal/thermal_zone1/temp": "99000\n",
    }
    for cpu in range(3):  # the fourth is off
        folder = f"sys/devices/system/cpu/cpu{cpu}/cpufreq"
        khz = 1800000 if cpu < 2 else 2400000
        files[f"{folder}/cpuinfo_max_freq"] = f"{khz}\n"
        files[f"{folder}/scaling_max_freq"] = f"{khz - 100000}"  # no newline at the end
        files[f"{folder}/scaling_cur_freq"] = "900000\n"
    files["sys/devices/system/cpu/cpu3/online"] = "0\n"
    files["sys/devices/system/cpu/cpufreq/policy0/x"] = ""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def fake_programs(folder: Path) -> None:
    folder.mkdir()
    programs = {
        "dumpsys": 'case $1 in battery) echo "  level: 40"; echo "  temperature: 300";;'
        ' power) echo "  mWakefulness=Awake"; echo "  mNoise=1";;'
        ' SurfaceFlinger) echo noise; echo "GLES: ARM, Mali-G52, OpenGL ES 3.2";;'
        ' *) echo "Can\'t find service: $1";; esac',
        "getprop": 'echo "[ro.product.model]: [Pixel 7a]"',
    }
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_scripts_in_each_shell(shell: str, tmp_path: Path) -> None:
    root, programs = tmp_path / "root with blank", tmp_path / "bin"
    phone_files(root)
    fake_programs(programs)
    here = Here(shell, root, programs)
    facts = phone_info(here)  # type: ignore[arg-type]
    assert (facts.info.model, facts.info.profile, facts.info.gpu) == (
        "Pixel 7a", "pixel-7", "Mali-G52",
    )  # fmt: skip
    assert (facts.info.cores, facts.info.memory_mb) == (4, 2048)
    assert facts.info.clusters == (Cluster((0, 1), 1800), Cluster((2,), 2400))
    assert facts.info.clock_offset_s is not None
    assert abs(facts.info.clock_offset_s) < 5
    state = phone_state(here, busy_s=0.01)  # type: ignore[arg-type]
    assert state == DeviceState(
        temperature_c=30, cpu_temperature_c=38.5, battery_pct=40, big_core_clock_mhz=900,
        big_core_limit_mhz=2300, screen_on=True, load_1m=1.25,
    )  # fmt: skip


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("script", ["device_state.sh", "device_info.sh"])
def test_the_scripts_fail_nowhere(shell: str, script: str, tmp_path: Path) -> None:
    path = asset("android_bench", script)
    assert "/data/local/tmp" not in path.read_text()
    done = subprocess.run(
        [shutil.which(shell) or shell, str(path)],
        env={"PATH": str(tmp_path), "EDGESR_ROOT": str(tmp_path)},  # no program at all
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip().endswith("== end")
    assert parse_state(done.stdout) == DeviceState()


# ---- the doubts that follow


def test_states_become_doubts() -> None:
    hot = STATES["android-15-galaxy-s24-ultra"]
    phone = info("android-15-galaxy-s24-ultra")
    limits = phone.profile.limits
    found = merged(
        unmet(unfit(hot, Fit()), phone.info.cores),
        conditions(hot.busy_pct, phone.info.cores, (hot, hot), limits),
        phone_conditions(phone.info, hot, limits),
    )
    assert [one.code for one in found] == [
        Code.HOT, Code.THROTTLED, Code.BUSY, Code.CLOCK_CAPPED,
    ]  # fmt: skip
    assert found[0].numbers == {"temperature_c": 43.8, "limit_c": 38}, "the suite's comes first"
    assert found[2].numbers == {"load": 4, "busy_pct": 50, "limit_pct": 25}
    assert found[3].numbers == {"limit_mhz": 2035.2, "max_mhz": 3398.4}
    bounded = phone_conditions(phone.info, hot, limits, clocks_bounded=True)
    assert bounded == [], "fixed performance mode holds clocks down on purpose"


def test_idle_clocks_say_nothing_where_the_limit_is_told() -> None:
    before = DeviceState(big_core_clock_mhz=2800, big_core_limit_mhz=2900, screen_on=True)
    after = DeviceState(big_core_clock_mhz=500, big_core_limit_mhz=2900, screen_on=False)
    (only,) = conditions(None, 8, (before, after), Limits())
    assert (only.code, only.numbers) == (Code.SCREEN_CHANGED, {"before": "on", "after": "off"})
    slowed = after.model_copy(update={"big_core_limit_mhz": 1500.0, "screen_on": None})
    (only,) = conditions(None, 8, (before, slowed), Limits())
    assert only == doubt(Code.CLOCK_CHANGED, before_mhz=2900.0, after_mhz=1500.0)


def test_phones_that_tell_little_or_are_none() -> None:
    nothing = DeviceState()
    assert conditions(None, None, (nothing, nothing), Limits()) == []
    unknown = parse_info("== getprop\n[ro.edgesr.simulated]: [1]\n", CALL).info
    codes = [one.code for one in phone_conditions(unknown, nothing, Limits())]
    assert codes == [Code.SIMULATED, Code.UNLISTED, Code.TEMPERATURE_UNKNOWN]
    low = DeviceState(battery_pct=12.0, temperature_c=25.0)
    (only,) = conditions(None, 8, (low, low), Limits())
    assert only == doubt(Code.BATTERY_LOW, battery_pct=12.0, limit_pct=20)
    listed = Profile(name="x", slug="x")
    assert parse_info("", CALL, listed).info.profile == "x"
