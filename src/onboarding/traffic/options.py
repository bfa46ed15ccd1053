"""How much traffic, against what, and how patiently."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from onboarding.store.interface import Store
from onboarding.traffic.scene import Features, Limits


@dataclass(frozen=True, slots=True)
class TrafficOptions:
    """The same options give the same operations, as far as the answers are the same.

    `label` and the seed stand in the names of tenants: two runs on one store need different ones.
    """

    label: str
    seed: int = 1
    workers: int = 4
    tenants: int = 2
    """Per worker, beside one that stays until the end."""
    operations: int | None = None
    """Over all workers; None for no end but that of the time."""
    seconds: float | None = None
    rate: float = 0.0
    """Operations per second over all workers; 0 for as many as possible."""
    lag_seconds: float = 0.0
    """How long a listing may be behind what was done."""
    deletion_seconds: float = 30.0
    """How long something may still be found whose parent was deleted, while deletions are swept on."""
    clock_seconds: float = 2.0
    """How far the clocks of this machine and of the server may be apart."""
    patience_seconds: float = 300.0
    """How long a store may be away before a worker gives up."""
    cleanup: bool = True
    record: Path | None = None

    @property
    def clock_allowance(self) -> timedelta:
        """Return `clock_seconds` as a duration."""
        return timedelta(seconds=self.clock_seconds)

    @property
    def limits(self) -> Limits:
        """Return how many of each thing a worker keeps."""
        return Limits(tenants=self.tenants)


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked, and what it does differently from a store in this process."""

    store: Store
    features: Features = field(default_factory=Features)
