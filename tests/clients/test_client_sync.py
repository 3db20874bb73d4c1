"""The blocking client, on a thread of the test, against the real daemon on the test's loop."""

from __future__ import annotations

import asyncio
import inspect
import signal
import sys
import threading

import pytest

import countertop.client
from countertop.client import CountertopError, NotFound, OperationCancelled, sync
from countertop.v1 import device_pb2, identity_pb2, operation_pb2
from countertop.v1.receipt_pb2 import Block, Receipt, Rule

RECEIPT = Receipt(blocks=[Block(rule=Rule())])
THREAD = "countertop-client"


@pytest.fixture
def on_thread(served, soon):
    """Runs a function of the counter on a thread, as a program without an event loop would."""

    async def run(work):
        def program():
            with sync.connect(served.address) as counter:
                return work(counter)

        return await soon(asyncio.to_thread(program))

    return run


async def last_state(served, operation_id):
    """How the operation ended, as the daemon has it."""
    async with countertop.client.connect(served.address) as counter, asyncio.timeout(10):
        return [operation.state async for operation in counter.operations.watch(operation_id)][-1]


def test_each_asynchronous_name_has_a_blocking_one():
    for name in ("Counter", "IdReader", "ReceiptPrinter", "Camera", "OperationHandle", "Operations", "Bench"):
        wanted = {item for item in dir(getattr(countertop.client, name)) if not item.startswith("_")}
        assert wanted - set(dir(getattr(sync, name))) == set(), name


def test_blocking_methods_keep_signature_and_docstring():
    blocking, original = sync.IdReader.read, countertop.client.IdReader.read
    assert inspect.signature(blocking).parameters.keys() == inspect.signature(original).parameters.keys()
    assert blocking.__doc__ == original.__doc__


async def test_a_read_and_a_print_block_until_their_results(on_thread, served):
    def work(counter):
        assert counter.terminal().id == "test"
        assert [device.id for device in counter.devices()] == ["reader", "printer"]
        assert counter.device("printer").kind == device_pb2.DEVICE_KIND_RECEIPT_PRINTER
        counter.receipt_printer().print(RECEIPT, operation_id="p")
        return counter.id_reader().read()

    result = await on_thread(work)
    assert result.document.type == identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD
    assert served.world.printed == ["p"]


async def test_a_handle_is_an_ordinary_iterator(on_thread):
    def work(counter):
        with counter.id_reader("reader").start_read(operation_id="r") as handle:
            states = [update.operation.state for update in handle]
            assert handle.id == "r"
            assert handle.done
            assert handle.result() == handle.result()
            return states[-1], handle.operation.state

    assert await on_thread(work) == (operation_pb2.OPERATION_STATE_SUCCEEDED,) * 2


async def test_an_operation_is_cancelled_and_says_so(on_thread, served):
    served.hold("read")

    def work(counter):
        handle = counter.id_reader("reader").start_read()
        assert handle.cancel() == operation_pb2.CANCEL_OUTCOME_CANCELLED
        with pytest.raises(OperationCancelled):
            handle.result()

    await on_thread(work)


async def test_errors_are_those_of_the_asynchronous_client(on_thread):
    def work(counter):
        with pytest.raises(NotFound, match="nobody"):
            counter.device("nobody")
        with pytest.raises(CountertopError) as caught:
            counter.bench.unplug("reader")
        return caught.value.reason_name

    assert await on_thread(work) == "NOT_EMULATED"


async def test_a_watch_is_an_ordinary_iterator(on_thread):
    def work(counter):
        events = counter.watch()
        kinds = [next(events).WhichOneof("payload") for _ in range(2)]
        counter.id_reader("reader").read(operation_id="r")
        event = next(events).event
        events.close()
        states = [operation.state for operation in counter.operations.watch("r")]
        return kinds, event.WhichOneof("event"), states

    kinds, event, states = await on_thread(work)
    assert kinds == ["snapshot", "synced"]
    assert event in ("device_changed", "operation_changed")
    assert states == [operation_pb2.OPERATION_STATE_SUCCEEDED]


async def test_closing_ends_the_thread_and_every_call(served, soon):
    entered, _ = served.hold("read")

    def program():
        before = threading.active_count()
        counter = sync.connect(served.address)
        events = counter.watch()
        next(events)
        handle = counter.id_reader("reader").start_read(operation_id="open")
        asyncio.run_coroutine_threadsafe(entered.wait(), loop).result()
        assert THREAD in {thread.name for thread in threading.enumerate()}
        counter.close()
        counter.close()
        with pytest.raises(RuntimeError, match="closed"):
            counter.terminal()
        handle.close()
        events.close()
        return threading.active_count() - before

    loop = asyncio.get_running_loop()
    assert await soon(asyncio.to_thread(program)) == 0
    assert await last_state(served, "open") == operation_pb2.OPERATION_STATE_CANCELLED
    assert THREAD not in {thread.name for thread in threading.enumerate()}


INTERRUPTED = """
import signal, sys
from countertop.client import sync

with sync.connect(sys.argv[1]) as counter:
    if sys.argv[2] == "another thread":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        counter.id_reader("reader").read(operation_id="r")
    except KeyboardInterrupt:
        print("interrupted; the counter still works:", counter.terminal().id)
"""


@pytest.mark.parametrize("receiver", ["the main thread", "another thread"])
async def test_ctrl_c_cancels_the_call_that_is_waited_for(served, soon, receiver):
    entered, _ = served.hold("read")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", INTERRUPTED, served.address, receiver, stdout=asyncio.subprocess.PIPE
    )
    await soon(entered.wait())
    process.send_signal(signal.SIGINT)
    output, _ = await soon(process.communicate())
    assert output == b"interrupted; the counter still works: test\n"
    assert process.returncode == 0
    assert await last_state(served, "r") == operation_pb2.OPERATION_STATE_CANCELLED
