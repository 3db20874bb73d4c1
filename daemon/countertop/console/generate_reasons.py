"""Generate `lang/reasons.js`: what each Reason says to a person, in both languages, out of error.proto.

A script (`python daemon/countertop/console/generate_reasons.py`); a test tells when it must be run again.
"""

from __future__ import annotations

import json
from pathlib import Path

from countertop.v1 import error_pb2, options_pb2

OUT = Path(__file__).parent / "lang" / "reasons.js"


def module() -> str:
    """The text of the JavaScript module."""
    lines = ["/** Generated from error.proto by generate_reasons.py: do not edit. */"]
    for language in ("en", "zh"):
        lines.append(f"export const reasons{language.capitalize()} = {{")
        for value in error_pb2.Reason.DESCRIPTOR.values:
            info = value.GetOptions().Extensions[options_pb2.reason_info]
            if value.number:
                lines.append(f"  {value.name}: {json.dumps(getattr(info, language), ensure_ascii=False)},")
        lines.append("};")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    OUT.write_text(module(), encoding="utf-8")
