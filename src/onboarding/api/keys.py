"""The secret keys of the service: what signs tokens, and what is derived from it for cursors and fingerprints."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

KEY_VARIABLE, OLD_KEY_VARIABLE = "ONBOARDING_TOKEN_KEY", "ONBOARDING_TOKEN_KEY_OLD"
LEAST_KEY_BYTES = 32
"""RFC 7518, section 3.2: a key for HS256 has at least the 256 bits of its hash."""


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """Keys in use, the newest first: it makes tokens and cursors, every one of them is believed.

    Raises ValueError, which says nothing of a key, when there is none or one is too short.
    """

    keys: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.keys:
            raise ValueError("There is no token key: `onboarding token-key` makes one.")
        if any(len(key) < LEAST_KEY_BYTES for key in self.keys):
            raise ValueError(f"A token key has fewer than {LEAST_KEY_BYTES} bytes: `onboarding token-key` makes one.")

    @property
    def newest(self) -> bytes:
        """The key to sign with."""
        return self.keys[0]

    def derived(self, purpose: str) -> tuple[bytes, ...]:
        """Return a key for another purpose from each key, in the same order."""
        return tuple(hmac.digest(key, f"onboarding {purpose} v1".encode(), hashlib.sha256) for key in self.keys)


def token_keys(environ: Mapping[str, str]) -> TokenKeys:
    """Return the keys of the environment. Raises ValueError."""
    texts = (environ.get(KEY_VARIABLE), environ.get(OLD_KEY_VARIABLE))
    if not texts[0]:
        raise ValueError(f"Set {KEY_VARIABLE}: `onboarding token-key` makes one.")
    return TokenKeys(tuple(text.encode() for text in texts if text))
