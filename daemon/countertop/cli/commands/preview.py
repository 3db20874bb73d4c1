"""`countertop preview`: what a camera sees."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

from countertop.cli.arguments import add_address, count
from countertop.cli.calls import with_counter
from countertop.cli.output import Refused, complain

if TYPE_CHECKING:
    from countertop.client import Counter
    from countertop.v1.camera_pb2 import Frame

__all__ = ["configure", "half_blocks", "run"]

UPPER_HALF = "\u2580"
"""Two pixels above each other in one character: one is its colour, one its ground."""
HOME, CLEAR, HIDE, SHOW, PLAIN = "\x1b[H", "\x1b[2J", "\x1b[?25l", "\x1b[?25h", "\x1b[0m"


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `preview`."""
    parser.add_argument("device", metavar="DEVICE", help="the camera's id, from `countertop devices`")
    parser.add_argument("--window", action="store_true", help="in a window; needs a display and tkinter")
    parser.add_argument("--frames", type=count(1, 10**9), default=0, metavar="N", help="end after N frames")
    add_address(parser)
    parser.epilog = "In the terminal each character shows two pixels, in 24-bit colour. Ctrl-C ends it."


def run(args: argparse.Namespace) -> int:
    """Show frames."""
    view: Any = _Window if args.window else _Terminal

    async def work(counter: Counter) -> int:
        with view(args.device) as shown:
            seen = 0
            async for response in counter.camera(args.device).watch():
                if response.HasField("interrupted"):
                    shown.tell(response.interrupted.message)
                    continue
                if not shown.show(response.frame):
                    break
                seen += 1
                if seen == args.frames:
                    break
        return 0

    return with_counter(args, work)


def half_blocks(jpeg: bytes, columns: int, lines: int) -> str:
    """A picture as text of so many columns and lines at most, in its own shape."""
    from PIL import Image

    with Image.open(io.BytesIO(jpeg)) as file:
        file.draft("RGB", (columns * 2, lines * 4))  # decodes at a fraction of the size
        picture = file.convert("RGB")
    scale = min(columns / picture.width, lines * 2 / picture.height)
    width, height = max(1, round(picture.width * scale)), max(2, round(picture.height * scale) // 2 * 2)
    pixels = picture.resize((width, height), Image.Resampling.BOX).tobytes()
    text = []
    for top in range(0, height, 2):
        for at in range(width):
            r, g, b = pixels[(top * width + at) * 3 :][:3]
            under = ((top + 1) * width + at) * 3
            text.append(f"\x1b[38;2;{r};{g};{b};48;2;{';'.join(map(str, pixels[under : under + 3]))}m{UPPER_HALF}")
        text.append(f"{PLAIN}\n")
    return "".join(text)


class _Terminal:
    """Draws on standard output."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._began = time.monotonic()
        self._frames = 0

    def __enter__(self) -> _Terminal:
        if not sys.stdout.isatty():
            raise Refused("preview draws on a terminal, and standard output is none.", "Use: countertop capture")
        try:
            import PIL.Image  # noqa: F401
        except ImportError:
            raise Refused("Pictures need Pillow.", "pip install 'countertop[camera]'") from None
        sys.stdout.write(HIDE + CLEAR)
        return self

    def __exit__(self, *exc_info: object) -> None:
        sys.stdout.write(f"{PLAIN}{SHOW}\n")
        sys.stdout.flush()

    def show(self, frame: Frame) -> bool:
        """One frame, and how many a second there are."""
        size = shutil.get_terminal_size()
        self._frames += 1
        fps = self._frames / max(0.001, time.monotonic() - self._began)
        line = f"{self._device}  {frame.width} x {frame.height}  #{frame.sequence}  {fps:.1f} fps   Ctrl-C ends"
        sys.stdout.write(HOME + half_blocks(frame.data, size.columns, size.lines - 2) + line[: size.columns - 1])
        sys.stdout.flush()
        return True

    def tell(self, sentence: str) -> None:
        """There is no frame."""
        sys.stdout.write(f"{HOME}{CLEAR}{sentence}\n")
        sys.stdout.flush()


class _Window:
    """Draws in a window."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._closed = False

    def __enter__(self) -> _Window:
        try:
            import tkinter

            from PIL import ImageTk

            self._tk, self._picture = tkinter, ImageTk
            self._root = tkinter.Tk()
        except ImportError:
            raise Refused(
                "A window needs tkinter and Pillow.", "apt-get install python3-tk python3-pil.imagetk"
            ) from None
        except Exception as error:  # tkinter.TclError, of a module that may be missing
            display = os.environ.get("DISPLAY", "not set")
            raise Refused(f"No window can be opened ({type(error).__name__}; DISPLAY is {display}).") from None
        self._root.title(f"{self._device} - Countertop")
        self._root.protocol("WM_DELETE_WINDOW", self._close)
        self._label = self._tk.Label(self._root)
        self._label.pack()
        return self

    def _close(self) -> None:
        self._closed = True

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(Exception):  # it may be gone with its display
            self._root.destroy()

    def show(self, frame: Frame) -> bool:
        """One frame; False when the window was closed."""
        from PIL import Image

        with Image.open(io.BytesIO(frame.data)) as picture:
            shown = self._picture.PhotoImage(picture)
        self._label.configure(image=shown)
        self._shown = shown  # tkinter keeps none
        self._root.update()
        return not self._closed

    def tell(self, sentence: str) -> None:
        """There is no frame."""
        complain(sentence)
        self._root.update()
