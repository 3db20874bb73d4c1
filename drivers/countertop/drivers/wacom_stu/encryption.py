"""Key exchange with STU pads, and the opening of what they encrypt (Wacom's STU SDK and its samples).

Version 1 (300, 500, 520): Diffie-Hellman with the pad's prime and base, the shared secret is an AES-128 key. Version 2
(430, 530, 540): the pad makes an AES-256 key and sends it encrypted by our RSA key, without padding. Not confirmed on
real pads: where the bytes of EncryptionStatus lie.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from countertop.drivers.wacom_stu.reports import (
    BASE,
    DEVICE_KEY,
    ENCRYPTION_COMMAND,
    ENCRYPTION_STATUS,
    HOST_KEY,
    PRIME,
)
from countertop.drivers.wacom_stu.transport import Transport, pad_fault
from countertop.sdk import CountertopError
from countertop.v1 import error_pb2

__all__ = ["agree_by_dh", "agree_by_rsa", "opener"]

WaitReady = Callable[[str], Awaitable[None]]
RSA_BITS, AES_256, RSA_2048, NO_PADDING = 2048, 2, 2, 0
PIECE = 64
_E, _N, _C = 0, 1, 2
_STATUS_E, _STATUS_N, _STATUS_C = 3, 4, 5


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import ciphers
        from cryptography.hazmat.primitives.asymmetric import rsa
    except ImportError as error:
        raise CountertopError(
            error_pb2.REASON_NOT_SUPPORTED,
            "Encrypting the pen needs the package cryptography: run `pip install 'countertop[signature]'`.",
        ) from error
    return ciphers, rsa


def opener(key: bytes) -> Callable[[bytes], bytes]:
    """Opens blocks of 16 bytes, each by itself."""
    ciphers, _ = _cryptography()
    cipher = ciphers.Cipher(ciphers.algorithms.AES(key), ciphers.modes.ECB())

    def open_block(block: bytes) -> bytes:
        decryptor = cipher.decryptor()
        return bytes(decryptor.update(block) + decryptor.finalize())

    return open_block


async def agree_by_dh(transport: Transport, wait_ready: WaitReady) -> bytes:
    """Version 1: the key, 16 bytes. Raises DeviceFault."""
    prime = int.from_bytes((await transport.get(PRIME))[1:17], "big")
    base = int.from_bytes((await transport.get(BASE))[1:3], "big")
    if prime < 5 or base < 2:
        raise pad_fault("key exchange", "a prime and a base", "none")
    ours = secrets.randbits(126) | 1
    await transport.set(bytes([HOST_KEY]) + pow(base, ours, prime).to_bytes(16, "big"))
    await wait_ready("key exchange")
    theirs = int.from_bytes((await transport.get(DEVICE_KEY))[1:17], "big")
    return pow(theirs, ours, prime).to_bytes(16, "big")


async def agree_by_rsa(transport: Transport, wait_ready: WaitReady) -> bytes:
    """Version 2: the key, 32 bytes. Raises DeviceFault."""
    _, rsa = _cryptography()
    private = await asyncio.to_thread(rsa.generate_private_key, public_exponent=65537, key_size=RSA_BITS)
    numbers = private.private_numbers()
    n = numbers.public_numbers.n.to_bytes(RSA_BITS // 8, "big")
    await _command(transport, 1, AES_256, NO_PADDING << 6 | RSA_2048)
    await _command(transport, 2, _E, 3, (65537).to_bytes(3, "big"))
    for start in range(0, len(n), PIECE):
        await _command(transport, 2, _N, PIECE, n[start : start + PIECE])
    status = await transport.get(ENCRYPTION_STATUS)
    if status[_STATUS_E] or status[_STATUS_N]:
        got = f"{status[_STATUS_E]:02X} and {status[_STATUS_N]:02X}"
        raise pad_fault("key exchange", "the public key to be ready (00 and 00)", got)
    await _command(transport, 5)
    await wait_ready("key exchange")
    status = await transport.get(ENCRYPTION_STATUS)
    if status[_STATUS_C]:
        raise pad_fault("key exchange", "the pad's key to be ready (00)", f"{status[_STATUS_C]:02X}")
    c = b""
    for offset in range(0, RSA_BITS // 8, PIECE):
        await _command(transport, 4, _C, offset)
        c += (await transport.get(ENCRYPTION_COMMAND))[4 : 4 + PIECE]
    opened: int = pow(int.from_bytes(c, "big"), numbers.d, numbers.public_numbers.n)
    return opened.to_bytes(RSA_BITS // 8, "big")[-32:]


async def _command(transport: Transport, command: int, parameter: int = 0, detail: int = 0, data: bytes = b"") -> None:
    await transport.set(bytes([ENCRYPTION_COMMAND, command, parameter, detail]) + data)
