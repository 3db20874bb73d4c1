"""The V4L2 camera without its sockets: umockdev's protocol, the kernel's structures, buffers and the state machine."""

from __future__ import annotations

import errno
import itertools
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from countertop.emulators.core.v4l2.answers import Answer
from countertop.emulators.core.v4l2.buffers import MAX_BUFFERS, Buffer, BufferQueue, BufferState
from countertop.emulators.core.v4l2.device import CaptureDevice, Naming
from countertop.emulators.core.v4l2.identity import CameraIdentity
from countertop.emulators.core.v4l2.metadata import MetadataDevice
from countertop.emulators.core.v4l2.modes import MJPG, YUYV, FrameSize, PixelFormat, default_formats, fourcc
from countertop.emulators.core.v4l2.structs import BY_NAME, IOCTLS
from countertop.emulators.core.v4l2.wire import (
    MAX_MEMORY,
    Conversation,
    Event,
    IoctlRequest,
    Memory,
    ReadRequest,
    Result,
    WireError,
    WriteRequest,
)

ulong = st.integers(0, 2**64 - 1)
REQUESTS = {1: IoctlRequest, 7: ReadRequest, 8: WriteRequest}
STEPS = st.one_of(st.binary(min_size=1, max_size=300), st.tuples(st.integers(-1, 2**31 - 1), ulong), st.none())
EXCHANGES = st.lists(st.tuples(st.sampled_from([1, 7, 8]), ulong, ulong, st.lists(STEPS, max_size=3)), max_size=5)


def message(command: int, first: int, second: int) -> bytes:
    return struct.pack("LLL", command, first & 2**64 - 1, second)


def played(pieces: list[bytes], orders: list[list[Any]]) -> tuple[list[Event], bytes]:
    """Feed the pieces; act on each event by the next order, and end each request when its orders are through."""
    conversation, events, sent = Conversation(), [], b""
    waiting = [list(order) for order in orders]

    def act() -> bytes:
        out = b""
        while waiting[0]:
            step = waiting[0].pop(0)
            if step is None:
                out += conversation.write_memory(0x1000, b"out")
            else:
                order = conversation.run() if isinstance(step, tuple) else conversation.read_memory(0x2000, len(step))
                return out + order
        waiting.pop(0)
        return out + conversation.done(0)

    for piece in pieces:
        for event in conversation.feed(piece):
            events.append(event)
            sent += act()
        assert conversation.buffered < max(24, 300)
    return events, sent


@given(EXCHANGES, st.lists(st.integers(0, 3000), max_size=8))
def test_any_split_of_the_bytes_gives_the_same_events(exchanges: list[Any], cuts: list[int]) -> None:
    stream, expected, sent = b"", [], b""
    for command, first, second, steps in exchanges:
        stream += message(command, first, second)
        expected.append(REQUESTS[command](first, second))
        for step in steps:
            if step is None:
                sent += message(6, 0x1000, 3) + b"out"
            elif isinstance(step, bytes):
                stream += step
                sent += message(5, 0x2000, len(step))
                expected.append(Memory(step))
            else:
                stream += message(2, step[0], step[1])
                sent += message(4, 0, 0)
                expected.append(Result(*step))
        sent += message(3, 0, 0)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]
    orders = [steps for *_, steps in exchanges]
    assert played(pieces, orders) == played([stream], orders) == (expected, sent)


@given(st.lists(st.binary(max_size=100), max_size=20), st.integers(1, MAX_MEMORY))
def test_garbage_breaks_the_conversation_and_nothing_else(pieces: list[bytes], asked: int) -> None:
    conversation, broken = Conversation(), False
    for piece in pieces:
        try:
            for event in conversation.feed(piece):
                assert not broken
                conversation.done(-1, errno.EIO) if isinstance(event, Memory) else conversation.read_memory(1, asked)
        except WireError:
            broken = True
        assert conversation.buffered <= max(24, asked, 100)


@pytest.mark.parametrize(
    ("first", "then"),
    [(message(3, 0, 0), b""), (message(0, 0, 0), b""), (message(1, 2, 3), b"x"), (message(2, 0, 0), b"")],
    ids=["an answer", "nothing", "a byte after a request", "a result of no run"],
)
def test_what_is_not_due_is_refused(first: bytes, then: bytes) -> None:
    conversation = Conversation()
    with pytest.raises(WireError):
        list(conversation.feed(first + then))
    with pytest.raises(WireError):
        list(conversation.feed(message(1, 2, 3)))


