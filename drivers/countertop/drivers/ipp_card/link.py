"""The link to an IPP printer: requests over HTTP, each answered (RFC 8010, RFC 8011), by the library pyipp."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar, Self

from countertop.sdk import CountertopError, DeviceFault, Link, LinkFault, LinkUrl, ProtocolFault
from countertop.v1 import error_pb2

if TYPE_CHECKING:
    from pyipp import IPP
    from pyipp.enums import IppOperation

__all__ = ["IppLink"]

SECONDS = 15
USER = "countertop"
logging.getLogger("pyipp").setLevel(logging.ERROR)


class IppLink(Link):
    """`ipp://192.0.2.30:631/ipp/print`, or `ipps://` with TLS, whose certificate, the printer's own, is not checked.

    A request opens a connection or takes the one that is still open; whether the printer is there is known by asking.
    """

    schemes: ClassVar[tuple[str, ...]] = ("ipp", "ipps")

    def __init__(self, url: LinkUrl, client: IPP) -> None:
        self.url = url
        self._client = client

    @classmethod
    async def open(cls, url: LinkUrl) -> Self:
        """Make a client. Raises CountertopError(NOT_SUPPORTED) without pyipp."""
        try:
            from countertop.drivers.ipp_card.client import Client
        except ImportError:
            raise CountertopError(
                error_pb2.REASON_NOT_SUPPORTED, "The driver ipp-card needs pyipp: pip install 'countertop[ipp]'"
            ) from None
        place = url.text.partition("?")[0]
        return cls(url, Client(host=place, request_timeout=SECONDS, user_agent=USER))

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()

    async def ask(
        self,
        operation: IppOperation,
        attributes: dict[str, Any],
        job: dict[str, Any] | None = None,
        data: bytes | None = None,
    ) -> dict[str, Any]:
        """Do an operation; the parsed answer. Raises LinkFault, ProtocolFault, DeviceFault with the status."""
        from pyipp.exceptions import IPPConnectionError, IPPError, IPPParseError, IPPResponseError

        message: dict[str, Any] = {"operation-attributes-tag": {"requesting-user-name": USER, **attributes}}
        if job:
            message["job-attributes-tag"] = job
        if data is not None:
            message["data"] = data
        step = operation.name.lower().replace("_", "-")
        try:
            answer: dict[str, Any] = await self._client.execute(operation, message)
        except IPPConnectionError:
            raise LinkFault(
                error_pb2.REASON_LINK_LOST,
                f"The printer at {self.url.host} does not answer over IPP.",
                step=step,
                action="Check that it is switched on and that its address is the configured one.",
            ) from None
        except IPPParseError:
            raise ProtocolFault(step, "an IPP message", "something else") from None
        except IPPResponseError as error:
            status = error.args[1].get("status-code") if len(error.args) > 1 else None
            raise ProtocolFault(step, "HTTP 200", f"HTTP {status}") from None
        except IPPError as error:
            raise _refused(error, step) from None
        return answer


def _refused(error: Exception, step: str) -> DeviceFault:
    """The printer says no."""
    status = error.args[1].get("status-code", 0) if len(error.args) > 1 else 0
    return DeviceFault(
        error_pb2.REASON_PRINTER_FAULT, step=step, expected="a successful status", got=f"0x{int(status):04X}"
    )
