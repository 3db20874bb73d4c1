"""`buf curl`, a gRPC client that knows nothing of us but what reflection tells it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from countertop.bench.v1 import bench_pb2
from countertop.client._access import Access
from countertop.server.app import Daemon
from countertop.server.config import Config, ListenConfig

BUF = shutil.which("buf")
pytestmark = pytest.mark.skipif(
    BUF is None and not os.environ.get("COUNTERTOP_REQUIRE_BUF"),
    reason="buf is not installed (npm install -g @bufbuild/buf)",
)


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    config = Config.emulated()
    config.listen = ListenConfig([f"unix:{tmp_path}/t.sock", "127.0.0.1:0"])
    async with Daemon(config) as running:
        yield running


async def curl(address: str, *arguments: str, path: str = "") -> str:
    target = ["--unix-socket", address.removeprefix("unix:")] if address.startswith("unix:") else []
    base = "http://localhost" if target else f"http://{address}"
    proof = [word for key, value in Access(address).metadata() for word in ("--header", f"{key}: {value}")]
    if proof:
        proof += ["--reflect-header", "*"]  # reflection wants to know who calls as well
    words = ["--protocol", "grpc", "--http2-prior-knowledge", *target, *proof, *arguments, base + path]
    command = [str(BUF), "curl", *words]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    return out.decode()


@pytest.mark.parametrize("door", [0, 1], ids=["unix", "tcp"])
async def test_buf_curl_lists_the_services_and_reads_a_card(daemon, door):
    address = daemon.addresses[door]
    listed = await curl(address, "--list-services")
    assert {"countertop.v1.DeviceService", "countertop.v1.IdReaderService"} <= set(listed.split())
    await daemon.terminal.emulators["id-reader"].insert_card(bench_pb2.InsertCardRequest(device_id="id-reader"))
    out = await curl(address, "-d", '{"device_id": "id-reader"}', path="/countertop.v1.IdReaderService/Read")
    updates = [json.loads(chunk) for chunk in _objects(out)]
    assert updates[-1]["operation"]["state"] == "OPERATION_STATE_SUCCEEDED"
    assert updates[-1]["result"]["document"]["type"] == "DOCUMENT_TYPE_RESIDENT_CARD"
    assert updates[-1]["result"]["document"]["person"]["name"]


def _objects(text: str) -> list[str]:
    """A stream of JSON objects, one after another."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text.rstrip()):
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end])
        at = end + len(text[end:]) - len(text[end:].lstrip())
    return found
