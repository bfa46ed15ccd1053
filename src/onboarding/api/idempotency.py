"""The same request twice does one thing: what the header Idempotency-Key promises.

The id of the new thing is made from who asks (tenant, or the platform), the route and the key, so that the store
cannot hold two of it, even where receipts are gone: they are kept for a day, and do not migrate. That derivation uses
no secret, so it outlives every key. What was asked is kept as a keyed digest only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Generic, TypeVar
from uuid import UUID

from onboarding.api.keys import TokenKeys
from onboarding.api.problems import Problem
from onboarding.store.errors import AlreadyExists, NotFound
from onboarding.store.interface import Clock, Store
from onboarding.store.records import Receipt

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One carrying out of a request with a key. `fingerprints` are those that its receipt may have."""

    identifier: UUID
    receipt: Receipt
    fingerprints: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Made]):
    """The thing as it is now, and whether it had been made before."""

    made: Made
    replayed: bool


class Idempotency:
    """Makes attempts."""

    def __init__(self, keys: TokenKeys, clock: Clock, kept: timedelta) -> None:
        self._keys, self._clock, self._kept = keys.derived("fingerprint"), clock, kept

    def attempt(self, scope: str, route: str, key: str, content: Any) -> Attempt:
        """Return the attempt at what `content` (JSON values) asks for."""
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        fingerprints = [hmac.new(secret, canonical, hashlib.sha256).hexdigest() for secret in self._keys]
        receipt = Receipt(_digest("receipt", scope, route, key).hex(), fingerprints[0], self._clock() + self._kept)
        return Attempt(_version_8(_digest("id", scope, route, key)), receipt, frozenset(fingerprints))


def carry_out(store: Store, attempt: Attempt, create: Callable[[], Made], get: Callable[[], Made]) -> Outcome[Made]:
    """Create, or find what an earlier carrying out created.

    Raises Problem: 422 when the key was used for another content, 409 when the thing is there no longer. Without a
    receipt, a thing that has the id is taken to be of the same content.
    """
    receipt = store.receipt(attempt.receipt.key)
    if receipt is not None:
        return _again(attempt, receipt, get)
    try:
        return Outcome(create(), replayed=False)
    except AlreadyExists:
        return _again(attempt, store.receipt(attempt.receipt.key), get)


def _again(attempt: Attempt, receipt: Receipt | None, get: Callable[[], Made]) -> Outcome[Made]:
    if receipt is not None and receipt.fingerprint not in attempt.fingerprints:
        detail = "This Idempotency-Key was used for another request: take a new one."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    try:
        return Outcome(get(), replayed=True)
    except NotFound:
        detail = "What was created with this Idempotency-Key is no longer there: take a new one."
        raise Problem(HTTPStatus.CONFLICT, detail) from None


def _digest(*parts: str) -> bytes:
    return hashlib.sha256(json.dumps(["onboarding v1", *parts]).encode()).digest()


def _version_8(digest: bytes) -> UUID:
    """Return a UUID of version 8 (RFC 9562, section 5.8) with the digest's first 122 free bits."""
    number = int.from_bytes(digest[:16], "big")
    number = number & ~(0xF << 76) | 8 << 76
    return UUID(int=number & ~(0x3 << 62) | 2 << 62)
