"""Shows an identity document on the terminal, and saves its picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.cli.output import console, table, word
from countertop.v1 import identity_pb2

if TYPE_CHECKING:
    from rich.console import Console

    from countertop.v1.identity_pb2 import IdentityDocument

__all__ = ["save_photo", "show_document"]

_TYPES = {
    identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD: "居民身份证, resident identity card",
    identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2017: "外国人永久居留身份证, 2017 layout",
    identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2023: "外国人永久居留身份证, 2023 layout",
    identity_pb2.DOCUMENT_TYPE_HK_MACAO_TAIWAN_PERMIT: "港澳台居民居住证, residence permit",
}


def show_document(document: IdentityDocument, out: Console | None = None) -> None:
    """Its fields as a table, and what was checked."""
    from rich.markup import escape

    shown = table("field", "content")
    for name, content in _fields(document):
        if content:
            shown.add_row(name, escape(content))
    for check in document.checks:
        kind = word(identity_pb2.DocumentCheckKind, check.kind, "DOCUMENT_CHECK_KIND_").lower().replace("_", " ")
        passed = "[green]holds[/]" if check.passed else f"[red]does not hold[/] {escape(check.detail)}"
        shown.add_row(f"check: {kind}", passed)
    (out or console()).print(shown)


def save_photo(document: IdentityDocument, path: Path) -> bool:
    """Save the decoded picture as PNG. Returns False when it came undecoded. Raises OSError."""
    image = document.photo.image
    if not image.data:
        return False
    if image.media_type == "image/png":
        path.write_bytes(image.data)
        return True
    import io

    from PIL import Image

    Image.open(io.BytesIO(image.data)).save(path, format="PNG")
    return True


def _fields(document: IdentityDocument) -> Iterator[tuple[str, str]]:
    person = document.person
    until = "长期" if document.valid_long_term else document.valid_until
    yield "type", _TYPES.get(document.type, "")
    yield "name", person.name
    yield "Latin name", person.latin_name
    yield "sex", person.sex_name
    yield "ethnicity", document.resident_card.ethnicity_name
    yield "date of birth", person.birth_date
    yield "nationality", person.nationality
    yield "address", person.address
    yield "additional address", document.additional_address
    yield "number", document.number
    yield "old number", document.foreign_permanent_resident_2023.old_number
    yield "travel permit", document.hk_macao_taiwan_permit.pass_number
    yield "issued by", document.issuing_authority
    yield "valid", f"{document.valid_from} to {until}" if until else document.valid_from
    yield "fingerprints", str(len(document.fingerprints) or "")
