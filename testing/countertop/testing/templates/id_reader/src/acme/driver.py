"""The driver: shows Countertop the reader as an `IdReader`."""

from __future__ import annotations

from typing import cast

from countertop.sdk import IdReader, LinkUrl, Options, Run, SerialLink, TcpLink, reason_info
from countertop.sdk.trace import Masker
from countertop.v1 import device_pb2, error_pb2, id_reader_pb2, identity_pb2
from countertop.v1.device_pb2 import Condition, DeviceInfo, DeviceStatus
from pydantic import Field

from acme.masking import FrameMasker
from acme.protocol import LONGEST, REFUSALS, Command, StatusBit, parse_identity, parse_status
from acme.reading import Reading
from acme.session import Session

__all__ = ["AcmeOptions", "AcmeReader"]

TYPES = (identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD, identity_pb2.DOCUMENT_TYPE_HK_MACAO_TAIWAN_PERMIT)


class AcmeOptions(Options):
    """Options of the reader, checked when the configuration is read."""

    answer_seconds: float = Field(default=0.5, ge=0.05, le=10)
    """How long the reader may take for an answer."""
    read_seconds: float = Field(default=2.0, ge=0.1, le=30)
    """How long it may take to read a document."""
    look_ms: int = Field(default=100, ge=10, le=2000)
    """Milliseconds between two looks whether a document lies there."""


class AcmeReader(IdReader):
    """A reader on which documents are laid."""

    name = "acme"
    links = (SerialLink, TcpLink)
    options_type = AcmeOptions

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options)
        self._options = cast("AcmeOptions", options)
        self._session: Session | None = None

    async def connect(self) -> DeviceInfo:
        """Open the link and ask who is there. Raises LinkFault, NoAnswer, ProtocolFault."""
        link = await self.open_link(baud="115200")
        self._session = session = Session(link, LONGEST, REFUSALS, self._options.answer_seconds)
        try:
            session.forget()
            identity = parse_identity(await session.ask(Command.HELLO))
        except BaseException:
            await self.disconnect()
            raise
        return DeviceInfo(
            vendor="Acme",
            model=identity.model,
            serial=identity.serial,
            firmware=identity.firmware,
            id_reader=device_pb2.IdReaderCapabilities(document_types=TYPES, additional_address=True),
        )

    async def disconnect(self) -> None:
        """Close the link."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def status(self) -> DeviceStatus:
        """What the reader says of itself, and whether a document lies on it. Raises NoAnswer, LinkFault."""
        bits = parse_status(await self._open().ask(Command.STATUS))
        lies = bool(bits & StatusBit.DOCUMENT)
        status = DeviceStatus(media=device_pb2.MEDIA_STATE_PRESENT if lies else device_pb2.MEDIA_STATE_NOT_PRESENT)
        if bits & StatusBit.SELF_TEST_FAILED:
            reason = error_pb2.REASON_READER_SELF_TEST_FAILED
            info, blocking = reason_info(reason), device_pb2.SEVERITY_BLOCKING
            status.conditions.append(
                Condition(reason=reason, severity=blocking, fixed_by=info.fixed_by, action=info.app)
            )
        return status

    async def read(self, request: id_reader_pb2.ReadRequest, run: Run) -> id_reader_pb2.ReadResult:
        """Wait for a document, read it, wait for its removal if asked. One that lies there is read, and read again.

        Raises DeviceFault: NO_DOCUMENT, DOCUMENT_REMOVED, DOCUMENT_UNREADABLE (as it was when time was up),
        DOCUMENT_UNSUPPORTED, READER_SELF_TEST_FAILED at once.
        """
        reading = Reading(
            self._open(), request, run, look_seconds=self._options.look_ms / 1000, seconds=self._options.read_seconds
        )
        document = await reading.document()
        if request.wait_for_removal:
            run.emit(document)
            await reading.removal()
        return id_reader_pb2.ReadResult(document=document)

    def masker(self) -> Masker:
        """Documents and photos are kept out of recordings."""
        return FrameMasker(LONGEST, received=Command.READ.value + Command.PHOTO.value)

    def _open(self) -> Session:
        assert self._session is not None, "connect comes first"
        return self._session
