"""What drivers must do beside their kind's verbs: recordings without customers' data, commands of the vendor's own."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from countertop.sdk.trace import Masker
from countertop.sdk.vendor import check_vendor_commands
from countertop.testing.conformance._requirement import expect, requirement
from countertop.testing.conformance._rig import Rig

__all__ = ["BesideItsVerbs"]

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gb18030")


class BesideItsVerbs:
    """Part of every suite."""

    canaries: ClassVar[tuple[str, ...]]

    async def prepare(self, rig: Rig) -> None:
        """See DeviceConformance."""

    async def use(self, rig: Rig, driver: Any, run: Any) -> Any:
        """See DeviceConformance."""

    @requirement("D-19", "A recording of its link holds no customer's data.")
    async def test_d19_masked(self, rig: Rig) -> None:
        """What goes over the line in a use is masked by the driver's `masker`: as many bytes each way, whatever the
        pieces; masked once more it is the same; and no mark of the customer's data is in it, in any encoding. Without
        a masker its links are recorded encrypted only, which is allowed.
        """
        await self.prepare(rig)
        async with rig.connected() as driver:
            rig.needs_line()
            if driver.masker() is None:
                pytest.skip("the driver has no masker, so that its links are recorded encrypted only")
            await self.use(rig, driver, rig.run())
            log = list(rig.line.log)
            whole = _masked(driver.masker(), log)
            again = _masked(driver.masker(), _masked_pieces(driver.masker(), log))
        for way, kept in zip("><", whole, strict=True):
            went = sum(len(data) for mark, data in log if mark == way)
            name = "sent" if way == ">" else "received"
            expect(len(kept) == went, f"{went} bytes were {name}, {len(kept)} are kept of them; it must be as many.")
        expect(again == whole, "What is masked must come out the same when it is masked once more.")
        for mark in self.canaries:
            for encoding in ENCODINGS:
                found = any(mark.encode(encoding, "ignore") in kept for kept in whole)
                expect(not found, f"A mark of the customer's data was kept, in {encoding}.")

    @requirement("D-20", "Commands of the vendor's own are namespaced, versioned and handled.")
    async def test_d20_vendor_commands(self, rig: Rig) -> None:
        """Their types are in a package of the vendor's (`acme.pad.v1`), none is given twice, each has its handler; and
        `connect` on the device says which it takes.
        """
        if not rig.driver_class.vendor_commands:
            pytest.skip("the driver has no vendor commands")
        check_vendor_commands(rig.driver_class)  # raises what names every mistake
        async with rig.connected() as driver:
            offered = driver.offered_commands(rig.info)
        declared = {command.name for command in rig.driver_class.vendor_commands}
        strange = {command.name for command in offered} - declared
        expect(not strange, f"A device may take only declared commands; it also offers {', '.join(sorted(strange))}.")


def _masked_pieces(masker: Masker, log: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The log as it is kept, piece by piece."""
    kept = [(way, masker.sent(data) if way == ">" else masker.received(data)) for way, data in log]
    return [*kept, *zip("><", masker.end(), strict=True)]


def _masked(masker: Masker, log: list[tuple[str, bytes]]) -> tuple[bytes, bytes]:
    """All that is kept of what was sent, and of what was received."""
    pieces = _masked_pieces(masker, log)
    return b"".join(data for way, data in pieces if way == ">"), b"".join(data for way, data in pieces if way == "<")
