"""The browser door, called as pages and programs call it: Connect, gRPC-Web, pictures, refusals."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from google.rpc import error_details_pb2

from countertop.server.access.tokens import Token
from countertop.server.app import Daemon
from countertop.server.config import BrowserConfig, Config, ConfigError, DeviceConfig, ListenConfig, TerminalConfig
from countertop.v1 import device_pb2, error_pb2

pytest.importorskip("connectrpc")

LIST = "/countertop.v1.DeviceService/ListDevices"
WATCH = "/countertop.v1.DeviceService/WatchEvents"
TELLER = "https://teller.bank.example"


def envelope(data: bytes) -> bytes:
    return struct.pack(">BI", 0, len(data)) + data


def envelopes(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        flags, length = struct.unpack_from(">BI", data)
        found.append((flags, data[5 : 5 + length]))
        data = data[5 + length :]
    return found


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[SimpleNamespace]:
    """A terminal with a camera, a browser door with a console, and a page's HTTP client with its token."""
    config = Config(
        terminal=TerminalConfig(id="test", state_dir=f"{folder}/state", drain_seconds=0),
        listen=ListenConfig(addresses=[f"unix:{folder}/t.sock"]),
        browser=BrowserConfig(address="127.0.0.1:0", origins=[TELLER], console=True),
        devices=[DeviceConfig(id="camera", emulator="camera", emulator_options={"fps": 60})],
    )
    async with Daemon(config) as daemon:
        assert daemon.browser is not None
        url, _, token = daemon.browser.console_url().partition("/#token=")
        own = {"origin": url, "authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(url) as http:
            found = SimpleNamespace(daemon=daemon, http=http, url=url, own=own)
            found.issue = lambda name, origin="": daemon._tokens.issue(Token(name, ("admin",), origin=origin))
            await until_ready(found)
            yield found


async def until_ready(door: Any) -> None:
    headers = {**door.own, "content-type": "application/connect+json"}
    async with asyncio.timeout(20), door.http.post(WATCH, data=envelope(b"{}"), headers=headers) as answer:
        while True:
            told = await next_of(answer)
            devices = [*told.get("snapshot", {}).get("devices", ()), told.get("event", {}).get("deviceChanged", {})]
            if any(device.get("state") == "DEVICE_STATE_READY" for device in devices):
                return


async def next_of(answer: Any) -> dict[str, Any]:
    """The next message of a stream in Connect's JSON."""
    _, length = struct.unpack(">BI", await answer.content.readexactly(5))
    message: dict[str, Any] = json.loads(await answer.content.readexactly(length))
    return message


@pytest.fixture(scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SimpleNamespace]:
    async with served(tmp_path_factory.mktemp("door")) as found:
        yield found


async def post(door: Any, path: str, body: Any = None, **headers: str) -> Any:
    sent = {**door.own, "content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
    sent = {key: value for key, value in sent.items() if value}
    data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    async with door.http.post(path, data=data, headers=sent) as answer:
        return SimpleNamespace(status=answer.status, body=await answer.read(), headers=answer.headers)


async def test_connect_in_json_and_in_binary(door: SimpleNamespace) -> None:
    told = await post(door, LIST)
    assert json.loads(told.body)["devices"][0]["id"] == "camera"
    binary = await post(door, LIST, b"", content_type="application/proto")
    assert device_pb2.ListDevicesResponse.FromString(binary.body).devices[0].id == "camera"
    assert told.headers["access-control-allow-origin"] == door.url
    assert told.headers["cache-control"] == "no-store"


async def test_grpc_web(door: SimpleNamespace) -> None:
    request = device_pb2.GetDeviceRequest(device_id="camera").SerializeToString()
    path = "/countertop.v1.DeviceService/GetDevice"
    told = await post(door, path, envelope(request), content_type="application/grpc-web+proto")
    (flags, body), (end, trailers) = envelopes(told.body)
    assert device_pb2.GetDeviceResponse.FromString(body).device.id == "camera"
    assert (flags, end) == (0, 0x80)
    assert b"grpc-status:0" in trailers.replace(b" ", b"")


async def test_an_error_has_all_its_details(door: SimpleNamespace) -> None:
    told = await post(door, "/countertop.v1.DeviceService/GetDevice", {"deviceId": "nowhere"})
    error = json.loads(told.body)
    assert (told.status, error["code"]) == (404, "not_found")
    details = {item["type"]: base64.b64decode(item["value"] + "==") for item in error["details"]}
    info = error_details_pb2.ErrorInfo.FromString(details["google.rpc.ErrorInfo"])
    assert (info.domain, info.reason) == ("countertop", "DEVICE_NOT_FOUND")
    assert "google.rpc.LocalizedMessage" in details


async def test_bad_requests_name_the_field_and_quote_nothing(door: SimpleNamespace) -> None:
    told = await post(door, "/countertop.v1.DeviceService/GetDevice", {"deviceIdd": "张三丰"})
    assert told.status == 400
    assert b"known are deviceId" in told.body
    told = await post(door, "/countertop.v1.DeviceService/GetDevice", {"deviceId": 5})
    assert b"its field deviceId cannot be read" in told.body
    for body in (
        b'{"deviceId": 110101199003074477}',
        b'{"110101199003074477": 1}',
        b'{"deviceId": "\xff"}',
        b"[",
        b"[" * 9000,
    ):
        told = await post(door, "/countertop.v1.DeviceService/GetDevice", body)
        assert told.status == 400
        assert b"110101" not in told.body
    told = await post(door, "/countertop.v1.DeviceService/GetDevice", b"\xff\xff", content_type="application/proto")
    assert told.status == 400


async def test_a_stream_of_events_and_its_end_at_the_page(door: SimpleNamespace) -> None:
    headers = {**door.own, "content-type": "application/connect+json"}
    async with door.http.post(WATCH, data=envelope(b"{}"), headers=headers) as answer:
        assert "snapshot" in await next_of(answer)
        assert "synced" in await next_of(answer)
        assert door.daemon.browser._gate._under_way
    async with asyncio.timeout(5):
        while door.daemon.browser._gate._under_way:  # noqa: ASYNC110 - until the watch of the page that hung up ends
            await asyncio.sleep(0.01)


async def test_what_pages_cannot_stream_says_what_to_use(door: SimpleNamespace) -> None:
    path = "/countertop.v1.CameraService/WatchFrames"
    told = await post(door, path, envelope(b"{}"), content_type="application/connect+json")
    ((_, end),) = envelopes(told.body)
    error = json.loads(end)["error"]
    assert error["code"] == "unimplemented"
    assert "/cameras/ID/stream" in error["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"host": "evil.example"}, 421),
        ({"authorization": "Bearer x"}, 401),
        ({"authorization": ""}, 401),
        ({"authorization": "Basic eDp5"}, 401),
        ({"origin": ""}, 401),
        ({"origin": TELLER}, 401),
    ],
    ids=["foreign origin", "rebound host", "unknown token", "no token", "no bearer", "no page", "another page"],
)
async def test_who_is_not_known_is_refused(door: SimpleNamespace, headers: dict[str, str], status: int) -> None:
    assert (await post(door, LIST, **headers)).status == status
    assert (await post(door, LIST)).status == 200


async def test_a_listed_pages_token_and_a_programs(door: SimpleNamespace) -> None:
    page = door.issue("page", TELLER)
    told = await post(door, LIST, origin=TELLER, authorization=f"Bearer {page}")
    assert told.status == 200
    assert told.headers["access-control-allow-origin"] == TELLER
    assert (await post(door, LIST, authorization=f"Bearer {page}")).status == 401, "not from the console"
    program = door.issue("program")
    assert (await post(door, LIST, origin="", authorization=f"Bearer {program}")).status == 200
    assert (await post(door, LIST, origin=TELLER, authorization=f"Bearer {program}")).status == 401


async def test_no_call_comes_by_get(door: SimpleNamespace) -> None:
    query = {"message": "{}", "encoding": "json", "connect": "v1"}
    async with door.http.get(LIST, params=query, headers=door.own) as answer:
        assert answer.status == 405


async def test_a_snapshot_and_a_stream_are_the_cameras_own_jpegs(door: SimpleNamespace) -> None:
    async with door.http.get("/cameras/camera/snapshot.jpg", headers=door.own) as answer:
        assert answer.content_type == "image/jpeg"
        assert (await answer.read()).startswith(b"\xff\xd8")
    async with door.http.get("/cameras/camera/stream", headers=door.own) as answer:
        reader = aiohttp.MultipartReader.from_response(answer)
        sequences = []
        for _ in range(3):
            part: Any = await reader.next()
            sequences.append(int(part.headers["x-sequence"]))
            assert (await part.read()).startswith(b"\xff\xd8")
        assert sequences == sorted(set(sequences))


async def test_a_ticket_lets_an_image_in_once(door: SimpleNamespace) -> None:
    given = json.loads((await post(door, "/cameras/camera/ticket")).body)
    query = {"ticket": given["ticket"]}
    image = {"sec-fetch-site": "cross-site", "sec-fetch-dest": "image"}
    for path, status in (("/cameras/camera/snapshot.jpg", 200), ("/cameras/camera/snapshot.jpg", 401)):
        async with door.http.get(path, params=query, headers=image) as answer:
            assert answer.status == status
    other = json.loads((await post(door, "/cameras/camera/ticket")).body)["ticket"]
    async with door.http.get("/cameras/other/snapshot.jpg", params={"ticket": other}) as answer:
        assert answer.status == 401


async def test_a_camera_that_is_none_is_a_typed_error(door: SimpleNamespace) -> None:
    for path in ("/cameras/nowhere/stream", "/cameras/nowhere/snapshot.jpg"):
        async with door.http.get(path, headers=door.own) as answer:
            assert answer.status == 404
            assert (await answer.json())["code"] == "not_found"
    async with door.http.get("/cameras/camera/passwords", headers=door.own) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/%2e%2e/app.py", "/__init__.py", "/.", "//etc/passwd", "/bench"]
)
async def test_nothing_but_the_consoles_files_is_served(door: SimpleNamespace, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(door.url.rpartition(":")[2]))
    writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n".encode())
    assert (await reader.readline()).split()[1] == b"404"
    writer.close()
    await writer.wait_closed()


