"""The configuration: every mistake at once, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from countertop.server.config import Config, ConfigError
from countertop.server.config_file import load_config
from countertop.server.plugins import Plugins

GOOD = """
[terminal]
id = "counter-3"

[listen]
addresses = ["unix:/run/countertop/countertop.sock", "127.0.0.1:7411"]

[[devices]]
id = "id-reader"
driver = "sdt"
link = "serial:///dev/ttyUSB0?baud=115200"
labels = { place = "left" }

[[devices]]
id = "printer"
emulator = "escpos"
"""


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "countertop.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, Plugins())


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert str(tmp_path) in str(caught.value)
    return caught.value.problems


def test_a_good_file_is_read(tmp_path):
    config = load(tmp_path, GOOD)
    assert config.terminal.id == "counter-3"
    assert [device.id for device in config.devices] == ["id-reader", "printer"]


def test_an_empty_file_is_a_terminal_without_devices(tmp_path):
    assert load(tmp_path, "").devices == []


def test_every_mistake_is_reported_at_once_with_its_line_and_path(tmp_path):
    text = """[terminal]
id = "Counter 3"
colour = "red"

[listen]
addresses = ["0.0.0.0:7411"]

[[devices]]
id = "a"
driver = "nonsense"
link = "serial:///dev/ttyUSB0"

[[devices]]
id = "b"
driver = "sdt"
link = "serial:///dev/ttyUSB1"
options = { baud = "fast", unheard_of = 1 }
"""
    found = problems(tmp_path, text)
    assert len(found) == 6
    assert found[0].startswith("line 2, terminal.id: ")
    assert found[1].startswith("line 3, terminal.colour: ")
    assert found[2].startswith("line 6, listen.addresses: '0.0.0.0:7411' is not on loopback: expected certificate")
    drivers = "escpos, evolis, hid-digitizer, ipp-card, magicard, opencv, sdt, topaz, wacom-stu"
    assert f"devices[0].driver: expected one of {drivers}, got 'nonsense'" in found
    assert any(problem.startswith("devices[1].options.baud: ") for problem in found)
    assert any(problem.startswith("devices[1].options.unheard_of: ") for problem in found)


def test_a_device_needs_exactly_one_end(tmp_path):
    both = '[[devices]]\nid = "a"\ndriver = "sdt"\nlink = "tcp://127.0.0.1:1"\nemulator = "sdt"\n'
    none = '[[devices]]\nid = "a"\ndriver = "sdt"\n'
    for text in (both, none):
        assert any("either a link or an emulator" in problem for problem in problems(tmp_path, text))


def test_two_devices_of_one_id_are_refused(tmp_path):
    device = '[[devices]]\nid = "a"\nemulator = "sdt"\n'
    assert any("distinct ids, got a" in problem for problem in problems(tmp_path, device * 2))


def test_broken_toml_names_the_line(tmp_path):
    assert "line 2" in problems(tmp_path, "[terminal]\nid = \n")[0]


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "nothing.toml", Plugins())


def test_beyond_loopback_an_address_needs_certificates(tmp_path):
    tls = '[listen.tls]\ncertificate = "/a.pem"\nkey = "/k.pem"\nclient_ca = "/c.pem"\n'
    listen = '[listen]\naddresses = ["10.1.2.3:7412", "tls:127.0.0.1:7413"]\nmode = "0660"\ngroup = "countertop"\n'
    assert len(problems(tmp_path, listen)) == 1
    path = tmp_path / "good.toml"
    path.write_text(listen + tls)
    found = load_config(path, Plugins()).listen
    assert (found.mode, found.group, found.tls.client_ca) == ("0660", "countertop", "/c.pem")
    assert "listen.tls.key" in " ".join(problems(tmp_path, listen + tls.replace("key =", "keys =")))
