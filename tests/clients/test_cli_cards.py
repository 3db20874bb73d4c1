"""Cards on the command line, as people and scripts make them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from countertop.cli import main

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "cards"
CLI = [sys.executable, "-m", "countertop.cli"]
PRINTER = "card-printer"
DESIGN, DATA = EXAMPLES / "mono-card.yaml", EXAMPLES / "bank-card.json"
CONFIG = """
[listen]
addresses = ["unix:{folder}/c.sock"]

[terminal]
state_dir = "{folder}/state"

[[devices]]
id = "id-reader"
emulator = "sdt"

[[devices]]
id = "card-printer"
emulator = "evolis"
emulator_options = {{ speed = 0, ribbon = "KO" }}
"""


@contextmanager
def started(words: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive its test, whatever the test meets."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as process:
        try:
            yield process
            process.wait(timeout=20)
        finally:
            process.kill()


def until_line(stream: Any, part: str) -> str:
    """The first line that has it."""
    for line in stream:
        if part in line:
            return str(line)
    raise AssertionError(f"never said: {part}")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a terminal with an emulated card printer answers, ready."""
    folder = tmp_path_factory.mktemp("cli-cards")
    (folder / "c.toml").write_text(CONFIG.format(folder=folder), encoding="utf-8")
    with started([*CLI, "serve", "--config", str(folder / "c.toml")]) as daemon:
        until_line(daemon.stderr, "listening on")
        until_line(daemon.stderr, "device card-printer is ready")
        yield f"unix:{folder}/c.sock"
        daemon.send_signal(signal.SIGINT)
        assert daemon.stderr is not None
        daemon.stderr.read()


