"""The rows of each table, in the order of its columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from onboarding.database.models import ACCOUNT_STATUSES, ONBOARDING_STATUSES, SCHEDULE_STATUSES, TRIGGERS
from onboarding.seed import vocabulary
from onboarding.seed.credentials import TYPES, CredentialKeys, encode, faulty_token, plaintext, token
from onboarding.seed.population import Population, Shape

Row = tuple[Any, ...]

STATUSES = ("active", "active", "active", "suspended", "")  # of a tenant: no constraint holds them


def tenants(people: Population) -> Iterator[Row]:
    """Yield the tenants. The name is made unique by the tenant's number."""
    for number in range(people.tenants):
        rng = people.rng("tenant", number)
        created = people.moment(rng)
        name = f"{rng.choice(vocabulary.TENANT_NAMES)} {number:05d}"
        if number == 0:
            name = name.ljust(255, "é")  # the longest that the column takes
        status = rng.choice(STATUSES)
        yield people.identifier("tenant", number), name, vocabulary.text(rng), status, created, _later(rng, created)


def providers(people: Population) -> Iterator[Row]:
    """Yield the providers of every tenant."""
    for tenant in range(people.tenants):
        for kind in people.providers(tenant):
            rng = people.rng("provider", tenant, kind)
            created = people.moment(rng)
            identifier = people.identifier("provider", tenant, kind)
            parent = people.identifier("tenant", tenant)
            yield identifier, parent, kind, rng.choice(("active", "inactive")), created, _later(rng, created)


def accounts(people: Population) -> Iterator[Row]:
    """Yield the accounts."""
    for shape in people.shapes():
        rng = people.rng("account", shape.number)
        created = people.moment(rng)
        yield (
            people.identifier("account", shape.number),
            people.identifier("provider", shape.tenant, shape.provider),
            people.identifier("tenant", shape.tenant),
            f"{rng.choice(vocabulary.TENANT_NAMES)} / {shape.provider} {shape.number}",
            rng.choice((None, "", f"{rng.randrange(10**12):012d}", f"{rng.randrange(10**12):012d}")),
            rng.choice(ACCOUNT_STATUSES),
            rng.choice(ONBOARDING_STATUSES),
            people.identifier("onboarding", shape.number) if rng.random() < 0.5 else None,
            created,
            _later(rng, created),
            _later(rng, created) if rng.random() < 0.6 else None,
        )


@dataclass(frozen=True)
class Credential:
    """One credential row; `refused` says that it cannot be moved."""

    row: Row
    refused: bool


def credentials(people: Population, shape: Shape, keys: CredentialKeys) -> Iterator[Credential]:
    """Yield the credentials of one account, oldest first; the older ones use the old key."""
    fault_at = {"newest": shape.credentials - 1, "older": 0, "only": 0}[shape.fault.place] if shape.fault else -1
    created = people.moment(people.rng("credentials", shape.number))
    tie = shape.fault is None and shape.number % 97 == 0  # equal created_at: the primary key decides
    for number in range(shape.credentials):
        rng = people.rng("credential", shape.number, number)
        created = created if tie else created + timedelta(days=rng.uniform(1, 90))
        key = keys.current if number == shape.credentials - 1 and rng.random() < 0.7 else keys.old
        kind = rng.choice(TYPES[shape.provider])
        plain = encode(plaintext(kind, rng), rng)
        broken = number == fault_at
        data = (
            faulty_token(shape.fault, key, plain, created, rng)
            if broken and shape.fault
            else token(key, plain, created, rng)
        )
        yield Credential(
            (
                people.identifier("credential", shape.number, number),
                people.identifier("account", shape.number),
                kind,
                data,
                rng.choice((None, "primary", "2024-rotation")),
                created,
                _later(rng, created),
                created + timedelta(days=365) if rng.random() < 0.4 else None,
                _later(rng, created) if rng.random() < 0.5 else None,
            ),
            broken,
        )


def schedules(people: Population) -> Iterator[Row]:
    """Yield the schedules of every account."""
    for shape in people.shapes():
        for number in range(len(shape.executions)):
            yield _schedule(people, shape, number)


