"""Write docs/public-api.txt: every public name of the SDK, the client, the emulators' core and the test kit.

The sources are read, never run, so that the listing is the same on every Python and with any extras installed. A name is
public when a module of PUBLIC has it in `__all__`; of a class its members without a leading underscore are, also those
that it has from bases of ours.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parents[1]
ROOTS = ("daemon", "drivers", "emulators", "analysis", "protos", "testing")
LISTING = Path(__file__).with_name("public-api.txt")
PUBLIC = (
    "countertop.client",
    "countertop.client.errors",
    "countertop.client.sync",
    "countertop.emulators.core.bench",
    "countertop.emulators.core.bus",
    "countertop.emulators.core.clock",
    "countertop.emulators.core.faults",
    "countertop.emulators.core.fonts",
    "countertop.emulators.core.link_faults",
    "countertop.emulators.core.options",
    "countertop.emulators.core.spec",
    "countertop.emulators.core.stream",
    "countertop.emulators.core.usb.bus",
    "countertop.emulators.core.usb.device",
    "countertop.emulators.core.usb.hid",
    "countertop.emulators.core.usb.printer_class",
    "countertop.sdk",
    "countertop.sdk.cameras",
    "countertop.sdk.cameras.documents",
    "countertop.sdk.cards",
    "countertop.sdk.cards.chip",
    "countertop.sdk.ink.document",
    "countertop.sdk.ink.iso19794_7",
    "countertop.sdk.ink.png",
    "countertop.sdk.ink.quality",
    "countertop.sdk.ink.signature_file",
    "countertop.sdk.ink.signer",
    "countertop.sdk.ink.stroke_width",
    "countertop.sdk.ink.svg",
    "countertop.sdk.links",
    "countertop.sdk.receipt",
    "countertop.sdk.receipt.ir",
    "countertop.sdk.signing",
    "countertop.sdk.trace",
    "countertop.testing.artefacts",
    "countertop.testing.conformance",
    "countertop.testing.machine",
    "countertop.testing.replaying",
    "countertop.testing.strategies",
    "countertop.testing.terminal",
)
"""The modules whose `__all__` is public. Each has its place on a page in docs/reference/."""
LONGEST_VALUE = 60
HEAD = """\
# Every public name, its kind and its signature, one a line. Driver authors and apps are built on these.
# Made by: python docs/generate_api.py
"""


def listing() -> str:
    """The text of docs/public-api.txt."""
    countertop = load()
    names = {
        f"{module}.{name}": _target(countertop[module.removeprefix("countertop.")], name)
        for module in PUBLIC
        for name in sorted(str(export) for export in countertop[module.removeprefix("countertop.")].exports or ())
    }
    first: dict[str, str] = {}  # where an object is listed: by its shortest public name
    for path in sorted(names, key=lambda path: (path.count("."), path)):
        target = names[path]
        first.setdefault(path if target is None else target.path, path)
    lines = [line for path, target in names.items() for line in _lines(path, target, first)]
    return HEAD + "".join(f"{line}\n" for line in lines)


@cache
def load() -> griffe.Module:
    """The namespace `countertop`, read from the sources."""
    extensions = griffe.load_extensions(str(ROOT / "docs" / "hooks" / "blocking.py"))
    loader = griffe.GriffeLoader(
        search_paths=[ROOT / root for root in ROOTS], extensions=extensions, allow_inspection=False
    )
    loaded = loader.load("countertop")
    loader.resolve_aliases(implicit=True)
    assert isinstance(loaded, griffe.Module)
    return loaded


def _target(module: griffe.Module, name: str) -> griffe.Object | None:
    """What a public name is; None for one of several names that an assignment unpacks into."""
    found = module.members.get(name)
    return found.final_target if isinstance(found, griffe.Alias) else found


def _lines(path: str, target: griffe.Object | None, first: dict[str, str]) -> list[str]:
    """The lines of a public name: the name itself, and the members of a class."""
    if target is None:
        return [f"name {path}"]
    if first[target.path] != path:
        return [f"same {path} is {first[target.path]}"]
    return [_line(path, target), *(_members(path, target, first) if isinstance(target, griffe.Class) else ())]


def _members(path: str, owner: griffe.Class, first: dict[str, str]) -> list[str]:
    """The lines of a class's public members, its `__init__` and operators. What it has from a public base is listed there;
    the requirements of a conformance suite, which are tests, are in docs/conformance.md.
    """
    lines = []
    for name in sorted(owner.all_members):
        found = owner.all_members[name]
        member = found.final_target if isinstance(found, griffe.Alias) else found
        if isinstance(found, griffe.Alias) and found.inherited and member.parent and member.parent.path in first:
            continue
        special = name.startswith("__") and name.endswith("__") and isinstance(member, griffe.Function)
        if special or not name.startswith(("_", "test_")):
            lines.append(_line(f"{path}.{name}", member))
    return lines


def _line(path: str, found: griffe.Object) -> str:
    """One name: kind, path, signature."""
    labels = found.labels
    match found:
        case griffe.Class():
            bases = ", ".join(str(base) for base in found.bases)
            kind = "dataclass" if "dataclass" in labels else "class"
            return f"{kind} {path}({bases})"
        case griffe.Function():
            words = [word for word in ("abstractmethod", "classmethod", "staticmethod", "async") if word in labels]
            kind = " ".join([*words, "def"])
            return f"{kind} {path}({_parameters(found)}){_annotated(' -> ', found.returns)}"
        case griffe.Attribute() if "property" in labels:
            kind = "property settable" if "writable" in labels else "property"
            kind = f"abstract {kind}" if "abstractmethod" in labels else kind
            return f"{kind} {path}{_annotated(': ', found.annotation)}"
        case griffe.Attribute():
            return f"name {path}{_annotated(': ', found.annotation)}{_value(found)}"
    raise AssertionError(f"{path}: {found.kind} cannot be listed")


def _value(attribute: griffe.Attribute) -> str:
    """What a constant or a field has by default; what `__init__` gives to an attribute is not part of the contract."""
    of_instance = isinstance(attribute.parent, griffe.Class) and "class-attribute" not in attribute.labels
    if attribute.value is None or of_instance:
        return ""
    value = str(attribute.value)
    return f" = {value}" if len(value) <= LONGEST_VALUE else " = ..."


def _annotated(mark: str, annotation: object) -> str:
    return "" if annotation is None else f"{mark}{annotation}"


def _parameters(function: griffe.Function) -> str:
    """The parameters as they are written in a `def`."""
    written: list[str] = []
    kinds = griffe.ParameterKind
    last: griffe.ParameterKind | None = None
    for parameter in function.parameters:
        if last is kinds.positional_only and parameter.kind is not last:
            written.append("/")
        if parameter.kind is kinds.keyword_only and last not in (kinds.keyword_only, kinds.var_positional):
            written.append("*")
        stars = {kinds.var_positional: "*", kinds.var_keyword: "**"}.get(parameter.kind, "")
        default = "" if parameter.default is None or stars else f" = {parameter.default}"
        written.append(f"{stars}{parameter.name}{_annotated(': ', parameter.annotation)}{default}")
        last = parameter.kind
    if last is kinds.positional_only:
        written.append("/")
    return ", ".join(written)


if __name__ == "__main__":
    LISTING.write_text(listing(), encoding="utf-8")
