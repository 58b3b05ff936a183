"""What a program file was built for, from its ELF header: processor and operating system."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edgesr.errors import InputError
from edgesr.files import read_errors

_MACHINES = {  # e_machine, bits -> Android's name, everybody else's
    (183, 64): ("arm64-v8a", "aarch64"),
    (40, 32): ("armeabi-v7a", "armv7l"),
    (62, 64): ("x86_64", "x86_64"),
    (3, 32): ("x86", "i686"),
    (243, 64): ("riscv64", "riscv64"),
}
_LINUX = "linux-"
"""Before the machine's name for programs of desktop Linux."""
_PT_INTERP = 3
_LAYOUT = {  # bits -> size of a word, and where there is what
    64: ("Q", 32, 54, 8, 32),
    32: ("I", 28, 42, 4, 16),
}
_LONGEST_INTERPRETER = 4096


@dataclass(frozen=True)
class Elf:
    """The parts of an ELF header that tell what can run the file."""

    machine: int
    """``e_machine``: 183 for 64-bit ARM."""
    bits: int
    interpreter: str | None
    """Path of the dynamic linker that it asks for; None in a static program."""

    @property
    def android(self) -> bool | None:
        """Whether it was linked for Android; None where a static program doesn't tell."""
        if self.interpreter is None:
            return None
        return Path(self.interpreter).name.startswith("linker")

    @property
    def built_for(self) -> str:
        """As an error names it, for example ``arm64-v8a (Android)``."""
        machine = f"machine {self.machine}, {self.bits} bit"
        android, other = _MACHINES.get((self.machine, self.bits), (machine, machine))
        if self.android is None:
            return f"{android} (static)"
        return f"{android} (Android)" if self.android else f"{other} (Linux, not Android)"


def read_elf(path: Path) -> Elf | None:
    """The header of an ELF file; None for any other file, a script for example.

    Raises:
        InputError: When the file can't be read, or its header is cut off.
    """
    with read_errors(path), Path(path).open("rb") as file:
        head = file.read(64)
        if head[:4] != b"\x7fELF":
            return None
        try:
            order, bits = {1: "<", 2: ">"}[head[5]], {1: 32, 2: 64}[head[4]]
            (machine,) = struct.unpack_from(f"{order}H", head, 18)
            interpreter = _interpreter(file, head, order, bits)
        except (struct.error, KeyError, IndexError, ValueError, OverflowError) as error:
            raise InputError(
                f"{path} is a damaged program: its header is cut off or makes no sense",
                hint="fetch it again",
            ) from error
    return Elf(machine, bits, interpreter)


def _interpreter(file: BinaryIO, head: bytes, order: str, bits: int) -> str | None:
    """The path in the segment PT_INTERP of the program header table, None without one."""
    word, at_table, at_sizes, at_offset, at_length = _LAYOUT[bits]
    (table,) = struct.unpack_from(f"{order}{word}", head, at_table)
    size, count = struct.unpack_from(f"{order}HH", head, at_sizes)
    file.seek(table)
    entries = [file.read(size) for _ in range(count)]
    if any(len(entry) < size for entry in entries):
        raise ValueError("cut off")
    for entry in entries:
        if struct.unpack_from(f"{order}I", entry)[0] == _PT_INTERP:
            (offset,) = struct.unpack_from(f"{order}{word}", entry, at_offset)
            (length,) = struct.unpack_from(f"{order}{word}", entry, at_length)
            file.seek(offset)
            name = file.read(min(length, _LONGEST_INTERPRETER))
            return name[: name.index(b"\0")].decode("utf-8", errors="replace")
    return None


def misfit(path: Path, abi: str | None) -> str | None:
    """Why a program can't run on an ABI, or None when it may.

    Args:
        path: The program; one that is no ELF file, a script for example, fits any ABI.
        abi: Android's name, ``linux-`` and a machine, or None: anything fits what is not known.

    Raises:
        InputError: When the file can't be read, or its header is cut off.
    """
    android = not (abi or "").startswith(_LINUX)
    wanted = (abi or "").removeprefix(_LINUX)
    known = {names[0 if android else 1]: key for key, names in _MACHINES.items()}
    elf = read_elf(path)
    if elf is None or wanted not in known:
        return None
    fits = (elf.machine, elf.bits) == known[wanted] and elf.android in (None, android)
    return None if fits else f"it is built for {elf.built_for}"
