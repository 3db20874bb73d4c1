"""The queue of one device: in order of arrival for each client, in turns between clients."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator

from countertop.server.operations import OperationRecord

__all__ = ["FairQueue"]


class FairQueue:
    """A client that sends a hundred operations delays another client's by one, not by a hundred."""

    def __init__(self) -> None:
        self._first: deque[OperationRecord] = deque()
        self._lines: OrderedDict[str, deque[OperationRecord]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __contains__(self, record: OperationRecord) -> bool:
        return record in self._first or record in self._lines.get(record.caller, ())

    def __iter__(self) -> Iterator[OperationRecord]:
        """In the order in which they will be served if nobody else comes."""
        yield from self._first
        lines = [iter(line) for line in self._lines.values()]
        while lines:
            going_on = []
            for line in lines:
                record = next(line, None)
                if record is not None:
                    yield record
                    going_on.append(line)
            lines = going_on

    def append(self, record: OperationRecord) -> None:
        """Behind all others of its client."""
        self._lines.setdefault(record.caller, deque()).append(record)
        self._length += 1

    def appendleft(self, record: OperationRecord) -> None:
        """Before all others, whosever."""
        self._first.appendleft(record)
        self._length += 1

    def popleft(self) -> OperationRecord:
        """The next one; its client goes to the end of the line. Raises IndexError when there is none."""
        if self._first:
            self._length -= 1
            return self._first.popleft()
        if not self._lines:
            raise IndexError("the queue is empty")
        caller, line = next(iter(self._lines.items()))
        record = line.popleft()
        self._length -= 1
        if line:
            self._lines.move_to_end(caller)
        else:
            del self._lines[caller]
        return record

    def remove(self, record: OperationRecord) -> None:
        """Raises ValueError when it is not there."""
        if record in self._first:
            self._first.remove(record)
        else:
            line = self._lines.get(record.caller, deque())
            line.remove(record)
            if not line:
                del self._lines[record.caller]
        self._length -= 1
