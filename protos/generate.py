"""Generate the Python modules of the protos: a hatch build hook, and a script (`python protos/generate.py`).

The output lies beside the .proto files, is git-ignored, and goes into the wheel and the sdist.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

PROTOS = Path(__file__).resolve().parent


def generate() -> list[Path]:
    """Write `*_pb2.py` and `*_pb2.pyi` beside every .proto file and return the .proto files.

    Raises RuntimeError when protoc finds a mistake; it has printed where.
    """
    from grpc_tools import protoc

    sources = sorted(PROTOS.rglob("*.proto"))
    well_known = Path(protoc.__file__).parent / "_proto"
    arguments = ["protoc", f"-I{PROTOS}", f"-I{well_known}", f"--python_out={PROTOS}", f"--pyi_out={PROTOS}"]
    if protoc.main([*arguments, *map(str, sources)]) != 0:
        raise RuntimeError("protoc found a mistake in the protos; see above")
    return sources


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a script, without hatchling
    pass
else:

    class GenerateProtos(BuildHookInterface):  # type: ignore[type-arg]
        """Runs `generate` before anything is packed or installed."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Called by hatchling before each build."""
            generate()


if __name__ == "__main__":
    print(f"generated the modules of {len(generate())} protos", file=sys.stderr)
