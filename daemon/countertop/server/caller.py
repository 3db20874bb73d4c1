"""Who makes the call that is being served, as far as fair turns need to know."""

from __future__ import annotations

from contextvars import ContextVar

__all__ = ["CALLER", "CALLER_KEY"]

CALLER_KEY = "countertop-client"
"""Metadata in which a client names itself, at most 64 characters; without it, the connection counts."""

CALLER: ContextVar[str] = ContextVar("countertop caller", default="")
