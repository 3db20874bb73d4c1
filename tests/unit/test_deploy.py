"""What is installed on a terminal: units, users, rules, the example of a configuration."""

from __future__ import annotations

import grp
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from countertop.drivers.hid_digitizer.layout import FIXED
from countertop.emulators.evolis.emulator import USB as EVOLIS
from countertop.emulators.hid_digitizer.models import MODELS as DIGITIZERS
from countertop.emulators.magicard.emulator import USB as MAGICARD
from countertop.emulators.wacom_stu.models import MODELS as PADS
from countertop.emulators.wacom_stu.models import VENDOR_ID as WACOM
from countertop.sdk.links import parse_link
from countertop.server.config import Config
from countertop.server.config_file import load_config
from countertop.server.plugins import Plugins

HERE = Path(__file__).resolve()
DEPLOY = HERE.parents[2] / "deploy"
DRIVERS = HERE.parents[2] / "drivers/countertop/drivers"
SERVICE = DEPLOY / "systemd/countertop.service"
RULES = (DEPLOY / "udev/70-countertop.rules").read_text(encoding="utf-8")
EXPOSURE = 1.5

_needs = {name: pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not here") for name in (
    "systemd-analyze", "systemd-sysusers", "systemd-tmpfiles", "udevadm"
)}  # fmt: skip


def run(*words: str | Path) -> str:
    """What a program says on either channel; it must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@_needs["systemd-analyze"]
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    for unit in ("countertop.service", "countertop.socket"):
        text = (DEPLOY / "systemd" / unit).read_text(encoding="utf-8")
        # the program is on terminals only; that it is there is what systemd looks at
        (tmp_path / unit).write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text), encoding="utf-8")
    extra = tmp_path / "countertop.service.d"
    extra.mkdir()
    shutil.copy(DEPLOY / "systemd/network.conf", extra)
    assert run("systemd-analyze", "verify", *sorted(tmp_path.glob("countertop.s*[et]"))) == ""


@_needs["systemd-analyze"]
def test_the_service_is_exposed_to_little() -> None:
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", SERVICE)
    found = re.search(r"Overall exposure level for countertop.service: ([\d.]+)", said)
    assert found is not None, said
    assert float(found[1]) <= EXPOSURE, said


@_needs["systemd-sysusers"]
@_needs["systemd-tmpfiles"]
def test_users_and_folders_are_made(tmp_path: Path) -> None:
    for folder in ("sysusers.d", "tmpfiles.d"):
        shutil.copytree(DEPLOY / folder, tmp_path / "etc" / folder)
    run("systemd-sysusers", f"--root={tmp_path}")
    groups = dict(re.findall(r"(?m)^(.*?):x:\d+:(.*)$", (tmp_path / "etc/group").read_text()))
    assert groups.pop("countertop") == "", "the group of the apps: nobody is in it until an operator puts them there"
    assert groups == dict.fromkeys(["countertop-devices", "dialout", "lp", "video"], "countertop")
    if os.geteuid() != 0:
        return  # folders of other users
    configuration = tmp_path / "etc/countertop"
    configuration.mkdir()
    shutil.copy(DEPLOY / "countertop.toml", configuration)
    run("systemd-tmpfiles", f"--root={tmp_path}", "--create")
    modes = {path: (tmp_path / path).stat().st_mode & 0o7777 for path in (
        "run/countertop", "var/lib/countertop", "etc/countertop", "etc/countertop/countertop.toml"
    )}  # fmt: skip
    assert list(modes.values()) == [0o750, 0o700, 0o750, 0o640], modes


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Config:
    """The configuration as a terminal reads it, where its group has been made."""
    groups = {"countertop": grp.struct_group(("countertop", "x", 999, []))}
    monkeypatch.setattr(grp, "getgrnam", groups.__getitem__)
    return load_config(DEPLOY / "countertop.toml", Plugins())


def test_the_socket_is_the_one_that_the_example_names(example: Config) -> None:
    socket = (DEPLOY / "systemd/countertop.socket").read_text(encoding="utf-8")
    (name,) = re.findall(r"(?m)^FileDescriptorName=(.*)$", socket)
    assert example.listen.addresses == [f"systemd:{name}"]
    (path,) = re.findall(r"(?m)^ListenStream=(.*)$", socket)
    assert f"unix:{path}" in (DEPLOY / "countertop.toml").read_text(encoding="utf-8")
    (grant,) = example.grants
    assert f"SocketGroup={grant.group}" in socket, "who may connect is who has a role"
    assert {device.driver for device in example.devices} == {"sdt", "escpos", "wacom-stu", "evolis", "opencv"}


def test_every_usb_device_of_the_example_may_be_opened(example: Config) -> None:
    links = [parse_link(device.link) for device in example.devices]
    ids = {url.path.partition("/")[0].lower() for url in links if url.scheme in ("usb", "hid")}
    assert ids
    assert ids <= ruled_ids()


def ruled_ids() -> set[str]:
    """`vvvv:pppp` of every device that the rules are about."""
    found = re.findall(r'(?m)^[^#\n]*\{idVendor\}=="(\w{4})".*?\{idProduct\}=="([\w|]+)"', RULES)
    return {f"{vendor}:{product}" for vendor, products in found for product in products.split("|")}


def driven_ids() -> set[str]:
    """`vvvv:pppp` of every device that the drivers' own pages say they drive, by link, rule or table of models."""
    ids: set[str] = set()
    for page in DRIVERS.glob("*/README.md"):
        text = page.read_text(encoding="utf-8")
        links = re.findall(r"(?:hid|usb)://(\w{4}):(\w{4})", text)
        rules = re.findall(r'\{idVendor\}=="(\w{4})".*?\{idProduct\}=="(\w{4})"', text)
        ids |= {f"{vendor}:{product}".lower() for vendor, product in [*links, *rules]}
        for row in re.findall(r"(?m)^\| STU-[^|]+\|([^|]+)\|", text):
            ids |= {f"056a:{product}".lower() for product in re.findall(r"\b00[0-9A-F]{2}\b", row)}
    return ids


