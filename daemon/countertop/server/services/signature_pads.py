"""SignaturePadService. The first signature pays for importing what draws and seals it."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from countertop.sdk.errors import InvalidRequest
from countertop.server.operations import OperationRecord, seconds
from countertop.server.services.base import Service
from countertop.server.signing_key import SigningKey
from countertop.server.terminal import Terminal
from countertop.server.times import stamp
from countertop.v1 import device_pb2, signature_pad_pb2
from countertop.v1.signature_pad_pb2 import CaptureSignatureRequest, CaptureSignatureResult, SignatureBinding

if TYPE_CHECKING:
    from countertop.sdk.ink.signer import Signer

__all__ = ["SignaturePads", "SignatureSealing"]


class SignaturePads(Service):
    """Lets people sign on pads."""

    descriptor = signature_pad_pb2.DESCRIPTOR.services_by_name["SignaturePadService"]
    kind = device_pb2.DEVICE_KIND_SIGNATURE_PAD
    default_timeout = 120.0

    def __init__(self, terminal: Terminal, key: SigningKey) -> None:
        super().__init__(terminal)
        self._key = key

    def prepare(self, request: Any) -> Any:
        """There must be something to sign, and time for it."""
        check_document(request.document)
        seconds(request, "start_within", 0.0, least=0.1)
        seconds(request, "accept_after_pause", 0.0, least=0.1)
        return request

    async def press_button(
        self, request: signature_pad_pb2.PressButtonRequest
    ) -> signature_pad_pb2.PressButtonResponse:
        """Hand it to the capture."""
        record = self.terminal.operations.get(request.operation_id)
        if record.verb not in self.verbs.values():
            raise InvalidRequest({"operation_id": "expected the operation of a CaptureSignature"})
        record.instruct(request)
        return signature_pad_pb2.PressButtonResponse()

    async def get_signing_key(
        self, request: signature_pad_pb2.GetSigningKeyRequest
    ) -> signature_pad_pb2.GetSigningKeyResponse:
        """The public half."""
        from countertop.sdk.ink.signer import public_pem

        signer = await asyncio.to_thread(self._key.signer)
        return signature_pad_pb2.GetSigningKeyResponse(
            algorithm=signer.algorithm,
            public_key=signer.public_key,
            pem=public_pem(signer.algorithm, signer.public_key),
            terminal_id=self.terminal.id,
        )

    async def verify_signature(
        self, request: signature_pad_pb2.VerifySignatureRequest
    ) -> signature_pad_pb2.VerifySignatureResponse:
        """Check a file."""
        from countertop.sdk.ink.signature_file import verify

        return await asyncio.to_thread(
            verify, request.file, public_key=request.public_key, document_sha256=request.document_sha256
        )


class SignatureSealing:
    """Completes what a pad's driver took: draws the pictures that were asked for, and binds ink to document."""

    def __init__(self, terminal: Terminal, key: SigningKey) -> None:
        self._terminal = terminal
        self._key = key

    def concerns(self, message: Message) -> bool:
        """It is a signature."""
        return isinstance(message, CaptureSignatureResult)

    async def complete(self, record: OperationRecord, message: Message) -> None:
        """Raises CountertopError: SIGNING_KEY_UNUSABLE, NOT_SUPPORTED."""
        assert isinstance(message, CaptureSignatureResult)
        binding = self._binding(record)
        await asyncio.to_thread(self._fill, record.request, binding, message)

    def _binding(self, record: OperationRecord) -> SignatureBinding:
        """What is known of this capture without its ink."""
        info = self._terminal.runners[record.operation.device_id].view.device.info
        binding = SignatureBinding(
            document_title=record.request.document.title,
            terminal_id=self._terminal.id,
            device_id=record.operation.device_id,
            vendor=info.vendor,
            model=info.model,
            serial=info.serial,
            operation_id=record.id,
        )
        stamp(binding.time)
        return binding

    def _fill(
        self, request: CaptureSignatureRequest, binding: SignatureBinding, result: CaptureSignatureResult
    ) -> None:
        from countertop.sdk.ink.document import document_digest
        from countertop.sdk.ink.iso19794_7 import to_iso
        from countertop.sdk.ink.png import to_png
        from countertop.sdk.ink.signature_file import seal
        from countertop.sdk.ink.svg import to_svg

        if request.svg:
            result.svg = to_svg(result.ink)
        if request.png:
            result.png.CopyFrom(to_png(result.ink))
            result.png.sha256 = hashlib.sha256(result.png.data).digest()
        if request.iso_19794_7:
            result.iso_19794_7 = to_iso(result.ink)
        if not request.unbound:
            binding.document_sha256 = document_digest(request.document)
            signer: Signer = self._key.signer()
            sealed, result.file = seal(result.ink, binding, signer)
            result.binding.CopyFrom(sealed)


def check_document(document: signature_pad_pb2.SignDocument) -> None:
    """Raises InvalidRequest for a document without content, and for a digest that is none."""
    if document.WhichOneof("content") is None and not document.sha256:
        raise InvalidRequest({"document": "expected text, a picture, or the document's sha256"})
    if document.sha256 and len(document.sha256) != 32:
        raise InvalidRequest({"document.sha256": f"expected 32 bytes, got {len(document.sha256)}"})
    if document.WhichOneof("content") == "picture" and not document.picture.data:
        raise InvalidRequest({"document.picture.data": "expected a PNG or JPEG file"})
