"""Encrypt and decrypt credentials as the onboarding service keeps them: Fernet, with an old key after a rotation."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

KEY_VARIABLES = ("CREDENTIAL_KEY", "CREDENTIAL_KEY_OLD")


class EncryptionError(Exception):
    """A credential cannot be encrypted or decrypted. The message names variables, never keys or values."""


class NotDecryptable(EncryptionError):
    """What is kept does not decrypt with any of the keys, or is no JSON object then."""

    def __init__(self) -> None:
        super().__init__("The credential does not decrypt with any of the keys.")


class EncryptionService:
    """Encrypt with CREDENTIAL_KEY; decrypt with it or, after a rotation, with CREDENTIAL_KEY_OLD.

    The keys are read from the environment at each call, so that a rotation needs no restart.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def encrypt(self, credentials: Mapping[str, Any] | str) -> bytes:
        """Return the Fernet token of a credential object, or of text that is its JSON already."""
        text = credentials if isinstance(credentials, str) else json.dumps(credentials, ensure_ascii=False)
        return self._keys().encrypt(text.encode("utf-8"))

    def decrypt(self, token: bytes | str) -> str:
        """Return the JSON text in a Fernet token. Raises NotDecryptable when no key fits."""
        try:
            return self._keys().decrypt(bytes(token) if not isinstance(token, str) else token).decode("utf-8")
        except (InvalidToken, UnicodeDecodeError):
            # `from None`: the decoding error would carry the plaintext.
            raise NotDecryptable from None

    def _keys(self) -> MultiFernet:
        keys = [self._environ[name] for name in KEY_VARIABLES if self._environ.get(name)]
        if not self._environ.get(KEY_VARIABLES[0]):
            raise EncryptionError("CREDENTIAL_KEY is not set: `onboarding key` makes one.")
        try:
            return MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise EncryptionError(
                f"{' or '.join(KEY_VARIABLES)} is no Fernet key: `onboarding key` makes one."
            ) from None


encryption_service = EncryptionService()
"""The service's instance, as the guide imports it; it reads nothing until it is called."""
