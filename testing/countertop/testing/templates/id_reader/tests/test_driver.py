"""The driver on the emulated reader: all that a daemon does with it, over the wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from countertop.client import CountertopError
from countertop.client.sync import Bench, Counter, IdReader
from countertop.v1 import identity_pb2, operation_pb2
from countertop.v1.device_pb2 import DEVICE_STATE_OFFLINE, DEVICE_STATE_READY, DeviceState
from countertop.v1.identity_pb2 import IdentityDocument

from acme.emulator.documents import invented_resident

pytestmark = pytest.mark.terminal(devices=["acme"])


def test_who_is_there_is_told(counter: Counter) -> None:
    device = counter.device("acme")
    assert (device.info.vendor, device.info.model, device.info.serial) == ("Acme", "AR-1", "AR100001")
    assert identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD in device.info.id_reader.document_types


def test_a_document_is_read_as_it_is(id_reader: IdReader, bench: Bench) -> None:
    bench.insert_card("acme")
    assert id_reader.read().document == invented_resident()


def test_photo_and_additional_address_come_when_they_are_asked_for(id_reader: IdReader, bench: Bench) -> None:
    card = invented_resident()
    card.additional_address, card.photo.raw = "样例省样例市演示区测试路88号", b"\xff\xd8 a photo \xff\xd9"
    bench.insert_card("acme", card)
    assert not id_reader.read().document.additional_address
    document = id_reader.read(photo=True, additional_address=True).document
    assert (document.additional_address, document.photo.raw) == (card.additional_address, card.photo.raw)


def test_a_person_is_asked_for_the_document_and_for_its_removal(id_reader: IdReader, bench: Bench) -> None:
    prompts, said = [], []
    for update in (handle := id_reader.start_read(wait_for_removal=True, timeout=20)):
        said.append(update.WhichOneof("payload"))
        if update.operation.state == operation_pb2.OPERATION_STATE_WAITING_FOR_PERSON:
            prompts.append(update.operation.prompt)
        if prompts == [operation_pb2.PROMPT_KIND_PRESENT_DOCUMENT]:
            bench.insert_card("acme")
        if said[-1] == "document":
            bench.remove_card("acme")
    assert [kind for kind in said if kind] == ["detected", "document", "removed", "result"]
    assert handle.result().document == invented_resident()


def test_nobody_comes(id_reader: IdReader) -> None:
    with pytest.raises(CountertopError, match="NO_DOCUMENT"):
        id_reader.read(timeout=0.3)


def test_a_document_that_lies_askew_is_asked_for_again(id_reader: IdReader, bench: Bench) -> None:
    bench.inject_fault("acme", "unreadable", times=1)
    bench.insert_card("acme")
    handle, asked_again = id_reader.start_read(timeout=20), False
    for update in handle:
        if update.operation.prompt == operation_pb2.PROMPT_KIND_PRESENT_DOCUMENT_AGAIN and not asked_again:
            asked_again = bench.remove_card("acme")
        if update.HasField("removed"):
            bench.insert_card("acme")
    assert asked_again
    assert handle.result().document.number == invented_resident().number


@pytest.mark.parametrize(("fault", "reason"), [("unreadable", "UNREADABLE"), ("remove-while-reading", "REMOVED")])
def test_time_is_up_with_a_document_that_cannot_be_read(
    id_reader: IdReader, bench: Bench, fault: str, reason: str
) -> None:
    bench.inject_fault("acme", fault)
    bench.insert_card("acme")
    with pytest.raises(CountertopError, match=f"DOCUMENT_{reason}"):
        id_reader.read(timeout=0.5)


def test_another_type_than_was_asked_for(id_reader: IdReader, bench: Bench) -> None:
    bench.insert_card("acme", IdentityDocument(type=identity_pb2.DOCUMENT_TYPE_HK_MACAO_TAIWAN_PERMIT))
    with pytest.raises(CountertopError, match="DOCUMENT_UNSUPPORTED"):
        id_reader.read(types=[identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD])


def test_a_reader_whose_self_test_failed_reads_nothing(id_reader: IdReader, bench: Bench) -> None:
    bench.inject_fault("acme", "self-test-failed")
    bench.insert_card("acme")
    with pytest.raises(CountertopError, match="READER_SELF_TEST_FAILED"):
        id_reader.read()


@pytest.mark.parametrize("fault", ["mute", "corrupt-reply", "noise", "split-replies"])
def test_one_fault_of_the_line_costs_nothing(id_reader: IdReader, bench: Bench, fault: str) -> None:
    bench.insert_card("acme")
    bench.inject_fault("acme", fault, times=1)
    assert id_reader.read(timeout=20).document == invented_resident()


def test_a_plug_that_is_pulled_and_put_back(
    counter: Counter, id_reader: IdReader, bench: Bench, until: Callable[[DeviceState], None]
) -> None:
    handle = id_reader.start_read(timeout=20)
    for update in handle:
        if update.operation.prompt:
            break
    bench.unplug("acme")
    with pytest.raises(CountertopError, match="LINK_LOST"):
        handle.result()
    until(DEVICE_STATE_OFFLINE)
    bench.replug("acme")
    until(DEVICE_STATE_READY)
    bench.insert_card("acme")
    assert id_reader.read().document == invented_resident()
