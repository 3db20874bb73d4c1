"""The udev rules that let the daemon open a device."""

from __future__ import annotations

from countertop.sdk.links._base import LinkUrl

__all__ = ["RULES_FILE", "udev_rules"]

RULES_FILE = "/etc/udev/rules.d/70-countertop.rules"


def udev_rules(url: LinkUrl) -> list[str]:
    """The rules for a `usb:` or `hid:` link; none for others."""
    if url.scheme not in ("usb", "hid"):
        return []
    vendor, _, product = url.path.partition("/")[0].lower().partition(":")
    device = f'ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}"'
    rights = 'MODE="0660", GROUP="plugdev", TAG+="uaccess"'
    subsystem = 'SUBSYSTEM=="usb"' if url.scheme == "usb" else 'KERNEL=="hidraw*"'
    return [f"{subsystem}, {device}, {rights}"]
