"""The page on vendor commands shows a proto that compiles and a driver that loads."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

from countertop.sdk.vendor import check_vendor_commands
from countertop.v1.options_pb2 import EFFECT_CONSUMES, EFFECT_READS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "vendor-commands.md").read_text(encoding="utf-8")


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[number]


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """The page's proto, compiled with the page's command line."""
    protoc = pytest.importorskip("grpc_tools.protoc")
    command = next(line for line in block("console").splitlines() if "protoc" in line)
    arguments = command.partition("grpc_tools.protoc ")[2].split()
    proto = tmp_path / arguments[-1]
    proto.parent.mkdir(parents=True)
    proto.write_text(block("proto"), encoding="utf-8")
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path)
    assert protoc.main(["protoc", *arguments]) == 0
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    monkeypatch.delitem(sys.modules, "acme", raising=False)
    return importlib.import_module("acme.pad.v1.pad_pb2")


def test_the_pages_driver_declares_what_the_rules_allow(compiled):
    names: dict[str, object] = {}
    exec(compile(block("python"), "vendor-commands.md", "exec"), names)
    kind = names["AcmePad"]
    check_vendor_commands(kind)
    assert [(item.name, item.effect) for item in kind.vendor_commands] == [
        ("acme.pad.v1.SetBacklightRequest", EFFECT_READS),
        ("acme.pad.v1.EjectTokenRequest", EFFECT_CONSUMES),
    ]


def test_the_apps_example_is_python():
    source = "async def app():\n" + "\n".join(f"    {line}" for line in block("python", 1).splitlines())
    compile(source, "vendor-commands.md", "exec")
