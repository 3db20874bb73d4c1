"""What the protos mark never reaches a log, and no text that others made."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import logging
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import any_pb2

import countertop.server.serving
from countertop.sdk.errors import InvalidRequest
from countertop.sdk.marks import MASK, holds_marked, masked, safe, strip
from countertop.server.log_safety import loop_failed
from countertop.server.logs import as_json, logs_to
from countertop.server.redact import stripped
from countertop.v1 import card_design_pb2, id_reader_pb2, identity_pb2, image_pb2, vendor_pb2

SECRET = "李小样 11010519491231002X"
DOCUMENT = identity_pb2.IdentityDocument(
    type=identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD,
    person=identity_pb2.Person(name="李小样", address="某省某市"),
    number="11010519491231002X",
    photo=identity_pb2.DocumentPhoto(raw=b"WL", raw_format="wlt"),
    fingerprints=[identity_pb2.Fingerprint(template=b"C", quality=7)],
    resident_card=identity_pb2.ResidentCard(ethnicity_code="01"),
)


def failed(error: BaseException) -> BaseException:
    try:
        raise error  # noqa: TRY301 - that it has a place
    except BaseException as raised:
        return raised


def lines(write: Any, **options: Any) -> str:
    out = io.StringIO()
    with logs_to(out, **options):
        write()
    return out.getvalue()


# -- messages --


def test_marked_fields_are_masked_at_any_depth_and_others_stay():
    found = masked(id_reader_pb2.ReadResult(document=DOCUMENT))["document"]
    assert found["person"] == {"name": MASK, "address": MASK}
    assert found["number"] == MASK
    assert found["photo"] == {"raw": MASK, "raw_format": "wlt"}
    assert found["fingerprints"] == [{"template": MASK, "quality": 7}]
    assert found["resident_card"] == {"ethnicity_code": MASK}
    assert found["type"] == identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD


def test_maps_packed_messages_and_bytes_are_masked():
    artwork = card_design_pb2.CardArtwork(data={"name": card_design_pb2.CardValue(text=SECRET)})
    assert masked(artwork) == {"data": MASK}
    packed = any_pb2.Any()
    packed.Pack(DOCUMENT)
    assert masked(packed) == {"type": "countertop.v1.IdentityDocument", "value": MASK}
    assert masked(vendor_pb2.CallRequest(device_id="x", command=packed)) == {"device_id": "x", "command": MASK}
    assert masked(image_pb2.Image(sha256=b"x" * 32)) == {"sha256": "32 bytes"}


def test_fields_of_a_newer_version_are_taken_out():
    """Nobody knows here whether they are marked there."""
    newer = identity_pb2.DocumentCheck(passed=True)
    newer.MergeFromString(identity_pb2.Person(address=SECRET).SerializeToString())  # its field 7 is no check's
    document = identity_pb2.IdentityDocument(checks=[newer])
    assert SECRET.encode() in document.SerializeToString()
    assert holds_marked(document)
    assert "李" not in str(masked(document))
    assert stripped(document) == identity_pb2.IdentityDocument(checks=[identity_pb2.DocumentCheck(passed=True)])
    strip(document)
    assert SECRET.encode() not in document.SerializeToString()


# -- exceptions --


def test_an_error_of_ours_says_what_it_says():
    assert safe(InvalidRequest({"name": "required"})).startswith("InvalidRequest: The request has a mistake: name")


def test_of_a_foreign_error_only_type_place_and_cause_are_told():
    inner = failed(ValueError(SECRET))
    outer = KeyError(SECRET)
    outer.__cause__ = inner
    text = safe(failed(outer))
    assert text.startswith(f"KeyError at {__file__}:")
    assert ", because of ValueError at " in text
    group = safe(failed(ExceptionGroup(SECRET, [inner, OSError(5, SECRET)])))
    assert "(ValueError at " in group
    assert "; OSError at ?)" in group
    assert "李" not in text + group


# -- the log --


def test_a_message_in_a_log_line_is_masked():
    def write() -> None:
        extra = {"document": DOCUMENT, "several": [DOCUMENT], "error": failed(ValueError(SECRET))}
        logging.getLogger("countertop.test").info("read %s %s", DOCUMENT, b"WL", extra=extra)

    found = lines(write, json=True)
    line = json.loads(found)
    assert line["document"]["number"] == line["several"][0]["number"] == MASK
    assert line["event"].startswith("read {'type': ")
    assert line["event"].endswith(" 2 bytes")
    assert (line["level"], line["logger"]) == ("info", "countertop.test")
    assert "李" not in found
    assert "11010519491231002X" not in found


@pytest.mark.parametrize("logger", ["countertop.test", "asyncio", "grpc._cython", "acme"])
def test_no_traceback_and_no_text_of_an_exception_is_written(logger: str):
    def write() -> None:
        try:
            raise ValueError(SECRET)  # noqa: TRY301
        except ValueError as error:
            logging.getLogger(logger).exception("a template with %s and %d", error, 7, stack_info=True)  # noqa: TRY401

    found = lines(write)
    assert "a template with ValueError at " in found
    assert " and 7" in found
    assert SECRET not in found
    assert "Traceback" not in found
    assert "Stack" not in found


def test_what_others_put_together_is_not_written():
    def write() -> None:
        logging.getLogger("asyncio").error(f"Task exception was never retrieved\nfuture: {SECRET}")
        logging.getLogger("acme").error(f"100%s of {SECRET}", extra={"who": SECRET})
        logging.getLogger("acme").error("%s wants %s", SECRET, DOCUMENT)
        logging.getLogger("acme").error("%(who)s", {"who": SECRET})
        logging.getLogger("acme").info("too small to be told")

    found = lines(write)
    assert "Task exception was never retrieved (test_redact.py:" in found
    assert f"{MASK} (test_redact.py:" in found
    assert f"{MASK} wants {{'type'" in found
    assert SECRET not in found
    assert "李" not in found
    assert "too small" not in found
    assert len(found.splitlines()) == 4


def test_a_line_that_cannot_be_formatted_does_not_show_its_arguments(capsys: pytest.CaptureFixture[str]):
    assert lines(lambda: logging.getLogger("countertop.test").info("%d", SECRET)) == ""
    said = capsys.readouterr().err
    assert "could not be written: TypeError" in said
    assert SECRET not in said


def test_warnings_threads_and_finalisers_do_not_print():
    class Broken:
        def __del__(self) -> None:
            raise ValueError(SECRET)

    def fail() -> None:
        raise KeyError(SECRET)

    def write() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning(UserWarning(SECRET), UserWarning, "a.py", 7)
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        Broken()

    before = warnings.showwarning, sys.unraisablehook, threading.excepthook
    found = lines(write)
    assert "UserWarning at a.py:7" in found
    assert "an exception that ended a thread: KeyError at " in found
    assert "an exception that could not be raised: ValueError at " in found
    assert SECRET not in found
    assert (warnings.showwarning, sys.unraisablehook, threading.excepthook) == before


async def test_an_event_loop_does_not_show_what_its_callbacks_hold():
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    out = io.StringIO()
    with logs_to(out):
        loop.set_exception_handler(loop_failed)
        try:

            def fail(who: str) -> None:
                raise ValueError(who)

            loop.call_soon(fail, SECRET)
            await asyncio.sleep(0)
            loop.call_exception_handler({"message": SECRET, "future": loop.create_future()})
        finally:
            loop.set_exception_handler(before)
    found = out.getvalue()
    assert "Exception in callback: NoneType (ValueError at " in found
    assert "the event loop reports a failure: Future (no exception)" in found
    assert SECRET not in found


def test_it_is_known_whether_the_log_is_json():
    seen: list[bool] = []
    lines(lambda: seen.append(as_json()), json=True)
    assert seen == [True]
    assert not as_json()


def test_lines_are_all_written_when_the_block_ends():
    def write() -> None:
        for number in range(200):
            logging.getLogger("countertop.test").info("line %d", number)

    assert [line.split()[-2] for line in lines(write).splitlines()] == [str(number) for number in range(200)]


def test_a_daemon_that_fails_does_not_tell_why(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def fail(*_: object) -> None:
        raise KeyError(SECRET)

    monkeypatch.setattr(countertop.server.serving, "_configuration", fail)
    monkeypatch.setattr(countertop.server.serving, "_leave_no_core", lambda: None)
    assert countertop.server.serving.serve() == 1
    said = capsys.readouterr().err
    assert "the daemon failed: KeyError at " in said
    assert SECRET not in said


# -- the source --

ROOTS = [Path(countertop.server.serving.__file__).parents[1] / part for part in ("sdk", "server")]
ROOTS += [ROOTS[0].parents[2] / "drivers", ROOTS[0].parents[2] / "analysis"]
SAFE_CALLS = {"safe", "masked", "shown", "len", "type", "place_of"}
MESSAGES = {"request", "response", "update", "result", "answer", "document", "artwork", "receipt", "payload", "ink"}


def findings(source: str) -> list[str]:
    """What must not be in a module: a logger's line that is no constant template; `exc_info`; an exception or a request
    as an argument; a traceback.
    """
    return [f"line {node.lineno}: {what}" for node in ast.walk(ast.parse(source)) for what in _wrong(node)]


def _wrong(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = {getattr(node, "module", None), *(item.name for item in node.names)}
        return ["traceback is not for logs"] if "traceback" in names else []
    if isinstance(node, ast.FormattedValue) and node.format_spec is None and _names_messages(node.value):
        return ["a message in a text"]
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return []
    owner, method = node.func.value, node.func.attr
    if not (isinstance(owner, ast.Name) and owner.id in ("log", "logger", "logging")):
        return []
    if method == "exception" or any(keyword.arg in ("exc_info", "stack_info") for keyword in node.keywords):
        return ["a traceback in a log"]
    if method not in ("debug", "info", "warning", "error", "critical"):
        return []
    wrong = [] if isinstance(node.args[0], ast.Constant) else ["a line that is no constant template"]
    return wrong + ["an exception in a line" for item in node.args[1:] if _names_error(item)]


def _names_messages(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in MESSAGES


def _names_error(value: ast.expr) -> bool:
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") in SAFE_CALLS:
        return False
    if isinstance(value, ast.Name):
        return value.id in {"error", "exception", "problem", "fault"}
    called = value.func if isinstance(value, ast.Call) else None
    return getattr(called, "id", "") in ("str", "repr")


def test_no_module_logs_what_it_must_not():
    files = [file for root in ROOTS for file in root.rglob("*.py") if not file.name.endswith("_pb2.py")]
    assert len(files) > 150
    wrong = {file.name: found for file in files if (found := findings(file.read_text(encoding="utf-8")))}
    allowed = {"plugins.py": 1}  # a plugin that cannot be imported says why, before there is any customer
    assert {name: len(found) for name, found in wrong.items()} == allowed, wrong


@pytest.mark.parametrize(
    "source",
    [
        "import traceback",
        "log.exception('x')",
        "log.error('x', exc_info=True)",
        "log.info(f'{name}')",
        "log.info('%s', error)",
        "log.info('%s', str(error))",
        "raise ValueError(f'bad {request}')",
    ],
)
def test_each_of_these_is_found(source: str):
    assert len(findings(source)) == 1


def test_what_is_safe_is_not_found():
    assert not findings(
        "log.info('%s %s', safe(error), type(error).__name__)\nraise ValueError(f'{request.device_id}')"
    )
