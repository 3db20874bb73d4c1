"""A customer's visit at an emulated counter, step by step: a card is read, the customer is compared with its photo, a
receipt is signed and printed, a fee is paid by a code on a phone, and a bank card is issued.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countertop.bench.v1.bench_pb2 import SCENE_CODE, SCENE_PERSON, GeneratedHandwriting, SignRequest
from countertop.cli.document import save_photo, show_document
from countertop.cli.follow import PROMPTS
from countertop.cli.output import Refused, word
from countertop.cli.presence_view import show_presence
from countertop.client.errors import OperationFailed, OutcomeUncertain
from countertop.v1 import card_pb2, device_pb2, error_pb2, operation_pb2, receipt_printer_pb2
from countertop.v1.card_pb2 import StripeData
from countertop.v1.signature_pad_pb2 import PAD_BUTTON_ACCEPT, SignDocument

if TYPE_CHECKING:
    from rich.console import Console

    from countertop.client import Bench, Counter
    from countertop.v1.identity_pb2 import IdentityDocument
    from countertop.v1.receipt_pb2 import Receipt

__all__ = ["CAMERA", "CARDS", "PAD", "PRINTER", "READER", "Visit"]

READER = "id-reader"
PRINTER = "receipt-printer"
PAD = "signature-pad"
CARDS = "card-printer"
CAMERA = "camera"
PAYMENT = "https://pay.example/fee/20260101-000042?amount=10.00"
"""Invented: what the customer's phone shows."""
DESIGN = Path(__file__).parent / "designs" / "bank-card.yaml"
CARD_NUMBER = "9999 0000 0000 0000"
"""Invented: no bank's numbers begin so."""
_READY_SECONDS = 30.0
_READY = (device_pb2.DEVICE_STATE_READY, device_pb2.DEVICE_STATE_ATTENTION)


@dataclass(slots=True)
class _Step:
    name: str
    state: str = "RUNNING"
    operation_id: str = ""
    milliseconds: int = 0

    def told(self) -> dict[str, Any]:
        operation = {"operation_id": self.operation_id} if self.operation_id else {}
        return {"step": self.name, **operation, "state": self.state, "milliseconds": self.milliseconds}


