"""What pages get from the browser door beside plain calls: deadlines, claims, roles, the audit, programs of others."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from countertop.testing.terminal import EmulatedTerminal

pytest.importorskip("connectrpc")

from countertop.server.access.tokens import Token

TELLER = "https://teller.bank.example"
GET_DEVICE = "/countertop.v1.DeviceService/GetDevice"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def terminal(state: Path) -> Iterator[EmulatedTerminal]:
    with EmulatedTerminal(["id-reader", "camera"], browser=True, origins=[TELLER], state_dir=state) as found:
        yield found


def ask(terminal: EmulatedTerminal, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
    """A page of the console's; a header that is empty is left out."""
    own = {"origin": terminal.browser_url, "authorization": f"Bearer {terminal.browser_token}"}
    sent = {**own, **{key.replace("_", "-"): value for key, value in headers.items()}}
    client = http.client.HTTPConnection(terminal.browser_url.removeprefix("http://"), timeout=10)
    try:
        client.request(method, path, body, {key: value for key, value in sent.items() if value})
        answer = client.getresponse()
        return SimpleNamespace(status=answer.status, headers=answer.headers, body=answer.read())
    finally:
        client.close()


def call(terminal: EmulatedTerminal, path: str, request: dict[str, Any], **headers: str) -> Any:
    return ask(terminal, "POST", path, json.dumps(request).encode(), content_type="application/json", **headers)


def reason(answer: Any) -> str:
    """Of an error, as a page without protobuf reads it."""
    details = json.loads(answer.body)["details"]
    (info,) = (item["debug"] for item in details if item["type"] == "google.rpc.ErrorInfo")
    assert info["domain"] == "countertop"
    return str(info["reason"])


def test_a_deadline_ends_a_call(terminal: EmulatedTerminal) -> None:
    query = {"deviceId": "camera", "newerThan": str(2**63), "maxWait": "3s"}
    began = time.monotonic()
    told = call(terminal, "/countertop.v1.CameraService/GetFrame", query, connect_timeout_ms="50")
    assert time.monotonic() - began < 2
    assert (told.status, json.loads(told.body)["code"]) == (504, "deadline_exceeded")


def test_a_page_without_protobuf_reads_an_errors_details(terminal: EmulatedTerminal) -> None:
    told = call(terminal, GET_DEVICE, {"deviceId": "nowhere"})
    assert reason(told) == "DEVICE_NOT_FOUND"
    sentences = [item["debug"] for item in json.loads(told.body)["details"] if "Localized" in item["type"]]
    assert [item["locale"] for item in sentences] == ["en", "zh-CN"]
    told = ask(terminal, "GET", "/cameras/nowhere/snapshot.jpg")
    assert reason(told) == "DEVICE_NOT_FOUND"
    told = call(terminal, GET_DEVICE, {"deviceId": "x" * 65})
    bad = [item["debug"] for item in json.loads(told.body)["details"] if "BadRequest" in item["type"]]
    assert bad[0]["fieldViolations"][0]["field"] == "device_id"


def test_a_claimed_camera_is_looked_through_with_the_claims_token(terminal: EmulatedTerminal) -> None:
    picture = "/cameras/camera/snapshot.jpg"
    with terminal.counter.claim("camera", label="teller") as claim:
        assert reason(ask(terminal, "GET", picture)) == "CLAIMED_BY_OTHER"
        assert ask(terminal, "GET", picture, countertop_claim=claim.token).status == 200
        ticket = json.loads(ask(terminal, "POST", "/cameras/camera/ticket", countertop_claim=claim.token).body)
        told = ask(terminal, "GET", f"{picture}?ticket={ticket['ticket']}", origin="", authorization="")
        assert told.status == 200
        ticket = json.loads(ask(terminal, "POST", "/cameras/camera/ticket").body)
        told = ask(terminal, "GET", f"{picture}?ticket={ticket['ticket']}", origin="", authorization="")
        assert reason(told) == "CLAIMED_BY_OTHER"


def test_frames_come_no_faster_than_a_page_wants(terminal: EmulatedTerminal) -> None:
    client = http.client.HTTPConnection(terminal.browser_url.removeprefix("http://"), timeout=10)
    headers = {"origin": terminal.browser_url, "authorization": f"Bearer {terminal.browser_token}"}
    client.request("GET", "/cameras/camera/stream?fps=10", headers=headers)
    answer = client.getresponse()
    came: list[float] = []
    while len(came) < 4:
        if answer.readline().startswith(b"x-sequence"):
            came.append(time.monotonic())
    client.close()
    answer.close()
    assert came[3] - came[0] >= 0.25, "three pauses of 0.1 s"


