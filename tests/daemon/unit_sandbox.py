"""Runs a command under what a systemd unit forbids: `python unit_sandbox.py UNIT COMMAND...`. Without arguments it
fails where that cannot be done.

System calls, kinds of sockets, memory that is writable and executable, namespaces, capabilities, open files: the kernel
enforces them in the way in which systemd has it do so, by a seccomp filter. Names and groups of system calls are those
of `systemd-analyze syscall-filter`. What needs mounts and control groups (files, devices, addresses) is not here.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
import resource
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
_NO_NEW_PRIVS, _SECCOMP, _DROP_BOUND, _DENY_WRITE_EXECUTE = 38, 22, 24, 65
_LOAD, _JUMP_EQUAL, _JUMP_BITS, _AND, _RETURN = 0x20, 0x15, 0x45, 0x54, 0x06
_ALLOW, _REFUSE, _X86_64 = 0x7FFF0000, 0x00050000, 0xC000003E
_FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
_NAMESPACES = 0x7E020000
Step = tuple[int, int, int, int]


def directives(unit: Path) -> list[tuple[str, str]]:
    """Names and values of a unit, in order."""
    lines = (line.strip() for line in unit.read_text(encoding="utf-8").splitlines())
    return [(name, value) for name, _, value in (line.partition("=") for line in lines if line[:1] not in "[#")]


def missing() -> str:
    """What this machine lacks; empty where nothing is missing."""
    if platform.machine() != "x86_64" or not HEADER.exists():
        return "the numbers of x86-64's system calls (linux-libc-dev) are not here"
    return "" if shutil.which("systemd-analyze") else "systemd-analyze is not here"


def allowed_calls(unit: list[tuple[str, str]]) -> set[str]:
    """Names of the system calls that its SystemCallFilter= leaves."""
    calls = _group("@default")
    for name, value in unit:
        if name == "SystemCallFilter":
            named = set().union(*(_group(word) if word[0] == "@" else {word} for word in value.lstrip("~").split()))
            calls = calls - named if value.startswith("~") else calls | named
    return calls


def _group(name: str) -> set[str]:
    shown = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    words = [line.strip() for line in shown.stdout.splitlines()[1:] if line.strip() and line.strip()[0] != "#"]
    return set().union(*(_group(word) if word[0] == "@" else {word} for word in words))


def _numbers() -> dict[str, int]:
    found = re.findall(r"#define __NR_(\w+) (\d+)", HEADER.read_text(encoding="utf-8"))
    return {name: int(number) for name, number in found}


def _when(number: int, inside: list[Step]) -> Iterator[Step]:
    yield (_LOAD, 0, 0, 0)
    yield (_JUMP_EQUAL, 0, len(inside), number)
    yield from inside


def program(unit: list[tuple[str, str]]) -> list[Step]:
    """The filter, in the kernel's instructions."""
    numbers, given = _numbers(), dict(unit)
    refuse = (_RETURN, 0, 0, _REFUSE | errno.EPERM)
    argument = [16 + 8 * place for place in range(6)]
    steps: list[Step] = [(_LOAD, 0, 0, 4), (_JUMP_EQUAL, 1, 0, _X86_64), refuse]
    if given.get("MemoryDenyWriteExecute") == "yes":
        both = [(_LOAD, 0, 0, argument[2]), (_AND, 0, 0, 6), (_JUMP_EQUAL, 0, 1, 6), refuse]
        steps += _when(numbers["mmap"], both)
        for name, bit in (("mprotect", 4), ("pkey_mprotect", 4), ("shmat", 0o100000)):
            steps += _when(numbers[name], [(_LOAD, 0, 0, argument[2]), (_JUMP_BITS, 0, 1, bit), refuse])
    if families := given.get("RestrictAddressFamilies", "").split():
        kinds = [(_JUMP_EQUAL, len(families) - place, 0, _FAMILIES[name]) for place, name in enumerate(families)]
        other = (_RETURN, 0, 0, _REFUSE | errno.EAFNOSUPPORT)
        steps += _when(numbers["socket"], [(_LOAD, 0, 0, argument[0]), *kinds, other])
    if given.get("RestrictNamespaces") == "yes":
        steps += _when(numbers["clone3"], [(_RETURN, 0, 0, _REFUSE | errno.ENOSYS)])  # its flags lie in memory
        steps += _when(numbers["clone"], [(_LOAD, 0, 0, argument[0]), (_JUMP_BITS, 0, 1, _NAMESPACES), refuse])
        steps += [*_when(numbers["unshare"], [refuse]), *_when(numbers["setns"], [refuse])]
    steps.append((_LOAD, 0, 0, 0))
    for name in sorted(allowed_calls(unit) & numbers.keys()):
        steps += [(_JUMP_EQUAL, 0, 1, numbers[name]), (_RETURN, 0, 0, _ALLOW)]
    return [*steps, refuse]


def restrict(unit: list[tuple[str, str]]) -> None:
    """This process and what it starts, for good. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    steps = program(unit)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    for capability in range(64):
        libc.prctl(_DROP_BOUND, capability, 0, 0, 0)  # refused to who has none, and beyond the last
    files = int(dict(unit).get("LimitNOFILE", "0"))
    if files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    _prctl(libc, _NO_NEW_PRIVS, 1)
    libc.prctl(_DENY_WRITE_EXECUTE, 1, 0, 0, 0)  # beside the filter, where the kernel has it (6.3)
    _prctl(libc, _SECCOMP, 2, ctypes.create_string_buffer(struct.pack("@HxxxxxxQ", len(steps), ctypes.addressof(code))))


def _prctl(libc: ctypes.CDLL, what: int, value: int, more: object = 0) -> None:
    if libc.prctl(what, value, more, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {what}")


if __name__ == "__main__":
    if lacking := missing():
        sys.exit(lacking)
    if len(sys.argv) < 3:
        sys.exit(0)  # it could be done
    restrict(directives(Path(sys.argv[1])))
    os.execv(sys.argv[2], sys.argv[2:])
