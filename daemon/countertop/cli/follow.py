"""Follows an operation to its end on the terminal, and gives it up at the daemon on Ctrl-C."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from countertop.cli.output import complain, word

if TYPE_CHECKING:
    from countertop.client import OperationHandle
    from countertop.v1.operation_pb2 import Operation

__all__ = ["PROMPTS", "Teller", "follow", "give_up"]

Update = TypeVar("Update")
Result = TypeVar("Result")

_BUSY_SECONDS = 0.5
"""A wait in the device's queue that is shorter is not worth a word."""
PROMPTS = {
    "PRESENT_DOCUMENT": "Lay the document on the reader.",
    "KEEP_DOCUMENT": "Keep the document still.",
    "PRESENT_DOCUMENT_AGAIN": "Lift the document and lay it on the reader again.",
    "REMOVE_DOCUMENT": "Take the document away.",
    "LOAD_PAPER": "Load paper.",
    "CLOSE_COVER": "Close the cover.",
    "OPEN_COVER": "Open the cover.",
    "SIGN": "Sign on the pad.",
    "TAKE_CARD": "Take the card.",
    "INSERT_CARD": "Put the card in.",
    "LOAD_CARDS": "Fill the supply of cards.",
    "CHANGE_RIBBON": "Change the ribbon.",
    "EMPTY_BIN": "Empty the bin.",
    "LOOK_AT_CAMERA": "Look at the camera.",
    "SHOW_CODE": "Hold the code before the camera.",
}


class Teller:
    """Tells each change of an operation once, on standard error, so that results alone go to standard output."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, operation: Operation) -> None:
        """A sentence for people, when there is something new."""
        sentence = _sentence(operation)
        if sentence and sentence != self._last:
            self._say(sentence)
        self._last = sentence or self._last

    def busy(self, operation: Operation) -> None:
        """Tell that the device works for somebody else, where that is what the operation waits for."""
        from countertop.v1 import operation_pb2

        if operation.state == operation_pb2.OPERATION_STATE_QUEUED:
            self._say(f"The device is busy; {operation.queue_position} wait before this.")

    def _say(self, sentence: str) -> None:
        print(sentence, file=sys.stderr, flush=True)


async def follow(
    handle: OperationHandle[Update, Result], look: Callable[[Update], object] = lambda update: None
) -> Result:
    """The operation's result; `look` is shown each update. Raises CountertopError when it fails; cancelled, it cancels
    the operation first.
    """
    teller = Teller()
    timer = asyncio.get_running_loop().call_later(_BUSY_SECONDS, lambda: teller.busy(handle.operation))
    try:
        async for update in handle:
            teller(handle.operation)
            look(update)
        return await handle.result()
    except asyncio.CancelledError:
        await give_up(handle)
        raise
    finally:
        timer.cancel()


async def give_up(handle: OperationHandle[Update, Result]) -> None:
    """Cancel an operation that was interrupted, and say what came of it."""
    from countertop.client.errors import CountertopError
    from countertop.v1 import operation_pb2

    try:
        outcome = word(operation_pb2.CancelOutcome, await handle.cancel(), "CANCEL_OUTCOME_")
    except CountertopError as error:
        outcome = str(error)
    complain(f"Interrupted; operation {handle.id}: {outcome}.")


def _sentence(operation: Operation) -> str:
    from countertop.v1 import error_pb2, operation_pb2

    state = word(operation_pb2.OperationState, operation.state, "OPERATION_STATE_")
    prompt = PROMPTS.get(word(operation_pb2.PromptKind, operation.prompt, "PROMPT_KIND_"), "")
    if state == "STOPPED":
        reason = word(error_pb2.Reason, operation.stopped_by, "REASON_")
        return f"Held by {reason}. {prompt}".rstrip()
    if prompt:
        return prompt
    progress = operation.progress
    if state == "RUNNING" and progress.total:
        return f"{progress.done} of {progress.total} {progress.unit}"
    return ""
