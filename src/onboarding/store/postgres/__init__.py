"""The store on PostgreSQL: each call is one transaction, so all that it promises is certain when it returns."""

from __future__ import annotations

import time
from collections.abc import Mapping

import psycopg
from sqlalchemy import Connection, func, select

from onboarding.database.connection import connect, engine_for
from onboarding.database.service_state import create_service_state, find_receipt, forget_receipts
from onboarding.storage.encryption import EncryptionService
from onboarding.store.errors import Unavailable
from onboarding.store.interface import Clock
from onboarding.store.postgres.accounts import Accounts
from onboarding.store.postgres.credentials import Credentials
from onboarding.store.postgres.executions import Executions
from onboarding.store.postgres.faults import NAME, lacking_tables
from onboarding.store.postgres.providers import Providers
from onboarding.store.postgres.rows import TABLES
from onboarding.store.postgres.scan_results import ScanResults
from onboarding.store.postgres.schedules import Schedules
from onboarding.store.postgres.tenants import Tenants
from onboarding.store.postgres.transactions import Transactions
from onboarding.store.records import Receipt

CHECK_SECONDS = 2


class PostgresStore(Tenants, Providers, Accounts, Credentials, Schedules, Executions, ScanResults):
    """See `onboarding.store.interface.Store`. Listings never lag. Raises ValueError for an unreadable `dsn`."""

    name = "postgres"

    def __init__(self, dsn: str, *, encryption: EncryptionService, clock: Clock) -> None:
        super().__init__(Transactions(engine_for(dsn)), clock, encryption)
        self._dsn = dsn
        self._prepared = False

    def check(self) -> None:
        """See the interface. Asks on a connection of its own, so that it is answered when all others are in use."""
        try:
            with connect(self._dsn, seconds=CHECK_SECONDS) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            raise Unavailable(NAME) from None

    def prepare(self) -> None:
        """See the interface. Calls that need it prepare by themselves; nothing is asked a second time."""
        if not self._prepared:
            self._transactions.run(_prepare)
            self._prepared = True

    def close(self) -> None:
        """See the interface."""
        self._transactions.close()

    def receipt(self, key: str) -> Receipt | None:
        """See the interface."""
        self.prepare()
        return self._transactions.run(lambda connection: find_receipt(connection, key, self._clock()))

    def sweep(self, *, seconds: float = 10.0) -> int:
        """Forget expired receipts. Nothing is ever left of a deletion."""
        self.prepare()
        deadline = time.monotonic() + seconds
        while self._transactions.run(lambda connection: forget_receipts(connection, self._clock())):
            if time.monotonic() > deadline:
                break
        return 0


def open_postgres_store(environ: Mapping[str, str], *, clock: Clock) -> PostgresStore:
    """Return the store on DATABASE_URL, with the credential keys of `environ`; nothing is sent yet.

    Raises KeyError when DATABASE_URL is not set, ValueError when it is no connection string.
    """
    return PostgresStore(environ["DATABASE_URL"], encryption=EncryptionService(environ), clock=clock)


def _prepare(connection: Connection) -> None:
    for name in TABLES:
        if connection.execute(select(func.to_regclass(f"public.{name}"))).scalar_one() is None:
            raise lacking_tables()
    create_service_state(connection)
