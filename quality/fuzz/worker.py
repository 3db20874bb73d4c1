"""One target in a process of its own: `python -m quality.fuzz.worker NAME [libFuzzer's options and folders]`.

The process ends with the first finding; libFuzzer says what it is and keeps its input.
"""

from __future__ import annotations

import logging
import resource
import sys

import atheris

from quality.fuzz.targets import TARGETS

MEMORY_BYTES = 2 << 30
"""Of address space; a parser that needs more fails with MemoryError, which is a finding."""


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    target = TARGETS[sys.argv[1]]
    logging.disable()  # what the daemon says of garbage, thousands of times a second
    with atheris.instrument_imports(include=["countertop"]):
        run = target.make()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    again = f"{sys.executable} -m quality.fuzz.worker {target.name}"  # a merge puts what it starts together as text
    atheris.Setup([again, *sys.argv[2:]], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
