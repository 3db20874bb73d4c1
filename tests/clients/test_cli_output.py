"""What commands write: on terminals of any encoding, for programs, and more than one message holds."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from countertop.bench.v1.bench_pb2 import GetOutputRequest, GetOutputResponse, Output
from countertop.cli.output import json_line, say, show_anything
from countertop.client import connect
from countertop.v1 import device_pb2
from countertop.v1.identity_pb2 import Person

CLI = [sys.executable, "-m", "countertop.cli"]
NAME = "欧阳é𠮷"


def written(encoding: str, write: Callable[[], None]) -> str:
    """What is written on a standard output of that encoding."""
    file = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(file, encoding=encoding)) as out:
        show_anything()
        write()
        out.flush()
        return file.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("ascii", "\\u6b27\\u9633\\xe9\\U00020bb7"),
        ("iso-8859-1", "\\u6b27\\u9633é\\U00020bb7"),
        ("gb18030", NAME),
        ("utf-8", NAME),
    ],
)
def test_what_an_encoding_lacks_is_escaped(encoding: str, told: str) -> None:
    assert written(encoding, lambda: say(f"name: {NAME}")) == f"name: {told}\n"


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "gb18030", "utf-8"])
def test_json_is_json_in_every_encoding(encoding: str) -> None:
    told = written(encoding, lambda: json_line(Person(name=NAME)))
    assert json.loads(told) == {"name": NAME}
    assert (NAME in told) == (encoding == "utf-8")


@pytest.fixture
async def terminal(emulated: Any) -> AsyncIterator[tuple[Any, str]]:
    """A counter on the emulated terminal, ready, and its address."""
    async with emulated({"id-reader": "sdt", "printer": "escpos"}) as address, connect(address) as counter:
        async with asyncio.timeout(10):
            async for _ in counter.watch():
                if all(device.state == device_pb2.DEVICE_STATE_READY for device in await counter.devices()):
                    break
        yield counter, address


async def run(terminal: tuple[Any, str], *words: str, **environment: str) -> tuple[int | None, bytes, bytes]:
    """A command's exit code, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        *CLI,
        *words,
        env=os.environ | environment | {"COUNTERTOP_ADDRESS": terminal[1]},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        out, err = await process.communicate()
    return process.returncode, out, err


async def test_a_chinese_name_does_not_end_a_command_on_a_terminal_without_chinese(terminal: Any) -> None:
    await terminal[0].bench.insert_card()
    code, out, err = await run(terminal, "read-id", "id-reader", PYTHONIOENCODING="iso-8859-1")
    assert code == 0, err
    assert b"\\u674e" in out
    assert b"Traceback" not in err


async def test_more_pictures_are_saved_than_one_message_holds(misbehaving: Any, tmp_path: Path) -> None:
    papers = [Output(number=number, image={"data": bytes([number]) * 700_000}) for number in (1, 2, 3)]

    async def get_output(request: GetOutputRequest, context: Any) -> GetOutputResponse:
        return GetOutputResponse(outputs=papers[request.skip : request.skip + (request.limit or 1)])

    misbehaving.methods["GetOutput"] = get_output
    words = ["bench", "output", "printer", "--skip", "1", "--save", str(tmp_path / "o")]
    code, out, err = await run((None, misbehaving.address), *words)
    assert code == 0, err
    saved = [tmp_path / "o" / f"output-{number}.png" for number in (2, 3)]
    assert out.decode().splitlines() == [str(path) for path in saved]
    assert [path.read_bytes()[:1] for path in saved] == [b"\x02", b"\x03"]


async def test_a_preview_tells_programs_its_size_and_leaves_the_picture_in_the_file(
    terminal: Any, tmp_path: Path
) -> None:
    (tmp_path / "r.txt").write_text("业务回单", encoding="utf-8")
    words = ["print", "printer", str(tmp_path / "r.txt"), "--preview", str(tmp_path / "p.png"), "--json"]
    code, out, err = await run(terminal, *words, PYTHONIOENCODING="utf-8")
    assert code == 0, err
    told = json.loads(out)
    assert told["image"]["width"] == int.from_bytes((tmp_path / "p.png").read_bytes()[16:20], "big")
    assert "data" not in told["image"]
    assert "业务回单" in told["text"]
