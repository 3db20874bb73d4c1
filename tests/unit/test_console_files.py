"""The console's files hold together: words, imports, what the browser's policy forbids, what is generated, sizes."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

import countertop.cli
from countertop.console import generate
from countertop.v1 import camera_pb2, card_pb2, claim_pb2, device_pb2, operation_pb2, options_pb2

CONSOLE = Path(countertop.cli.__file__).parents[1] / "console"
MODULES = sorted(CONSOLE.rglob("*.js"))
OWN = [path for path in MODULES if "bench" not in path.relative_to(CONSOLE).parts]
LONGEST = 260
"""Lines of a module; dictionaries may be longer."""
SHOWN = {
    device_pb2: ("DeviceKind", "AdminState", "DeviceState", "Severity", "MediaState", "SupplyLevel", "JournalState"),
    operation_pb2: ("OperationState", "Finding", "PromptKind", "CancelOutcome"),
    claim_pb2: ("ClaimState",),
    card_pb2: ("CardPlace", "CardMovement", "CardUnitLevel"),
    options_pb2: ("FixedBy",),
}
"""The enums whose values the console words."""


def named(path: Path) -> str:
    return str(path.relative_to(CONSOLE))


def words(language: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in (f"{language}.js", f"enums_{language}.js"):
        text = (CONSOLE / "lang" / file).read_text("utf-8")
        for key, value in re.findall(r'^  ("[^"]+"|[A-Z_0-9]+): ("(?:[^"\\]|\\.)*"),$', text, re.MULTILINE):
            assert key.strip('"') not in found, f"{key} is there twice"
            found[key.strip('"')] = json.loads(value)
    return found


def holes(text: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", text))


def test_both_languages_have_the_same_words_with_the_same_holes() -> None:
    english, chinese = words("en"), words("zh")
    assert len(english) > 250
    assert english.keys() == chinese.keys()
    assert [key for key in english if holes(english[key]) != holes(chinese[key])] == []


def test_every_word_that_is_named_is_there_and_every_word_is_used() -> None:
    english = words("en")
    text = "\n".join(path.read_text("utf-8") for path in OWN if path.parent.name != "lang")
    chosen = re.findall(r'(?<!\w)t\([\w.!()]+ \? "([^"]+)" : "([^"]+)"', text)
    named_words = set(re.findall(r'(?<!\w)t\("([^"]+)"', text)) | {word for pair in chosen for word in pair}
    families = set(re.findall(r"`([a-z_]+\.)\$\{", text))
    assert len(named_words) > 150
    assert named_words - english.keys() == set()
    quoted = set(re.findall(r'"([A-Za-z_.]+)"', text))
    unused = {
        word
        for word in english
        if not word.isupper() and word not in quoted and not any(word.startswith(family) for family in families)
    }
    assert {word for word in unused if word.split(".")[0] not in ("verb", "unit", "supply")} == set()


@pytest.mark.parametrize("family", ["operations.", "connection.", "events.", "nav.", "own.", "theme.", "count."])
def test_every_family_of_words_has_some(family: str) -> None:
    assert any(word.startswith(family) for word in words("en"))


@pytest.mark.parametrize("module", list(SHOWN), ids=lambda module: module.DESCRIPTOR.name)
def test_every_value_of_an_enum_that_is_shown_has_its_word(module: ModuleType) -> None:
    english = words("en")
    for name in SHOWN[module]:
        values = module.DESCRIPTOR.enum_types_by_name[name].values
        missing = [value.name for value in values if value.number and value.name not in english]
        assert missing == [], name


def test_every_verb_that_makes_operations_has_its_word() -> None:
    """An operation comes from a method with options: those are listed by their requests' fields."""
    english = words("en")
    missing = []
    for file in ("card_printer", "camera", "id_reader", "receipt_printer", "signature_pad", "device", "vendor"):
        pb2 = importlib.import_module(f"countertop.v1.{file}_pb2")
        for service in pb2.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                word = f"verb.{service.name}/{method.name}"
                if "options" in method.input_type.fields_by_name and word not in english:
                    missing.append(word)
    assert missing == []
    assert camera_pb2.CaptureRequest.DESCRIPTOR.fields_by_name["options"]


@pytest.mark.parametrize("path", OWN, ids=named)
def test_every_import_is_a_file_that_gives_what_is_wanted(path: Path) -> None:
    text = path.read_text("utf-8")
    for names, source in re.findall(r'^import (?:(.+?) from )?"([^"]+)";$', text, re.MULTILINE):
        assert source.startswith("."), f"{named(path)} imports {source}, which no browser finds"
        target = (path.parent / source).resolve()
        assert target.is_file(), f"{named(path)}: there is no {source}"
        given = target.read_text("utf-8")
        for name in re.findall(r"\w+", names.strip("{} ")) if names.startswith("{") else []:
            assert re.search(
                rf"export (async )?(function\*? |class |const |async function\*? |\{{.*)\b{name}\b", given
            ), f"{named(path)}: {source} has no {name}"


@pytest.mark.parametrize("path", [*OWN, *CONSOLE.glob("*.html"), *CONSOLE.glob("*.css")], ids=named)
def test_nothing_that_the_policy_forbids_and_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "javascript:",
    ):
        assert forbidden not in text
    if path.suffix == ".html":
        assert re.findall(r"<script(?![^>]*\bsrc=)|\bstyle=|\bon\w+=|<style", text) == []
    addresses = set(re.findall(r"https?://[^\s\"')>]+", text)) - {"http://www.w3.org/2000/svg%22"}
    assert {address for address in addresses if not address.startswith("https://connectrpc.com/docs")} == set()
    assert path.stat().st_size < 40_000


@pytest.mark.parametrize("path", OWN, ids=named)
def test_modules_are_small_and_say_what_they_are(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert lines[0].startswith("/**"), "a module says first what it is"
    assert path.parent.name == "lang" or len(lines) <= LONGEST
    assert max(map(len, lines)) <= 260


@pytest.mark.parametrize("path", list(generate.FILES), ids=lambda path: path.name)
def test_what_is_generated_is_new(path: Path) -> None:
    assert path.read_text("utf-8") == generate.FILES[path](), "run daemon/countertop/console/generate.py"


def test_every_icon_that_is_named_is_there() -> None:
    have = {path.stem for path in (CONSOLE / "icons").glob("*.svg")}
    text = "\n".join(path.read_text("utf-8") for path in OWN)
    wanted = set(re.findall(r'icon: "([a-z-]+)"', text)) | set(re.findall(r'(?<!\w)icon\("([a-z-]+)"', text))
    wanted |= set(re.findall(r'_[A-Z_]+: \["\w+", "([a-z-]+)"\]', text))
    wanted |= {f"nav-{page}" for page in ("counter", "operations", "events", "claims", "terminal")}
    wanted |= {f"theme-{look}" for look in ("system", "light", "dark")}
    assert len(wanted) > 20
    assert wanted - have == set()


@pytest.mark.skipif(shutil.which("node") is None, reason="node reads the modules, and is not here")
def test_node_can_read_every_module() -> None:
    script = (
        "import { readFileSync } from 'node:fs'; import vm from 'node:vm';"
        "for (const identifier of process.argv.slice(1))"
        " new vm.SourceTextModule(readFileSync(identifier, 'utf8'), { identifier });"
    )
    command = ["node", "--experimental-vm-modules", "--no-warnings", "--input-type=module", "-e", script, "--"]
    done = subprocess.run([*command, *map(str, MODULES)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
