"""What a run of traffic found: counts, times by kind, and every wrong answer."""

from __future__ import annotations

import hashlib
import math
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

MOST_LISTED = 100
"""How many wrong answers are listed; all are counted."""
STEP = 1.04
"""Times are kept in classes, each this much wider than the one before: a percentile is right to two per cent."""
SHORTEST_SECONDS = 1e-6


class Times:
    """How long the calls of one kind took, in bounded memory."""

    def __init__(self) -> None:
        self.count, self.longest_seconds = 0, 0.0
        self._classes: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one call."""
        self.count += 1
        self.longest_seconds = max(self.longest_seconds, seconds)
        self._classes[math.floor(math.log(max(seconds, SHORTEST_SECONDS) / SHORTEST_SECONDS, STEP))] += 1

    def merge(self, other: Times) -> None:
        """Add the calls of another worker."""
        self.count += other.count
        self.longest_seconds = max(self.longest_seconds, other.longest_seconds)
        self._classes.update(other._classes)

    def percentile_seconds(self, share: float) -> float:
        """Return the time that this share of the calls did not exceed, to two per cent."""
        wanted, passed = share * self.count, 0
        for number in sorted(self._classes):
            passed += self._classes[number]
            if passed >= wanted:
                return min(SHORTEST_SECONDS * float(STEP ** (number + 0.5)), self.longest_seconds)
        return 0.0


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """An answer that is not what it must be: in what, by names of fields and never by their values."""

    worker: int
    operation: int
    kind: str
    differences: tuple[str, ...]


@dataclass
class Tally:
    """What one worker counted."""

    operations: int = 0
    times: dict[str, Times] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    unavailable: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reread: int = 0
    wrong: int = 0
    listed: list[WrongAnswer] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)

    def took(self, kind: str, seconds: float) -> None:
        """Count one answer."""
        self.times.setdefault(kind, Times()).add(seconds)

    def intended(self, line: str, outcome: str) -> None:
        """Note what was asked and which kind of answer it got, for comparing runs."""
        self.operations += 1
        self.digest.update(f"{line} {outcome}\n".encode())

    def was_wrong(self, answer: WrongAnswer) -> None:
        """Count a wrong answer."""
        self.wrong += 1
        if len(self.listed) < MOST_LISTED:
            self.listed.append(answer)


@dataclass(frozen=True, slots=True)
class KindReport:
    """The calls of one kind. Times in milliseconds."""

    kind: str
    count: int
    per_second: float
    median_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class TrafficReport:
    """The result of a run.

    `unavailable` counts answers by which the store asked for patience; `outcomes` how writes turned out whose answer
    was lost: `happened`, `repeated` (they had not, or one could not tell, and were made again), `refused` (as they had
    to be), `not known` (the run ended before).
    `digest` is the same for runs of equal options that got equal answers.
    """

    seed: int
    label: str
    seconds: float
    operations: int
    kinds: tuple[KindReport, ...]
    refusals: dict[str, int]
    unavailable: int
    outcomes: dict[str, int]
    reread: int
    wrong: int
    listed: tuple[WrongAnswer, ...]
    digest: str
    left: tuple[str, ...]
    """Names of tenants that could not be deleted at the end, or were to be kept."""

    @property
    def ok(self) -> bool:
        """Whether every answer was right."""
        return self.wrong == 0

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self) | {"ok": self.ok}


def report_of(
    tallies: Iterable[Tally], *, seed: int, label: str, seconds: float, left: Iterable[str] = ()
) -> TrafficReport:
    """Put together what the workers counted."""
    tallies = list(tallies)
    times: dict[str, Times] = {}
    for tally in tallies:
        for kind, taken in tally.times.items():
            times.setdefault(kind, Times()).merge(taken)
    return TrafficReport(
        seed=seed,
        label=label,
        seconds=round(seconds, 3),
        operations=sum(tally.operations for tally in tallies),
        kinds=tuple(_kind_report(kind, times[kind], seconds) for kind in sorted(times)),
        refusals=_sum(tally.refusals for tally in tallies),
        unavailable=sum(tally.unavailable for tally in tallies),
        outcomes=_sum(tally.outcomes for tally in tallies),
        reread=sum(tally.reread for tally in tallies),
        wrong=sum(tally.wrong for tally in tallies),
        listed=tuple(wrong for tally in tallies for wrong in tally.listed)[:MOST_LISTED],
        digest=hashlib.sha256("".join(tally.digest.hexdigest() for tally in tallies).encode()).hexdigest(),
        left=tuple(left),
    )


def _sum(counters: Iterable[Counter[str]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return dict(sorted(total.items()))


def _kind_report(kind: str, times: Times, seconds: float) -> KindReport:
    median, p95, p99 = (round(times.percentile_seconds(share) * 1_000, 3) for share in (0.5, 0.95, 0.99))
    per_second = round(times.count / seconds, 2) if seconds else 0.0
    return KindReport(kind, times.count, per_second, median, p95, p99, round(times.longest_seconds * 1_000, 3))


@dataclass(frozen=True, slots=True)
class TrafficProgress:
    """How far a run is."""

    seconds: float
    operations: int
    unavailable: int
    wrong: int


class Counts:
    """Counts of all workers while they run. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.operations = self.unavailable = self.wrong = 0

    def add(self, *, operations: int = 0, unavailable: int = 0, wrong: int = 0) -> None:
        """Add to the counts."""
        with self._lock:
            self.operations += operations
            self.unavailable += unavailable
            self.wrong += wrong
