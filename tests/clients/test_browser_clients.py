"""Connect's own clients for JavaScript, with the code that the Node.js example generates, at the browser door."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from countertop.testing.terminal import EmulatedTerminal

pytest.importorskip("connectrpc")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "node-kiosk"
SCRIPT = """
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { DeviceService } from "./gen/countertop/v1/device_pb.js";
import { ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";

const [baseUrl, token, kind] = process.argv.slice(1);
const interceptors = [(next) => (request) => {
  request.header.set("authorization", `Bearer ${token}`);
  return next(request);
}];
const options = { baseUrl, httpVersion: "1.1", interceptors, useBinaryFormat: kind !== "json" };
const transport = kind === "grpcweb" ? createGrpcWebTransport(options) : createConnectTransport(options);
const client = createClient(DeviceService, transport);
const found = { devices: (await client.listDevices({})).devices.map((device) => device.id), updates: [] };
for await (const update of client.watchEvents({})) {
  found.updates.push(update.payload.case);
  if (update.payload.case === "synced") break;
}
try {
  await client.getDevice({ deviceId: "nowhere" });
} catch (error) {
  const cause = ConnectError.from(error);
  found.code = Code[cause.code];
  found.reason = cause.findDetails(ErrorInfoSchema)[0].reason;
}
console.log(JSON.stringify(found));
"""

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not all((EXAMPLE / name).is_dir() for name in ("node_modules", "gen")),
    reason="Node.js or the packages and the generated code of the example are not there",
)


@pytest.fixture(scope="module")
def terminal() -> Iterator[EmulatedTerminal]:
    with EmulatedTerminal(["id-reader"], browser=True) as found:
        yield found


@pytest.mark.parametrize("kind", ["binary", "json", "grpcweb"])
def test_calls_streams_and_errors(terminal: EmulatedTerminal, kind: str) -> None:
    command = ["node", "--input-type=module", "-e", SCRIPT, terminal.browser_url, terminal.program_token, kind]
    done = subprocess.run(command, cwd=EXAMPLE, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["devices"] == ["id-reader"]
    assert (found["updates"][0], found["updates"][-1]) == ("snapshot", "synced")
    assert (found["code"], found["reason"]) == ("NotFound", "DEVICE_NOT_FOUND")
