"""The generated onboarding database, row by row: every row a function of the seed and its number.

No row is remembered: what refers to a row computes its id again, so memory does not grow with the size.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from math import isqrt
from random import Random
from uuid import UUID

from onboarding.database.models import PROVIDER_TYPES
from onboarding.seed.credentials import FAULTS, Fault

BASE = datetime(2024, 1, 15, 8, 30)


@dataclass(frozen=True, slots=True)
class Shape:
    """What belongs to one account: its tenant, its provider, and how many rows of each kind."""

    number: int
    tenant: int
    provider: str
    credentials: int
    fault: Fault | None
    executions: tuple[int, ...]  # one number a schedule
    scans: int  # scans that no schedule asked for


class Population:
    """Tenants of very different sizes (Zipf), with `accounts` accounts in all."""

    def __init__(self, accounts: int, seed: int) -> None:
        self.accounts = accounts
        self.seed = seed
        self.tenants = max(4, 2 * isqrt(accounts))
        # The last tenant has no provider, the one before it no account.
        weights = [1 / (rank + 1) for rank in range(self.tenants - 2)]
        self._ends = [round(accounts * part / sum(weights)) for part in accumulate(weights)]
        self._faults = {k * accounts // len(FAULTS): fault for k, fault in enumerate(FAULTS)}
        self.providers = lru_cache(maxsize=16)(self._providers)

    def rng(self, *name: object) -> Random:
        """Return the random numbers of one row."""
        return Random(int.from_bytes(self._digest(name, 8)))  # noqa: S311 - test data

    def identifier(self, *name: object) -> UUID:
        """Return the id of one row."""
        return UUID(bytes=self._digest(name, 16), version=4)

    def _digest(self, name: tuple[object, ...], size: int) -> bytes:
        return hashlib.blake2b("/".join(map(str, (self.seed, *name))).encode(), digest_size=size).digest()

    def moment(self, rng: Random, days: float = 700) -> datetime:
        """Return a moment up to `days` after the base, in microseconds; one in ten is a whole second."""
        moment = BASE + timedelta(microseconds=rng.randrange(int(days * 86_400_000_000)))
        return moment.replace(microsecond=0) if rng.random() < 0.1 else moment

    def _providers(self, tenant: int) -> tuple[str, ...]:
        if tenant == self.tenants - 1:
            return ()
        rng = self.rng("providers", tenant)
        return tuple(rng.sample(PROVIDER_TYPES, rng.choice((1, 1, 2, 2, 3, 4, 6))))

    def shapes(self) -> Iterator[Shape]:
        """Yield the accounts, tenant by tenant."""
        return map(self._shape, range(self.accounts))

    def _shape(self, number: int) -> Shape:
        rng = self.rng("shape", number)
        tenant = bisect_right(self._ends, number)
        fault = self._faults.get(number)
        credentials = rng.choice((0, 1, 1, 1, 1, 1, 1, 1, 2, 3))
        if fault is not None:
            credentials = 1 if fault.place == "only" else max(2, credentials)
        schedules = rng.choice((0, 1, 1, 1, 1, 1, 1, 2, 2, 2))
        return Shape(
            number=number,
            tenant=tenant,
            provider=rng.choice(self.providers(tenant)),
            credentials=credentials,
            fault=fault,
            executions=tuple(min(500, int(rng.expovariate(1 / 24))) for _ in range(schedules)),
            scans=int(rng.expovariate(1 / 1.5)),
        )
