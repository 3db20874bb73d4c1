"""The pad's side of encrypting the pen: version 1 (Diffie-Hellman, AES-128) and version 2 (RSA, AES).

Where the bytes of EncryptionStatus lie is not confirmed by anything that could be tried: see `status`.
"""

from __future__ import annotations

from random import Random
from typing import Any

__all__ = ["DiffieHellman", "RsaExchange", "aes_block"]

PRIME = 0xF1D3A5B7C9E80D2B4F6A8C1E3D5B7991
"""Of Diffie-Hellman, until the host sets another: invented, 128 bits, odd; an exchange works with any modulus."""
BASE = 5
READY, EVEN, LONG, SHORT, INVALID, NOT_READY = 0x00, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF


def aes_block(key: bytes, block: bytes) -> bytes:
    """One block of 16 bytes, by itself."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    encryptor: Any = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - it is what the pad does
    return bytes(encryptor.update(block) + encryptor.finalize())


class DiffieHellman:
    """Version 1."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.prime, self.base = PRIME, BASE
        self.public = bytes(16)
        self.key: bytes | None = None

    def exchange(self, host_public: bytes) -> None:
        """Take the host's public key, 16 bytes big-endian, and make ours and the shared one."""
        secret = self._random.getrandbits(120) | 1
        self.public = pow(self.base, secret, self.prime).to_bytes(16, "big")
        self.key = pow(int.from_bytes(host_public, "big"), secret, self.prime).to_bytes(16, "big")


class RsaExchange:
    """Version 2."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._symmetric = self._padding = self._rsa = 0
        self._e, self._n, self._c = b"", b"", b""
        self._result = 0
        self._answer = bytes(64)
        self.key: bytes | None = None

    @property
    def _modulus_bytes(self) -> int:
        return (128, 192, 256)[self._rsa]

    def command(self, report: bytes) -> bool:
        """EncryptionCommand: command, parameter, length or index, 64 bytes. True when a key was made."""
        command, parameter, detail, data = report[1], report[2], report[3], report[4:68]
        self._result = 0
        match command:
            case 1:  # set the encryption type
                self._symmetric, self._padding, self._rsa = parameter, detail >> 6, min(detail & 0x3F, 2)
                self._e, self._n, self._c, self.key = b"", b"", b"", None
                if parameter > 2 or detail & 0x3F > 2:
                    self._result = 4
            case 2 if parameter == 0:  # e
                self._e = data[: min(detail, 64)]
            case 2 if parameter == 1:  # n, in pieces
                self._n = (self._n + data[: min(detail, 64)])[: self._modulus_bytes + 64]
            case 4:  # a piece of c
                self._answer = self._c[detail : detail + 64].ljust(64, b"\0")
                self._result = 0 if self._c else 4
            case 5 if self._status_n() == READY and self._e:  # make a key
                self._make_key()
                return True
            case _:
                self._result = 4
        return False

    def parameter_block(self) -> bytes:
        """The answer to command 4, as report 40."""
        return bytes([0x40, 4, 2, 64]) + self._answer

    def status(self) -> bytes:
        """Report 50: symmetric type, padding and RSA type, states of e, n and c, last result; the rest is 0."""
        kinds = bytes([self._symmetric, self._padding << 6 | self._rsa])
        e = READY if self._e else NOT_READY
        c = READY if self._c else NOT_READY
        return (bytes([0x50]) + kinds + bytes([e, self._status_n(), c, self._result])).ljust(17, b"\0")

    def _status_n(self) -> int:
        if len(self._n) < self._modulus_bytes:
            return SHORT if self._n else NOT_READY
        if len(self._n) > self._modulus_bytes:
            return LONG
        return READY if self._n[-1] & 1 else EVEN

    def _make_key(self) -> None:
        size = (16, 24, 32)[min(self._symmetric, 2)]
        self.key = self._random.randbytes(size)
        n, e = int.from_bytes(self._n, "big"), int.from_bytes(self._e, "big")
        if self._padding == 0:
            self._c = pow(int.from_bytes(self.key, "big"), e, n).to_bytes(self._modulus_bytes, "big")
            return
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        public = rsa.RSAPublicNumbers(e, n).public_key()
        scheme: Any = padding.PKCS1v15()
        if self._padding == 2:
            sha1 = hashes.SHA1()  # noqa: S303 - what the pad has
            scheme = padding.OAEP(padding.MGF1(sha1), sha1, None)
        self._c = public.encrypt(self.key, scheme)
