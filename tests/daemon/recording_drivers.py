"""Drivers for tests of recording: they talk to a server that gives back what it is sent."""

from __future__ import annotations

from countertop.sdk import IdReader, Options, TcpLink
from countertop.sdk.trace import Masker
from countertop.v1 import device_pb2, id_reader_pb2, identity_pb2


class EchoOptions(Options):
    masking: str = "good"


class Digits(Masker):
    """Whole lines, with a 0 for each digit; bad-tempered on request."""

    def __init__(self, *, fails_at: bytes = b"") -> None:
        self._fails_at = fails_at
        self._held = {"sent": b"", "received": b""}

    def _take(self, way: str, data: bytes) -> bytes:
        if self._fails_at and self._fails_at in data:
            raise RuntimeError(f"secret {data!r}")
        held = self._held[way] + data
        whole, self._held[way] = held[: held.rfind(b"\n") + 1], held[held.rfind(b"\n") + 1 :]
        return bytes(48 if 48 <= byte <= 57 else byte for byte in whole)

    def sent(self, data: bytes) -> bytes:
        return self._take("sent", data)

    def received(self, data: bytes) -> bytes:
        return self._take("received", data)

    def end(self) -> tuple[bytes, bytes]:
        return bytes(len(self._held["sent"])), bytes(len(self._held["received"]))


class EchoReader(IdReader):
    name = "echo"
    links = (TcpLink,)
    options_type = EchoOptions
    poll_interval = 0.05

    def masker(self):
        match self.options.masking:
            case "good":
                return Digits()
            case "fails":
                return Digits(fails_at=b"number")
            case "raises":
                raise RuntimeError("secret 123")
        return None

    async def connect(self):
        self._link = await self.open_link()
        await self._ask(b"hello\n")
        return device_pb2.DeviceInfo(vendor="Invented", model="Echo")

    async def disconnect(self):
        if hasattr(self, "_link"):
            await self._link.close()

    async def status(self):
        await self._ask(b"status\n")
        return device_pb2.DeviceStatus()

    async def read(self, request, run):
        number = f"number {20 * '7'}\n".encode() * (1 + request.photo * 20000)
        assert await self._ask(number) == number
        if request.fingerprints:
            await run.instruction()  # never comes
        return id_reader_pb2.ReadResult(document=identity_pb2.IdentityDocument(number="7"))

    async def _ask(self, line: bytes) -> bytes:
        await self._link.send(line)
        data = b""
        while len(data) < len(line):
            data += await self._link.receive()
        return data


class UnmaskedReader(EchoReader):
    """Of a kind that a vendor wrote long ago."""

    name = "unmasked"

    def masker(self):
        return None


class LinklessReader(EchoReader):
    name = "linkless"
    links = ()

    async def connect(self):
        return device_pb2.DeviceInfo(vendor="Invented", model="Linkless")

    async def status(self):
        return device_pb2.DeviceStatus()
