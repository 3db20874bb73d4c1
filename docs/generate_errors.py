"""Write docs/errors.md from the reason table in protos/countertop/v1/error.proto."""

from __future__ import annotations

from pathlib import Path

import grpc

from countertop.sdk.options import option
from countertop.v1 import error_pb2, options_pb2

HEAD = """# Errors

Every failed call has a gRPC status code, a sentence, and in its details (`google.rpc.Status` in the trailer
`grpc-status-details-bin`): `ErrorInfo` with domain `countertop` and exactly one of the reasons below, `DeviceFault` where a device is
involved, `BadRequest` with each field, `RetryInfo` where a retry helps, `LocalizedMessage` in English and Simplified Chinese.
The same reasons name the conditions of a device. They are stable: never renamed, never reused.

This page is made from the protos by `python docs/generate_errors.py`.

| reason | code | retry | effect possible | who mends it | when | what the app should do |
|---|---|---|---|---|---|---|
"""
CODES = {code.value[0]: code.name for code in grpc.StatusCode}


def table() -> str:
    """The page."""
    rows = []
    for value in error_pb2.Reason.DESCRIPTOR.values[1:]:
        info = option(value, options_pb2.reason_info)
        who = options_pb2.FixedBy.Name(info.fixed_by).removeprefix("FIXED_BY_").lower()
        cells = (
            f"`{value.name.removeprefix('REASON_')}`",
            CODES[info.code],
            "yes" if info.retry else "",
            "yes" if info.effect_possible else "",
            "" if who == "unspecified" else who,
            info.en,
            info.app,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("errors.md").write_text(table(), encoding="utf-8")