def test_the_rules_are_about_the_devices_that_drivers_drive_and_no_others() -> None:
    assert ruled_ids() == driven_ids()


def test_the_devices_that_are_emulated_are_among_them() -> None:
    ids = {f"{usb.vendor_id:04x}:{usb.product_id:04x}" for usb in (EVOLIS, MAGICARD)}
    ids |= {f"{vendor:04x}:{product:04x}" for vendor, product in FIXED}
    ids |= {f"{WACOM:04x}:{pad.product_id:04x}" for pad in PADS.values() if not pad.baud}
    ids |= {
        f"{pad.vendor_id:04x}:{pad.product_id:04x}" for pad in DIGITIZERS.values() if pad.manufacturer != "Invented"
    }
    assert ids <= ruled_ids()


def test_a_device_is_the_daemons_and_not_whoever_sits_at_the_terminal() -> None:
    rules = [line for line in RULES.splitlines() if line.startswith("SUBSYSTEM")]
    assert rules
    for rule in rules:
        assert re.fullmatch(r'[A-Z]+(\{\w+\})?(==|=|\+=)"[^"]*"(, [A-Z]+(\{\w+\})?(==|=|\+=)"[^"]*")*', rule), rule
        assert "uaccess" not in rule
        if "tty" not in rule:
            assert rule.endswith('MODE="0660", GROUP="countertop-devices"'), rule


@_needs["udevadm"]
def test_udev_finds_nothing_wrong_with_the_rules() -> None:
    if "verify" not in run("udevadm", "--help"):
        pytest.skip("this udevadm cannot verify rules; from 254 on it can")
    run("udevadm", "verify", "--resolve-names=never", DEPLOY / "udev/70-countertop.rules")
