"""`countertop conformance`: does a driver do what its contract says?"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countertop.cli import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from countertop.cli.arguments import add_json
from countertop.cli.output import Refused, say

if TYPE_CHECKING:
    from countertop.sdk.device import Device
    from countertop.sdk.plugins import DriverSpec
    from countertop.server.plugins import Plugins
    from countertop.testing.conformance import DeviceConformance
    from countertop.testing.conformance.verdicts import Verdict, Verdicts
    from countertop.v1.device_pb2 import DeviceKind

__all__ = ["configure", "run"]

KINDS = ("id_reader", "receipt_printer", "signature_pad", "card_printer", "camera")


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `conformance`."""
    parser.add_argument("--driver", metavar="NAME", default="", help="the driver, by its name in a configuration")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--link", metavar="URL", help="a real device; steps that need hands are asked for")
    place.add_argument("--emulator", metavar="NAME", help="an emulator (default: the one made for the driver)")
    parser.add_argument("--kind", choices=KINDS, help="the kind of device (default: the driver's)")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="an option of the driver")
    parser.add_argument("--emulator-option", action="append", default=[], metavar="NAME=VALUE", help="of the emulator")
    parser.add_argument("--only", action="append", default=[], metavar="NUMBER", help="one requirement: D-03")
    parser.add_argument("--unattended", action="store_true", help="skip the steps that need a person")
    parser.add_argument("--report", metavar="FILE", type=Path, help="write the verdicts as one HTML page")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write them as JUnit XML")
    parser.add_argument("--docs", metavar="URL", default="", help="where the page's numbers of requirements link to")
    parser.add_argument("--list", action="store_true", help="list the requirements, and check nothing")
    add_json(parser)
    parser.epilog = "The exit code is 0 when nothing failed; what was skipped is listed, with the reason."


def run(args: argparse.Namespace) -> int:
    """Run the suite of the driver's kind, or list it."""
    try:
        from countertop.testing.conformance.verdicts import run_suite
    except ImportError as error:
        raise Refused(f"The suites need {error.name}.", "Install it: pip install 'countertop[testing]'") from None
    if args.list:
        return _list(args)
    suite, on = _suite(args)
    only = [number.upper() for number in args.only]
    for file in filter(None, (args.report, args.junit)):
        file.parent.mkdir(parents=True, exist_ok=True)  # a mistake is found before the run, which may be long
    try:
        verdicts = run_suite(suite, on, only=only, junit=args.junit, told=lambda one: _tell(one, args.json))
    except ValueError as error:
        raise Refused(f"--only: {error}.") from None
    if args.report is not None:
        from countertop.testing.conformance.report import html_report

        args.report.write_text(html_report(verdicts, args.docs), encoding="utf-8")
    _summary(verdicts, args)
    if verdicts.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_OK if verdicts.conforms else EXIT_FAILED


def _suite(args: argparse.Namespace) -> tuple[type[DeviceConformance], str]:
    """The suite, made for what is to be tested, and what it runs on."""
    from countertop.server.plugins import Plugins
    from countertop.testing.conformance import ConsolePerson
    from countertop.testing.conformance.suites import SUITES

    plugins = Plugins()
    spec = _spec(args, plugins)
    emulator = "" if args.link else _emulator(args, plugins)
    _check(args, plugins.driver_class(args.driver))
    person = ConsolePerson() if args.link and not args.unattended and sys.stdin.isatty() else None
    members = {
        "driver": args.driver,
        "emulator": emulator,
        "link": args.link or "",
        "options": _options(args.option),
        "emulator_options": _options(args.emulator_option),
        "person": person,
    }
    base = SUITES[spec.kind]
    return type(base.__name__, (base,), members), args.link or f"the emulator {emulator}"


