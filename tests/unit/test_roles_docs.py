"""The page of roles is in step with the table, and its examples are configurations that load."""

from __future__ import annotations

import grp
import pwd
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from countertop.server.access.builtin import role_table
from countertop.server.access.grants import Grants, TlsPeer, UnixPeer
from countertop.server.caller import Caller
from countertop.server.config_file import load_config
from countertop.server.plugins import Plugins
from countertop.v1 import device_pb2

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "roles.md").read_text(encoding="utf-8")
ROLES, GRANTS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
READER = device_pb2.DEVICE_KIND_ID_READER


def test_the_page_of_roles_is_in_step_with_the_table() -> None:
    page = runpy.run_path(str(DOCS / "generate_roles.py"))["page"]
    assert page() == PAGE, "run: python docs/generate_roles.py"


def test_the_example_of_roles_loads_and_means_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(ROLES)
    table = role_table(load_config(tmp_path / "c.toml", Plugins()).roles)

    def may(
        role: str, method: str, device_id: str, kind: device_pb2.DeviceKind = READER, claimed: bool = False
    ) -> bool:
        caller = Caller("unix", "uid=1001", roles=frozenset({role}))
        return table.decide(caller, method, device_id, kind, claimed=claimed).allowed

    assert may("kiosk", "IdReaderService.Read", "left-reader")
    assert not may("kiosk", "IdReaderService.Read", "right-reader")
    assert not may("kiosk", "IdReaderService.Read", "left-camera", device_pb2.DEVICE_KIND_CAMERA)
    assert not may("kiosk", "ReceiptPrinterService.OpenDrawer", "left-printer", device_pb2.DEVICE_KIND_RECEIPT_PRINTER)
    printer = device_pb2.DEVICE_KIND_CARD_PRINTER
    assert not may("careful", "CardPrinterService.IssueCard", "printer", printer)
    assert may("careful", "CardPrinterService.IssueCard", "printer", printer, claimed=True)
    assert may("careful", "ClaimService.Claim", "printer", printer)
    assert may("acme-service", "VendorService.Call", "acme-printer", printer)


def test_the_example_of_grants_loads_and_means_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pwd, "getpwnam", {"kiosk": SimpleNamespace(pw_uid=1001)}.__getitem__)
    monkeypatch.setattr(grp, "getgrnam", {"tellers": SimpleNamespace(gr_gid=2001)}.__getitem__)
    (tmp_path / "c.toml").write_text(GRANTS)
    config = load_config(tmp_path / "c.toml", Plugins())
    grants = Grants(config.grants, config.access, uid=1000)
    assert grants.roles("unix", UnixPeer(7, 1000, 1000)) == {"admin"}
    assert grants.roles("unix", UnixPeer(7, 1001, 60_001)) == {"app"}
    assert grants.roles("unix", UnixPeer(7, 60_002, 2001)) == {"teller"}
    assert grants.roles("loopback", None) == frozenset()
    spiffe = "spiffe://bank.example/branch/0371/role/supervisor"
    assert grants.roles("tls", TlsPeer(spiffe)) == {"supervisor", "observer"}
    assert grants.roles("tls", TlsPeer(subject="CN=e-7,OU=engineers,O=Bank")) == {"engineer"}