class Counter:
    """Runs commands in this process, against the terminal."""

    def __init__(self, address: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.address = address
        self._capsys = capsys

    def run(self, *words: str, code: int = 0) -> pytest.CaptureResult[str]:
        found = main([*words, "--address", self.address])
        told = self._capsys.readouterr()
        assert found == code, told.err
        assert "Traceback" not in told.err
        return told

    def bench(self, verb: str, *words: str, code: int = 0) -> pytest.CaptureResult[str]:
        return self.run("bench", verb, PRINTER, *words, code=code)

    def counted(self) -> dict[str, int]:
        return {name: int(count) for name, count in json.loads(self.bench("count-cards", "--json").out).items()}

    def cards(self) -> list[dict[str, Any]]:
        """The newest twenty at most."""
        skip = max(0, self.total() - 20)
        told = self.bench("output", "--json", "--skip", str(skip)).out
        return [json.loads(json.loads(line)["text"]) for line in told.splitlines()]

    def total(self) -> int:
        found = self.counted()
        return sum(found.get(place, 0) for place in ("taken", "output", "retained", "removed", "inside"))


@pytest.fixture
def counter(address: str, capsys: pytest.CaptureFixture[str]) -> Iterator[Counter]:
    """A printer as new."""
    counter = Counter(address, capsys)
    for verb in ("clear-fault", "take-card", "remove-jam", "empty-bin"):
        counter.bench(verb)
    counter.bench("load-cards", "50", "--empty")
    counter.bench("customer", "takes")
    counter.run("reset", PRINTER)
    return counter


# --- issue-card -------------------------------------------------------------------------------------------------------


def test_a_card_is_issued_told_and_saved(counter: Counter, tmp_path: Path) -> None:
    out = tmp_path / "made"
    told = counter.run(
        "issue-card", PRINTER, "--design", str(DESIGN), "--data", str(DATA), "--stripe", "2=9999012=3112",
        "--stripe", "1=B9999", "--out", str(out),
    )  # fmt: skip
    assert "The card: stripe, front, back done; it is with the customer." in told.out
    assert all(f"the card was {movement}" in told.err for movement in ("fed", "presented", "taken"))
    card = json.loads((out / "card.json").read_text(encoding="utf-8"))
    assert (card["place"], card["stripe"]["track1"], card["stripe"]["track2"]) == ("taken", "B9999", "9999012=3112")
    for side in ("front", "back"):
        with Image.open(out / f"card-{side}.png") as picture:
            assert picture.size == (1011, 638)
        assert f"card-{side}.png" in told.out


def test_a_card_without_a_design_stays_unprinted(counter: Counter) -> None:
    told = counter.run("issue-card", PRINTER)
    assert "nothing was written or printed; it is with the customer" in told.out


def test_scripts_get_the_result_alone_on_standard_output(counter: Counter) -> None:
    told = counter.run("issue-card", PRINTER, "--stripe", "2=9999", "--hold", "--json")
    result = json.loads(told.out)
    assert result["card"]["place"] == "CARD_PLACE_PRINT"
    assert result["card"]["stripe"] == "CARD_WORK_DONE"
    assert "[CARD_INSIDE]" in counter.run("issue-card", PRINTER, code=1).err


def test_the_same_operation_id_makes_one_card(counter: Counter) -> None:
    before = counter.counted().get("taken", 0)
    for _ in range(2):
        counter.run("issue-card", PRINTER, "--stripe", "2=9999", "--operation-id", "cli-once")
    assert counter.counted()["taken"] == before + 1


def test_a_card_that_nobody_takes_fails_with_what_became_of_it(counter: Counter) -> None:
    counter.bench("customer", "leaves")
    told = counter.run("issue-card", PRINTER, "--stripe", "2=9999", "--take-within", "1", code=1)
    assert "Take the card." in told.err
    assert "it was kept back. [CARD_NOT_TAKEN] Physical effect: PARTIAL." in told.err
    assert told.out == ""
    assert counter.cards()[-1]["place"] == "retained"
    told = counter.run("issue-card", PRINTER, "--take-within", "1", "--leave", code=1)
    assert "it lies at the exit. [CARD_NOT_TAKEN]" in told.err
    assert counter.cards()[-1]["place"] == "exit"


REFUSED: list[tuple[list[str], str]] = [
    (["--data", str(DATA)], "--data says what is on a design; give --design too."),
    (["--stripe", "4=99"], "--stripe: expected TRACK=TEXT with a track of 1 to 3."),
    (["--stripe", "2="], "--stripe: expected TRACK=TEXT"),
    (["--stripe", "2=ABC"], "stripe.track2"),
    (["--design", "/no/such/design.yaml"], "/no/such/design.yaml"),
    (["--design", str(DESIGN), "--data", "/no/such/data.json"], "/no/such/data.json"),
    (["--design", str(DESIGN)], "artwork.data"),
    (["--eject"], "[NOT_SUPPORTED]"),
]


@pytest.mark.parametrize(("words", "part"), REFUSED, ids=[part for _, part in REFUSED])
def test_a_mistake_is_told_in_a_sentence_and_uses_no_card_up(words: list[str], part: str, counter: Counter) -> None:
    before = counter.counted()
    told = counter.run("issue-card", PRINTER, *words, code=1)
    assert part in told.err
    assert told.out == ""
    assert counter.counted() == before


DATA_MISTAKES = [
    ('{"nmae": "x"}', "nmae: the design has no such field; did you mean name?"),
    ('{"name": 3}', "name: expected text in quotes"),
    ('{"photo": "no-such.jpg"}', "photo: the file cannot be read"),
    ('{"expiry": "12/3100"}', "expiry: expected at most 5 characters, got 7"),
    ("[1]", "expected a mapping"),
    ("{", "not JSON"),
]


@pytest.mark.parametrize(("content", "part"), DATA_MISTAKES)
def test_a_mistake_in_the_data_is_named_by_its_field(content: str, part: str, counter: Counter, tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    data.write_text(content, encoding="utf-8")
    told = counter.run("issue-card", PRINTER, "--design", str(DESIGN), "--data", str(data), code=1)
    assert part in told.err
    assert str(data) in told.err


def test_a_mistake_in_the_design_is_named_by_its_place(counter: Counter, tmp_path: Path) -> None:
    design = tmp_path / "design.yaml"
    design.write_text("front:\n  elements:\n    - {box: {x_mm: 1}, text: {txt: a}}\n", encoding="utf-8")
    told = counter.run("issue-card", PRINTER, "--design", str(design), code=1)
    assert "front.elements[0].text.txt: there is no such field; did you mean text?" in told.err


@pytest.mark.parametrize(("device", "part"), [("nobody", "DEVICE_NOT_FOUND"), ("id-reader", "WRONG_KIND")])
def test_a_device_that_makes_no_cards_is_refused(device: str, part: str, counter: Counter) -> None:
    assert part in counter.run("issue-card", device, code=1).err
    assert part in counter.run("inventory", device, code=1).err


def test_eject_and_hold_exclude_each_other(counter: Counter) -> None:
    assert "not allowed with" in counter.run("issue-card", PRINTER, "--eject", "--hold", code=2).err


def test_ctrl_c_lets_a_card_under_way_go_on_and_cancels_one_that_waits(counter: Counter) -> None:
    counter.bench("customer", "leaves")
    before = counter.counted()
    words = [*CLI, "issue-card", PRINTER, "--stripe", "2=9999", "--address", counter.address]
    with started(words) as first:
        until_line(first.stderr, "Take the card.")
        with started(words) as second:
            until_line(second.stderr, "The device is busy; 0 wait before this.")
            second.send_signal(signal.SIGINT)
            until_line(second.stderr, "CANCELLED")
        assert second.returncode == 130
        first.send_signal(signal.SIGINT)
        until_line(first.stderr, "TOO_LATE")
    assert first.returncode == 130
    counter.bench("take-card")
    after = counter.counted()
    assert (before["supply"] - after["supply"], after["taken"] - before.get("taken", 0)) == (1, 1)


# --- preview-card -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("design", ["bank-card.yaml", "mono-card.yaml"])
@pytest.mark.parametrize("data", [[], ["--data", str(DATA)]], ids=["samples", "data"])
def test_the_example_designs_are_drawn(
    design: str, data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stem = tmp_path / "new" / "card"
    assert main(["preview-card", str(EXAMPLES / design), *data, "--out", str(stem), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == [f"{stem}-front.png", f"{stem}-back.png"]
    for file in told["files"]:
        with Image.open(file) as picture:
            assert picture.size == (1011, 638)
            assert len(picture.convert("L").getcolors() or ()) > 1  # it is not blank


def test_a_black_ribbon_draws_in_black_and_white(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    design = tmp_path / "badge.yaml"
    design.write_text(
        "front:\n  elements:\n    - box: {x_mm: 5, y_mm: 5, width_mm: 40, height_mm: 20}\n"
        "      shape: {fill: '#4060A0'}\n      dither: DITHER_ORDERED\n",
        encoding="utf-8",
    )
    colors = {}
    for words in ([], ["--mono"]):
        assert main(["preview-card", str(design), "--out", str(tmp_path / "badge"), *words]) == 0
        assert "saved" in capsys.readouterr().out
        with Image.open(tmp_path / "badge-front.png") as picture:
            colors[bool(words)] = {color for _, color in picture.convert("RGB").getcolors() or ()}
    assert colors[False] == {(255, 255, 255), (0x40, 0x60, 0xA0)}
    assert colors[True] == {(255, 255, 255), (0, 0, 0)}
    assert not (tmp_path / "badge-back.png").exists()


def test_a_preview_takes_the_designs_name_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["preview-card", str(DESIGN)]) == 0
    assert "saved mono-card-front.png" in capsys.readouterr().out
    assert (tmp_path / "mono-card-front.png").exists()


@pytest.mark.parametrize(
    ("data", "words", "code", "part"),
    [
        ('{"name": "x"}', [], 1, "artwork.data"),
        ('{"name": "x"}', ["--samples"], 0, ""),
        ('{"nmae": "x"}', [], 1, "did you mean name?"),
    ],
)
def test_a_preview_needs_every_field_or_samples(
    data: str, words: list[str], code: int, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.json").write_text(data, encoding="utf-8")
    stem = str(tmp_path / "card")
    assert main(["preview-card", str(DESIGN), "--data", str(tmp_path / "d.json"), "--out", stem, *words]) == code
    assert part in capsys.readouterr().err
    assert (tmp_path / "card-front.png").exists() == (code == 0)


def test_a_missing_design_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preview-card", "/no/such/design.yaml"]) == 1
    assert "/no/such/design.yaml" in capsys.readouterr().err


# --- inventory --------------------------------------------------------------------------------------------------------


def test_an_exchange_is_begun_and_ended_with_counts_and_thresholds(counter: Counter) -> None:
    assert "An exchange is under way" in counter.run("inventory", PRINTER, "--begin", "--by", "staff 1").out
    assert "DEVICE_IN_MAINTENANCE" in counter.run("issue-card", PRINTER, code=1).err
    assert "EXCHANGE_ACTIVE" in counter.run("inventory", PRINTER, "--begin", code=1).err
    words = ["--end", "feeder=50", "reject=0", "--threshold", "feeder=49", "--by", "staff 1"]
    told = counter.run("inventory", PRINTER, *words)
    assert "An exchange is under way" not in told.out
    assert "Since the last exchange: 0 fed, 0 inserted" in told.out
    counter.run("issue-card", PRINTER, "--stripe", "2=9999")
    told = counter.run("inventory")
    assert all(part in told.out for part in ("feeder (supply)", "reject (retain)", "ribbon KO", "LOW", "49", "50"))
    assert "Since the last exchange: 1 fed, 0 inserted; 1 taken, 0 ejected" in told.out
    assert "NO_EXCHANGE" in counter.run("inventory", PRINTER, "--end", code=1).err


def test_scripts_get_the_inventory_as_json(counter: Counter) -> None:
    for words in ([], [PRINTER]):
        (line,) = counter.run("inventory", *words, "--json").out.splitlines()
        found = json.loads(line)
        assert found["device_id"] == PRINTER
        assert [item["unit"]["name"] for item in found["units"]] == ["feeder", "reject"]
        assert found["consumables"][0]["type"] == "KO"


NOT_SAID: list[tuple[list[str], str]] = [
    (["--begin"], "An exchange is done on one device; name it."),
    (["--end", "feeder=1"], "An exchange is done on one device; name it."),
    ([PRINTER, "--end", "feeder"], "--end: expected UNIT=COUNT, such as feeder=100, with a count of at most 10000."),
    ([PRINTER, "--end", "feeder=-1"], "--end: expected UNIT=COUNT"),
    ([PRINTER, "--end", "feeder=99999999999"], "--end: expected UNIT=COUNT"),
    ([PRINTER, "--end", "feeder=1", "--threshold", "reject=2"], "expected a count in --end for reject."),
    ([PRINTER, "--threshold", "feeder=2"], "expected a count in --end for feeder."),
    ([PRINTER, "--end", "feeder=1", "--threshold", "feeder=x"], "--threshold: expected UNIT=COUNT"),
]


@pytest.mark.parametrize(("words", "part"), NOT_SAID)
def test_an_exchange_that_is_not_said_clearly_is_refused(words: list[str], part: str, counter: Counter) -> None:
    assert part in counter.run("inventory", *words, code=1).err


def test_an_unknown_unit_is_named_with_those_that_there_are(counter: Counter) -> None:
    counter.run("inventory", PRINTER, "--begin")
    told = counter.run("inventory", PRINTER, "--end", "drawer=1", code=1)
    assert "counts[0].unit: expected one of: feeder, reject" in told.err
    counter.run("inventory", PRINTER, "--end")


# --- hands ------------------------------------------------------------------------------------------------------------


def test_hands_fill_count_and_change_the_ribbon(counter: Counter) -> None:
    assert "57 cards are in the supply" in counter.bench("load-cards", "7").out
    assert "3 cards are in the supply" in counter.bench("load-cards", "3", "--empty").out
    assert "supply 3" in counter.bench("count-cards").out
    assert counter.counted()["supply"] == 3
    for words, level in ((["--type", "K", "--prints", "9"], "LOW"), (["--absent"], "OUT"), (["--type", "KO"], "OK")):
        counter.bench("load-ribbon", *words)
        counter.run("reset", PRINTER)
        (ribbon,) = json.loads(counter.run("inventory", "--json").out)["consumables"]
        assert ribbon["level"] == f"SUPPLY_LEVEL_{level}"
    assert "expected one of YMCKO" in counter.bench("load-ribbon", "--type", "XYZ", code=1).err
    assert "has no part for load ribbon" in counter.run("bench", "load-ribbon", "id-reader", code=1).err


def test_hands_push_take_and_remove_cards(counter: Counter) -> None:
    before = counter.counted()
    counter.bench("customer", "leaves", "--after", "2")
    counter.bench("push-card")
    counter.bench("take-card")
    counter.bench("fault", "jam-exit", "--times", "1")
    told = counter.run("issue-card", PRINTER, "--stripe", "2=9999", code=1)
    assert "[CARD_JAMMED] Physical effect: PARTIAL." in told.err
    counter.bench("remove-jam")
    after = counter.counted()
    assert [after.get(place, 0) - before.get(place, 0) for place in ("pushed", "taken", "removed")] == [1, 1, 1]


def test_what_came_out_is_shown_and_both_its_sides_are_saved(counter: Counter, tmp_path: Path) -> None:
    counter.run("issue-card", PRINTER, "--stripe", "2=9999777")
    last = counter.total()
    told = counter.bench("output", "--skip", str(last - 1))
    assert json.loads(told.out)["stripe"]["track2"] == "9999777"
    told = counter.bench("output", "--skip", str(last - 1), "--save", str(tmp_path))
    assert told.out.splitlines() == [str(tmp_path / f"output-{last}.png"), str(tmp_path / f"output-{last}-back.png")]
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in told.out.splitlines())