def test_a_stream_ends_when_its_token_is_revoked(terminal: EmulatedTerminal) -> None:
    tokens = terminal.daemon._tokens
    secret = tokens.issue(Token("leaving", ("observer",), origin=TELLER))
    headers = {"origin": TELLER, "authorization": f"Bearer {secret}", "content-type": "application/connect+json"}
    client = http.client.HTTPConnection(terminal.browser_url.removeprefix("http://"), timeout=10)
    request = b'{"heartbeatSeconds":1}'
    body = len(request).to_bytes(5, "big") + request
    client.request("POST", "/countertop.v1.DeviceService/WatchEvents", body, headers=headers)
    answer = client.getresponse()
    assert b"snapshot" in answer.read(100)
    tokens.revoke("leaving")
    told = answer.read()  # to its end, which comes with the next heartbeat
    client.close()
    assert b'"code": "unauthenticated"' in told


def test_a_token_has_its_own_roles(terminal: EmulatedTerminal) -> None:
    tokens = terminal.daemon._tokens
    secret = tokens.issue_in_memory(Token("screen", ("observer",), origin=TELLER))
    page = {"origin": TELLER, "authorization": f"Bearer {secret}"}
    assert call(terminal, GET_DEVICE, {"deviceId": "camera"}, **page).status == 200
    told = ask(terminal, "GET", "/cameras/camera/snapshot.jpg", **page)
    assert (told.status, reason(told)) == (403, "PERMISSION_DENIED")
    assert told.headers["access-control-allow-origin"] == TELLER, "the page can read why"


def test_a_program_of_this_machine_needs_a_token_of_its_own(terminal: EmulatedTerminal) -> None:
    program = {"origin": "", "authorization": f"Bearer {terminal.program_token}"}
    assert call(terminal, GET_DEVICE, {"deviceId": "camera"}, **program).status == 200
    program["authorization"] = f"Bearer {terminal.browser_token}"
    assert reason(call(terminal, GET_DEVICE, {"deviceId": "camera"}, **program)) == "UNAUTHENTICATED"


def test_a_preflight_is_answered_for_listed_pages_alone(terminal: EmulatedTerminal) -> None:
    asked = {"access_control_request_method": "POST", "authorization": ""}
    told = ask(terminal, "OPTIONS", GET_DEVICE, origin=TELLER, **asked)
    assert told.status == 204
    assert told.headers["access-control-allow-origin"] == TELLER
    assert "countertop-claim" in told.headers["access-control-allow-headers"]
    told = ask(terminal, "OPTIONS", GET_DEVICE, origin="https://evil.example", **asked)
    assert told.status == 403
    assert "access-control-allow-origin" not in told.headers


def test_every_refusal_is_written_down_and_no_path_of_strangers(state: Path) -> None:
    with EmulatedTerminal(["camera"], browser=True, state_dir=state / "audited") as terminal:
        assert call(terminal, GET_DEVICE, {}, authorization="Bearer wrong").status == 401
        assert call(terminal, GET_DEVICE, {}, origin="https://evil.example").status == 403
        assert ask(terminal, "GET", "/cameras/110101199003074477/snapshot.jpg", host="evil.example").status == 421
    lines = [line for file in sorted((state / "audited" / "audit").glob("*")) for line in file.read_text().splitlines()]
    records = [json.loads(line) for line in lines if line.startswith("{")]
    refused = [record for record in records if record["what"] == "refused"]
    assert [record["door"] for record in refused] == ["browser"] * 3
    assert [record.get("method", "") for record in refused] == ["DeviceService.GetDevice"] * 2 + [""]
    assert "https://evil.example" in json.dumps(refused[1])
    assert not [line for line in lines if "110101199003074477" in line]


@pytest.mark.skipif(shutil.which("buf") is None, reason="buf is not installed")
@pytest.mark.parametrize("protocol", ["connect", "grpcweb"])
def test_another_projects_client(terminal: EmulatedTerminal, protocol: str) -> None:
    protos = Path(__file__).resolve().parents[2] / "protos"
    if not (protos / "countertop").is_dir():
        pytest.skip("the protos are not here")
    command = ["buf", "curl", "--protocol", protocol, "--schema", str(protos), "--data", '{"device_id": "camera"}']
    command += ["--header", f"Authorization: Bearer {terminal.program_token}", terminal.browser_url + GET_DEVICE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["device"]["id"] == "camera"


def test_a_page_finds_the_daemon_again_after_a_restart() -> None:
    with EmulatedTerminal(["camera"], browser=True) as terminal:
        url, token = terminal.browser_url, terminal.browser_token
        terminal.restart()
        assert terminal.browser_url == url
        assert call(terminal, GET_DEVICE, {"deviceId": "camera"}, authorization=f"Bearer {token}").status == 401
        assert call(terminal, GET_DEVICE, {"deviceId": "camera"}).status == 200


def test_without_a_browser_door_the_kit_says_how_to_get_one() -> None:
    with EmulatedTerminal(["id-reader"], ready=False) as terminal:
        for name in ("browser_url", "browser_token", "program_token"):
            with pytest.raises(RuntimeError, match="browser=True"):
                getattr(terminal, name)
