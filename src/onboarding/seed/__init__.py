"""Fill the onboarding database with generated rows: deterministic, realistic, streamed by COPY.

The same number of accounts, seed and keys give the same rows, byte by byte. Memory does not grow with the size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import sql

from onboarding.database.models import Base
from onboarding.database.schema import SESSION, create_schema
from onboarding.seed import rows
from onboarding.seed.credentials import CredentialKeys
from onboarding.seed.population import Population

__all__ = [
    "DEFAULT_ACCOUNTS",
    "DEFAULT_SEED",
    "CredentialKeys",
    "NotEmpty",
    "SecretCounts",
    "SeedReport",
    "fill",
]

DEFAULT_ACCOUNTS = 900
DEFAULT_SEED = 7
CREDENTIALS = "account_credentials"


class NotEmpty(Exception):
    """The database holds onboarding rows already: give an empty one."""


@dataclass(frozen=True)
class SecretCounts:
    """What must become of the credential rows: `rows` = `current` + `older` + `refused`.

    `current` is the number of accounts that have a credential which decrypts.
    """

    rows: int
    current: int
    older: int
    refused: int


@dataclass(frozen=True)
class SeedReport:
    """What was written: rows of each table, and what a migration of the credentials must come to."""

    accounts: int
    seed: int
    tables: dict[str, int]
    secrets: SecretCounts
    refused: tuple[str, ...]  # the credential_id of each row that cannot be moved

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self) | {"refused": list(self.refused)}


def fill(dsn: str, keys: CredentialKeys, *, accounts: int = DEFAULT_ACCOUNTS, seed: int = DEFAULT_SEED) -> SeedReport:
    """Create the schema and fill it, all rows in one transaction.

    Raises NotEmpty when there are tenants already, ValueError when a key is no Fernet key.
    """
    keys.check()
    create_schema(dsn)
    people = Population(accounts, seed)
    tally = _Tally()
    counts = {}
    with psycopg.connect(dsn, client_encoding="UTF8", options=SESSION) as connection:
        if connection.execute("SELECT FROM tenants LIMIT 1").fetchone() is not None:
            raise NotEmpty("The database holds onboarding rows already: give an empty one.")
        for name, stream in _tables(people, keys, tally):
            counts[f"public.{name}"] = _copy(connection, name, stream)
    with psycopg.connect(dsn, autocommit=True, options=SESSION) as connection:
        connection.execute("ANALYZE")
    return SeedReport(accounts, seed, counts, tally.counts(), tuple(tally.refused))


def _tables(people: Population, keys: CredentialKeys, tally: _Tally) -> Iterator[tuple[str, Iterable[rows.Row]]]:
    yield "tenants", rows.tenants(people)
    yield "providers", rows.providers(people)
    yield "accounts", rows.accounts(people)
    yield CREDENTIALS, tally.credentials(people, keys)
    yield "schedules", rows.schedules(people)
    yield "schedule_executions", rows.executions(people)
    yield "scan_results", rows.scan_results(people)


class _Tally:
    """Counts the credentials while they pass."""

    def __init__(self) -> None:
        self._rows = self._current = 0
        self.refused: list[str] = []

    def credentials(self, people: Population, keys: CredentialKeys) -> Iterator[rows.Row]:
        for shape in people.shapes():
            movable = 0
            for credential in rows.credentials(people, shape, keys):
                self._rows += 1
                movable += not credential.refused
                if credential.refused:
                    self.refused.append(str(credential.row[0]))
                yield credential.row
            self._current += movable > 0

    def counts(self) -> SecretCounts:
        refused = len(self.refused)
        return SecretCounts(self._rows, self._current, self._rows - self._current - refused, refused)


def _copy(connection: psycopg.Connection[Any], name: str, stream: Iterable[rows.Row]) -> int:
    columns = Base.metadata.tables[name].columns.keys()
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    count = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for count, row in enumerate(stream, start=1):  # noqa: B007 - the last number is the result
            copy.write_row(row)
    return count
