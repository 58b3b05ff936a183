"""The folder of a stand-in phone: /sys and /proc as files, its programs, its settings."""

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import edgesr
from edgesr.device.standin.profile import TOOL, Cluster, PhoneProfile
from edgesr.errors import InputError

PROGRAMS = Path(__file__).parent / "programs"
_SAFE = re.compile(r"[\w./+-]+")
_NOT_IN_TOYBOX = ("awk", "dd", "diff", "expr", "gzip", "tr")
"""Programs of Android's toybox that Debian's leaves out; those of this machine stand in."""
_DANGEROUS = frozenset(
    {"blkdiscard", "devmem", "eject", "freeramdisk", "fsfreeze", "halt", "hwclock", "insmod"}
    | {"killall5", "mknod", "mount", "nbd-client", "nbd-server", "oneit", "poweroff", "reboot"}
    | {"rfkill", "rmmod", "rtcwake", "swapoff", "switch_root", "sysctl", "umount", "vconfig"}
    | {"watchdog"}
)
"""Applets that would act on this machine instead of the phone."""
_HZ = 100
_HAS_CMD, _SHARED_POLICIES = 24, 24
"""API levels from which phones have `cmd`, and one cpufreq policy per cluster."""


class Layout:
    """Writes the folder and knows what is where.

    Args:
        root: The folder; made if needed. What is in its scratch folder stays.
        profile: What the phone answers.
        benchmark_model: Program to install instead of edgesr's own runner.
    """

    def __init__(
        self, root: Path, profile: PhoneProfile, benchmark_model: Path | None = None
    ) -> None:
        self.root = root.resolve()
        if not _SAFE.fullmatch(str(self.root)):
            raise InputError(
                f"a stand-in phone can't live in {self.root}: shell text names it unquoted",
                hint="choose a folder whose path has only letters, digits and . _ + -",
            )
        self._profile = profile
        self._bin = self.root / "bin"
        (self.root / "data/local/tmp").mkdir(parents=True, exist_ok=True)
        (self.root / "benchmark_model.d").mkdir(exist_ok=True)
        self._write_answers()
        self._write_system_files()
        self.search_path = self._install_programs()
        self._install_tool(benchmark_model)

    def forget_modes(self) -> None:
        """Drops what a phone forgets when it boots."""
        (self.root / "state/fixed_performance").unlink(missing_ok=True)

    def _write_answers(self) -> None:
        for folder, answers in (("prop", self._profile.props), ("dumpsys", self._profile.dumpsys)):
            for name, text in answers.items():
                write_text(self.root / folder / name, text)
        total, free = self._profile.storage_kb
        write_text(self.root / "state/storage_kb", f"{total} {free}\n")
        cores = sum(len(cluster.cpus) for cluster in self._profile.clusters)
        write_text(self.root / "state/cores", f"{cores}\n")

    def _write_system_files(self) -> None:
        cpu = self.root / "sys/devices/system/cpu"
        for cluster in self._profile.clusters:
            _write_cluster(cpu, cluster, shared=self._profile.api >= _SHARED_POLICIES)
        last = max(cluster.cpus[-1] for cluster in self._profile.clusters)
        for name in ("possible", "present", "online"):
            write_text(cpu / name, f"0-{last}\n")
        for number, (kind, reading) in enumerate(self._profile.thermal):
            zone = self.root / f"sys/class/thermal/thermal_zone{number}"
            write_text(zone / "type", f"{kind}\n")
            write_text(zone / "temp", f"{reading}\n")
        write_text(self.root / "proc/sys/kernel/random/boot_id", f"{uuid.uuid4()}\n")
        write_text(self.root / "proc/loadavg", "1.52 1.61 1.58 1/3521 18764\n")
        write_text(self.root / "proc/cpuinfo", _cpuinfo(self._profile))
        for path, text in self._profile.files.items():
            write_text(self.root / path.lstrip("/"), text)

    def _install_programs(self) -> str:
        """Fills bin/; returns the search path, which with toybox is bin/ alone."""
        self._bin.mkdir(exist_ok=True)
        toybox, mksh = shutil.which("toybox"), shutil.which("mksh")
        for name in _applets(toybox) if toybox else ():
            self._link(name, toybox)
        for name in _NOT_IN_TOYBOX if toybox else ():
            self._link(name, shutil.which(name))
        self._link("sh", mksh or shutil.which("sh"))
        for program in PROGRAMS.iterdir():
            if program.name != "benchmark_model":
                self._program(program.name, self._bin / program.name)
        if self._profile.api < _HAS_CMD:
            (self._bin / "cmd").unlink()
        for name in self._profile.missing:
            (self._bin / name).unlink(missing_ok=True)
        own = str(self._bin)
        return own if toybox else f"{own}:{os.environ.get('PATH', '/usr/bin:/bin')}"

    def _link(self, name: str, target: str | None) -> None:
        link = self._bin / name
        if target is not None:
            link.unlink(missing_ok=True)
            link.symlink_to(target)

    def _program(self, name: str, path: Path) -> None:
        """One of ours, with what it has to know put in its head."""
        head = {
            "ROOT": str(self.root),
            "API": str(self._profile.api),
            "APPLETS": shutil.which("toybox") or "/usr/bin/env",
            "HOST_PATH": os.environ.get("PATH", os.defpath),
            "PYTHON": sys.executable,
            "PYTHON_PATH": str(Path(edgesr.__file__).parents[1]),
        }
        known = "".join(f"{key}={shlex.quote(value)}\n" for key, value in head.items())
        shell = self._bin / "sh"
        path.unlink(missing_ok=True)
        body = (PROGRAMS / name).read_text(encoding="utf-8")
        write_text(path, f"#!{shell}\n{known}{body}")
        path.chmod(0o755)

    def _install_tool(self, program: Path | None) -> None:
        path = self.root / TOOL.lstrip("/")
        path.parent.mkdir(exist_ok=True)
        if program is None:
            self._program("benchmark_model", path)
        else:
            path.unlink(missing_ok=True)
            shutil.copyfile(program, path)
            path.chmod(0o755)


