"""A customer's visit in which everything that belongs to the customer is a mark, and everything goes wrong once."""

from __future__ import annotations

import asyncio
import uuid
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import yaml
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

import countertop.cli.visit
from countertop.bench.v1 import bench_pb2 as bench
from countertop.sdk.marks import holds_marked
from countertop.v1 import (
    camera_pb2,
    card_design_pb2,
    card_pb2,
    card_printer_pb2,
    device_pb2,
    id_reader_pb2,
    identity_pb2,
    image_pb2,
    operation_pb2,
    receipt_pb2,
    receipt_printer_pb2,
    signature_pad_pb2,
    vendor_pb2,
)
from tests.faults.canary import Canary
from tests.faults.canary_daemon import pack

__all__ = ["DEVICES", "Client", "Visit"]

DEVICES = ("reader", "apart", "printer", "pad", "cards", "camera", "telling", "telling-apart")
READY = (device_pb2.DEVICE_STATE_READY, device_pb2.DEVICE_STATE_ATTENTION)
SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
FAULTS = ("corrupt-reply", "noise", "disconnect", "mute", "truncated", "garbage", "wrong-checksum", "read-fails")
"""Of those that a device's emulator has."""
PLAIN = ("WatchEvents", "ListOperations", "GetOperation", "GetDevice", "GetTerminal", "GetStatistics", "ListClaims")
"""Calls whose answers hold no customer data."""


class Client:
    """Calls anything by its name; remembers what was marked, and searches what must hold no marks."""

    def __init__(self, address: str, canary: Canary) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=[("grpc.initial_reconnect_backoff_ms", 50)])
        self._canary = canary
        self.told: dict[str, set[bytes]] = {}
        """Answers and errors that must hold no marks, by what they are: searched when all marks are known."""
        self.refusals: list[str] = []

    async def close(self) -> None:
        await self._channel.close()

    async def call(self, method: str, request: Message, *, each: Any = None) -> list[Any]:
        """Its answers; also those before an error. `each` is awaited with every one."""
        service, _, name = method.partition(".")
        package = "countertop.bench.v1" if service == "BenchService" else "countertop.v1"
        found = descriptor_pool.Default().FindServiceByName(f"{package}.{service}").methods_by_name[name]
        answer = message_factory.GetMessageClass(found.output_type)
        bind = self._channel.unary_stream if found.server_streaming else self._channel.unary_unary
        path = f"/{package}.{service}/{name}"
        invoke = bind(path, type(request).SerializeToString, answer.FromString)
        self._canary.harvest(request)
        answers: list[Any] = []
        try:
            if not found.server_streaming:
                answers.append(await invoke(request, timeout=20))
            else:
                async for update in invoke(request, timeout=20):
                    answers.append(update)
                    if each is not None:
                        await each(update)
        except grpc.aio.AioRpcError as error:
            self._refused(method, error)
        for update in answers:
            self._hear(method, update)
        return answers

    def _hear(self, method: str, update: Any) -> None:
        if method.partition(".")[2] in PLAIN:
            assert not holds_marked(update), f"{method} answers with what is marked"
            self._tell(method, update)
        elif isinstance(update, device_pb2.RecordLinkResponse):
            self._say("a recording", "\n".join(update.lines).encode())
        else:
            self._canary.harvest(update)
            if hasattr(update, "operation"):
                self._tell(f"the operation of {method}", update.operation)

    def _tell(self, what: str, message: Message) -> None:
        self._say(what, message.SerializeToString() + b"\n" + str(message).encode())

    def _say(self, what: str, data: bytes) -> None:
        self.told.setdefault(what, set()).add(data)

    def _refused(self, method: str, error: grpc.aio.AioRpcError) -> None:
        details = b"".join(
            value if isinstance(value, bytes) else value.encode() for _, value in error.trailing_metadata()
        )
        self.refusals.append(f"{method}: {error.code().name} {error.details()}")
        self._say(f"the error of {method}", f"{error.details()} {error.debug_error_string()}".encode() + details)

    async def watch(self, ready: Iterable[str]) -> None:
        """Hear every event, at least until the devices are ready."""
        missing = set(ready)

        async def look(update: Any) -> None:
            for device in [*update.snapshot.devices, update.event.device_changed]:
                if device.state in READY:
                    missing.discard(device.id)
            if not missing:
                raise StopAsyncIteration

        with suppress(StopAsyncIteration):
            await self._watch(look)

    async def _watch(self, look: Any) -> None:
        request = device_pb2.WatchEventsRequest()
        invoke = self._channel.unary_stream(
            "/countertop.v1.DeviceService/WatchEvents",
            type(request).SerializeToString,
            device_pb2.WatchEventsResponse.FromString,
        )
        async for update in invoke(request, timeout=30, wait_for_ready=True):
            self._hear("DeviceService.WatchEvents", update)
            await look(update)

    async def listen(self) -> None:
        """Hear every event until cancelled, or the daemon dies."""

        async def ignore(update: Any) -> None:
            pass

        with suppress(grpc.aio.AioRpcError):
            await self._watch(ignore)


