"""A made-up vendor with commands of its own, and drivers that declare theirs wrongly. Its protos are made here."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any, ClassVar

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

from countertop.sdk import (
    DeviceFault,
    ReceiptPrinter,
    Run,
    Settlement,
    TcpLink,
    Unsettled,
    VendorCommand,
    vendor_result,
)
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.options_pb2 import EFFECT_CONSUMES, EFFECT_READS

_FIELD = descriptor_pb2.FieldDescriptorProto


def made(package: str, **messages: dict[str, Any]) -> dict[str, Any]:
    """Message classes by name, of a proto file that is made up: `SetLight={"level": int, "secret_code": str}`.

    A field whose name begins with `secret_` is marked as customer data.
    """
    name = f"{package.replace('.', '/') or 'none'}/{'_'.join(messages).lower()}.proto"
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax="proto3")
    for title, fields in messages.items():
        message = file.message_type.add(name=title)
        for number, (field, kind) in enumerate(fields.items(), 1):
            added = message.field.add(name=field, number=number, label=_FIELD.LABEL_OPTIONAL)
            added.type = _FIELD.TYPE_STRING if kind is str else _FIELD.TYPE_INT32
            if field.startswith("secret_"):
                added.options.debug_redact = True
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    names = {title: ".".join(filter(None, (package, title))) for title in messages}
    return {title: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for title, name in names.items()}


ACME = made(
    "acme.pad.v1",
    SetLightRequest={"level": int, "how": str},
    SetLightResult={"level": int, "note": str},
    Dimmed={"level": int},
    EjectRequest={"how": str},
    EjectResult={"slot": int, "secret_name": str},
)
SetLightRequest, SetLightResult, Dimmed = (ACME[name] for name in ("SetLightRequest", "SetLightResult", "Dimmed"))
EjectRequest, EjectResult = ACME["EjectRequest"], ACME["EjectResult"]


def packed(message: Any) -> any_pb2.Any:
    command = any_pb2.Any()
    command.Pack(message)
    return command


class AcmePrinter(ReceiptPrinter):
    """Does what the command's `how` says."""

    name = "acme"
    links = (TcpLink,)
    poll_interval = 0.05
    ejected: ClassVar[list[str]] = []
    entered: ClassVar[asyncio.Event]
    go_on: ClassVar[asyncio.Event]
    vendor_commands = (
        VendorCommand(
            SetLightRequest,
            SetLightResult,
            effect=EFFECT_READS,
            handler="set_light",
            description="Sets how bright the screen is.",
            events=(Dimmed,),
        ),
        VendorCommand(
            EjectRequest, EjectResult, effect=EFFECT_CONSUMES, handler="eject", description="Gives out a token."
        ),
    )

    async def connect(self) -> device_pb2.DeviceInfo:
        return device_pb2.DeviceInfo(vendor="Acme", model=f"pid {os.getpid()}", serial="S1")

    async def disconnect(self) -> None:
        pass

    async def status(self) -> device_pb2.DeviceStatus:
        return device_pb2.DeviceStatus()

    async def print(self, request: Any, run: Run) -> Any:
        raise AssertionError("not tried")

    async def open_drawer(self, request: Any, run: Run) -> Any:
        raise AssertionError("not tried")

    async def set_light(self, request: Any, run: Run) -> Any:
        match request.how:
            case "commit":
                await run.commit_point("first byte")
            case "wrong result":
                return EjectResult()
            case "nothing":
                return None
            case "wrong event":
                run.emit(SetLightResult(level=1))
            case "large":
                return SetLightResult(note="x" * 1024 * 1024)
            case "for ever":
                run.progress(1)
                await asyncio.Event().wait()
            case "fault":
                raise DeviceFault(error_pb2.REASON_PAD_FAULT, step="light", got="nothing")
            case "bug":
                raise ValueError("a name of a customer")
        run.progress(1, 2, "steps")
        run.emit(Dimmed(level=request.level - 1))
        return SetLightResult(level=request.level)

    async def eject(self, request: Any, run: Run) -> Any:
        await run.commit_point("turn the wheel", {"slot": 7})
        self.ejected.append(run.operation_id)
        if request.how == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if request.how == "held":
            self.entered.set()
            await self.go_on.wait()
        if request.how == "break":
            raise DeviceFault(error_pb2.REASON_LINK_LOST)
        return EjectResult(slot=3, secret_name="李小样" if request.how == "name" else "")


class SettlingPrinter(AcmePrinter):
    """Can tell what became of a token."""

    name = "acme-settling"

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        assert unsettled.verb == "call_vendor"
        assert unsettled.evidence["vendor_command"] == "acme.pad.v1.EjectRequest"
        result = EjectResult(slot=int(unsettled.evidence["slot"]))
        return Settlement(error_pb2.PHYSICAL_EFFECT_COMPLETE, "The token came out.", vendor_result(result))


class BadPrinter(AcmePrinter):
    """Declares a command without its handler."""

    name = "acme-bad"
    vendor_commands = (
        VendorCommand(
            SetLightRequest, SetLightResult, effect=EFFECT_READS, handler="set_lihgt", description="Misspelt."
        ),
    )
