"""What `countertop doctor` looks at. Each check answers with findings; one that is not well says what mends it."""

from __future__ import annotations

import errno
import grp
import os
import shlex
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["CHECKS", "LIMITED", "MISSING", "OK", "Finding", "usb_rights"]

OK = "ok"
LIMITED = "limited"
"""Works, but something that not everybody needs is not there."""
MISSING = "missing"
"""Something needed is not there."""

_CORE = ("grpcio", "protobuf", "googleapis-common-protos", "pluggy", "pydantic", "pyserial", "pyyaml", "structlog")
_EXTRAS = {
    "pillow": ("receipt", "pictures, previews and characters that a printer's fonts lack"),
    "numpy": ("receipt", "pictures, previews and characters that a printer's fonts lack"),
    "zxing-cpp": ("receipt", "QR codes and barcodes drawn as pictures"),
    "cryptography": ("signature", "signature files, and pads that encrypt their pen"),
    "opencv-python-headless": ("camera", "cameras, documents and faces"),
    "aiohttp": ("camera", "network cameras"),
    "hidapi": ("usb", "links of the form hid://"),
    "pyusb": ("usb", "links of the form usb://"),
}
"""Each optional package, its extra, and what it is for."""
_INSTALL_EXTRAS = "pip install 'countertop[receipt]'"
_PORT = 7411


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    item: str
    state: str
    """OK, LIMITED or MISSING."""
    detail: str
    mend: str = ""
    """The command that mends it."""


def python() -> Iterator[Finding]:
    """Python is new enough."""
    found = ".".join(map(str, sys.version_info[:3]))
    enough = sys.version_info >= (3, 11)
    mend = "" if enough else "sudo apt install python3.11 python3.11-venv"
    yield Finding("Python", OK if enough else MISSING, f"{found} (3.11 or later is needed)", mend)


def packages() -> Iterator[Finding]:
    """What the daemon is made of, and what drawing receipts needs."""
    lacking = [name for name in _CORE if not _version(name)]
    if lacking:
        yield Finding("packages", MISSING, f"not installed: {', '.join(lacking)}", "pip install --upgrade countertop")
    else:
        yield Finding("packages", OK, "the daemon's own are installed")
    for name, (extra, purpose) in _EXTRAS.items():
        found = _version(name)
        if found:
            yield Finding(name, OK, found)
        else:
            yield Finding(name, LIMITED, f"not installed; needed for {purpose}", f"pip install 'countertop[{extra}]'")


def chinese_font() -> Iterator[Finding]:
    """Some font draws Chinese."""
    if not (_version("pillow") and _version("numpy")):
        yield Finding("Chinese font", LIMITED, "cannot be looked for without Pillow and numpy", _INSTALL_EXTRAS)
        return
    from countertop.sdk.errors import CountertopError
    from countertop.sdk.receipt.fonts import font_files, glyph

    try:
        files, (_, drawn) = font_files(), glyph("鑫", 24, 24)
    except CountertopError as error:
        yield Finding("Chinese font", LIMITED, error.message, _INSTALL_EXTRAS)
        return
    if drawn:
        yield Finding("Chinese font", OK, files[0].name)
    else:
        yield Finding("Chinese font", LIMITED, "no font found has Chinese characters", _INSTALL_EXTRAS)


def serial_ports() -> Iterator[Finding]:
    """Serial ports are there and may be used."""
    from serial.tools.list_ports import comports

    ports = sorted(Path(port.device) for port in comports())
    if not ports:
        yield Finding("serial ports", LIMITED, "none found; only a device on a serial port or on USB needs one")
    for port in ports:
        yield _port_rights(port)


def _port_rights(port: Path) -> Finding:
    if os.access(port, os.R_OK | os.W_OK):
        return Finding(str(port), OK, "may be read and written")
    try:
        group = grp.getgrgid(port.stat().st_gid).gr_name
    except (KeyError, OSError):
        group = "dialout"
    mend = f'sudo usermod -aG {shlex.quote(group)} "$USER"'
    return Finding(str(port), MISSING, f"may not be used by this user; group {group} may, after a new login", mend)