def test_orders_without_a_waiting_client_are_the_servers_mistake() -> None:
    conversation = Conversation()
    for order in (conversation.run, lambda: conversation.done(0), lambda: conversation.read_memory(1, 1)):
        with pytest.raises(ValueError, match="expected a client that waits"):
            order()
    list(conversation.feed(message(1, 2, 3)))
    for length in (0, MAX_MEMORY + 1):
        with pytest.raises(ValueError, match="length"):
            conversation.read_memory(1, length)
    assert conversation.done(-1, 19) == message(3, 2**64 - 1, 19)
    list(conversation.feed(message(1, 2, 3)))
    assert conversation.abort() == message(0xFF, 0, 0)


HEADER = "linux/videodev2.h"
C_STRUCTS = {
    "QUERYCAP": ("v4l2_capability", "driver card bus_info version capabilities device_caps"),
    "ENUM_FMT": ("v4l2_fmtdesc", "index type flags description pixelformat"),
    "G_FMT": (
        "v4l2_format",
        (
            "type width:fmt.pix.width height:fmt.pix.height pixelformat:fmt.pix.pixelformat field:fmt.pix.field"
            " bytesperline:fmt.pix.bytesperline sizeimage:fmt.pix.sizeimage colorspace:fmt.pix.colorspace"
            " priv:fmt.pix.priv xfer_func:fmt.pix.xfer_func"
        ),
    ),
    "REQBUFS": ("v4l2_requestbuffers", "count type memory capabilities"),
    "QUERYBUF": (
        "v4l2_buffer",
        (
            "index type bytesused flags field seconds:timestamp.tv_sec microseconds:timestamp.tv_usec sequence memory"
            " offset:m.offset length request_fd"
        ),
    ),
    "G_PARM": (
        "v4l2_streamparm",
        (
            "type capability:parm.capture.capability numerator:parm.capture.timeperframe.numerator"
            " denominator:parm.capture.timeperframe.denominator readbuffers:parm.capture.readbuffers"
        ),
    ),
    "ENUMINPUT": ("v4l2_input", "index name type std status capabilities"),
    "ENUM_FRAMESIZES": ("v4l2_frmsizeenum", "index pixel_format type width:discrete.width height:discrete.height"),
    "ENUM_FRAMEINTERVALS": (
        "v4l2_frmivalenum",
        "index pixel_format width height type numerator:discrete.numerator denominator:discrete.denominator",
    ),
    "QUERYCTRL": ("v4l2_queryctrl", "id type name minimum maximum step flags"),
    "QUERY_EXT_CTRL": ("v4l2_query_ext_ctrl", "id type name minimum maximum step flags elem_size elems nr_of_dims"),
    "QUERYMENU": ("v4l2_querymenu", "id index name"),
    "G_CTRL": ("v4l2_control", "id value"),
    "G_EXT_CTRLS": ("v4l2_ext_controls", "which count error_idx request_fd controls"),
}