class Visit:
    """One visit. `run` does it and raises CountertopError or Refused at the step that fails; `save` tells what was
    done, without any of the customer's data.
    """

    def __init__(self, counter: Counter, out: Path, console: Console) -> None:
        self._counter = counter
        self._out = out
        self._console = console
        self._steps: list[_Step] = []
        self._confirmation = ""

    async def run(self, receipt: Receipt) -> None:
        """The whole visit; pictures and the signature file are saved on the way."""
        async with self._step("ready", "The devices of the terminal get ready"):
            await self._until_ready({READER, PRINTER, PAD, CARDS, CAMERA})
        document = await self._read_card()
        await self._verify_presence(document)
        async with self._step("remove-card", "The customer takes the card back"):
            await self._counter.bench.remove_card(READER)
        await self._sign(await self._preview(receipt))
        await self._print(receipt)
        async with self._step("take-paper", "The paper that came out of the printer"):
            await self._take_paper()
        await self._pay()
        await self._issue_card(document)
        async with self._step("card-made", "The card that the customer took"):
            await self._show_card()

    def save(self) -> None:
        """Write `visit.json`."""
        told = {"steps": [step.told() for step in self._steps], "confirmation": self._confirmation}
        (self._out / "visit.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")

    async def _until_ready(self, missing: set[str]) -> None:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                async for response in self._counter.watch():
                    for device in _devices(response):
                        if device.state in _READY:
                            missing.discard(device.id)
                    if not missing:
                        return
        except TimeoutError:
            raise Refused(
                f"Not ready after {_READY_SECONDS:g} s: {', '.join(sorted(missing))}.", "Look at: countertop doctor"
            ) from None

    async def _read_card(self) -> IdentityDocument:
        async with self._step("read-card", "The teller reads the customer's card") as step:
            handle = self._counter.id_reader(READER).start_read(photo=True, timeout=30.0)
            step.operation_id = handle.id
            inserted = False
            async for update in handle:
                prompt = word(operation_pb2.PromptKind, update.operation.prompt, "PROMPT_KIND_")
                if prompt == "PRESENT_DOCUMENT" and not inserted:
                    inserted = True
                    self._console.print(f"    prompt: [bold]{PROMPTS[prompt]}[/]")
                    self._console.print("    on the bench: a card is laid on the emulated reader")
                    await self._counter.bench.insert_card(READER)
            document = (await handle.result()).document
        show_document(document, self._console)
        if save_photo(document, self._out / "photo.png"):
            self._saved("photo.png")
        return document

    async def _verify_presence(self, document: IdentityDocument) -> None:
        """The customer is compared with the photo of the card; nobody asks them to blink."""
        camera = self._counter.camera(CAMERA)
        async with self._step("verify-presence", "The camera looks whether it is the person on the card") as step:
            await self._counter.bench.set_scene(SCENE_PERSON, CAMERA)
            photo = document.photo.image if document.photo.image.data else None
            handle = camera.start_verify_presence(photo, best_frame=True, timeout=30.0)
            step.operation_id = handle.id
            try:
                result = await handle.result()
            except OperationFailed as error:
                if error.reason != error_pb2.REASON_NOT_CONFIGURED:
                    raise
                step.state = "NOT_CONFIGURED"  # as it is told to apps: nothing here can tell, and nobody is let pass
                self._console.print(f"    {error.message}", markup=False)
                return
            show_presence(result, self._console)
            self._save("face.jpg", result.best.data)

    async def _pay(self) -> None:
        async with self._step("scan", "The customer pays a fee by the code on their phone") as step:
            handle = self._counter.camera(CAMERA).start_scan(timeout=30.0)
            step.operation_id = handle.id
            shown = False
            async for update in handle:
                prompt = word(operation_pb2.PromptKind, update.operation.prompt, "PROMPT_KIND_")
                if prompt == "SHOW_CODE" and not shown:
                    shown = True
                    self._console.print(f"    prompt: [bold]{PROMPTS[prompt]}[/]")
                    self._console.print("    on the bench: a phone is held before the emulated camera")
                    await self._counter.bench.set_scene(SCENE_CODE, CAMERA, text=PAYMENT)
            (code,) = (await handle.result()).codes
            if code.text != PAYMENT:
                raise Refused("The code was read as something else than it says.")
            self._console.print(f"    {len(code.content)} bytes were read")
        self._save("phone.jpg", (await self._counter.camera(CAMERA).frame()).data)

    async def _preview(self, receipt: Receipt) -> bytes:
        """The receipt as a PNG file."""
        async with self._step("preview", "The receipt as it would look"):
            preview = await self._counter.receipt_printer(PRINTER).preview(receipt)
            size = f"{preview.image.width} x {preview.image.height} dots, {preview.paper_mm:.0f} mm of paper"
            self._console.print(f"    {size}")
            self._save("document.png", preview.image.data)
        return preview.image.data

    async def _sign(self, document: bytes) -> None:
        """The customer signs a summary of the document; the signature file is about the whole of it."""
        pad, hands = self._counter.signature_pad(PAD), self._counter.bench
        async with self._step("sign", "The customer signs on the pad") as step:
            shown = SignDocument(
                title="Receipt 回单",
                text="Deposit 存款  CNY 1,000.00\nI have read the whole receipt. 本人已阅读回单全文。",
                sha256=hashlib.sha256(document).digest(),
            )
            handle = pad.start_capture(shown, live_ink=True, svg=True, png=True, timeout=60.0)
            step.operation_id = handle.id
            points, pen = 0, None
            async for update in handle:
                if update.WhichOneof("payload") == "started":
                    self._save("pad.png", update.started.screen.data)
                    self._console.print(f"    prompt: [bold]{PROMPTS['SIGN']}[/]")
                    self._console.print("    on the bench: a pen writes on the emulated pad")
                    pen = asyncio.create_task(self._write(hands))
                points += len(update.ink.points)
            if pen is not None:
                await pen
            result = await handle.result()
            self._console.print(f"    {points} points came live, {result.quality.length_mm:.0f} mm of ink")
        self._save("signature.png", result.png.data)
        self._save("signature.svg", result.svg.encode())
        self._save("signature.json", result.file)
        async with self._step("verify", "The signature file fits document, ink, terminal and key"):
            key = await pad.signing_key()
            digest = hashlib.sha256(document).digest()
            answer = await pad.verify(result.file, public_key=key.public_key, document_sha256=digest)
            if not answer.genuine:
                raise Refused("The signature file does not fit.")

    @staticmethod
    async def _write(hands: Bench) -> None:
        await hands.sign(PAD, SignRequest(generated=GeneratedHandwriting(strokes=4)))
        await hands.press_pad_button(PAD_BUTTON_ACCEPT, PAD)

    async def _print(self, receipt: Receipt) -> None:
        printer = self._counter.receipt_printer(PRINTER)
        async with self._step("print", "The receipt is printed") as step:
            handle = printer.start_print(receipt)
            step.operation_id = handle.id
            told = 0
            async for update in handle:
                progress = update.operation.progress
                if progress.total and progress.done >= told + progress.total / 4:
                    told = progress.done
                    self._console.print(f"    {told} of {progress.total} {progress.unit} are on paper")
            result = await handle.result()
        self._confirmation = word(receipt_printer_pb2.Confirmation, result.confirmation, "CONFIRMATION_")
        self._console.print(f"    {result.blocks} blocks, {result.bytes} bytes; known by {self._confirmation}")

    async def _take_paper(self) -> None:
        outputs = await self._counter.bench.output(PRINTER, skip=0, limit=1, text_only=False)
        if not outputs or not outputs[0].finished:
            raise Refused("The printer says that it printed, but no receipt was cut off.")
        self._save("receipt.png", outputs[0].image.data)

    async def _issue_card(self, document: IdentityDocument) -> None:
        """A card with the customer's name and photo; the customer takes it."""
        from countertop.cli.card_file import read_design

        data: dict[str, str | bytes] = {"name": document.person.name, "number": CARD_NUMBER, "expiry": "12/31"}
        if document.photo.image.data:
            data["photo"] = document.photo.image.data
        stripe = StripeData(track2=f"{CARD_NUMBER.replace(' ', '')}=31122010000000000000")
        async with self._step("issue-card", "A bank card is made and handed over") as step:
            handle = self._counter.card_printer(CARDS).start_issue(read_design(DESIGN), data, stripe=stripe)
            step.operation_id = handle.id
            prompted = False
            async for update in handle:
                if update.HasField("moved"):
                    movement = word(card_pb2.CardMovement, update.moved.movement, "CARD_MOVEMENT_")
                    self._console.print(f"    the card was {movement.lower()}")
                prompt = word(operation_pb2.PromptKind, update.operation.prompt, "PROMPT_KIND_")
                if prompt == "TAKE_CARD" and not prompted:
                    prompted = True
                    self._console.print(f"    prompt: [bold]{PROMPTS[prompt]}[/]")
            await handle.result()

    async def _show_card(self) -> None:
        made = await self._counter.bench.last_output(CARDS)
        if made is None or not made.finished:
            raise Refused("The printer says that it made a card, but none came out.")
        self._save("card-front.png", made.image.data)
        self._save("card-back.png", made.back.data)

    def _save(self, name: str, data: bytes) -> None:
        (self._out / name).write_bytes(data)
        self._saved(name)

    def _saved(self, name: str) -> None:
        self._console.print(f"    saved {self._out / name}", markup=False, soft_wrap=True)

    @asynccontextmanager
    async def _step(self, name: str, title: str) -> AsyncIterator[_Step]:
        step = _Step(name)
        self._steps.append(step)
        self._console.print(f"[bold cyan]{len(self._steps)}[/] {title}")
        began = time.monotonic()
        try:
            yield step
            if step.state == "RUNNING":
                step.state = "SUCCEEDED"
        except asyncio.CancelledError:
            step.state = "CANCELLED"
            raise
        except BaseException as error:
            step.state = "UNCERTAIN" if isinstance(error, OutcomeUncertain) else "FAILED"
            raise
        finally:
            step.milliseconds = round((time.monotonic() - began) * 1000)
            style = {"SUCCEEDED": "green", "NOT_CONFIGURED": "yellow"}.get(step.state, "red")
            self._console.print(f"    [{style}]{step.state}[/] after {step.milliseconds} ms")


def _devices(response: device_pb2.WatchEventsResponse) -> Iterable[device_pb2.Device]:
    if response.HasField("snapshot"):
        return response.snapshot.devices
    return (response.event.device_changed,) if response.event.HasField("device_changed") else ()