def _spec(args: argparse.Namespace, plugins: Plugins) -> DriverSpec:
    """The driver, as it is announced."""
    spec = plugins.drivers.get(args.driver)
    if spec is None:
        known = ", ".join(sorted(plugins.drivers))
        raise Refused(f"--driver: expected one of {known}; got {args.driver!r}.", "Is its package installed?")
    kind = _name(spec.kind)
    if args.kind not in (None, kind):
        raise Refused(f"--kind: the driver {args.driver} is of the kind {kind}; got {args.kind}.")
    return spec


def _name(kind: DeviceKind) -> str:
    """Of a kind, as the command line has it."""
    from countertop.v1 import device_pb2

    return device_pb2.DeviceKind.Name(kind).removeprefix("DEVICE_KIND_").lower()


def _emulator(args: argparse.Namespace, plugins: Plugins) -> str:
    """The name of the emulator to run on."""
    kind = plugins.drivers[args.driver].kind
    known = {emulator.name: emulator for emulator in plugins.emulators.values() if emulator.kind == kind}
    made_for = [name for name, emulator in known.items() if emulator.driver == args.driver]
    if args.emulator and args.emulator not in known:
        listed = ", ".join(sorted(known)) or "none, since none is installed for the driver's kind"
        raise Refused(f"--emulator: expected one of {listed}; got {args.emulator!r}.")
    if not (args.emulator or made_for):
        raise Refused(f"No emulator is made for the driver {args.driver}.", "Name a real device: --link URL")
    return args.emulator or made_for[0]


def _check(args: argparse.Namespace, driver: type[Device]) -> None:
    """The driver's options, and the link's form: what else would fail in every requirement."""
    from pydantic import ValidationError

    from countertop.sdk.links import parse_link

    try:
        driver.options_type.model_validate(_options(args.option))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise Refused(f"--option: {wrong}.") from None
    try:
        parse_link(args.link or "tcp://127.0.0.1:9")
    except ValueError as error:
        raise Refused(f"--link: {error}") from None


def _options(words: list[str]) -> dict[str, Any]:
    """`speed=0` as a number, `model=430` as the text that it is when quoted: each value is JSON where it can be."""
    options: dict[str, Any] = {}
    for word in words:
        name, given, value = word.partition("=")
        if not given or not name:
            raise Refused(f"Options are given as NAME=VALUE; got {word!r}.")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options


def _tell(verdict: Verdict, as_json: bool) -> None:
    requirement = verdict.requirement
    if as_json:
        line = {"requirement": requirement.number, "title": requirement.title, "verdict": verdict.word}
        print(json.dumps(line | {"reason": verdict.reason, "seconds": round(verdict.seconds, 3)}), flush=True)
        return
    say(f"{requirement.number}  {verdict.word:<7}  {requirement.title}")
    if verdict.reason:
        say(f"               {verdict.reason}")


def _summary(verdicts: Verdicts, args: argparse.Namespace) -> None:
    counts = {word: verdicts.count(word) for word in ("passed", "failed", "skipped", "not run")}
    if args.json:
        print(json.dumps({"driver": args.driver, "conforms": verdicts.conforms, **counts}), flush=True)
        return
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    say(f"{args.driver} on {verdicts.on}: {told}.")
    if args.report is not None:
        say(f"wrote {args.report}")
    if args.junit is not None:
        say(f"wrote {args.junit}")


def _list(args: argparse.Namespace) -> int:
    from countertop.server.plugins import Plugins
    from countertop.testing.conformance import requirements_of
    from countertop.testing.conformance.suites import SUITES

    wanted = _name(_spec(args, Plugins()).kind) if args.driver else args.kind
    listed: set[str] = set()
    for kind, suite in SUITES.items():
        if wanted not in (None, _name(kind)):
            continue
        for requirement in requirements_of(suite).values():
            if requirement.number in listed:
                continue
            listed.add(requirement.number)
            if args.json:
                print(json.dumps({"requirement": requirement.number, "title": requirement.title}))
            else:
                say(f"{requirement.number}  {requirement.title}")
    return EXIT_OK
