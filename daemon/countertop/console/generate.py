"""Generate `lang/reasons.js` (what each Reason says to a person, out of error.proto) and `icons.css` (out of icons/).

A script (`python daemon/countertop/console/generate.py`); a test tells when it must be run again. The icons lie inside
the style sheet, so that those which tell of a lost connection are there when there is none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast
from urllib.parse import quote

from countertop.sdk.errors import reason_info
from countertop.v1 import error_pb2

HERE = Path(__file__).parent
_SAFE = " =:/.,;-'()"
_ICONS = """\
/* Generated from icons/ by generate.py: do not edit. Icons take the colour of the text; a word stands beside each. */
.icon {
  display: inline-block; width: 1.15em; height: 1.15em; flex: none; vertical-align: -0.2em; background: currentColor;
  mask: var(--picture) center / contain no-repeat;
}
.icon.large { width: 1.7em; height: 1.7em; }
@media (forced-colors: active) { .icon { background: CanvasText; forced-color-adjust: none; } }
"""


def reasons() -> str:
    """The text of `lang/reasons.js`."""
    lines = ["/** Generated from error.proto by generate.py: do not edit. */"]
    for language in ("en", "zh"):
        lines.append(f"export const reasons{language.capitalize()} = {{")
        for value in error_pb2.Reason.DESCRIPTOR.values:
            if not value.number:
                continue
            info = reason_info(cast("error_pb2.Reason", value.number))
            sentence = info.en if language == "en" else info.zh
            lines.append(f"  {value.name}: {json.dumps(sentence, ensure_ascii=False)},")
        lines.append("};")
    return "\n".join(lines) + "\n"


def icons() -> str:
    """The text of `icons.css`."""
    rules = []
    for file in sorted((HERE / "icons").glob("*.svg")):
        picture = quote(file.read_text(encoding="utf-8").strip(), safe=_SAFE)
        rules.append(f'.icon.{file.stem} {{ --picture: url("data:image/svg+xml,{picture}"); }}')
    return _ICONS + "\n".join(rules) + "\n"


FILES = {HERE / "lang" / "reasons.js": reasons, HERE / "icons.css": icons}

if __name__ == "__main__":
    for path, text in FILES.items():
        path.write_text(text(), encoding="utf-8")
