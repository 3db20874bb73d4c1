"""What the protos mark never reaches a log."""

from __future__ import annotations

import io
import json
import logging

from countertop.server.logs import logs_to
from countertop.server.redact import MASK, redacted
from countertop.v1 import id_reader_pb2, identity_pb2

DOCUMENT = identity_pb2.IdentityDocument(
    type=identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD,
    person=identity_pb2.Person(name="李小样", address="某省某市"),
    number="11010519491231002X",
    photo=identity_pb2.DocumentPhoto(raw=b"WL", raw_format="wlt"),
    fingerprints=[identity_pb2.Fingerprint(template=b"C", quality=7)],
)


def test_marked_fields_are_masked_at_any_depth_and_others_stay():
    found = redacted(id_reader_pb2.ReadResult(document=DOCUMENT))["document"]
    assert found["person"] == {"name": MASK, "address": MASK}
    assert found["number"] == MASK
    assert found["photo"] == {"raw": MASK, "raw_format": "wlt"}
    assert found["fingerprints"] == [{"template": MASK, "quality": 7}]
    assert found["type"] == identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD


def test_a_message_in_a_log_line_is_masked():
    out = io.StringIO()
    with logs_to(out, json=True):
        logging.getLogger("countertop.test").info("read", extra={"document": DOCUMENT})
    line = json.loads(out.getvalue())
    assert line["document"]["number"] == MASK
    assert (line["event"], line["level"], line["logger"]) == ("read", "info", "countertop.test")
    assert "李小样" not in out.getvalue()


def test_lines_are_all_written_when_the_block_ends():
    out = io.StringIO()
    with logs_to(out):
        for number in range(200):
            logging.getLogger("countertop.test").info("line %d", number)
    assert [line.split()[-2] for line in out.getvalue().splitlines()] == [str(number) for number in range(200)]
