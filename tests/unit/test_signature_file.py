"""The signature file: any change is found and named."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from countertop.sdk.ink.document import document_digest
from countertop.sdk.ink.signature_file import MAX_FILE_BYTES, seal, verify
from countertop.sdk.ink.signer import Ed25519Signer, public_key_of, public_pem
from countertop.v1.image_pb2 import Image
from countertop.v1.ink_pb2 import Ink, InkSpace
from countertop.v1.signature_pad_pb2 import SignatureBinding, SignDocument, VerifySignatureResponse

SIGNER = Ed25519Signer.generate()
OTHER = Ed25519Signer.generate()
DOCUMENT = hashlib.sha256(b"a receipt").digest()
INK = Ink(space=InkSpace(width=9600, height=6000, units_per_mm=100))
for _stroke in range(2):
    INK.strokes.add()
    for _index in range(3):
        INK.strokes[-1].points.add(x=_index * 10, y=_stroke * 100, time_us=_index * 5000)
BINDING, FILE = seal(INK, SignatureBinding(document_sha256=DOCUMENT, device_id="pad", terminal_id="t"), SIGNER)


def failing(answer: VerifySignatureResponse) -> list[str]:
    return [check.name for check in answer.checks if not check.passed]


def test_a_file_as_it_was_made_is_genuine() -> None:
    answer = verify(FILE, public_key=SIGNER.public_key, document_sha256=DOCUMENT)
    assert answer.genuine
    assert [check.name for check in answer.checks] == ["file", "key", "signature", "ink", "document"]
    assert answer.binding == BINDING
    assert BINDING.ink_sha256 == hashlib.sha256(INK.SerializeToString(deterministic=True)).digest()


def test_every_byte_counts() -> None:
    for at in range(len(FILE)):
        for change in (0x01, 0x20, 0x80):
            changed = FILE[:at] + bytes([FILE[at] ^ change]) + FILE[at + 1 :]
            answer = verify(changed)
            assert not answer.genuine, f"byte {at}"
            assert failing(answer), f"byte {at}"


@given(st.integers(0, len(FILE) - 1), st.binary(max_size=8), st.integers(0, 8))
def test_whatever_is_put_in_its_place(at: int, instead: bytes, length: int) -> None:
    changed = FILE[:at] + instead + FILE[at + length :]
    assert verify(changed).genuine == (changed == FILE)


@given(st.binary(max_size=300))
def test_anything_else_is_refused_in_a_sentence(data: bytes) -> None:
    answer = verify(data)
    assert failing(answer) == ["file"]
    assert answer.checks[0].detail.endswith(".")


@pytest.mark.parametrize("data", [b"[]", b"{}", b'"x"', b"[" * 100_000, b"1" * (MAX_FILE_BYTES + 1), b"\xff\xfe"])
def test_other_json_and_nonsense_are_refused(data: bytes) -> None:
    assert failing(verify(data)) == ["file"]


def _with(**changed: bytes | str) -> bytes:
    told = json.loads(FILE)
    for name, value in changed.items():
        told[name] = value if isinstance(value, str) else base64.b64encode(value).decode()
    return json.dumps(told, indent=2, sort_keys=True).encode() + b"\n"


def test_what_no_longer_fits_is_named() -> None:
    other_ink = Ink()
    other_ink.CopyFrom(INK)
    other_ink.strokes[0].points[0].x += 1
    assert failing(verify(_with(ink=other_ink.SerializeToString(deterministic=True)))) == ["ink"]
    other_binding = SignatureBinding()
    other_binding.CopyFrom(BINDING)
    other_binding.document_sha256 = bytes(32)
    assert failing(verify(_with(binding=other_binding.SerializeToString(deterministic=True)))) == ["signature"]
    assert failing(verify(_with(signature=bytes(64)))) == ["signature"]
    assert failing(verify(_with(public_key=OTHER.public_key))) == ["key", "signature"]
    assert failing(verify(_with(algorithm="SM2"))) == ["signature"]
    assert failing(verify(_with(format="countertop-signature-2"))) == ["file"]
    assert failing(verify(FILE, document_sha256=bytes(32))) == ["document"]


def test_a_file_that_somebody_else_sealed_is_found_by_the_expected_key_alone() -> None:
    _, forged = seal(INK, BINDING, OTHER)
    assert verify(forged).genuine
    assert failing(verify(forged, public_key=SIGNER.public_key)) == ["key"]


def test_the_seal_is_what_the_documentation_says() -> None:
    told = json.loads(FILE)
    binding = base64.b64decode(told["binding"])
    kind = b"application/vnd.countertop.signature-binding"
    message = b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(binding)).encode(), binding])
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(told["public_key"]))
    key.verify(base64.b64decode(told["signature"]), message)  # raises when it does not fit


def test_keys_go_through_pem_and_back() -> None:
    assert Ed25519Signer.load(SIGNER.private_pem()).public_key == SIGNER.public_key
    assert public_key_of(public_pem("Ed25519", SIGNER.public_key).encode()) == SIGNER.public_key
    with pytest.raises(ValueError, match="Ed25519"):
        public_pem("SM2", b"")
    for rubbish in (b"", b"rubbish", SIGNER.private_pem()):
        with pytest.raises(ValueError, match=r"."):
            public_key_of(rubbish)


def test_a_document_is_its_given_digest_its_picture_or_its_text() -> None:
    assert document_digest(SignDocument(text="x", sha256=bytes(32))) == bytes(32)
    assert document_digest(SignDocument(picture=Image(data=b"png"))) == hashlib.sha256(b"png").digest()
    assert document_digest(SignDocument(text="回单")) == hashlib.sha256("回单".encode()).digest()