def options(seconds: float = 8.0) -> operation_pb2.OperationOptions:
    timeout = Duration()
    timeout.FromMilliseconds(int(seconds * 1000))
    return operation_pb2.OperationOptions(operation_id=uuid.uuid4().hex, timeout=timeout, queue_timeout=timeout)


class Visit:
    """Its steps; each says what it got, so that a visit in which nothing happens is no visit."""

    def __init__(self, client: Client, canary: Canary) -> None:
        self._client = client
        self._canary = canary
        self.document = self._document()

    def _document(self) -> identity_pb2.IdentityDocument:
        canary = self._canary
        return identity_pb2.IdentityDocument(
            type=identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD,
            number=f"11010119{canary.rng.randrange(10**9):09}X",
            issuing_authority=canary.chinese(14),
            valid_from="1921-03-17",
            valid_until="1931-08-23",
            additional_address=canary.chinese(30),
            person=identity_pb2.Person(
                name=canary.chinese(12),
                sex=identity_pb2.SEX_FEMALE,
                birth_date="1907-11-29",
                address=canary.chinese(30),
            ),
            resident_card=identity_pb2.ResidentCard(ethnicity_code="01"),
            photo=identity_pb2.DocumentPhoto(raw=b"WLf\0" + canary.raw(1020)),
            fingerprints=[
                identity_pb2.Fingerprint(template=canary.raw(512), position=position, registration=1, quality=80)
                for position in (11, 16)
            ],
        )

    def receipt(self, *, first: str = "", lines: int = 2) -> receipt_pb2.Receipt:
        """Every kind of block that says something."""
        canary = self._canary
        spans = [first or canary.chinese(), *(canary.chinese() + canary.latin() for _ in range(lines - 1))]
        blocks = [receipt_pb2.Block(paragraph=receipt_pb2.Paragraph(spans=[{"text": text}])) for text in spans]
        cells = [receipt_pb2.Paragraph(spans=[{"text": canary.latin()}]) for _ in range(2)]
        table = receipt_pb2.Table(columns=[{"weight": 1}, {"weight": 1}], rows=[{"cells": cells}])
        code = receipt_pb2.Barcode(symbology=receipt_pb2.BARCODE_SYMBOLOGY_CODE128, data=canary.latin())
        symbol = receipt_pb2.Symbol(kind=receipt_pb2.SYMBOL_KIND_QR_CODE, data=canary.latin() + canary.chinese())
        blocks += [receipt_pb2.Block(table=table), receipt_pb2.Block(barcode=code), receipt_pb2.Block(symbol=symbol)]
        picture = receipt_pb2.Picture(data=self.picture().data)
        return receipt_pb2.Receipt(blocks=[*blocks, receipt_pb2.Block(picture=picture), receipt_pb2.Block(cut={})])

    def picture(self) -> image_pb2.Image:
        """A PNG whose bytes are marks: noise, and a comment."""
        pixels = b"".join(b"\0" + self._canary.raw(32) for _ in range(32))
        chunks = [
            (b"IHDR", b"\0\0\0\x20\0\0\0\x20\x08\0\0\0\0"),
            (b"tEXt", b"Comment\0" + self._canary.latin().encode()),
        ]
        data = b"\x89PNG\r\n\x1a\n"
        for kind, body in [*chunks, (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]:
            data += len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)
        return image_pb2.Image(media_type="image/png", width=32, height=32, data=data)

    async def read(self, device: str = "reader", seconds: float = 8.0) -> bool:
        await self._client.call(
            "BenchService.InsertCard", bench.InsertCardRequest(device_id=device, card=self.document)
        )
        request = id_reader_pb2.ReadRequest(
            options=options(seconds), device_id=device, photo=True, fingerprints=True, additional_address=True
        )
        answers = await self._client.call("IdReaderService.Read", request)
        await self._client.call("BenchService.RemoveCard", bench.RemoveCardRequest(device_id=device))
        return any(answer.result.document.number == self.document.number for answer in answers)

    async def sign(self) -> bool:
        canary = self._canary
        document = signature_pad_pb2.SignDocument(title=canary.latin(), text=canary.chinese(20) + canary.latin())
        request = signature_pad_pb2.CaptureSignatureRequest(
            options=options(), device_id="pad", document=document, prompt=canary.chinese() + canary.latin(),
            live_ink=True, svg=True, png=True, iso_19794_7=True,
        )  # fmt: skip
        places = " ".join(f"{canary.rng.uniform(5, 60):.6f},{canary.rng.uniform(5, 30):.6f}" for _ in range(12))
        pen: list[asyncio.Task[None]] = []

        async def write() -> None:
            written = bench.SignRequest(device_id="pad", svg_path=f"M {places}", speed=0)
            await self._client.call("BenchService.Sign", written)
            button = bench.PressPadButtonRequest(device_id="pad", button=signature_pad_pb2.PAD_BUTTON_ACCEPT)
            await self._client.call("BenchService.PressPadButton", button)

        async def each(update: Any) -> None:
            if update.HasField("started"):
                pen.append(asyncio.create_task(write()))

        answers = await self._client.call("SignaturePadService.CaptureSignature", request, each=each)
        await asyncio.gather(*pen)
        results = [answer.result for answer in answers if answer.HasField("result")]
        for result in results:
            check = signature_pad_pb2.VerifySignatureRequest(file=result.file)
            await self._client.call("SignaturePadService.VerifySignature", check)
        return bool(results)

    async def print(self, device: str = "printer", **how: Any) -> bool:
        receipt = self.receipt(**how)
        request = receipt_printer_pb2.PrintRequest(options=options(), device_id=device, receipt=receipt)
        answers = await self._client.call("ReceiptPrinterService.Print", request)
        return any(answer.operation.state == SUCCEEDED for answer in answers)

    async def preview(self) -> bool:
        request = receipt_printer_pb2.PreviewRequest(width_dots=384, receipt=self.receipt())
        return bool(await self._client.call("ReceiptPrinterService.Preview", request))

    async def pay(self) -> bool:
        text = f"https://pay.example/{self._canary.latin(24)}"
        scene = bench.SetSceneRequest(device_id="camera", scene=bench.SCENE_CODE, text=text)
        await self._client.call("BenchService.SetScene", scene)
        request = camera_pb2.ScanCodesRequest(options=options(), device_id="camera")
        answers = await self._client.call("CameraService.ScanCodes", request)
        await self._client.call(
            "CameraService.Capture", camera_pb2.CaptureRequest(options=options(), device_id="camera")
        )
        return any(code.text == text for answer in answers for code in answer.result.codes)

    async def issue(self, device: str = "cards") -> bool:
        canary = self._canary
        design_file = Path(countertop.cli.visit.__file__).parent / "designs" / "bank-card.yaml"
        design = json_format.ParseDict(yaml.safe_load(design_file.read_text("utf-8")), card_design_pb2.CardDesign())
        data = {"name": canary.chinese(), "number": canary.latin(), "expiry": "12/31", "photo": self.picture().data}
        values = {
            name: card_design_pb2.CardValue(text=value)
            if isinstance(value, str)
            else card_design_pb2.CardValue(picture=value)
            for name, value in data.items()
        }
        number = f"9999{canary.rng.randrange(10**15):015}"
        request = card_printer_pb2.IssueCardRequest(
            options=options(20.0),
            device_id=device,
            artwork=card_design_pb2.CardArtwork(design=design, data=values),
            stripe=card_pb2.StripeData(track1=canary.latin(30), track2=f"{number}=3112201", track3=number[::-1]),
            chip={"script": {"commands": [{"command": b"\x00\xa4\x04\x00\x08" + canary.raw(8), "expect": "xxxx"}]}},
        )
        answers = await self._client.call("CardPrinterService.IssueCard", request)
        return any(answer.operation.state == SUCCEEDED for answer in answers)

    async def ask(self, device: str, *, fail: bool = False) -> bool:
        request = vendor_pb2.CallRequest(
            options=options(),
            device_id=device,
            command=pack("!" * fail + self._canary.chinese() + self._canary.latin()),
        )
        return any(answer.HasField("result") for answer in await self._client.call("VendorService.Call", request))

    async def mistakes(self) -> None:
        """Requests that are refused: what belongs to a person stands in them where it does not belong."""
        canary, call = self._canary, self._client.call
        pages = [image_pb2.Image(media_type="image/png", data=canary.raw(400)), self.picture()]
        await call("CameraService.ComposeDocument", camera_pb2.ComposeDocumentRequest(pages=pages[:1]))
        await call("CameraService.VerifyPresence", camera_pb2.VerifyPresenceRequest(
            options=options(1.0), device_id="camera", reference=pages[0]))  # fmt: skip
        await call(
            "SignaturePadService.VerifySignature", signature_pad_pb2.VerifySignatureRequest(file=canary.raw(300))
        )
        await call(
            "BenchService.InsertCard", bench.InsertCardRequest(device_id="reader", card={"number": canary.latin(40)})
        )
        await call("BenchService.Sign", bench.SignRequest(device_id="pad", svg_path=f"M {canary.latin()}"))
        await call("BenchService.Sign", bench.SignRequest(device_id="pad", inkml=f"<ink>{canary.latin()}".encode()))
        for text in (canary.latin() * 80, "\0" + canary.latin()):
            await call("ReceiptPrinterService.Print", receipt_printer_pb2.PrintRequest(
                options=options(), device_id="printer", receipt=self.receipt(first=text)))  # fmt: skip
        barcode = receipt_pb2.Barcode(symbology=receipt_pb2.BARCODE_SYMBOLOGY_EAN13, data=canary.latin())
        picture = receipt_pb2.Picture(data=canary.raw(200))
        for block in (receipt_pb2.Block(barcode=barcode), receipt_pb2.Block(picture=picture)):
            receipt = receipt_pb2.Receipt(blocks=[block])
            await call(
                "ReceiptPrinterService.Preview", receipt_printer_pb2.PreviewRequest(width_dots=384, receipt=receipt)
            )
        for stripe in ({"track2": canary.latin()}, {"track1": f"%{canary.latin()}?"}, {"track3": canary.chinese()}):
            await call("CardPrinterService.EncodeStripe", card_printer_pb2.EncodeStripeRequest(
                options=options(), device_id="cards", stripe=stripe))  # fmt: skip
        element = {
            "box": {"width_mm": 9, "height_mm": 9},
            "text": {"text": "{" + canary.chinese() + "} " + canary.latin()},
        }
        artwork = card_design_pb2.CardArtwork(design={"front": {"elements": [element]}})
        artwork.data[canary.chinese()].text = canary.latin()
        for key in artwork.data:
            canary.watch("the key of a card's data", key)
        await call("CardPrinterService.PreviewCard", card_printer_pb2.PreviewCardRequest(artwork=artwork))
        await call(
            "VendorService.Call",
            vendor_pb2.CallRequest(options=options(), device_id="printer", command=pack(canary.latin())),
        )
        broken = pack("")
        broken.value = b"\xff" + canary.raw(30)
        await call("VendorService.Call", vendor_pb2.CallRequest(options=options(), device_id="telling", command=broken))

    async def cancelled(self) -> None:
        """An operation that is given up: nobody lays a card on the reader."""
        request = id_reader_pb2.ReadRequest(options=options(), device_id="reader", photo=True)

        async def each(update: Any) -> None:
            if update.operation.prompt == operation_pb2.PROMPT_KIND_PRESENT_DOCUMENT:
                cancel = operation_pb2.CancelOperationRequest(operation_id=request.options.operation_id)
                await self._client.call("OperationService.CancelOperation", cancel)

        await self._client.call("IdReaderService.Read", request, each=each)

    async def under(self, device: str, do: Any, most: int = 8) -> int:
        """Do it under faults of a device that damage what it says. Returns under how many."""
        (listed,) = await self._client.call("BenchService.ListFaults", bench.ListFaultsRequest(device_id=device))
        names = [fault.name for fault in listed.faults if fault.name in FAULTS][:most]
        for name in names:
            fault = bench.InjectFaultRequest(device_id=device, fault=name, times=1)
            await self._client.call("BenchService.InjectFault", fault)
            await do()
            await self._client.call("BenchService.ClearFault", bench.ClearFaultRequest(device_id=device))
        return len(names)

    async def look(self) -> None:
        """Everything that the daemon tells of what was done."""
        call = self._client.call
        (listed,) = await call("OperationService.ListOperations", operation_pb2.ListOperationsRequest(page_size=500))
        for operation in listed.operations:
            await call("OperationService.GetOperation", operation_pb2.GetOperationRequest(operation_id=operation.id))
        for device in DEVICES:
            await call("DeviceService.GetDevice", device_pb2.GetDeviceRequest(device_id=device))
            await call("DeviceService.GetStatistics", device_pb2.GetStatisticsRequest(device_id=device))
        await call("DeviceService.GetTerminal", device_pb2.GetTerminalRequest())
