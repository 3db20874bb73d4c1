"""PDF files of pictures (ISO 32000-1, as of PDF 1.4): the pictures' bytes as they are, and nothing else in it.

The same pictures give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["POINTS_PER_INCH", "PdfPage", "PdfPicture", "Placed", "write_pdf"]

POINTS_PER_INCH = 72
_HEADER = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
_BUNDLE, _TREE = 1, 2
"""Numbers of the catalogue and of the tree of pages."""


@dataclass(frozen=True, slots=True)
class PdfPicture:
    """A picture as PDF holds one."""

    data: bytes
    """Coded by `filter`."""
    filter: str
    """DCTDecode for JPEG, FlateDecode for rows of pixels without filters."""
    width: int
    height: int
    gray: bool
    bits: int = 8
    """A colour component's."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture on a page, in points from the page's lower left corner."""

    picture: PdfPicture
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PdfPage:
    """A page, in points."""

    width: float
    height: float
    pictures: tuple[Placed, ...]


def write_pdf(pages: Sequence[PdfPage]) -> bytes:
    """The file."""
    objects: dict[int, bytes] = {_BUNDLE: b"<< /Type /Catalog /Pages 2 0 R >>"}
    kids, number = [], 3
    for page in pages:
        kids.append(number)
        number = _add_page(objects, number, page)
    listed = b" ".join(b"%d 0 R" % kid for kid in kids)
    objects[_TREE] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), listed)
    return _file(objects)


def _add_page(objects: dict[int, bytes], number: int, page: PdfPage) -> int:
    """A page, its content, its pictures; returns the next number that is free."""
    names, drawn = [], []
    for index, placed in enumerate(page.pictures):
        at = number + 2 + index
        names.append(b"/P%d %d 0 R" % (index, at))
        matrix = b" ".join(map(_number, (placed.width, 0, 0, placed.height, placed.x, placed.y)))
        drawn.append(b"q %s cm /P%d Do Q" % (matrix, index))
        objects[at] = _picture(placed.picture)
    content = b"\n".join(drawn)
    objects[number] = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %s %s] /Contents %d 0 R /Resources << /XObject << %s >> >> >>"
        % (_number(page.width), _number(page.height), number + 1, b" ".join(names))
    )
    objects[number + 1] = _stream(b"", content)
    return number + 2 + len(page.pictures)


def _picture(picture: PdfPicture) -> bytes:
    space = b"/DeviceGray" if picture.gray else b"/DeviceRGB"
    return _stream(
        b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace %s /BitsPerComponent %d /Filter /%s "
        % (picture.width, picture.height, space, picture.bits, picture.filter.encode()),
        picture.data,
    )


def _stream(entries: bytes, data: bytes) -> bytes:
    return b"<< %s/Length %d >>\nstream\n%s\nendstream" % (entries, len(data), data)


def _number(value: float) -> bytes:
    return f"{value:.3f}".rstrip("0").rstrip(".").encode()


def _file(objects: dict[int, bytes]) -> bytes:
    parts, places, at = [_HEADER], {}, len(_HEADER)
    for number in sorted(objects):
        part = b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
        places[number] = at
        parts.append(part)
        at += len(part)
    identity = hashlib.sha256(b"".join(parts)).hexdigest()[:32].encode()
    table = [b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)]
    table += [b"%010d 00000 n \n" % places[number] for number in sorted(objects)]
    end = b"trailer\n<< /Size %d /Root %d 0 R /ID [<%s> <%s>] >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, _BUNDLE, identity, identity, at,
    )  # fmt: skip
    return b"".join((*parts, *table, end))