def test_numbers_and_offsets_are_those_of_the_kernels_header(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not Path("/usr/include", HEADER).exists() or struct.calcsize("P") != 8:
        pytest.skip("needs a C compiler and the kernel's headers (apt: gcc, linux-libc-dev)")
    lines = [f'printf("{name} %lu\\n", (unsigned long)(unsigned)VIDIOC_{name});' for name in BY_NAME]
    for struct_name, fields in C_STRUCTS.values():
        for field in fields.split():
            name, _, path = field.partition(":")
            lines.append(f'printf("{struct_name}.{name} %zu\\n", offsetof(struct {struct_name}, {path or name}));')
    source, program = tmp_path / "offsets.c", tmp_path / "offsets"
    includes = "".join(f"#include <{name}>\n" for name in ("stddef.h", "stdio.h", HEADER))
    source.write_text(f"{includes}int main(void) {{ {' '.join(lines)} return 0; }}")
    subprocess.run([compiler, "-o", program, source], check=True)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    kernel = {name: int(value) for name, value in (line.split() for line in printed.splitlines())}
    ours = {name: ioctl.number for name, ioctl in BY_NAME.items()}
    for name, (struct_name, fields) in C_STRUCTS.items():
        layout = BY_NAME[name].layout
        for field in (field.partition(":")[0] for field in fields.split()):
            kind = layout.unpack(bytes(layout.size))[field]
            marked = layout.pack({field: b"\x01" if isinstance(kind, bytes) else 1})
            ours[f"{struct_name}.{field}"] = marked.index(1)
    assert ours == kernel


@given(st.sampled_from(sorted(IOCTLS)), st.binary(min_size=232, max_size=232))
def test_structures_keep_what_is_in_their_fields(number: int, data: bytes) -> None:
    layout = IOCTLS[number].layout
    fields = layout.unpack(data[: layout.size])
    assert layout.unpack(layout.pack(fields)) == fields
    with pytest.raises(KeyError, match="no_such"):
        layout.pack({**fields, "no_such": 1})


class Client:
    """An open file: calls with fields, and answers that came late."""

    def __init__(self, device: CaptureDevice | MetadataDevice) -> None:
        self.device = device
        self.late: list[Answer] = []

    def answer(self, answer: Answer) -> None:
        self.late.append(answer)

    def call(self, name: str, **fields: Any) -> Any:
        """The fields that come back, an errno, or None where the call waits."""
        ioctl = BY_NAME[name]
        answer = self.device.call(self, ioctl, ioctl.layout.pack(fields))
        if answer is None:
            return None
        return answer.errno or ioctl.layout.unpack(answer.data)

    def stream(self, count: int = 2) -> None:
        assert self.call("REQBUFS", count=count, type=1, memory=1)["count"] == count
        for index in range(count):
            assert self.call("QBUF", index=index, type=1, memory=1)["flags"] & 2
        assert self.call("STREAMON", value=1) == {"value": 1}

    def dequeue(self) -> Any:
        return self.call("DQBUF", type=1, memory=1)

    def waited_for(self) -> Any:
        answer = self.late.pop()
        return answer.errno or BY_NAME["DQBUF"].layout.unpack(answer.data)


def camera() -> CaptureDevice:
    return CaptureDevice(Naming("uvcvideo", "Counter Camera", "usb-0000:00:14.0-1"), default_formats())


def frame(device: CaptureDevice, used: int = 1000, at: float = 1.5) -> None:
    exposure = device.expose()
    assert exposure is not None
    device.complete(exposure, used, at)


def test_a_format_is_what_the_camera_can_do_next_to_what_was_asked_for() -> None:
    client = Client(camera())
    got = client.call("S_FMT", type=1, pixelformat=MJPG, width=1300, height=700)
    assert (got["width"], got["height"], got["pixelformat"], got["sizeimage"]) == (1280, 720, MJPG, 1280 * 720 * 2)
    assert client.call("TRY_FMT", type=1, pixelformat=fourcc("H264"), width=1, height=1)["pixelformat"] == MJPG
    assert client.call("TRY_FMT", type=1, pixelformat=YUYV, width=640, height=480)["bytesperline"] == 1280
    assert client.call("G_FMT", type=1) == got
    assert client.call("G_FMT", type=9) == errno.EINVAL
    asked = client.call("S_PARM", type=1, numerator=1, denominator=14)
    assert (asked["numerator"], asked["denominator"]) == (1, 15)
    assert client.call("G_PARM", type=1) == asked
    assert client.call("S_PARM", type=1)["denominator"] == 30


def test_a_running_stream_keeps_its_format_and_its_rate() -> None:
    client = Client(camera())
    client.stream()
    assert client.call("S_FMT", type=1, pixelformat=YUYV, width=640, height=480) == errno.EBUSY
    assert client.call("S_PARM", type=1, numerator=1, denominator=5) == errno.EBUSY
    assert client.call("REQBUFS", count=4, type=1, memory=1) == errno.EBUSY
    assert client.call("STREAMOFF", value=1) == {"value": 1}
    assert client.call("S_FMT", type=1, pixelformat=YUYV, width=640, height=480) == errno.EBUSY, "buffers are there"
    assert client.call("REQBUFS", count=0, type=1, memory=1)["count"] == 0
    assert client.call("S_FMT", type=1, pixelformat=YUYV, width=640, height=480)["pixelformat"] == YUYV


def test_buffers_go_round_with_their_sequence_numbers_and_times() -> None:
    device = camera()
    client = Client(device)
    assert client.dequeue() == errno.EINVAL, "nothing streams"
    assert client.call("STREAMON", value=1) == errno.EINVAL, "there are no buffers"
    client.stream(2)
    assert client.call("QBUF", index=0, type=1, memory=1) == errno.EINVAL, "the camera has it"
    assert client.dequeue() is None
    frame(device, 1000, 12.25)
    got = client.waited_for()
    assert (got["index"], got["bytesused"], got["sequence"], got["flags"] & 6) == (0, 1000, 0, 0)
    assert (got["seconds"], got["microseconds"], got["flags"] & 0x2000) == (12, 250_000, 0x2000)
    frame(device, 900, 12.5)
    assert client.call("QUERYBUF", index=1, type=1)["flags"] & 6 == 4, "done"
    lost = device.expose()
    assert lost is not None
    assert lost.buffer is None, "the client is slow: the frame is lost, and counted"
    assert (client.dequeue()["sequence"], client.dequeue()) == (1, None)
    assert client.call("QBUF", index=1, type=1, memory=1)["flags"] & 2
    frame(device)
    assert client.waited_for()["sequence"] == 3
    assert client.call("QUERYBUF", index=2, type=1) == errno.EINVAL
    assert client.call("QUERYBUF", index=1, type=1)["offset"] % 4096 == 0


def test_raw_frames_come_whole_or_not_at_all() -> None:
    device = camera()
    client = Client(device)
    client.call("S_FMT", type=1, pixelformat=YUYV, width=320, height=240)
    client.stream()
    assert client.dequeue() is None
    frame(device, 320 * 240)
    assert not client.late
    frame(device, 320 * 240 * 2)
    assert client.waited_for()["sequence"] == 1


def test_the_second_client_may_look_but_not_stream() -> None:
    device = camera()
    first, second = Client(device), Client(device)
    first.stream()
    assert second.call("QUERYCAP")["card"].rstrip(b"\0") == b"Counter Camera"
    assert second.call("G_FMT", type=1)["width"] == 1920
    for name, fields in {
        "S_FMT": {"type": 1},
        "REQBUFS": {"count": 1, "type": 1, "memory": 1},
        "STREAMON": {"value": 1},
        "STREAMOFF": {"value": 1},
        "DQBUF": {"type": 1, "memory": 1},
        "QBUF": {"type": 1, "memory": 1},
    }.items():
        assert second.call(name, **fields) == errno.EBUSY, name
    device.release(second)
    assert device.session is not None
    device.release(first)
    assert device.session is None
    second.stream()


def test_a_higher_priority_takes_the_right_to_change() -> None:
    device = camera()
    first, second = Client(device), Client(device)
    assert first.call("G_PRIORITY") == {"value": 2}
    assert second.call("S_PRIORITY", value=3) == {"value": 3}
    assert first.call("G_PRIORITY") == {"value": 3}
    assert first.call("S_FMT", type=1, width=640, height=480) == errno.EBUSY
    device.release(second)
    assert first.call("S_FMT", type=1, width=640, height=480)["width"] == 640
    assert first.call("S_PRIORITY", value=7) == errno.EINVAL


def test_what_ends_a_stream_ends_the_wait() -> None:
    device = camera()
    client = Client(device)
    client.stream()
    assert client.dequeue() is None
    device.abort(errno.EIO)
    assert (client.waited_for(), client.dequeue()) == (errno.EIO, errno.EIO)
    assert device.expose() is None
    client.call("STREAMOFF", value=1)
    for index in range(2):
        client.call("QBUF", index=index, type=1, memory=1)
    client.call("STREAMON", value=1)
    assert client.dequeue() is None
    old = device.expose()
    assert old is not None
    client.call("STREAMOFF", value=1)
    assert client.waited_for() == errno.EINVAL
    client.call("QBUF", index=0, type=1, memory=1)
    client.call("STREAMON", value=1)
    device.complete(old, 1000, 0.0)
    assert client.dequeue() is None, "a frame of the stream before is not of this one"


def test_there_are_no_controls_and_no_other_inputs() -> None:
    client = Client(camera())
    for name in ("QUERYCTRL", "QUERY_EXT_CTRL", "G_CTRL", "S_CTRL", "QUERYMENU"):
        assert client.call(name) == errno.EINVAL, name
    assert client.call("G_EXT_CTRLS", count=1) == errno.EINVAL
    assert client.call("G_EXT_CTRLS", count=0)["count"] == 0
    assert client.call("ENUMINPUT", index=0)["type"] == 2
    assert client.call("ENUMINPUT", index=1) == client.call("S_INPUT", value=1) == errno.EINVAL
    assert (client.call("S_INPUT", value=0), client.call("G_INPUT")) == ({"value": 0}, {"value": 0})


def test_the_metadata_node_has_no_pictures() -> None:
    client = Client(MetadataDevice(Naming("uvcvideo", "Counter Camera", "usb-0000:00:14.0-1")))
    got = client.call("QUERYCAP")
    assert (got["device_caps"] & 1, got["device_caps"] & 0x00800000, got["capabilities"] & 1) == (0, 0x00800000, 1)
    assert client.call("ENUM_FMT", type=1) == errno.EINVAL
    assert client.call("ENUM_FMT", type=13)["pixelformat"] == fourcc("UVCH")
    assert client.call("REQBUFS", count=1, type=13, memory=1) == errno.EINVAL
    assert client.call("ENUM_FRAMESIZES", pixel_format=MJPG) == errno.ENOTTY


@given(st.lists(st.tuples(st.sampled_from(sorted(IOCTLS)), st.binary(min_size=232, max_size=232)), max_size=20))
def test_a_device_answers_whatever_the_structures_hold(calls: list[tuple[int, bytes]]) -> None:
    for device in (camera(), MetadataDevice(Naming("d", "c", "b"))):
        client = Client(device)
        for number, data in calls:
            ioctl = IOCTLS[number]
            answer = device.call(client, ioctl, data[: ioctl.layout.size])
            assert answer is None or len(answer.data) in (0, ioctl.layout.size)


class BufferRound(RuleBasedStateMachine):
    """Each buffer is in one place at a time, and they come out in the order in which they went in."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = BufferQueue()
        self.order: list[int] = []
        self.filling: Buffer | None = None
        self.sequence = 0

    @rule(count=st.integers(0, MAX_BUFFERS + 9), size=st.integers(1, 9000))
    def allocate(self, count: int, size: int) -> None:
        assert self.queue.allocate(count, size) == min(count, MAX_BUFFERS)
        self.order, self.filling = [], None

    @rule(index=st.integers(0, 5))
    def give(self, index: int) -> None:
        buffer = self.queue.get(index)
        if buffer is not None:
            held = buffer.state is BufferState.DEQUEUED
            assert self.queue.queue(buffer) == held == (index not in self.order)
            self.order += [index] * held

    @precondition(lambda self: self.filling is None)
    @rule()
    def begin(self) -> None:
        self.filling = self.queue.begin()

    @precondition(lambda self: self.filling is not None)
    @rule(works=st.booleans())
    def end(self, works: bool) -> None:
        assert self.filling is not None
        if works:
            self.queue.finish(self.filling, 1, self.sequence, 0.0)
            self.sequence += 1
        else:
            self.queue.give_up(self.filling)
        self.filling = None

    @rule()
    def take(self) -> None:
        buffer = self.queue.dequeue()
        if buffer is not None:
            assert buffer.index == self.order.pop(0)

    @rule()
    def stop(self) -> None:
        self.queue.stop()
        self.order, self.filling = [], None

    @invariant()
    def buffers_do_not_overlap(self) -> None:
        for before, after in itertools.pairwise(self.queue.buffers):
            assert before.offset + before.length == after.offset
        held = {buffer.index for buffer in self.queue.buffers if buffer.state is BufferState.DEQUEUED}
        assert held == {buffer.index for buffer in self.queue.buffers} - set(self.order)


TestBufferRound = BufferRound.TestCase


def test_names_are_those_that_udev_makes() -> None:
    identity = CameraIdentity("Invented  Works", "Doc/Cam 5", "A 1", port="2.3")
    assert identity.by_id(0) == "v4l/by-id/usb-Invented_Works_Doc_Cam_5_A_1-video-index0"
    assert identity.by_path(1) == "v4l/by-path/pci-0000:00:14.0-usb-0:2.3:1.0-video-index1"
    assert identity.interface_path == "pci0000:00/0000:00:14.0/usb1/1-2/1-2.3/1-2.3:1.0"
    assert CameraIdentity("M", "P").id_serial == "M_P"
    for wrong in ({"port": "0"}, {"port": "1/../.."}, {"product": ""}, {"serial": "a\nb"}, {"vendor_id": 1 << 16}):
        with pytest.raises(ValueError, match="expected"):
            CameraIdentity(**{"manufacturer": "M", "product": "P", **wrong})


def test_tables_that_no_camera_has_are_refused() -> None:
    for wrong in (
        lambda: FrameSize(641, 480, (30,)),
        lambda: FrameSize(640, 480, ()),
        lambda: PixelFormat(fourcc("H264"), (FrameSize(640, 480, (30,)),)),
        lambda: fourcc("ABCDE"),
    ):
        with pytest.raises(ValueError, match="expected"):
            wrong()
