"""The daemon as a process: signals, sockets, a configuration with mistakes."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from countertop.client._access import Access
from countertop.v1 import device_pb2, id_reader_pb2, operation_pb2

CODE = """
import sys
from pathlib import Path
from countertop.server.serving import serve
sys.exit(serve(Path(sys.argv[1]) if sys.argv[1] else None, sys.argv[2:]))
"""
SERVE = [sys.executable, "-c", CODE]
ONE_DEVICE = '[[devices]]\nid = "id-reader"\nemulator = "sdt"\n'
"""Starts in a third of the time of the emulated terminal, where devices are not what a test is about."""


@contextmanager
def serving(tmp_path: Path, *addresses: str, config: str = "", state: str = "state") -> Iterator[subprocess.Popen[str]]:
    """A daemon process; when the block ends it has ended."""
    file = tmp_path / "countertop.toml"
    file.write_text(config)
    words = [*SERVE, str(file) if config else "", *addresses]
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path / state)}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def read_stream(channel: grpc.Channel, timeout: float = 20):
    return channel.unary_stream(
        "/countertop.v1.IdReaderService/Read",
        request_serializer=id_reader_pb2.ReadRequest.SerializeToString,
        response_deserializer=id_reader_pb2.ReadResponse.FromString,
    )(id_reader_pb2.ReadRequest(device_id="id-reader"), timeout=timeout)


def watch_stream(channel: grpc.Channel):
    return channel.unary_stream(
        "/countertop.v1.DeviceService/WatchEvents",
        request_serializer=device_pb2.WatchEventsRequest.SerializeToString,
        response_deserializer=device_pb2.WatchEventsResponse.FromString,
    )(device_pb2.WatchEventsRequest(), timeout=20)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_what_runs_and_frees_the_socket(tmp_path, signum):
    socket = tmp_path / "private" / "t.sock"
    config = '[terminal]\ndrain_seconds = 0.2\n[[devices]]\nid = "id-reader"\nemulator = "sdt"\n'
    with serving(tmp_path, f"unix:{socket}", config=config) as process:
        with grpc.insecure_channel(f"unix:{socket}") as channel:
            grpc.channel_ready_future(channel).result(timeout=20)
            assert stat.S_IMODE(socket.stat().st_mode) == 0o600
            assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
            watch, reading = watch_stream(channel), read_stream(channel)
            assert next(iter(watch)).HasField("snapshot")
            waits = operation_pb2.OPERATION_STATE_WAITING_FOR_PERSON
            while next(reading).operation.state != waits:
                pass
            process.send_signal(signum)
            with pytest.raises(grpc.RpcError) as ended:
                list(reading)
            assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
            with pytest.raises(grpc.RpcError) as watched:
                list(watch)
            assert watched.value.code() == grpc.StatusCode.UNAVAILABLE
        assert process.wait(timeout=15) == 0
        assert not socket.exists()


def test_it_listens_on_a_socket_and_on_loopback_at_the_same_time(tmp_path):
    with serving(tmp_path, f"unix:{tmp_path}/t.sock", "127.0.0.1:0") as process:
        assert process.stderr is not None
        for line in process.stderr:
            found = re.search(r"listening on .*(127\.0\.0\.1:\d+)", line)
            if found:
                break
        for address in (f"unix:{tmp_path}/t.sock", found.group(1)):
            proof = Access(address).metadata()
            assert bool(proof) is not address.startswith("unix:")
            with grpc.insecure_channel(address) as channel:
                get = channel.unary_unary(
                    "/countertop.v1.DeviceService/ListDevices",
                    request_serializer=device_pb2.ListDevicesRequest.SerializeToString,
                    response_deserializer=device_pb2.ListDevicesResponse.FromString,
                )
                devices = get(device_pb2.ListDevicesRequest(), timeout=10, metadata=proof).devices
                ids = ["id-reader", "receipt-printer", "signature-pad", "card-printer", "camera"]
                assert [device.id for device in devices] == ids


def test_a_configuration_with_a_mistake_never_half_starts(tmp_path):
    config = '[[devices]]\nid = "a"\nemulator = "escpos"\nemulator_options = { widht_dots = 3 }\n'
    with serving(tmp_path, f"unix:{tmp_path}/t.sock", config=config) as process:
        _, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "devices[0].emulator_options: widht_dots: expected one of the options" in told
    assert "Traceback" not in told
    assert not (tmp_path / "t.sock").exists()


def test_a_second_daemon_on_the_same_socket_is_refused_and_the_first_goes_on(tmp_path):
    socket = f"unix:{tmp_path}/t.sock"
    with serving(tmp_path, socket, config=ONE_DEVICE) as first:
        with grpc.insecure_channel(socket) as channel:
            grpc.channel_ready_future(channel).result(timeout=20)
        with serving(tmp_path, socket, config=ONE_DEVICE, state="other") as second:
            _, told = second.communicate(timeout=20)
        assert second.returncode == 1
        assert "another daemon answers there" in told
        assert first.poll() is None
        with grpc.insecure_channel(socket) as channel:
            grpc.channel_ready_future(channel).result(timeout=20)


def test_a_second_daemon_on_the_same_journal_is_refused_and_the_first_goes_on(tmp_path):
    socket = f"unix:{tmp_path}/t.sock"
    with serving(tmp_path, socket, config=ONE_DEVICE) as first:
        with grpc.insecure_channel(socket) as channel:
            grpc.channel_ready_future(channel).result(timeout=20)
        with serving(tmp_path, f"unix:{tmp_path}/other.sock", config=ONE_DEVICE) as second:
            _, told = second.communicate(timeout=20)
        assert second.returncode == 1
        assert "another daemon uses the state directory" in told
        assert "state_dir" in told
        assert first.poll() is None


def test_a_stale_socket_is_replaced_and_another_file_is_not(tmp_path):
    stale = tmp_path / "t.sock"
    with serving(tmp_path, f"unix:{stale}", config=ONE_DEVICE) as process:
        with grpc.insecure_channel(f"unix:{stale}") as channel:
            grpc.channel_ready_future(channel).result(timeout=20)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
    assert stale.exists()
    with serving(tmp_path, f"unix:{stale}") as process, grpc.insecure_channel(f"unix:{stale}") as channel:
        grpc.channel_ready_future(channel).result(timeout=20)
    other = tmp_path / "notes.txt"
    other.write_text("keep me")
    with serving(tmp_path, f"unix:{other}") as process:
        _, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "no socket" in told
    assert other.read_text() == "keep me"
