"""Decrypt credentials with the plan's keys.

One class a format, all behind `Decryptor`. Nothing here logs, and no error says more than a reason without values.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pg2dynamo.errors import SecretError, SecretUndecryptable
from pg2dynamo.plan.load import resolve
from pg2dynamo.plan.model import Decrypt
from pg2dynamo.secret import Secret

FERNET_VERSION = 0x80
FERNET_SHORTEST_BYTES = 1 + 8 + 16 + 16 + 32
"""Version, time, initialisation vector, one block and HMAC, by the Fernet specification."""


class Decryptor(Protocol):
    """Turns ciphertext into plaintext; safe to share between threads."""

    def decrypt(self, ciphertext: bytes) -> Secret[bytes]:
        """Return the plaintext. Raises SecretUndecryptable with a reason that holds no value."""


class FernetDecryptor:
    """Try each Fernet key in turn."""

    def __init__(self, keys: list[Fernet]) -> None:
        self._fernet = MultiFernet(keys)

    def __repr__(self) -> str:
        return "FernetDecryptor()"

    def decrypt(self, ciphertext: bytes) -> Secret[bytes]:
        """Return the plaintext. Raises SecretUndecryptable: not a Fernet token, or no key decrypts it."""
        if not _is_fernet_token(ciphertext):
            raise SecretUndecryptable("not a Fernet token")
        try:
            return Secret(self._fernet.decrypt(ciphertext))
        except InvalidToken:
            pass
        raise SecretUndecryptable("no key decrypts it")


class PlaintextDecryptor:
    """For columns that hold the value itself."""

    def __repr__(self) -> str:
        return "PlaintextDecryptor()"

    def decrypt(self, ciphertext: bytes) -> Secret[bytes]:
        """Return the value as it is."""
        return Secret(bytes(ciphertext))


def build_decryptor(decrypt: Decrypt, environ: Mapping[str, str]) -> Decryptor:
    """Return the decryptor of a plan, its keys taken from `environ`.

    Raises PlanError when a variable is not set, SecretError naming the variable when its value is no key, or
    when all optional ones are unset.
    """
    if decrypt.format == "plaintext":
        return PlaintextDecryptor()
    keys = [_fernet(reference, key) for reference, key in _resolved(decrypt, environ)]
    if not keys:
        raise SecretError(
            f"None of the credential keys is set: {', '.join(_variable(r) for r in decrypt.keys)}.",
            remedy="Set the variable that holds the key.",
        )
    return FernetDecryptor(keys)


def derive_key(decrypt: Decrypt, environ: Mapping[str, str], purpose: str) -> Secret[bytes] | None:
    """Return 32 bytes derived from the plan's first key for one purpose; None for a format without keys.

    By HKDF-SHA256 (RFC 5869) with `purpose` as its info: what is made with it tells nothing of the key or of any
    plaintext, and the same plan and key give the same bytes on every machine.
    """
    for _, key in _resolved(decrypt, environ):
        kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"pg2dynamo {purpose}".encode())
        return Secret(kdf.derive(key.reveal().strip().encode()))
    return None


def _resolved(decrypt: Decrypt, environ: Mapping[str, str]) -> list[tuple[str, Secret[str]]]:
    resolved = ((reference, resolve(reference, environ)) for reference in decrypt.keys)
    return [(reference, key) for reference, key in resolved if key is not None]


def _fernet(reference: str, key: Secret[str]) -> Fernet:
    try:
        return Fernet(key.reveal().strip())
    except (ValueError, binascii.Error):
        pass
    raise SecretError(
        f"The value of {_variable(reference)} is not a Fernet key: 32 bytes in url-safe base64.",
        remedy="Set it to the key that the application encrypts credentials with.",
    )


def _variable(reference: str) -> str:
    return reference.partition("env:")[2]


def _is_fernet_token(ciphertext: bytes) -> bool:
    try:
        token = base64.urlsafe_b64decode(ciphertext)
    except (ValueError, binascii.Error):
        return False
    return len(token) >= FERNET_SHORTEST_BYTES and token[0] == FERNET_VERSION
