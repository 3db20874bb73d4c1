"""What a driver may declare as a vendor's command, and how one is carried out."""

from __future__ import annotations

import importlib
import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf import any_pb2, empty_pb2
from hypothesis import given
from hypothesis import strategies as st

from countertop.sdk import BadVendorCommands, CountertopError, DeviceFault, InvalidRequest, VendorCommand, parse_link
from countertop.sdk import vendor_result as packed_result
from countertop.sdk.device import Options
from countertop.sdk.marks import MASK, holds_marked, masked
from countertop.sdk.vendor import check_vendor_commands, list_vendor_commands
from countertop.sdk.vendor_call import parse_command
from countertop.server.redact import holds_customer_data
from countertop.v1 import device_pb2, error_pb2, id_reader_pb2, identity_pb2, image_pb2, options_pb2, vendor_pb2


@pytest.fixture(scope="module")
def vendor() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1] / "daemon"))
        return importlib.import_module("vendor_drivers")


@pytest.fixture(scope="module")
def types(vendor) -> dict[str, Any]:
    """One message of each package."""
    packages = (
        "",
        "acme",
        "v1",
        "acme.v1",
        "acme.pad",
        "acme.pad.v0",
        "acme.pad.v1x",
        "acme.pad.version1",
        "acme.v1.pad",
    )
    packages += ("acme.pad.v2beta1", "acme.pad.v12", "com.acme.pads.v3alpha2")
    packages += ("countertop.acme.v1", "google.acme.v1")
    return {package: vendor.made(package, RuleTrial={"level": int})["RuleTrial"] for package in packages}


def declaring(vendor, *commands):
    return type("Trial", (vendor.AcmePrinter,), {"name": "trial", "vendor_commands": commands})


def one(vendor, **changes):
    light = vendor.AcmePrinter.vendor_commands[0]
    return declaring(vendor, replace(light, **changes))


def problems(kind):
    with pytest.raises(BadVendorCommands) as caught:
        check_vendor_commands(kind)
    assert caught.value.reason == error_pb2.REASON_DRIVER_FAILED
    assert kind.name in caught.value.message
    return caught.value.problems


def test_a_sound_declaration_is_taken_and_most_drivers_have_none(vendor):
    check_vendor_commands(vendor.AcmePrinter)
    check_vendor_commands(declaring(vendor))


@pytest.mark.parametrize("package", ["acme.pad.v2beta1", "acme.pad.v12", "com.acme.pads.v3alpha2"])
def test_a_package_has_vendor_product_and_version(vendor, types, package):
    check_vendor_commands(one(vendor, command=types[package], events=(types[package],)))


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("", "ends with a version"),
        ("acme", "ends with a version"),
        ("v1", "VENDOR.PRODUCT.VERSION"),
        ("acme.v1", "VENDOR.PRODUCT.VERSION"),
        ("acme.pad", "ends with a version"),
        ("acme.pad.v0", "ends with a version"),
        ("acme.pad.v1x", "ends with a version"),
        ("acme.pad.version1", "ends with a version"),
        ("acme.v1.pad", "ends with a version"),
        ("countertop.acme.v1", "a package of the vendor's own"),
        ("google.acme.v1", "a package of the vendor's own"),
    ],
)
@pytest.mark.parametrize("part", ["command", "result", "events"])
def test_other_packages_are_refused_by_name(vendor, types, part, package, expected):
    kind = types[package]
    (problem,) = problems(one(vendor, **{part: (kind,) if part == "events" else kind}))
    assert problem.startswith(f"{kind.DESCRIPTOR.full_name}: expected ")
    assert expected in problem
    assert problem.endswith(f"got {package or 'no package'}")


def test_common_messages_may_be_results_and_events_but_no_commands(vendor):
    check_vendor_commands(one(vendor, result=empty_pb2.Empty, events=(image_pb2.Image,)))
    assert "vendor's own" in problems(one(vendor, command=image_pb2.Image))[0]
    assert "vendor's own" in problems(one(vendor, command=empty_pb2.Empty))[0]


@pytest.mark.parametrize("handler", ["set_lihgt", "name", "open_link_never", "__init__"])
def test_the_handler_is_a_coroutine_method(vendor, handler):
    assert f"async def {handler}(self, command, run)" in problems(one(vendor, handler=handler))[0]


