"""Decide when the lease of a migration may be taken: pure rules, tested without a clock.

The clocks of two machines are compared only where minutes do not matter; else a newcomer watches, by its own
clock, that the lease is not renewed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pg2dynamo.dynamodb.lease_record import LeaseRecord

HEARTBEAT_SECONDS = 5.0
"""How often a lease is renewed: a write unit each time, and five tries before it expires."""

EXPIRY_SECONDS = 30.0
"""How long a lease holds after its last renewal: longer than an endpoint's restart or a failover takes."""

CLOCK_SKEW_SECONDS = 900.0
"""How far the clocks of two machines may differ: AWS refuses requests whose time is fifteen minutes off."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """The lease's periods in seconds; `request` is how long a request that was sent may still land."""

    request: float
    heartbeat: float = HEARTBEAT_SECONDS
    expiry: float = EXPIRY_SECONDS

    @property
    def holder_stops(self) -> float:
        """How long after its last renewal a holder stops itself: one heartbeat before others may take over."""
        return self.expiry - self.heartbeat


@dataclass(frozen=True, slots=True)
class Sight:
    """What a newcomer sees: its two clocks, whether the holder is of this machine and dead, and since when.

    `seen_since` is the clock of the first look at this very record with this very holder, dead or alive.
    """

    now: datetime
    clock: float
    local: bool
    dead: bool
    seen_since: float


def decide(record: LeaseRecord | None, sight: Sight) -> float | None:
    """Return after how many seconds without a change the lease may be taken (0: now), None while it is held.

    By the holder's own periods: those of the newcomer may be others.
    """
    if record is None:
        return 0.0
    if not record.held:
        return _remaining(record, sight, record.settle_seconds)
    silent = sight.clock - record.renewed_clock
    if sight.local and sight.dead:
        # Its last request left before it was seen dead, and before it would have stopped itself.
        last_sent = min(sight.seen_since, record.renewed_clock + record.expiry_seconds)
        return max(0.0, last_sent + record.request_seconds - sight.clock)
    if sight.local:
        return (
            None
            if silent < record.expiry_seconds
            else max(0.0, record.expiry_seconds + record.request_seconds - silent)
        )
    if abs(_age(record, sight)) < record.expiry_seconds:
        return None
    return _remaining(record, sight, record.expiry_seconds + record.request_seconds)


def _remaining(record: LeaseRecord, sight: Sight, period: float) -> float:
    """Return what is left of a period that began at the last renewal, as far as this machine can know."""
    if _age(record, sight) > CLOCK_SKEW_SECONDS + period:
        return 0.0
    began = record.renewed_clock if sight.local else sight.seen_since
    return max(0.0, began + period - sight.clock)


def _age(record: LeaseRecord, sight: Sight) -> float:
    return (sight.now - datetime.fromisoformat(record.renewed_at)).total_seconds()
