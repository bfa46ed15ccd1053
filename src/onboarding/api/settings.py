"""How the service is set up: values only, made at the edge. Nothing here reads the environment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from onboarding.api.keys import TokenKeys
from onboarding.store.interface import Clock
from onboarding.store.opening import utc_now


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests a caller may make: so many a second in the long run, so many at once.

    A caller is a token's tenant and subject. Each process counts for itself: with n processes it is n times as much.
    """

    per_second: float = 50.0
    burst: int = 100


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """All that `create_app` needs besides a store."""

    token_keys: TokenKeys
    clock: Clock = utc_now
    monotonic_seconds: Callable[[], float] = time.monotonic
    rate: Rate = field(default_factory=Rate)
    callers_remembered: int = 10_000
    body_bytes: int = 262_144
    docs: bool = True
    receipts_kept: timedelta = timedelta(hours=24)
    sweep_every_seconds: float = 60.0