async def test_the_port_is_free_for_nobody_else(door: SimpleNamespace, tmp_path: Path) -> None:
    address = door.url.removeprefix("http://")
    config = replace(
        door.daemon.config,
        terminal=TerminalConfig(id="second", state_dir=f"{tmp_path}/second"),
        listen=ListenConfig(addresses=[f"unix:{tmp_path}/u.sock"]),
        browser=BrowserConfig(address=address),
    )
    with pytest.raises(OSError, match=f"cannot listen on {address} for browsers"):
        await Daemon(config).__aenter__()


async def test_the_door_closes_with_pages_looking(tmp_path: Path) -> None:
    async with served(tmp_path) as door, door.http.get("/cameras/camera/stream", headers=door.own) as answer:
        await answer.content.readany()
        async with asyncio.timeout(15):
            await door.daemon.stop()


def test_beyond_loopback_there_is_tls_or_no_door(tmp_path: Path) -> None:
    from countertop.server.config_file import load_config
    from countertop.server.plugins import Plugins

    file = tmp_path / "c.toml"
    file.write_text('[browser]\naddress = "0.0.0.0:7480"\n')
    with pytest.raises(ConfigError, match="certificate and a key"):
        load_config(file, Plugins())
    file.write_text('[browser]\naddress = "127.0.0.1:7480"\norigins = ["teller.example"]\n')
    with pytest.raises(ConfigError, match=r"browser\.origins\[0\]"):
        load_config(file, Plugins())
    assert error_pb2.REASON_UNAUTHENTICATED