def _schedule(people: Population, shape: Shape, number: int) -> Row:
    rng = people.rng("schedule", shape.number, number)
    kind = rng.choice(("cron", "cron", "interval", "one_time"))
    created = people.moment(rng)
    ran = _later(rng, created) if rng.random() < 0.7 else None
    runs = shape.executions[number]
    channels = rng.choice(vocabulary.CHANNELS)
    return (
        people.identifier("schedule", shape.number, number),
        people.identifier("tenant", shape.tenant),
        people.identifier("account", shape.number),
        rng.choice(("nightly", 'weekly "full"', "übernacht 🌙", "ad\\hoc")),
        vocabulary.text(rng),
        kind,
        rng.choice(("0 2 * * *", "*/15 * * * 1-5", "@daily")) if kind == "cron" else None,
        rng.choice((60, 3600, 2**31 - 1)) if kind == "interval" else None,
        rng.choice(vocabulary.TIMEZONES),
        shape.provider,
        vocabulary.words(rng, vocabulary.REGIONS[shape.provider]),
        vocabulary.words(rng, vocabulary.SERVICES),
        vocabulary.words(rng, vocabulary.SERVICES[:3]),
        rng.choice((*SCHEDULE_STATUSES, "active", "active")),
        rng.random() < 0.8,
        ran,
        None if kind == "one_time" or rng.random() < 0.2 else _later(rng, ran or created),
        runs,
        runs - runs // 4,
        runs // 4,
        rng.random() < 0.3,
        rng.random() < 0.9,
        None if channels is None else Jsonb(channels),
        created,
        _later(rng, created),
        people.identifier("user", rng.randrange(50)) if rng.random() < 0.6 else None,
    )


@dataclass(frozen=True, slots=True)
class Scan:
    """What an execution and its scan result have in common."""

    scan_id: str
    started: datetime
    seconds: int | None
    status: str
    checks: tuple[int, int, int] | None


def _scan(people: Population, shape: Shape, *name: object) -> Scan:
    rng = people.rng("scan", shape.number, *name)
    started = people.moment(rng)
    status = rng.choice(("completed", "completed", "completed", "completed", "failed", "cancelled", "running"))
    passed, failed = rng.randint(0, 900), rng.randint(0, 90)
    return Scan(
        scan_id=f"scan-{started:%Y%m%d}-{people.identifier('scan', shape.number, *name).hex[:16]}",
        started=started,
        seconds=rng.randint(0, 7200) if status != "running" else None,
        status=status,
        checks=(passed + failed, passed, failed) if status == "completed" else None,
    )


def _ended(rng: Random, scan: Scan) -> datetime | None:
    if scan.seconds is None:
        return None
    return scan.started + timedelta(seconds=scan.seconds, microseconds=rng.randrange(10**6))


def executions(people: Population) -> Iterator[Row]:
    """Yield the executions of every schedule; those that were cancelled have no scan."""
    for shape in people.shapes():
        for schedule, count in enumerate(shape.executions):
            parent = people.identifier("schedule", shape.number, schedule)
            for number in range(count):
                yield _execution(people, shape, parent, schedule, number)


def _execution(people: Population, shape: Shape, parent: UUID, schedule: int, number: int) -> Row:
    rng = people.rng("execution", shape.number, schedule, number)
    scan = _scan(people, shape, schedule, number)
    return (
        people.identifier("execution", shape.number, schedule, number),
        parent,
        people.identifier("account", shape.number),
        scan.started,
        _ended(rng, scan),
        scan.status,
        scan.scan_id if scan.status != "cancelled" else None,
        *(scan.checks or (None, None, None)),
        rng.choice(vocabulary.ERRORS) if scan.status == "failed" else None,
        rng.choice((*TRIGGERS, None)),
        scan.seconds,
        scan.started,
    )


def scan_results(people: Population) -> Iterator[Row]:
    """Yield the result of every execution that had a scan, and of the scans that no schedule asked for."""
    for shape in people.shapes():
        for schedule, count in enumerate(shape.executions):
            for number in range(count):
                scan = _scan(people, shape, schedule, number)
                if scan.status != "cancelled":
                    yield _result(people, shape, scan, "scheduled")
        for number in range(shape.scans):
            yield _result(people, shape, _scan(people, shape, "alone", number), None)


def _result(people: Population, shape: Shape, scan: Scan, kind: str | None) -> Row:
    rng = people.rng("result", scan.scan_id)
    metadata = vocabulary.findings(rng, scan.scan_id)
    path = f"s3://scan-results/{shape.provider}/{scan.started:%Y/%m}/{scan.scan_id}.json.gz"
    return (
        scan.scan_id,
        people.identifier("account", shape.number),
        shape.provider,
        kind or rng.choice(("manual", "on_demand", None)),
        scan.started,
        _ended(rng, scan),
        scan.status,
        *(scan.checks or (None, None, None)),
        rng.choice((0, 0, 1)) if scan.checks else None,
        rng.choice((path, path, None, "", "C:\\out\\" + scan.scan_id)),
        None if metadata is None else Jsonb(metadata),
        scan.started,
    )


def _later(rng: Random, moment: datetime) -> datetime:
    return moment + timedelta(microseconds=rng.randrange(60 * 86_400_000_000))