def usb_rights(links: Iterable[str]) -> Iterator[Finding]:
    """The USB devices of a configuration are there, and may be opened."""
    from countertop.sdk.links import parse_link
    from countertop.sdk.links._udev import RULES_FILE, udev_rules

    for text in links:
        url = parse_link(text)
        for rule in udev_rules(url):
            vendor, product = url.path.partition("/")[0].lower().split(":")
            nodes = _nodes(url.scheme, vendor, product)
            if not nodes:
                yield Finding(text, MISSING, "no such device is plugged in", "lsusb  # shows what is")
            elif all(os.access(node, os.R_OK | os.W_OK) for node in nodes):
                yield Finding(text, OK, f"may be read and written: {', '.join(map(str, nodes))}")
            else:
                add = f"echo {shlex.quote(rule)} | sudo tee -a {RULES_FILE}"
                mend = f"{add} && sudo udevadm control --reload && sudo udevadm trigger"
                yield Finding(text, MISSING, f"may not be opened by this user: {', '.join(map(str, nodes))}", mend)


def _nodes(scheme: str, vendor: str, product: str, sys_root: Path = Path("/sys")) -> list[Path]:
    """The nodes in /dev of the devices with these ids, as sysfs tells them."""
    if scheme == "hid":
        wanted = f"{int(vendor, 16):08X}:{int(product, 16):08X}"
        found = sorted((sys_root / "class/hidraw").glob("hidraw*/device/uevent"))
        return [Path("/dev", node.parent.parent.name) for node in found if wanted in node.read_text()]
    nodes = []
    for folder in sorted((sys_root / "bus/usb/devices").glob("*")):
        ids = [folder / "idVendor", folder / "idProduct"]
        if all(path.exists() for path in ids) and [path.read_text().strip() for path in ids] == [vendor, product]:
            bus, device = (int((folder / name).read_text()) for name in ("busnum", "devnum"))
            nodes.append(Path(f"/dev/bus/usb/{bus:03}/{device:03}"))
    return nodes


def socket_directory() -> Iterator[Finding]:
    """The daemon can make its unix socket."""
    from countertop.server.config import default_socket

    directory = Path(default_socket().removeprefix("unix:")).parent
    yield _directory("socket directory", directory)


def state_directory() -> Iterator[Finding]:
    """The daemon can keep its journal; damaged ones that were set aside are shown."""
    from countertop.server.config import default_state_dir

    directory = Path(default_state_dir())
    yield _directory("journal directory", directory)
    try:
        damaged = sorted(directory.glob("journal.db.damaged-*[0-9]"))
    except OSError:
        return
    for path in damaged:
        mend = f"rm {shlex.quote(str(path))}*  # once an engineer has it"
        yield Finding("journal", LIMITED, f"a damaged one was set aside: {path}", mend)


def _directory(item: str, directory: Path) -> Finding:
    existing = next(folder for folder in (directory, *directory.parents) if folder.exists())
    if os.access(existing, os.W_OK | os.X_OK):
        return Finding(item, OK, str(directory))
    mend = f'sudo install -d -m 700 -o "$USER" {shlex.quote(str(directory))}'
    return Finding(item, MISSING, f"{directory} cannot be written by this user", mend)


def port() -> Iterator[Finding]:
    """Port 7411 is free, or a daemon answers there."""
    name, address = f"port {_PORT}", f"127.0.0.1:{_PORT}"
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", _PORT))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            yield Finding(name, MISSING, f"cannot be used: {os.strerror(error.errno or 0)}", "ip address show dev lo")
            return
        daemon = _daemon(address)
        if daemon:
            yield Finding(name, OK, daemon)
        else:
            mend = "countertop serve --listen 127.0.0.1:7412"
            yield Finding(name, MISSING, "taken by another program, so that the daemon needs another port", mend)
    else:
        yield Finding(name, OK, "free")


def _daemon(address: str) -> str:
    """Who answers there; empty when it is no Countertop daemon."""
    import asyncio

    from countertop.client import connect
    from countertop.client.errors import CountertopError

    async def ask() -> str:
        async with asyncio.timeout(3), connect(address) as counter:
            terminal = await counter.terminal()
        return f"a daemon answers: terminal {terminal.id}, version {terminal.version}"

    try:
        return asyncio.run(ask())
    except (CountertopError, OSError, TimeoutError):
        return ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    python,
    packages,
    chinese_font,
    serial_ports,
    socket_directory,
    state_directory,
    port,
)
"""In the order in which they are shown."""
