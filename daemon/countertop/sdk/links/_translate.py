"""Where foreign errors become LinkFault."""

from __future__ import annotations

import errno
import socket
import termios
from collections.abc import Iterator
from contextlib import contextmanager

from countertop.sdk.errors import LinkFault
from countertop.sdk.links._base import LinkUrl
from countertop.sdk.links._udev import RULES_FILE, udev_rules
from countertop.v1 import error_pb2

__all__ = ["link_fault", "place", "translating"]

FOREIGN = (OSError, termios.error, ValueError, NotImplementedError)
"""What the operating system and pyserial raise; serial.SerialException is an OSError."""

_CABLE = "Check the cable, the power and the link in the configuration"
_NETWORK = "Check that the device is switched on and that its address is the configured one"

# errno: (what is the case, what to do)
_CAUSES: dict[int, tuple[str, str]] = {
    errno.EACCES: (
        "the daemon has no right to open it",
        "Add the daemon's user to the group dialout (usermod -aG dialout USER) and start the daemon anew",
    ),
    errno.ENOENT: ("there is no such port", _CABLE),
    errno.ENODEV: ("there is no such device", _CABLE),
    errno.ENXIO: ("there is no device at that port", _CABLE),
    errno.EIO: ("the device is gone", _CABLE),
    errno.EBUSY: ("it is busy: another program has it open", "End the program that holds it (fuser -v names it)"),
    errno.ENOTTY: ("it is not a serial port", "Name a serial port in the configuration"),
    errno.EINVAL: ("the port refuses the line settings", "Check baud, bytesize, parity and stopbits of the link"),
    errno.ECONNREFUSED: ("the connection was refused: nothing listens there", _NETWORK),
    errno.ECONNRESET: ("the device closed the connection", _NETWORK),
    errno.EPIPE: ("the device closed the connection", _NETWORK),
    errno.EPROTO: ("what it sends is not USB/IP", _NETWORK),
    errno.ETIMEDOUT: ("nothing answers at that address", _NETWORK),
    errno.EHOSTUNREACH: ("there is no way to that address", _NETWORK),
    errno.ENETUNREACH: ("there is no way to that address", _NETWORK),
}
_CAUSES[errno.EPERM] = _CAUSES[errno.EACCES]
_CAUSES[errno.EAGAIN] = _CAUSES[errno.EBUSY]  # what flock says of a port that another holds
_NO_NAME = ("its host name is not known", "Check the host name and the name service")
_ENDED = ("the device closed the connection", _CABLE)


def place(url: LinkUrl) -> str:
    """Where a link leads, without its settings: `/dev/ttyUSB0`, `192.0.2.7:9100`."""
    if url.scheme == "usbip":
        return f"{url.host}:{url.port}{url.path}"
    if url.host:
        return f"{url.host}:{url.port}"
    return url.path or url.query.get("usb", "")


def link_fault(url: LinkUrl, step: str, error: BaseException | None, *, opening: bool = False) -> LinkFault:
    """The fault that a foreign error amounts to; `None` stands for an ended channel.

    DEVICE_OFFLINE when `opening`, LINK_LOST after that.
    """
    cause, action = _cause(error)
    rules = udev_rules(url)
    if rules and "right" in cause:
        action = f"Add to {RULES_FILE}: {' and '.join(rules)}; then run udevadm control --reload && udevadm trigger"
    verb = "cannot be opened" if opening else "broke"
    return LinkFault(
        error_pb2.REASON_DEVICE_OFFLINE if opening else error_pb2.REASON_LINK_LOST,
        f"The link {place(url)} {verb}: {cause}. {action}.",
        step=step,
        expected="an open link",
        got=cause,
        action=f"{action}.",
    )


@contextmanager
def translating(url: LinkUrl, step: str, *, opening: bool = False) -> Iterator[None]:
    """Turn foreign errors into LinkFault."""
    try:
        yield
    except FOREIGN as error:
        raise link_fault(url, step, error, opening=opening) from error


def _cause(error: BaseException | None) -> tuple[str, str]:
    if error is None:
        return _ENDED
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, socket.gaierror):
            return _NO_NAME
        if isinstance(link, TimeoutError):
            return _CAUSES[errno.ETIMEDOUT]
        code = _errno(link)
        if code is not None:
            return _CAUSES.get(code, (f"the system says {errno.errorcode.get(code, str(code))}", _CABLE))
        link = link.__cause__ or link.__context__  # pyserial often drops the errno, but raises inside the handler
    return (f"{type(error).__name__}", _CABLE)


def _errno(error: BaseException) -> int | None:
    if isinstance(error, OSError):
        return error.errno
    if isinstance(error, termios.error) and error.args and isinstance(error.args[0], int):
        return error.args[0]
    return None
