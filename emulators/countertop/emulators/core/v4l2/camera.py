"""One emulated camera, with its cable."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

from countertop.emulators.core.clock import Clock
from countertop.emulators.core.v4l2.device import CaptureDevice
from countertop.emulators.core.v4l2.endpoints import CaptureEndpoint, NodeEndpoint
from countertop.emulators.core.v4l2.faults import StreamFault
from countertop.emulators.core.v4l2.identity import CameraIdentity
from countertop.emulators.core.v4l2.metadata import MetadataDevice
from countertop.emulators.core.v4l2.modes import Mode, PixelFormat
from countertop.emulators.core.v4l2.peer import Listener
from countertop.emulators.core.v4l2.stream import FrameSource, FrameStream
from countertop.emulators.core.v4l2.tree import NodeFiles, Tree

__all__ = ["CameraNode"]


class CameraNode:
    """A camera in a root, made by `V4l2Root.add`. Its methods belong to the root's event loop, and act at once.

    A fault stays when the camera is plugged in anew.
    """

    def __init__(
        self,
        tree: Tree,
        clock: Clock,
        identity: CameraIdentity,
        frame: FrameSource,
        formats: tuple[PixelFormat, ...],
        metadata: bool,
    ) -> None:
        self.identity = identity
        self._tree = tree
        self._clock = clock
        self._frame = frame
        self._formats = formats
        self._metadata = metadata
        self._fault: StreamFault | None = None
        self._thread = ThreadPoolExecutor(1, f"camera-{identity.port}")
        self._capture: tuple[CaptureDevice, FrameStream] | None = None
        self._nodes: list[_Node] = []
        self._left_open: set[_Node] = set()

    @property
    def plugged(self) -> bool:
        """The nodes are there."""
        return bool(self._nodes)

    @property
    def path(self) -> str | None:
        """The node as clients name it, "/dev/video0"; None while it is unplugged."""
        return self._nodes[0].device_path if self._nodes else None

    @property
    def metadata_path(self) -> str | None:
        """The second node; None while it is unplugged, and where there is none."""
        return self._nodes[1].device_path if len(self._nodes) > 1 else None

    @property
    def by_id(self) -> str:
        """The link that names the camera by maker, model and serial number, whether it is plugged in or not."""
        return f"/dev/{self.identity.by_id(0)}"

    @property
    def by_path(self) -> str:
        """The link that names it by its port."""
        return f"/dev/{self.identity.by_path(0)}"

    @property
    def streaming(self) -> Mode | None:
        """What a client streams now; None while none does."""
        if self._capture is None or self._capture[0].session is None:
            return None
        return self._capture[0].mode

    @property
    def waiting(self) -> bool:
        """A client waits for a frame now."""
        return self._capture is not None and self._capture[0].waiting

    @property
    def openers(self) -> int:
        """How many open files the nodes have, those from before an unplugging included."""
        return sum(node.openers for node in {*self._nodes, *self._left_open})

    @property
    def fault(self) -> StreamFault | None:
        """What is wrong with the pictures."""
        return self._fault

    @fault.setter
    def fault(self, fault: StreamFault | None) -> None:
        self._fault = fault
        if self._capture is not None:
            self._capture[1].fault = fault

    def unplug(self) -> None:
        """Pull the cable: nodes and links vanish, and whoever has them open gets ENODEV. Safe to call twice."""
        nodes, self._nodes = self._nodes, []
        self._capture = None
        for node in reversed(nodes):
            self._left_open.add(node)
            node.vanish()

    def replug(self) -> None:
        """Push the cable in: new nodes under the lowest free numbers, which are others while somebody still has the
        old ones open. Safe to call twice.
        """
        if self._nodes:
            return
        pictures = self._new_node(0)
        file = io.FileIO(pictures.files.prepared, "r+")
        device = CaptureDevice(self.identity.naming, self._formats)
        stream = FrameStream(device, self._clock, self._frame, file, self._thread)
        stream.fault = self._fault

        def abandoned() -> None:
            self._thread.submit(file.close)  # after the frame that is being written
            self._forget(pictures)

        self._capture = (device, stream)
        self._nodes = [pictures]
        pictures.appear(CaptureEndpoint(device, stream, file.fileno(), abandoned))
        if self._metadata:
            headers = self._new_node(1)
            self._nodes.append(headers)
            headers.appear(NodeEndpoint(MetadataDevice(self.identity.naming), lambda: self._forget(headers)))

    def hang_up(self) -> None:
        """End what is left of clients that have the nodes open, after `unplug`."""
        for node in list(self._left_open):
            node.hang_up()

    def end(self) -> None:
        """Wait for the thread. Blocks for one frame at the most; call it from a thread, after `hang_up`."""
        self._thread.shutdown()

    def _new_node(self, index: int) -> _Node:
        number = self._tree.take_number()
        try:
            return _Node(self._tree, NodeFiles(self._tree, self.identity, number, index))
        except (OSError, ValueError):
            self._tree.give_back(number)
            raise

    def _forget(self, node: _Node) -> None:
        self._tree.give_back(node.files.number)
        self._left_open.discard(node)


class _Node:
    """One node: its files, its socket and what answers there."""

    def __init__(self, tree: Tree, files: NodeFiles) -> None:
        self._tree = tree
        self._listener: Listener | None = None
        self._endpoint: NodeEndpoint | None = None
        self.files = files
        files.add()

    @property
    def device_path(self) -> str:
        return f"/dev/video{self.files.number}"

    @property
    def openers(self) -> int:
        return self._listener.peers if self._listener is not None else 0

    def appear(self, endpoint: NodeEndpoint) -> None:
        self._endpoint = endpoint
        self._listener = Listener(self.files.socket, endpoint)
        self.files.publish()
        self._tree.announce("add", self.files)

    def vanish(self) -> None:
        assert self._listener is not None
        assert self._endpoint is not None
        self.files.remove()
        self._listener.stop()
        self._endpoint.unplug()
        self._tree.announce("remove", self.files)

    def hang_up(self) -> None:
        if self._listener is not None:
            self._listener.close()
