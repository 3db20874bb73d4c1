"""Write docs/conformance.md from the suites in testing/countertop/testing/conformance."""

from __future__ import annotations

from pathlib import Path

from countertop.testing.conformance import DeviceConformance, Requirement, requirements_of
from countertop.testing.conformance.suites import SUITES
from countertop.v1 import device_pb2

HEAD = """# Conformance

What a driver must do, requirement by requirement. Each is a sentence that holds or does not, and a check of it that runs without the driver's
help: on an emulator, or on the device itself. A driver that conforms can be put into a terminal in place of another one, and no app notices.

## Run them

As tests, with pytest; this is all of a driver's `test_conformance.py`:

```python
from countertop.testing.conformance import IdReaderConformance


class TestAcme(IdReaderConformance):
    driver = "acme"
    emulator_options = {"speed": 0}
```

There is one suite for each kind: `IdReaderConformance`, `ReceiptPrinterConformance`, `SignaturePadConformance`, `CardPrinterConformance`,
`CameraConformance`; each has the requirements of every device and its own. `driver` is a name that a plugin announces, or a class. The emulator is
the one that is made for the driver, or `emulator`; `options` are the driver's. Each check has an emulator, an event loop and fresh drivers of its own,
so that pytest needs no plugin for asyncio, and each can be run alone (`-k d03`). Checks that are properties are run on `examples` examples (10; COUNTERTOP_CONFORMANCE_EXAMPLES in the environment goes before it), the
same ones each time.

On the command line:

    countertop conformance --driver acme
    countertop conformance --driver acme --only D-03 --only D-06
    countertop conformance --driver acme --report acme.html --junit acme.xml

The exit code is 0 when nothing failed. The report is one page that fetches nothing, for the file on a driver; JUnit XML is for build servers, with the
number of the requirement as a property of each test. `--list` lists the requirements, `--json` prints a line of JSON for each verdict.

## On the device itself

    countertop conformance --driver acme --link serial:///dev/ttyUSB0?baud=115200

Steps that need hands are asked for at the terminal ("Lay an ID document on the reader."); with `--unattended` they are left out. In pytest, set `link`
instead of `emulator`, and `person` to what asks somebody. Many requirements need an emulator, since nobody can pull a document away after the third
byte.

## What the verdicts mean

| verdict | |
|---|---|
| passed | it was checked, and holds |
| failed | it does not hold; the sentence says what was expected and what came |
| skipped | it was not checked, and the reason says why: the emulator has no hand for it, nobody stands at the device, the device has no such part. It says nothing about the driver |
| not run | the run was interrupted before |

A driver conforms when nothing has failed and everything has run. Read the reasons of what was skipped: an emulator with more hands checks more.

Every requirement is itself checked: drivers that are broken on purpose, each in one thing, must be found by it (`tests/conformance/planted_*.py`; the
table of what found what is at the end of the tests' output).

## Add one

A requirement is a coroutine method of a suite, marked with its number and a sentence that says what holds; its docstring, which is shown below, says
why, and how it is checked:

```python
@requirement("R-10", "A second document beside the first is refused.")
async def test_r10_two_documents(self, rig: Rig) -> None:
    \"\"\"Two fields of one customer and two of another make a third person: it ends with DOCUMENT_UNREADABLE.\"\"\"
```

`rig` has the emulator's hands (`rig.hands.do("insert_card")`), drivers (`rig.connected()`), the line between the two (`rig.line`) and operations
(`rig.run()`). The requirement must hold for any driver of the kind on any emulator of the kind: skip what an emulator cannot do. A number is given
once: one that is dropped is never used again, since reports are kept. Plant a fault that it finds, and write this page anew:
`python docs/generate_conformance.py`.
"""
DEVICES = {
    device_pb2.DEVICE_KIND_ID_READER: "ID readers",
    device_pb2.DEVICE_KIND_RECEIPT_PRINTER: "Receipt printers",
    device_pb2.DEVICE_KIND_SIGNATURE_PAD: "Signature pads",
    device_pb2.DEVICE_KIND_CARD_PRINTER: "Card printers",
    device_pb2.DEVICE_KIND_CAMERA: "Cameras",
}


def page() -> str:
    """The page."""
    of_all = requirements_of(DeviceConformance)
    parts = [HEAD, _section("Every device", list(of_all.values()))]
    for kind, suite in SUITES.items():
        own = [requirement for name, requirement in requirements_of(suite).items() if name not in of_all]
        parts.append(_section(DEVICES[kind], own))
    return "\n".join(parts)


def _section(title: str, requirements: list[Requirement]) -> str:
    return "\n".join((f"## {title}\n", *(_requirement(requirement) for requirement in requirements)))


def _requirement(requirement: Requirement) -> str:
    number = requirement.number
    paragraphs = (" ".join(part.split()) for part in requirement.why.split("\n\n"))
    return "\n\n".join((f'<a id="{number.lower()}"></a>', f"### {number} {requirement.title}", *paragraphs)) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("conformance.md").write_text(page(), encoding="utf-8")
