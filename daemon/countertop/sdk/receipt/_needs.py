"""Imports the packages of the `receipt` extra, with a sentence for those who lack them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from countertop.sdk.errors import CountertopError
from countertop.v1 import error_pb2

__all__ = ["need"]


def need(module: str) -> Any:
    """Import a module of the extra. Raises CountertopError(NOT_SUPPORTED) that says how to install it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise CountertopError(
            error_pb2.REASON_NOT_SUPPORTED,
            f"Drawing receipts needs {module.partition('.')[0]}: run `pip install 'countertop[receipt]'`.",
        ) from error