def test_the_effect_is_stated(vendor):
    assert "EFFECT_READS or EFFECT_CONSUMES" in problems(one(vendor, effect=options_pb2.EFFECT_UNSPECIFIED))[0]


@pytest.mark.parametrize("text", ["", "two\nlines", "x" * 201])
def test_the_description_is_one_line(vendor, text):
    assert "a description of one line" in problems(one(vendor, description=text))[0]


def test_every_mistake_is_named_at_once(vendor):
    light = vendor.AcmePrinter.vendor_commands[0]
    found = problems(declaring(vendor, light, replace(light, handler="nowhere", description=""), "set_light"))
    assert [text.partition(":")[0] for text in found] == [
        light.name,
        light.name,
        "expected VendorCommand, got a str",
        light.name,
    ]
    assert found[-1] == "acme.pad.v1.SetLightRequest: expected once, got it 2 times"


@pytest.mark.parametrize("part", ["command", "result"])
def test_types_are_classes_of_messages(vendor, part):
    for stranger in (None, str, vendor.SetLightRequest(), "acme.pad.v1.SetLightRequest"):
        assert f"{part}: expected a class of protobuf messages" in problems(one(vendor, **{part: stranger}))[0]


def test_a_list_is_no_tuple(vendor):
    kind = type("Trial", (vendor.AcmePrinter,), {"vendor_commands": list(vendor.AcmePrinter.vendor_commands)})
    assert problems(kind) == ["vendor_commands: expected a tuple, got a list"]


def test_a_device_lists_its_commands_once_however_often_it_connects(vendor):
    info = device_pb2.DeviceInfo(vendor="Acme")
    driver = vendor.AcmePrinter(parse_link("tcp://127.0.0.1:1"), Options())
    for _ in range(2):
        list_vendor_commands(driver, info)
    light, eject = info.vendor_commands
    assert (light.command, light.result) == ("acme.pad.v1.SetLightRequest", "acme.pad.v1.SetLightResult")
    assert list(light.events) == ["acme.pad.v1.Dimmed"]
    assert (light.effect, eject.effect) == (options_pb2.EFFECT_READS, options_pb2.EFFECT_CONSUMES)
    assert light.description == "Sets how bright the screen is."


def test_a_driver_of_several_models_lists_what_this_one_takes(vendor):
    class Plain(vendor.AcmePrinter):
        def offered_commands(self, info):
            return tuple(item for item in self.vendor_commands if "Eject" not in item.name or info.model == "Pro")

    driver = Plain(parse_link("tcp://127.0.0.1:1"), Options())
    for model, count in (("Pro", 2), ("Lite", 1)):
        info = device_pb2.DeviceInfo(model=model)
        list_vendor_commands(driver, info)
        assert len(info.vendor_commands) == count


class Trial:
    """A `Run` that notes what it is told."""

    operation_id, time_left = "op", 60.0

    def __init__(self) -> None:
        self.emitted: list[Any] = []
        self.evidence: list[Any] = []
        self.steps: list[int] = []

    def emit(self, event: Any) -> None:
        self.emitted.append(event)

    def progress(self, done: int, total: int = 0, unit: str = "") -> None:
        self.steps.append(done)

    async def commit_point(self, step: str, evidence: Any = None) -> None:
        self.evidence.append((step, evidence))


@pytest.fixture
def carry(vendor):
    """Calls a driver as the daemon does: its result and what its run was told."""
    driver = vendor.AcmePrinter(parse_link("tcp://127.0.0.1:1"), Options())

    async def call(command):
        run: Any = Trial()
        packed = command if isinstance(command, any_pb2.Any) else vendor.packed(command)
        result = await driver.call_vendor(vendor_pb2.CallRequest(command=packed), run)
        return SimpleNamespace(result=result, run=run)

    return call


async def test_a_command_is_unpacked_handled_and_its_result_packed(vendor, carry):
    done = await carry(vendor.SetLightRequest(level=4))
    light, dimmed = vendor.SetLightResult(), vendor.Dimmed()
    assert done.result.message.Unpack(light)
    assert light.level == 4
    (event,) = done.run.emitted
    assert event.message.Unpack(dimmed)
    assert dimmed.level == 3
    assert done.run.steps == [1]  # what the daemon offers beside it is there


