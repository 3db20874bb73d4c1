"""What the README shows works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grpc
import pytest

from countertop.server.config_file import load_config
from countertop.server.plugins import Plugins

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found, f"the README has no {language} block"
    return found.group(1)


@pytest.fixture
def address(tmp_path: Path):
    address = f"unix:{tmp_path}/t.sock"
    words = [sys.executable, "-m", "countertop.cli", "serve", "--listen", address]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(timeout=20)
        yield address
        process.terminate()
        assert process.wait(timeout=15) == 0


def test_the_first_client_reads_a_card(address):
    environment = os.environ | {"COUNTERTOP_ADDRESS": address}
    done = subprocess.run(
        [sys.executable, "-c", block("python")], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "李小样" in done.stdout


def test_the_configuration_is_a_good_one(tmp_path):
    text = block("toml")
    assert tomllib.loads(text)["terminal"]["id"] == "counter-3"
    (tmp_path / "countertop.toml").write_text(text, encoding="utf-8")
    config = load_config(tmp_path / "countertop.toml", Plugins())
    assert [device.driver for device in config.devices] == ["sdt", "escpos", "wacom-stu", "evolis", "opencv"]


def test_every_page_that_the_readme_links_to_is_there():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    missing = [link for link in links if not (Path(__file__).resolve().parents[2] / link).exists()]
    assert links
    assert missing == []
