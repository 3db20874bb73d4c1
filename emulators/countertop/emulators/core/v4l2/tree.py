"""The files by which a node is found: /dev, /sys and udev's database, below the root of umockdev's preload library."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from countertop.emulators.core.v4l2.identity import CameraIdentity
from countertop.emulators.core.v4l2.uevents import broadcast, message

__all__ = ["MAJOR", "NodeFiles", "Tree"]

MAJOR = 81
_UNIX_PATH_BYTES = 107
_REAL = ("sys/devices/system", "sys/fs")  # processors and control groups, which libraries ask about


class Tree:
    """What is in one root. Links of two nodes may have the same name: the one that came last has it until it goes, as
    with udev's links of equal priority.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._claims: dict[str, list[int]] = {}
        self._numbers: set[int] = set()
        self._seqnum = 0
        for folder in ("dev/.node", "ioctl/dev", "sys/class/video4linux", "sys/bus/usb/devices", "run/udev/data"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for folder in _REAL:
            link = root / folder
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(f"/{folder}")

    def take_number(self) -> int:
        """The lowest that no node has, as the kernel does. A node keeps its number while somebody has it open."""
        number = next(number for number in range(len(self._numbers) + 1) if number not in self._numbers)
        self._numbers.add(number)
        return number

    def give_back(self, number: int) -> None:
        """The node is gone, and nobody has it open."""
        self._numbers.discard(number)

    def announce(self, action: str, files: NodeFiles) -> None:
        """Tell udev's listeners: "add" or "remove"."""
        self._seqnum += 1
        head = {"ACTION": action, "DEVPATH": files.devpath, "SUBSYSTEM": "video4linux", "SEQNUM": str(self._seqnum)}
        broadcast(self.root, message({**head, **files.properties()}))

    def claim(self, link: str, number: int) -> None:
        """The node `number` is reachable by this name below /dev too."""
        self._claims.setdefault(link, []).append(number)
        self._point(link)

    def disclaim(self, link: str, number: int) -> None:
        """It is no longer."""
        self._claims[link].remove(number)
        self._point(link)

    def _point(self, link: str) -> None:
        # the library looks for device number and socket under the name by which the client opened the node, and ends
        # the client when the node is there and its socket is not: so the node comes last and goes first
        number = self.root / "dev/.node" / link.replace("/", "_")
        socket, node = self.root / "ioctl/dev" / link, self.root / "dev" / link
        for path in (node, socket, number):
            path.unlink(missing_ok=True)
        if not self._claims[link]:
            del self._claims[link]
            return
        owner = self._claims[link][-1]
        number.symlink_to(f"{MAJOR}:{owner}")
        for path in (socket, node):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to("../" * link.count("/") + f"video{owner}")


class NodeFiles:
    """The files of one node. `index` is 0 for pictures, 1 for metadata.

    Raises ValueError when the root's path is too long for the sockets in it.
    """

    def __init__(self, tree: Tree, identity: CameraIdentity, number: int, index: int) -> None:
        self._tree = tree
        self._identity = identity
        self.number = number
        self._index = index
        self._made: list[Path] = []
        for link in self.links:
            length = len(os.fsencode(f"{tree.root}/ioctl//dev/{link}"))  # as the library writes it
            if length > _UNIX_PATH_BYTES:
                raise ValueError(
                    f"expected a folder whose path is {length - _UNIX_PATH_BYTES} bytes shorter: {tree.root}"
                )

    @property
    def node(self) -> Path:
        """The file that clients map."""
        return self._tree.root / f"dev/video{self.number}"

    @property
    def prepared(self) -> Path:
        """The same file between `add` and `publish`."""
        return self._tree.root / f"video{self.number}.new"

    @property
    def socket(self) -> Path:
        """Where the preload library asks."""
        return self._tree.root / f"ioctl/dev/video{self.number}"

    @property
    def links(self) -> tuple[str, str]:
        """By id and by path, below /dev."""
        return self._identity.by_id(self._index), self._identity.by_path(self._index)

    @property
    def devpath(self) -> str:
        """Below /sys."""
        return f"/devices/{self._identity.interface_path}/video4linux/video{self.number}"

    def properties(self) -> Mapping[str, str]:
        """udev's, as its rules for cameras make them."""
        identity = self._identity
        return {
            "MAJOR": str(MAJOR),
            "MINOR": str(self.number),
            "DEVNAME": f"/dev/video{self.number}",
            "ID_V4L_VERSION": "2",
            "ID_V4L_PRODUCT": identity.product,
            "ID_V4L_CAPABILITIES": ":" if self._index else ":capture:",
            "ID_VENDOR_ID": f"{identity.vendor_id:04x}",
            "ID_MODEL_ID": f"{identity.product_id:04x}",
            "ID_SERIAL": identity.id_serial,
            **({"ID_SERIAL_SHORT": identity.serial} if identity.serial else {}),
            "ID_BUS": "usb",
            "DEVLINKS": " ".join(f"/dev/{link}" for link in self.links),
        }

    def add(self) -> None:
        """Make what describes the node. The file is there, but nobody finds it before `publish`."""
        identity, root = self._identity, self._tree.root
        usb, interface = f"sys/devices/{identity.usb_path}", f"sys/devices/{identity.interface_path}"
        video, name = f"sys{self.devpath}", f"video{self.number}"
        if not (root / usb).joinpath("uevent").exists():
            self._usb_files(usb, interface)
        self._write(f"{video}/name", f"{identity.product}\n")
        self._write(f"{video}/index", f"{self._index}\n")
        self._write(f"{video}/dev", f"{MAJOR}:{self.number}\n")
        properties = [f"E:{key}={value}" for key, value in self.properties().items() if key.startswith("ID_")]
        # the library redirects udev's database since 0.17.18; before, libudev finds the properties here
        uevent = [f"MAJOR={MAJOR}", f"MINOR={self.number}", f"DEVNAME={name}", *(line[2:] for line in properties)]
        self._write(f"{video}/uevent", "\n".join([*uevent, ""]))
        self._link(f"{video}/subsystem", "sys/class/video4linux")
        self._link(f"{video}/device", interface)
        self._link(f"sys/class/video4linux/{name}", video)
        self._link(f"sys/dev/char/{MAJOR}:{self.number}", video)
        entries = [f"S:{link}" for link in self.links]
        self._write(f"run/udev/data/c{MAJOR}:{self.number}", "\n".join([*entries, *properties, ""]))
        number = root / "dev/.node" / name
        number.symlink_to(f"{MAJOR}:{self.number}")
        self._made.append(number)
        self.prepared.touch(mode=0o600)

    def publish(self) -> None:
        """Let it be found. The socket must be there."""
        self.prepared.rename(self.node)
        for link in self.links:
            self._tree.claim(link, self.number)

    def remove(self) -> None:
        """Take all away, the links first."""
        for link in self.links:
            self._tree.disclaim(link, self.number)
        self.node.unlink()
        while self._made:
            path = self._made.pop()
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            else:
                path.unlink(missing_ok=True)

    def _usb_files(self, usb: str, interface: str) -> None:
        identity = self._identity
        product = f"{identity.vendor_id:x}/{identity.product_id:x}/100"
        self._write(f"{usb}/uevent", f"DEVTYPE=usb_device\nDRIVER=usb\nPRODUCT={product}\n")
        self._write(f"{usb}/idVendor", f"{identity.vendor_id:04x}\n")
        self._write(f"{usb}/idProduct", f"{identity.product_id:04x}\n")
        self._write(f"{usb}/manufacturer", f"{identity.manufacturer}\n")
        self._write(f"{usb}/product", f"{identity.product}\n")
        if identity.serial:
            self._write(f"{usb}/serial", f"{identity.serial}\n")
        self._write(f"{usb}/busnum", "1\n")
        self._link(f"{usb}/subsystem", "sys/bus/usb")
        self._link(f"sys/bus/usb/devices/{Path(usb).name}", usb)
        self._write(f"{interface}/uevent", f"DEVTYPE=usb_interface\nDRIVER=uvcvideo\nPRODUCT={product}\n")
        self._write(f"{interface}/bInterfaceNumber", "00\n")
        self._link(f"{interface}/subsystem", "sys/bus/usb")
        self._link(f"sys/bus/usb/devices/{Path(interface).name}", interface)

    def _write(self, path: str, text: str) -> None:
        target = self._parents(path)
        target.write_text(text, encoding="utf-8")
        self._made.append(target)

    def _link(self, path: str, target: str) -> None:
        link = self._parents(path)
        link.symlink_to(os.path.relpath(self._tree.root / target, link.parent))
        self._made.append(link)

    def _parents(self, path: str) -> Path:
        target = self._tree.root / path
        missing = [folder for folder in target.parents if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir()
            self._made.append(folder)
        return target
