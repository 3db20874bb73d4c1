"""pyipp's client, sending jobs of any size without holding up the event loop."""

from __future__ import annotations

import io
from typing import Any

from pyipp import IPP
from pyipp.serializer import encode_dict

__all__ = ["Client"]


class Client(IPP):
    """aiohttp writes a file in pieces, bytes in one go."""

    async def _request(self, uri: str = "", data: Any = None, params: Any = None) -> bytes:
        body = io.BytesIO(encode_dict(data)) if isinstance(data, dict) else data
        return await super()._request(uri, body, params)