async def test_evidence_says_which_command_it_is(vendor, carry):
    done = await carry(vendor.EjectRequest())
    assert done.run.evidence == [("turn the wheel", {"slot": 7, "vendor_command": "acme.pad.v1.EjectRequest"})]


async def test_a_type_that_is_not_declared_is_refused_with_those_that_are(vendor, carry):
    with pytest.raises(CountertopError, match=r"SetLightRequest, acme\.pad\.v1\.EjectRequest") as caught:
        await carry(vendor.Dimmed())
    assert caught.value.reason == error_pb2.REASON_NOT_SUPPORTED


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ("wrong result", "expected set_light to return acme.pad.v1.SetLightResult, got acme.pad.v1.EjectResult"),
        ("nothing", "expected set_light to return acme.pad.v1.SetLightResult, got NoneType"),
        ("wrong event", "expected set_light to emit acme.pad.v1.Dimmed, got acme.pad.v1.SetLightResult"),
        ("commit", "declare acme.pad.v1.SetLightRequest EFFECT_CONSUMES"),
        ("large", "of at most 1048576 bytes"),
    ],
)
async def test_a_driver_that_breaks_its_word_is_told_so(vendor, carry, how, what):
    with pytest.raises(DeviceFault) as caught:
        await carry(vendor.SetLightRequest(how=how))
    assert caught.value.reason == error_pb2.REASON_DRIVER_FAILED
    assert what in caught.value.message


async def test_a_consuming_handler_without_a_commit_point_is_logged(vendor, carry, monkeypatch, caplog):
    async def eject(self, request, run):
        return vendor.EjectResult()

    monkeypatch.setattr(vendor.AcmePrinter, "eject", eject)
    with caplog.at_level(logging.WARNING, "countertop.vendor"):
        await carry(vendor.EjectRequest())
    assert "has set no commit point" in caplog.text


@given(data=st.binary(max_size=64))
def test_any_bytes_are_a_command_or_a_mistake_that_quotes_none_of_them(vendor, data):
    packed = any_pb2.Any(type_url="type.googleapis.com/acme.pad.v1.SetLightRequest", value=data)
    violations = {}
    try:
        parse_command(vendor.SetLightRequest, packed)
    except InvalidRequest as error:
        violations = error.violations
    told = f"expected a serialised acme.pad.v1.SetLightRequest, got {len(data)} bytes that are none"
    assert violations in ({}, {"command": told})


def test_bytes_that_are_no_message_are_a_mistake_in_the_field_command(vendor):
    packed = any_pb2.Any(type_url="type.googleapis.com/acme.pad.v1.SetLightRequest", value=b"\xff\xff")
    with pytest.raises(InvalidRequest, match=r"expected a serialised acme\.pad\.v1\.SetLightRequest, got 2 bytes"):
        parse_command(vendor.SetLightRequest, packed)


def test_a_result_is_kept_by_the_journal_unless_it_holds_what_the_vendor_marks(vendor):
    plain = packed_result(vendor.EjectResult(slot=1))
    marked = packed_result(vendor.EjectResult(slot=1, secret_name="李小样"))
    assert (plain.plain, marked.plain) == (True, False)
    assert (holds_customer_data(plain), holds_customer_data(marked)) == (False, True)
    for result in (plain, marked):
        assert masked(result)["message"] == MASK  # the daemon's log cannot know
    request = vendor_pb2.CallRequest(device_id="pad", command=vendor.packed(vendor.SetLightRequest()))
    assert masked(request) == {"device_id": "pad", "command": MASK}


def test_marks_are_found_at_any_depth_and_behind_what_is_packed():
    person = identity_pb2.IdentityDocument(number="11010519491231002X")
    assert holds_marked(id_reader_pb2.ReadResult(document=person))
    assert not holds_marked(id_reader_pb2.ReadResult())
    packed = any_pb2.Any()
    packed.Pack(device_pb2.DeviceStatus(media=device_pb2.MEDIA_STATE_PRESENT))
    assert holds_marked(packed)
    assert not holds_marked(any_pb2.Any())


def test_a_command_is_a_plain_dataclass(vendor):
    command = vendor.AcmePrinter.vendor_commands[0]
    assert isinstance(command, VendorCommand)
    assert command.name == "acme.pad.v1.SetLightRequest"
