"""The service's own state in PostgreSQL: receipts of carried out requests, in a schema of their own.

It is no part of the onboarding tables (`onboarding.database.models`), and does not move with them.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Connection, Index, MetaData, Table, Text, delete, func, select, text
from sqlalchemy.dialects.postgresql import TIMESTAMP, insert
from sqlalchemy.schema import CreateSchema

from onboarding.store.records import Receipt

SCHEMA = "onboarding_service"
RECEIPTS = Table(
    "receipts",
    MetaData(schema=SCHEMA),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("expires_at", TIMESTAMP, nullable=False),
    Index("ix_receipts_expires_at", "expires_at"),
)
CREATION_LOCK = 0x6F6E626F  # "onbo"
"""Two processes that create a schema at once would both find it missing; one waits for the other here."""
SWEPT_AT_ONCE = 1_000


def create_service_state(connection: Connection) -> None:
    """Create the schema and its table unless they are there, within the caller's transaction.

    Needs no right to create anything when they are. Safe when several processes do it at once.
    """
    connection.execute(select(func.pg_advisory_xact_lock(CREATION_LOCK)))
    if not _is_there(connection):
        connection.execute(CreateSchema(SCHEMA, if_not_exists=True))
        RECEIPTS.create(connection, checkfirst=False)


def _is_there(connection: Connection) -> bool:
    # Read as rows: to_regclass could answer from a cache of before the wait for the lock.
    there = "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = :schema AND tablename = :table)"
    return bool(connection.execute(text(there), {"schema": SCHEMA, "table": RECEIPTS.name}).scalar_one())


def find_receipt(connection: Connection, key: str, now: datetime) -> Receipt | None:
    """Return the receipt `key` unless it has expired."""
    statement = select(RECEIPTS).where(RECEIPTS.c.key == key, RECEIPTS.c.expires_at > now)
    row = connection.execute(statement).one_or_none()
    return None if row is None else Receipt(row.key, row.fingerprint, row.expires_at)


def leave_receipt(connection: Connection, receipt: Receipt, now: datetime) -> bool:
    """Leave a receipt in this transaction; False when an unexpired one is there.

    Waits for another transaction that is leaving the same one.
    """
    values = {"fingerprint": receipt.fingerprint, "expires_at": receipt.expires_at}
    statement = (
        insert(RECEIPTS)
        .values(key=receipt.key, **values)
        .on_conflict_do_update(index_elements=["key"], set_=values, where=RECEIPTS.c.expires_at <= now)
        .returning(RECEIPTS.c.key)
    )
    return connection.execute(statement).one_or_none() is not None


def forget_receipts(connection: Connection, now: datetime) -> bool:
    """Delete some receipts that have expired; False when no more are left, but for those in others' hands."""
    expired = (
        select(RECEIPTS.c.key)
        .where(RECEIPTS.c.expires_at <= now)
        .limit(SWEPT_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(delete(RECEIPTS).where(RECEIPTS.c.key.in_(expired))).rowcount == SWEPT_AT_ONCE
