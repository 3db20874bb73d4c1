"""Reads the protos' own options; protoc's type stubs do not know that extensions index."""

from __future__ import annotations

from typing import Any

__all__ = ["option"]


def option(descriptor: Any, extension: Any) -> Any:
    """The value of an option (an extension of options.proto) on a method, field or enum value."""
    return descriptor.GetOptions().Extensions[extension]
