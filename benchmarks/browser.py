"""The browser door beside the native one, of the same daemon in the same run: a unary call by Connect over a bare
socket against gRPC's client over TCP; and a camera's stream at 1080p30, in frames a second.

Requests are ready bytes and answers are not parsed: a browser's client is compiled, as gRPC's is.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc

from benchmarks.harness import Child, Figure, Settings, child, cpu_seconds, interleave
from benchmarks.methods import GET_DEVICE, Method
from benchmarks.unary import timed
from countertop.v1 import device_pb2

__all__ = ["run"]

TARGET = 1.0
CAMERA_FPS = 30.0


def _posting(connection: socket.socket, token: str, kind: str, body: bytes) -> tuple[Callable[[bytes], bytes], bytes]:
    """What sends a request over a connection, and the request."""
    host, port = connection.getpeername()
    head = [f"POST {GET_DEVICE} HTTP/1.1", f"host: {host}:{port}", f"content-type: {kind}"]
    head += [f"authorization: Bearer {token}", f"content-length: {len(body)}", "", ""]

    def post(request: bytes) -> bytes:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
            top, found, rest = answer.partition(b"\r\n\r\n")
            if found and len(rest) == int(top.partition(b"content-length: ")[2].partition(b"\r\n")[0]):
                break
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(answer.decode())
        return answer

    return post, "\r\n".join(head).encode() + body


def _connected(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _until_ready(server: Child, seconds: float = 30.0) -> None:
    """The camera gives pictures."""
    end = time.monotonic() + seconds
    while True:
        connection = http.client.HTTPConnection(server.said["url"].removeprefix("http://"), timeout=30)
        headers = {"authorization": f"Bearer {server.said['token']}"}
        connection.request("GET", "/cameras/camera/snapshot.jpg", headers=headers)
        answer = connection.getresponse()
        told = answer.read()
        connection.close()
        if answer.status == 200:
            return
        if time.monotonic() > end:
            raise RuntimeError(f"no picture after {seconds:g} s: {told.decode()}")
        time.sleep(0.1)


def _frames(server: Child, seconds: float) -> tuple[float, float, float]:
    """Frames a second, megabytes of one, and the daemon's CPU meanwhile."""
    connection = http.client.HTTPConnection(server.said["url"].removeprefix("http://"), timeout=30)
    connection.request("GET", "/cameras/camera/stream", headers={"authorization": f"Bearer {server.said['token']}"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status} {answer.read()!r}")
    count, size = 0, 0
    cpu, began = 0.0, 0.0
    while not began or time.perf_counter() - began < seconds:
        length = 0
        if answer.isclosed():
            raise RuntimeError("the stream has ended")
        while line := answer.readline().strip():
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        if not length:
            continue
        answer.read(length)
        if not began:  # the first frame starts the clock
            cpu, began = cpu_seconds(server.process.pid), time.perf_counter()
            continue
        count, size = count + 1, size + length
    spent = time.perf_counter() - began
    cpu = (cpu_seconds(server.process.pid) - cpu) / spent
    connection.close()
    answer.close()
    return count / spent, size / count / 1e6, cpu


def _unary(settings: Settings, server: Child) -> list[Figure]:
    request = device_pb2.GetDeviceRequest(device_id="camera")
    sent = {"application/proto": request.SerializeToString(), "application/json": b'{"deviceId":"camera"}'}
    figures = []
    (address,) = [found for found in server.said["addresses"] if not found.startswith("unix:")]
    with grpc.insecure_channel(address) as channel:
        native: Any = Method.of(GET_DEVICE).unary(channel)
        native(request)
        for kind, body in sent.items():
            with _connected(server.said["url"]) as connection:
                post, posted = _posting(connection, server.said["token"], kind, body)
                sides = partial(timed, post, posted, 300), partial(timed, native, request, 300)
                pair = interleave(sides, settings.count(24), warm_up=2)
            name = f"GetDevice, Connect {kind.rpartition('/')[2]} against gRPC over TCP, p50"
            figures.append(Figure.of(name, "µs", pair, scale=1e6, target=TARGET))
    return figures


def run(settings: Settings) -> list[Figure]:
    """Calls, then frames."""
    with child("benchmarks.frame_camera") as camera, child("benchmarks.browser_server", camera.said["link"]) as server:
        _until_ready(server)
        figures = _unary(settings, server)
        fps, size, cpu = _frames(server, 4.0 if settings.quick else 10.0)
    details = {"frame_megabytes": size, "server_cpu": cpu}
    figures.append(Figure("MJPEG at 1080p30, time of a frame", "ms", 1000 / fps, 1000 / CAMERA_FPS, details=details))
    return figures