def _applets(toybox: str) -> list[str]:
    listed = subprocess.run([toybox], capture_output=True, text=True, check=True).stdout
    return [name for name in ["toybox", *listed.split()] if name not in _DANGEROUS]


def _write_cluster(cpu: Path, cluster: Cluster, *, shared: bool) -> None:
    """The clocks of a cluster's cores.

    Args:
        cpu: The folder of all cores.
        cluster: Which.
        shared: One policy with a link from each core, as kernels since 4.3 have it.
    """
    readings = {
        "cpuinfo_min_freq": cluster.min_khz,
        "cpuinfo_max_freq": cluster.max_khz,
        "scaling_min_freq": cluster.min_khz,
        "scaling_max_freq": cluster.max_khz,
        "scaling_cur_freq": cluster.max_khz,
        "scaling_governor": "schedutil",
        "related_cpus": " ".join(map(str, cluster.cpus)),
    }
    if not shared:
        for number, (name, value) in itertools.product(cluster.cpus, readings.items()):
            write_text(cpu / f"cpu{number}/cpufreq/{name}", f"{value}\n")
        return
    policy = f"cpufreq/policy{cluster.cpus[0]}"
    for name, value in readings.items():
        write_text(cpu / policy / name, f"{value}\n")
    for number in cluster.cpus:
        link = cpu / f"cpu{number}/cpufreq"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(f"../{policy}")


def _cpuinfo(profile: PhoneProfile) -> str:
    """/proc/cpuinfo of an ARM kernel."""
    blocks = [
        f"processor\t: {number}\n"
        "BogoMIPS\t: 49.15\n"
        "Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid "
        "asimdrdm lrcpc dcpop asimddp\n"
        "CPU implementer\t: 0x41\n"
        "CPU architecture: 8\n"
        "CPU variant\t: 0x1\n"
        f"CPU part\t: {cluster.part}\n"
        "CPU revision\t: 0\n"
        for cluster in profile.clusters
        for number in cluster.cpus
    ]
    hardware = profile.props.get("ro.hardware", "")
    old = f"\nHardware\t: {hardware}\n" if profile.api < 29 and hardware else ""
    return "\n".join(blocks) + old


def cpu_stat(cores: int, busy_s: float, idle_s: float) -> str:
    """/proc/stat: all cores, then each, in hundredths of a second since boot."""
    busy, idle = int(busy_s * _HZ), int(idle_s * _HZ)
    lines = [f"cpu  {busy * 2 // 3} 0 {busy - busy * 2 // 3} {idle} 0 0 0 0 0 0"]
    for number in range(cores):
        part = busy // cores
        user = part * 2 // 3
        lines.append(f"cpu{number} {user} 0 {part - user} {idle // cores} 0 0 0 0 0 0")
    return "\n".join([*lines, "ctxt 118442918", "btime 1700000000", "processes 21344", ""])


def write_text(path: Path, text: str) -> None:
    """Writes a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def replace_text(path: Path, text: str) -> None:
    """Replaces a file that others may be reading."""
    fresh = path.with_name(f".{path.name}.new")
    write_text(fresh, text)
    fresh.replace(path)
