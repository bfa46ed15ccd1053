"""What a worker chooses from: its own random numbers, its own tenants, and how many of each thing it keeps."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeAlias
from uuid import UUID

from onboarding.store.interface import PageRequest
from onboarding.store.records import Receipt, ScanResult, Tenant
from onboarding.traffic.calls import Answer, Call
from onboarding.traffic.model import Model
from onboarding.traffic.values import FIRST_MOMENT

Steps: TypeAlias = Generator[Call, Answer, None]
"""The calls of one action, each made when the one before was answered."""
RECEIPT_LIFETIME = timedelta(minutes=10)


class Missing(Exception):
    """An action lacks what it works on: `create` makes one."""

    def __init__(self, create: str) -> None:
        super().__init__(create)
        self.create = create


@dataclass(frozen=True, slots=True)
class Limits:
    """How many of each thing there are at most below one above; then old ones are deleted."""

    tenants: int = 2
    providers: int = 3
    accounts: int = 3
    schedules: int = 2
    executions: int = 8
    scan_results: int = 10


@dataclass(frozen=True, slots=True)
class Features:
    """What a target does differently from a store in this process."""

    platform: bool = True
    """Calls without owner are possible."""
    replays: bool = False
    """A creation that is repeated gives the thing that was created, instead of AlreadyExists."""
    gives_ids: bool = False
    """It chooses the ids of new things itself."""
    any_position: bool = True
    """A listing may be begun at any position."""
    sweeps: bool = True
    reckons_runs: bool = False
    """It says itself when a schedule runs next, and lists what is due by its own clock."""
    lacks: frozenset[str] = frozenset()
    """Methods that it does not have."""


@dataclass(frozen=True, slots=True)
class Peer:
    """An account of another worker, which stays until the end: nothing of it may ever be seen."""

    tenant_id: UUID
    provider_id: UUID
    account_id: UUID


@dataclass
class Scene:
    """The state that actions choose from. `moment` is the worker's own time: one second for each action."""

    prefix: str
    random: Random
    model: Model
    limits: Limits
    features: Features
    wall: datetime
    """A real time, for receipts only."""
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    """Another in each run, so that receipts of an earlier one do not stand against it."""
    anchor: UUID | None = None
    peers: list[Peer] = field(default_factory=list)
    numbered: int = 0
    moment: datetime = FIRST_MOMENT
    last_creation: Call | None = None

    def name(self) -> str:
        """Return the name of a new tenant, which no run before has given under this label."""
        self.numbered += 1
        return f"{self.prefix}-{self.numbered}"

    def receipt(self) -> Receipt:
        """Return the receipt of a new request."""
        key = f"{self.prefix}-{self.run}-{self.random.getrandbits(64):016x}"
        return Receipt(key=key, fingerprint=f"{key}-once", expires_at=self.wall + RECEIPT_LIFETIME)

    def owner(self, tenant_id: UUID) -> dict[str, Any]:
        """Return on whose behalf a call is made: the tenant's own, or now and then the service's."""
        alone = self.features.platform and self.random.random() < 0.25
        return {} if alone else {"owner": tenant_id}

    def owner_of(self, record: Any) -> dict[str, Any]:
        """Return on whose behalf a call about a record is made."""
        return self.owner(self.model.tenant_of(record))

    def limit(self) -> int:
        """Return how many records a page may have: often so few that there are several pages."""
        return self.random.choice((1, 2, 3, 5, 10, 50))

    def page(self) -> PageRequest:
        """Return a request for the first page."""
        return PageRequest(self.limit())

    def pick(self, kind: str, **values: Any) -> Any:
        """Return one of the worker's records of a kind. Raises Missing when there is none."""
        records = self.model.all(kind, **values)
        if not records:
            raise Missing(f"create_{kind}")
        return self.random.choice(records)

    def tenants(self) -> list[Any]:
        """Return the tenants that may be deleted: all but the anchor."""
        return [tenant for tenant in self.model.all("tenant") if tenant.tenant_id != self.anchor]

    def mine(self, record: Any) -> bool:
        """Return whether a record of a listing over all tenants is this worker's."""
        if isinstance(record, ScanResult):
            named = record.scan_id.startswith(f"{self.prefix}-")
            return named or bool(self.model.all("scan_result", scan_id=record.scan_id))
        if isinstance(record, Tenant) and record.tenant_name.startswith(f"{self.prefix}-"):
            return True
        return bool(self.model.all("tenant", tenant_id=record.tenant_id))
