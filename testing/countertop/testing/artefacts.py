"""What happened on a terminal, written to files for whoever looks into a failed test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import json_format

from countertop.client import CountertopError
from countertop.testing._loop import shared_loop
from countertop.testing.terminal import EmulatedTerminal
from countertop.v1 import device_pb2
from countertop.v1.device_pb2 import WatchEventsResponse

__all__ = ["write_artefacts"]

_MOST = 20
_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/svg+xml": "svg", "image/bmp": "bmp"}


def write_artefacts(terminal: EmulatedTerminal, folder: Path) -> list[Path]:
    """Write `events.jsonl`, `operations.jsonl`, and per device what it put into the world: `DEVICE-N.png` and `.txt` of
    printers and pads, `DEVICE.jpg` of cameras. What an earlier run left in the folder is removed. Returns the files.

    Raises OSError.
    """
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    written: list[Path] = []
    for name, data in _files(terminal):
        path = folder / name
        path.write_bytes(data)
        written.append(path)
    return written


def _files(terminal: EmulatedTerminal) -> Iterator[tuple[str, bytes]]:
    yield "events.jsonl", _lines(shared_loop().run(_events(terminal)))
    operations = terminal.counter.operations.list(limit=500)
    yield "operations.jsonl", _lines([json_format.MessageToJson(item, indent=None) for item in reversed(operations)])
    for device in terminal.counter.devices():
        if device.kind == device_pb2.DEVICE_KIND_CAMERA:
            yield from _frame(terminal, device.id)
        else:
            yield from _outputs(terminal, device.id)


def _lines(texts: list[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


async def _events(terminal: EmulatedTerminal) -> list[str]:
    events = terminal.daemon.terminal.events
    await events.until(events.sequence)
    texts, sequence = [], events.oldest - 1
    while batch := events.after(sequence):
        sequence = batch[-1][0]
        texts += [json_format.MessageToJson(WatchEventsResponse.FromString(body), indent=None) for _, body in batch]
    return texts


def _frame(terminal: EmulatedTerminal, device_id: str) -> Iterator[tuple[str, bytes]]:
    try:
        frame = terminal.counter.camera(device_id).frame(max_wait=2.0)
    except CountertopError as error:  # why there is none is worth knowing
        yield f"{device_id}.txt", f"{error}\n".encode()
    else:
        yield f"{device_id}.jpg", frame.data


def _outputs(terminal: EmulatedTerminal, device_id: str) -> Iterator[tuple[str, bytes]]:
    try:
        outputs = terminal.bench.output(device_id, limit=_MOST)
    except CountertopError:  # a device that puts nothing into the world
        return
    for output in outputs:
        name = f"{device_id}-{output.number}"
        if output.text:
            yield f"{name}.txt", output.text.encode()
        for image, part in ((output.image, ""), (output.back, "-back")):
            if image.data:
                yield f"{name}{part}.{_SUFFIXES.get(image.media_type, 'bin')}", image.data
