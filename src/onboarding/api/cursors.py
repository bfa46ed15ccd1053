"""Cursors: where a page of a listing ended, opaque to callers, who can neither make one nor use it elsewhere.

A cursor holds the store's position and nothing else, so it stays valid when another store stands behind the service.
What it is bound to (listing, filters, tenant) is not in it but under its authentication code.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from onboarding.api.keys import TokenKeys
from onboarding.store.interface import Position

_CODE_BYTES = 16
LONGEST_CURSOR = 4_096
"""Enough for a position with a scan id of 255 characters, each as long as it can be in JSON (six bytes)."""


class InvalidCursor(Exception):
    """The cursor was not given out for this listing."""


class Cursors:
    """Makes and reads cursors. A cursor made with the key before is still read."""

    def __init__(self, keys: TokenKeys) -> None:
        self._keys = keys.derived("cursor")

    def cursor(self, binding: tuple[str, ...], position: Position) -> str:
        """Return the cursor of `position` in the listing that `binding` names."""
        content = json.dumps(position, ensure_ascii=False, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(_code(self._keys[0], binding, content) + content).rstrip(b"=").decode()

    def position(self, binding: tuple[str, ...], cursor: str) -> Position:
        """Return the position in a cursor. Raises InvalidCursor when it is none of this listing."""
        raw = _decoded(cursor)
        code, content = raw[:_CODE_BYTES], raw[_CODE_BYTES:]
        if not any(hmac.compare_digest(code, _code(key, binding, content)) for key in self._keys):
            raise InvalidCursor
        return tuple(json.loads(content))


def _decoded(cursor: str) -> bytes:
    if len(cursor) > LONGEST_CURSOR or not cursor.isascii():
        raise InvalidCursor
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise InvalidCursor from None
    # Base64 has several spellings of the same bytes; only the one given out counts.
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != cursor:
        raise InvalidCursor
    return raw


def _code(key: bytes, binding: tuple[str, ...], content: bytes) -> bytes:
    return hmac.digest(key, json.dumps(binding).encode() + b"\n" + content, hashlib.sha256)[:_CODE_BYTES]
