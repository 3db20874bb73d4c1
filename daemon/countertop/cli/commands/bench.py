"""`countertop bench`: hands on emulated devices."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json, count, seconds
from countertop.cli.calls import with_counter
from countertop.cli.output import complain, console, json_line, say, table

if TYPE_CHECKING:
    from countertop.bench.v1.bench_pb2 import Output
    from countertop.client import Counter

__all__ = ["configure", "run"]

Verb = Callable[["Counter", argparse.Namespace], Awaitable[int]]


def _plain(method: str) -> Verb:
    """A verb that takes nothing but the device."""

    async def verb(counter: Counter, args: argparse.Namespace) -> int:
        await getattr(counter.bench, method)(args.device)
        return 0

    return verb


async def _insert_card(counter: Counter, args: argparse.Namespace) -> int:
    from countertop.cli.receipt_file import load_card

    await counter.bench.insert_card(args.device, card=load_card(args.card) if args.card else None)
    return 0


async def _load_paper(counter: Counter, args: argparse.Namespace) -> int:
    await counter.bench.load_paper(args.device, mm=args.mm, empty=args.empty)
    return 0


async def _sign(counter: Counter, args: argparse.Namespace) -> int:
    from countertop.bench.v1.bench_pb2 import SignRequest

    request = SignRequest(stop_after_points=args.stop_after)
    if args.svg_path is not None:
        request.svg_path = args.svg_path
    elif args.inkml is not None:
        request.inkml = args.inkml.read_bytes()
    else:
        request.generated.seed = args.seed
    if args.speed is not None:
        request.speed = args.speed
    ink = await counter.bench.sign(args.device, request)
    say(f"{len(ink.strokes)} strokes, {sum(len(stroke.points) for stroke in ink.strokes)} points were written")
    return 0


async def _press(counter: Counter, args: argparse.Namespace) -> int:
    from countertop.v1 import signature_pad_pb2

    button = getattr(signature_pad_pb2, f"PAD_BUTTON_{args.button.upper()}")
    await counter.bench.press_pad_button(button, args.device)
    return 0


async def _load_cards(counter: Counter, args: argparse.Namespace) -> int:
    say(f"{await counter.bench.load_cards(args.count, args.device, empty=args.empty)} cards are in the supply")
    return 0


async def _load_ribbon(counter: Counter, args: argparse.Namespace) -> int:
    await counter.bench.load_ribbon(args.device, kind=args.type, prints=args.prints, absent=args.absent)
    return 0


async def _customer(counter: Counter, args: argparse.Namespace) -> int:
    from countertop.bench.v1 import bench_pb2

    habit = getattr(bench_pb2, f"CUSTOMER_HABIT_{args.habit.upper().replace('-', '_')}")
    await counter.bench.set_customer(habit, args.device, after=args.after)
    return 0


async def _scene(counter: Counter, args: argparse.Namespace) -> int:
    from countertop.bench.v1 import bench_pb2
    from countertop.v1.image_pb2 import Image

    scene = getattr(bench_pb2, f"SCENE_{args.scene.upper().replace('-', '_')}")
    flaw = getattr(bench_pb2, f"SCENE_FLAW_{(args.flaw or 'unspecified').upper()}")
    picture = Image(data=args.picture.read_bytes()) if args.picture is not None else None
    await counter.bench.set_scene(
        scene, args.device, flaw=flaw, picture=picture, text=args.text, turned=args.turned, size=args.size
    )
    return 0


async def _count_cards(counter: Counter, args: argparse.Namespace) -> int:
    found = await counter.bench.count_cards(args.device)
    if args.json:
        json_line(found)
    else:
        say(", ".join(f"{field.name} {getattr(found, field.name)}" for field in found.DESCRIPTOR.fields))
    return 0


async def _fault(counter: Counter, args: argparse.Namespace) -> int:
    await counter.bench.inject_fault(
        args.device, args.fault, after_bytes=args.after_bytes, times=args.times, duration=args.seconds
    )
    return 0


async def _clear_fault(counter: Counter, args: argparse.Namespace) -> int:
    await counter.bench.clear_fault(args.device, args.fault)
    return 0


async def _faults(counter: Counter, args: argparse.Namespace) -> int:
    faults = await counter.bench.faults(args.device)
    if args.json:
        for fault in faults:
            json_line(fault)
        return 0
    shown = table("fault", "", "what it does")
    for fault in faults:
        shown.add_row(fault.name, "[red]active[/]" if fault.active else "", fault.description)
    console().print(shown)
    return 0


async def _output(counter: Counter, args: argparse.Namespace) -> int:
    outputs = [output async for output in _outputs(counter, args)]
    if not outputs and not args.json:
        complain("Nothing came out yet.")
    if args.save is not None:
        args.save.mkdir(parents=True, exist_ok=True)
    for output in outputs:
        if args.save is not None:
            path = args.save / f"output-{output.number}.png"
            path.write_bytes(output.image.data)
            say(str(path))
            if output.back.data:
                back = args.save / f"output-{output.number}-back.png"
                back.write_bytes(output.back.data)
                say(str(back))
        elif args.json:
            json_line(output)
        else:
            say(output.text)
    return 0


async def _outputs(counter: Counter, args: argparse.Namespace) -> AsyncIterator[Output]:
    """Texts all together; pictures one by one, since a message does not hold many."""
    pictures = args.save is not None
    step = 1 if pictures else args.limit
    for skip in range(args.skip, args.skip + args.limit, step):
        found = await counter.bench.output(args.device, skip=skip, limit=step, text_only=not pictures)
        for output in found:
            yield output
        if len(found) < step:
            return


SCENES = (
    "person", "other-person", "phone-replay", "print", "empty", "two-people", "code", "document", "mat",
)  # fmt: skip

_VERBS: dict[str, tuple[Verb, str]] = {
    "insert-card": (_insert_card, "lay an identity card on a reader"),
    "remove-card": (_plain("remove_card"), "take it away"),
    "open-cover": (_plain("open_cover"), "open a printer's cover"),
    "close-cover": (_plain("close_cover"), "close it"),
    "load-paper": (_load_paper, "load paper, or take it out"),
    "sign": (_sign, "write on a signature pad"),
    "press": (_press, "press a button of a signature pad"),
    "load-cards": (_load_cards, "fill the supply of a card printer"),
    "load-ribbon": (_load_ribbon, "put in a ribbon, or take it out"),
    "empty-bin": (_plain("empty_bin"), "empty the bin for retained cards"),
    "take-card": (_plain("take_card"), "take the card from the exit"),
    "push-card": (_plain("push_card"), "put a card into the exit"),
    "remove-jam": (_plain("remove_jam"), "take out a card that is stuck or was left inside"),
    "customer": (_customer, "say what the customer does with cards that are presented"),
    "count-cards": (_count_cards, "count every card that the emulator ever had"),
    "scene": (_scene, "put something before a camera"),
    "unplug": (_plain("unplug"), "pull the plug, of a device or a whole unit"),
    "replug": (_plain("replug"), "put it back"),
    "power-cycle": (_plain("power_cycle"), "switch the device off and on"),
    "fault": (_fault, "make a fault happen"),
    "faults": (_faults, "list the faults that the emulator can show"),
    "clear-fault": (_clear_fault, "end one fault, or all"),
    "output": (_output, "show what came out of the device"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `bench`."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    made = {}
    for name, (_, line) in _VERBS.items():
        made[name] = verbs.add_parser(name, help=line)
        made[name].add_argument("device", metavar="DEVICE", help="the device's id, from `countertop devices`")
        add_address(made[name])
    made["insert-card"].add_argument(
        "--card", metavar="FILE", help="a countertop.v1.IdentityDocument as JSON or YAML (default: an invented one)"
    )
    paper = made["load-paper"].add_mutually_exclusive_group()
    paper.add_argument("--mm", type=count(1, 100_000), default=0, metavar="N", help="its length (default: a full roll)")
    paper.add_argument("--empty", action="store_true", help="take the paper out instead")
    sign = made["sign"]
    what = sign.add_mutually_exclusive_group()
    what.add_argument("--svg-path", metavar="D", help='the d of an SVG path: "M0 0 C 30 10 40 -20 80 0"')
    what.add_argument("--inkml", type=Path, metavar="FILE", help="a W3C InkML document")
    what.add_argument("--seed", type=count(0, 2**32 - 1), default=0, metavar="N", help="of invented handwriting")
    sign.add_argument("--speed", type=float, metavar="X", help="1 is the hand's own, 0 as fast as it goes (default: 1)")
    sign.add_argument("--stop-after", type=count(1, 2**31), default=0, metavar="N", help="lift the pen after N points")
    made["load-cards"].add_argument("count", type=count(0, 500), metavar="N", help="how many")
    made["load-cards"].add_argument("--empty", action="store_true", help="take out those that are there first")
    ribbon = made["load-ribbon"]
    ribbon.add_argument("--type", default="", help="YMCKO, YMCKOK, K, KO (default: the emulator's own)")
    ribbon.add_argument("--prints", type=count(1, 1000), default=0, metavar="N", help="prints left (default: full)")
    ribbon.add_argument("--absent", action="store_true", help="take the ribbon out instead")
    made["customer"].add_argument("habit", choices=("takes", "leaves", "pushes-back"))
    made["customer"].add_argument("--after", type=seconds, metavar="S", help="after this time (default: 1)")
    scene = made["scene"]
    scene.add_argument("scene", choices=SCENES)
    scene.add_argument("--flaw", choices=("dark", "blur", "glare"), help="what is wrong with the picture")
    scene.add_argument("--picture", type=Path, metavar="FILE", help="the person or document (default: a drawn one)")
    scene.add_argument("--text", default="", metavar="TEXT", help="what the code says")
    scene.add_argument("--turned", type=float, default=0.0, metavar="DEGREES", help="how the document lies")
    scene.add_argument(
        "--size", type=float, default=0.0, metavar="X", help="of face or code, 0.05 to 1.2 of the height"
    )
    add_json(made["count-cards"])
    made["press"].add_argument("button", choices=("accept", "clear", "cancel"))
    fault = made["fault"]
    fault.add_argument("fault", metavar="NAME", help="from `countertop bench faults DEVICE`")
    fault.add_argument("--after-bytes", type=count(0, 2**31), default=0, metavar="N", help="begin N bytes later")
    fault.add_argument("--times", type=count(1, 2**31), default=0, metavar="N", help="end after N times")
    fault.add_argument("--seconds", type=seconds, metavar="S", help="end after this time")
    made["clear-fault"].add_argument("fault", metavar="NAME", nargs="?", default="", help="default: all of them")
    add_json(made["faults"])
    output = made["output"]
    output.add_argument("--skip", type=count(0, 2**31), default=0, metavar="N", help="leave out the first N")
    output.add_argument("--limit", type=count(1, 20), default=20, metavar="N", help="at most N, 1 to 20 (default: 20)")
    shape = output.add_mutually_exclusive_group()
    shape.add_argument("--save", type=Path, metavar="DIR", help="save pictures there")
    add_json(shape)


def run(args: argparse.Namespace) -> int:
    """Do one of them."""
    verb, _ = _VERBS[args.verb]
    return with_counter(args, lambda counter: verb(counter, args))
