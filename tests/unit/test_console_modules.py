"""The console's parts without a page: the wire, the stream of events, pictures; run by node, fed by our own protos."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import countertop.cli
from countertop.sdk.errors import DeviceFault, InvalidRequest
from countertop.server.faults import status_of
from countertop.v1 import error_pb2

CONSOLE = Path(countertop.cli.__file__).parents[1] / "console"

IN_PIECES = """
const inPieces = (bytes) => new ReadableStream({
  start(controller) {
    for (let at = 0; at < bytes.length; at += given.piece) {
      controller.enqueue(new Uint8Array(bytes.subarray(at, at + given.piece)));
    }
    controller.close();
  },
});
"""

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node runs the modules, and is not here")


def run(script: str, given: Any = None) -> Any:
    """What a script answers with: it may import the console's modules, and finds what is given in `given`."""
    text = (
        f"process.chdir({json.dumps(str(CONSOLE))});\nconst given = {json.dumps(given)};\n"
        f"const from = (file) => import({json.dumps(CONSOLE.as_uri() + '/')} + file);\n"
        f"{IN_PIECES}"
        f"const answer = await (async () => {{ {script} }})();\nconsole.log(JSON.stringify(answer ?? null));\n"
    )
    command = ["node", "--no-warnings", "--input-type=module", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def body_of(error: Exception, device_id: str = "") -> dict[str, Any]:
    """An error as the browser door sends it."""
    status = status_of(error, device_id)  # type: ignore[arg-type]
    details = [
        {"type": detail.type_url.rpartition("/")[2], "value": base64.b64encode(detail.value).decode().rstrip("=")}
        for detail in status.details
    ]
    return {"code": "unavailable", "message": status.message, "details": details}


ERROR = """
const { errorFromBody } = await from("rpc_error.js");
const error = errorFromBody(given);
const [en, zh] = [error.localized("en"), error.localized("zh")];
return { reason: error.reason, fault: error.deviceFault, violations: error.violations, en, zh };
"""


def test_an_error_tells_its_reason_its_sentences_and_the_device_s_side() -> None:
    fault = DeviceFault(
        error_pb2.REASON_LINK_LOST,
        step="print",
        expected="a status byte",
        got="nothing",
        effect=error_pb2.PHYSICAL_EFFECT_UNKNOWN,
    )
    told = run(ERROR, body_of(fault, "printer"))
    assert told["reason"] == "LINK_LOST"
    assert (told["en"], told["zh"]) == ("The connection to the device was lost.", "与设备的连接中断。")
    expected = {"deviceId": "printer", "step": "print", "expected": "a status byte", "got": "nothing"}
    assert expected.items() <= told["fault"].items()
    assert told["fault"]["fixedBy"] == "FIXED_BY_TELLER"
    assert told["fault"]["physicalEffect"] == "PHYSICAL_EFFECT_UNKNOWN"


def test_an_error_tells_each_violation() -> None:
    told = run(ERROR, body_of(InvalidRequest({"reason": "expected text, got none", "by": "expected less, got more"})))
    assert told["violations"] == [
        {"field": "reason", "description": "expected text, got none"},
        {"field": "by", "description": "expected less, got more"},
    ]


STREAM = """
const { createRpc } = await from("rpc.js");
const envelope = (flags, message) => {
  const json = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(json.length, 1);
  return Buffer.concat([head, json]);
};
const end = given.end ? [envelope(2, given.end)] : [];
const bytes = Buffer.concat([...given.messages.map((message) => envelope(0, message)), ...end]);
globalThis.fetch = async () => new Response(inPieces(bytes));
let refused = 0;
const rpc = createRpc({ token: "secret", onUnauthorised: () => refused++ });
const got = [];
try {
  for await (const message of rpc.stream("x.Y/Z")) got.push(message);
} catch (error) {
  return { got, code: error.code, refused };
}
return { got, code: "", refused };
"""
MESSAGES = [{"n": 1}, {}, {"text": "就绪" * 50}, {"n": 4}]


@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_a_stream_is_the_same_however_its_bytes_arrive(piece: int) -> None:
    told = run(STREAM, {"messages": MESSAGES, "end": {}, "piece": piece})
    assert told == {"got": MESSAGES, "code": "", "refused": 0}


def test_a_stream_that_breaks_off_is_not_taken_for_one_that_ended() -> None:
    assert run(STREAM, {"messages": MESSAGES, "end": None, "piece": 50})["code"] == "unavailable"


def test_the_error_at_a_stream_s_end_is_raised_after_its_messages() -> None:
    told = run(STREAM, {"messages": MESSAGES, "end": {"error": {"code": "unauthenticated"}}, "piece": 50})
    assert told == {"got": MESSAGES, "code": "unauthenticated", "refused": 1}


STATE = """
const { TerminalState } = await from("store_state.js");
const state = new TerminalState();
for (const response of given) state.apply(response);
return {
  sequence: state.sequence, bookmark: state.bookmark, holes: state.holes, gaps: state.gaps, synced: state.synced,
  devices: Object.fromEntries([...state.devices].map(([id, { state }]) => [id, state])),
  operations: Object.fromEntries([...state.operations].map(([id, { state }]) => [id, state])),
  claims: [...state.claims.keys()],
  log: state.events.map(({ type }) => type),
};
"""


def device(state: str, number: int) -> dict[str, Any]:
    return event(number, deviceChanged={"id": "camera", "state": state})


def event(number: int, **what: Any) -> dict[str, Any]:
    return {"sequence": str(number), "bookmark": f"e:{number}", "event": {"time": "2026-01-02T03:04:05Z", **what}}


SNAPSHOT = {
    "sequence": "7",
    "bookmark": "e:7",
    "snapshot": {
        "devices": [{"id": "camera", "state": "READY"}],
        "operations": [{"id": "one", "state": "RUNNING", "revision": "2"}],
        "claims": [{"id": "1", "state": "CLAIM_STATE_HELD"}],
    },
}
SYNCED = {"sequence": "7", "bookmark": "e:7", "synced": {}}


def test_events_bring_the_picture_forward() -> None:
    ended = {"id": "one", "state": "SUCCEEDED", "revision": "3"}
    older = {"id": "one", "state": "QUEUED", "revision": "1"}
    told = run(
        STATE,
        [
            SNAPSHOT,
            SYNCED,
            device("BUSY", 8),
            event(9, operationChanged=ended),
            event(10, operationChanged=older),
            event(11, claimChanged={"id": "1", "state": "CLAIM_STATE_ENDED"}),
            {"sequence": "11", "bookmark": "e:11", "heartbeat": {}},
        ],
    )
    assert (told["sequence"], told["bookmark"], told["synced"]) == (11, "e:11", True)
    assert (told["devices"], told["operations"], told["claims"]) == ({"camera": "BUSY"}, {"one": "SUCCEEDED"}, [])
    assert (told["holes"], told["gaps"]) == (0, 0)
    assert told["log"] == ["device", "operation", "operation", "claim"]


def test_an_event_that_comes_again_changes_nothing() -> None:
    told = run(STATE, [SNAPSHOT, SYNCED, device("BUSY", 8), device("READY", 9), device("BUSY", 8)])
    assert (told["sequence"], told["devices"], len(told["log"])) == (9, {"camera": "READY"}, 2)


@pytest.mark.parametrize("last", [device("BUSY", 10), {"sequence": "10", "bookmark": "e:10", "heartbeat": {}}])
def test_a_hole_in_the_numbers_is_told(last: dict[str, Any]) -> None:
    told = run(STATE, [SNAPSHOT, SYNCED, device("BUSY", 8), last])
    assert told["holes"] == 1
    assert "hole" in told["log"]


def test_after_a_gap_the_new_snapshot_holds() -> None:
    gap = {"sequence": "90", "bookmark": "e:90", "gap": {"oldestSequence": "60"}}
    later = {"sequence": "90", "bookmark": "e:90", "snapshot": {"devices": [{"id": "pad", "state": "READY"}]}}
    told = run(STATE, [SNAPSHOT, SYNCED, gap, later, {"sequence": "90", "bookmark": "e:90", "synced": {}}])
    assert (told["gaps"], told["holes"], told["sequence"]) == (1, 0, 90)
    assert (told["devices"], told["operations"], told["claims"]) == ({"pad": "READY"}, {}, [])


PARTS = """
const { parts } = await from("multipart.js");
const body = inPieces(Buffer.from(given.bytes, "latin1"));
const got = [];
try {
  for await (const { headers, bytes } of parts(body)) {
    got.push([headers.get("x-sequence"), Buffer.from(bytes).toString("latin1")]);
  }
} catch (error) {
  return { got, error: error.message };
}
return { got, error: "" };
"""


def part(number: int, data: str) -> str:
    return (
        f"--frame\r\ncontent-type: image/jpeg\r\ncontent-length: {len(data)}\r\nx-sequence: {number}\r\n\r\n{data}\r\n"
    )


@pytest.mark.parametrize("piece", [1, 13, 200_000])
def test_pictures_are_the_same_however_their_bytes_arrive(piece: int) -> None:
    pictures = ["", "\r\n\r\n--frame\r\n\r\n", "ÿØ" + "x" * 70_000 if piece > 1 else "ÿØ"]
    text = "".join(part(number, data) for number, data in enumerate(pictures))
    told = run(PARTS, {"bytes": text, "piece": piece})
    assert told == {"got": [[str(number), data] for number, data in enumerate(pictures)], "error": ""}


@pytest.mark.parametrize(
    "bad", ["--frame\r\nx: y\r\n\r\nabc", "no head " * 1000, "--frame\r\ncontent-length: 9e9\r\n\r\n"]
)
def test_a_stream_of_pictures_that_makes_no_sense_ends_with_an_error(bad: str) -> None:
    told = run(PARTS, {"bytes": part(1, "good") + bad, "piece": 100})
    assert told["got"] == [["1", "good"]]
    assert told["error"]
