"""The client in `examples/` runs as it stands there."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from countertop.client import connect
from countertop.v1 import device_pb2

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "first_client.py"


async def ready(counter):
    """Wait until no device of the terminal connects any longer."""
    async for _ in counter.watch():
        if all(device.state == device_pb2.DEVICE_STATE_READY for device in await counter.devices()):
            return


async def test_the_first_client_greets_the_person_on_paper_as_often_as_it_is_run(emulated, soon):
    async with emulated({"id-reader": "sdt", "receipt-printer": "escpos"}) as address, connect(address) as counter:
        await soon(ready(counter))
        environment = os.environ | {"COUNTERTOP_ADDRESS": address, "PYTHONUTF8": "1"}
        for _ in range(2):
            program = await asyncio.create_subprocess_exec(
                sys.executable, EXAMPLE, env=environment, stdout=asyncio.subprocess.PIPE
            )
            said, _ = await soon(program.communicate())
            assert program.returncode == 0
            assert "李小样" in said.decode()
        papers = await counter.bench.output(limit=20)
    assert len(papers) == 2
    assert all("李小样，您好！" in paper.text for paper in papers)
