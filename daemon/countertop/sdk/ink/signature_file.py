"""The signature file: ink, and what it is bound to, sealed by the terminal. docs/signatures.md tells its form."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from countertop.sdk.ink.signer import VERIFIERS, Signer
from countertop.v1.ink_pb2 import Ink
from countertop.v1.signature_pad_pb2 import SignatureBinding, SignatureCheck, VerifySignatureResponse

__all__ = ["FORMAT", "MAX_FILE_BYTES", "seal", "sealed_message", "verify"]

FORMAT = "countertop-signature-1"
MAX_FILE_BYTES = 917_504
_TYPE = b"application/vnd.countertop.signature-binding"
_BYTES = ("binding", "ink", "public_key", "signature")
_KEYS = {"format", "algorithm", *_BYTES}


def sealed_message(binding: bytes) -> bytes:
    """What the terminal signs: the binding with its type, so that no other thing that it signs can pass for it (the
    pre-authentication encoding of DSSE 1).
    """
    return b"DSSEv1 %d %s %d %s" % (len(_TYPE), _TYPE, len(binding), binding)


def seal(ink: Ink, binding: SignatureBinding, signer: Signer) -> tuple[SignatureBinding, bytes]:
    """Bind ink to what the caller filled into `binding`: the binding made whole, and the file."""
    ink_bytes = ink.SerializeToString(deterministic=True)
    whole = SignatureBinding()
    whole.CopyFrom(binding)
    whole.ink_sha256 = hashlib.sha256(ink_bytes).digest()
    whole.algorithm, whole.key_sha256 = signer.algorithm, hashlib.sha256(signer.public_key).digest()
    binding_bytes = whole.SerializeToString(deterministic=True)
    return whole, _write(
        _File(signer.algorithm, binding_bytes, ink_bytes, signer.public_key, signer.sign(sealed_message(binding_bytes)))
    )


def verify(file: bytes, *, public_key: bytes = b"", document_sha256: bytes = b"") -> VerifySignatureResponse:
    """Check a file, and with `public_key` and `document_sha256` that it is of that terminal and about that document.

    Never raises for what is in the file. Raises CountertopError(NOT_SUPPORTED) where `cryptography` is missing.
    """
    answer = VerifySignatureResponse()
    try:
        found = _read(file)
    except _Unreadable as unreadable:
        answer.checks.add(name="file", passed=False, detail=str(unreadable))
        return answer
    answer.checks.add(name="file", passed=True, detail="It is a signature file, to the byte.")
    binding = SignatureBinding.FromString(found.binding)
    answer.checks.extend(_checks(found, binding, public_key, document_sha256))
    answer.binding.CopyFrom(binding)
    answer.genuine = all(check.passed for check in answer.checks)
    return answer


@dataclass(frozen=True, slots=True)
class _File:
    algorithm: str
    binding: bytes
    ink: bytes
    public_key: bytes
    signature: bytes


class _Unreadable(Exception):
    """What is wrong with the file's form, as a sentence."""


def _write(file: _File) -> bytes:
    told = {name: base64.b64encode(getattr(file, name)).decode("ascii") for name in _BYTES}
    text = json.dumps({"format": FORMAT, "algorithm": file.algorithm} | told, indent=2, sort_keys=True)
    return text.encode("ascii") + b"\n"


def _read(data: bytes) -> _File:
    """Raises _Unreadable. What was read and written again must be the same bytes: else something was changed that no
    digest covers.
    """
    if len(data) > MAX_FILE_BYTES:
        raise _Unreadable(f"The file has {len(data)} bytes; a signature file has at most {MAX_FILE_BYTES}.")
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        raise _Unreadable("The file is not JSON: it was changed or cut off.") from None
    if not isinstance(told, dict) or told.keys() != _KEYS or not all(isinstance(value, str) for value in told.values()):
        raise _Unreadable(f"The file has not exactly the keys {', '.join(sorted(_KEYS))}, with text each.")
    if told["format"] != FORMAT:
        raise _Unreadable(f"The file's format is not {FORMAT}.")
    parts: dict[str, bytes] = {}
    for name in _BYTES:
        try:
            parts[name] = base64.b64decode(told[name], validate=True)
        except (binascii.Error, ValueError):
            raise _Unreadable(f"The file's {name} is not base64: it was changed or cut off.") from None
    try:
        SignatureBinding.FromString(parts["binding"])
    except DecodeError:
        raise _Unreadable("The file's binding cannot be read: it was changed or cut off.") from None
    file = _File(algorithm=told["algorithm"], **parts)
    if _write(file) != data:
        raise _Unreadable("The file is not written as signature files are: some of its bytes were changed.")
    return file


def _checks(
    file: _File, binding: SignatureBinding, public_key: bytes, document_sha256: bytes
) -> Iterator[SignatureCheck]:
    bound = hmac.compare_digest(binding.key_sha256, hashlib.sha256(file.public_key).digest())
    known = not public_key or hmac.compare_digest(public_key, file.public_key)
    yield _check(
        "key",
        bound and known,
        "It is the key that the binding names" + (", and the one expected." if public_key else "."),
        "The public key is not the one that the binding names: key or binding were changed."
        if not bound
        else "The public key is not the one expected: the file is of another terminal, or somebody else's.",
    )
    verifier = VERIFIERS.get(file.algorithm) if file.algorithm == binding.algorithm else None
    fits = verifier is not None and verifier(file.public_key, file.signature, sealed_message(file.binding))
    yield _check(
        "signature",
        fits,
        "The terminal signed this binding: document, pad, terminal and time are as they were.",
        f"The algorithm {file.algorithm!r} is not known, or not the one that the binding names."
        if verifier is None
        else "The terminal's signature does not fit: the binding (document, pad, terminal or time), the key or the "
        "signature were changed.",
    )
    yield _check(
        "ink",
        hmac.compare_digest(binding.ink_sha256, hashlib.sha256(file.ink).digest()) and _is_ink(file.ink),
        "The ink is what was signed.",
        "The ink is not the one that the binding names: it was changed.",
    )
    if document_sha256:
        yield _check(
            "document",
            hmac.compare_digest(binding.document_sha256, document_sha256),
            "It is about this document.",
            "It is not about this document: the document was changed, or it is another one.",
        )


def _check(name: str, passed: bool, good: str, bad: str) -> SignatureCheck:
    return SignatureCheck(name=name, passed=passed, detail=good if passed else bad)


def _is_ink(data: bytes) -> bool:
    try:
        Ink.FromString(data)
    except DecodeError:
        return False
    return True
