"""What stands for a document."""

from __future__ import annotations

import hashlib

from countertop.v1.signature_pad_pb2 import SignDocument

__all__ = ["document_digest"]


def document_digest(document: SignDocument) -> bytes:
    """SHA-256 that was given, or else of the picture's file, or of the text in UTF-8."""
    if document.sha256:
        return document.sha256
    shown = document.picture.data if document.WhichOneof("content") == "picture" else document.text.encode()
    return hashlib.sha256(shown).digest()
