"""Onboarding databases for the tests, and stores on them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID

from onboarding.database.schema import create_schema
from onboarding.store.interface import Clock
from onboarding.store.opening import utc_now
from onboarding.store.postgres import PostgresStore, open_postgres_store
from onboarding.store.records import NewAccount, NewProvider, NewTenant

KEY, OTHER_KEY = "Y3VycmVudCBrZXkgb2YgdGhlIHRlc3RzLCAzMiBieXQ=", "b2xkIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzLi4="


@contextmanager
def store_on(dsn: str, clock: Clock = utc_now, *, tables: bool = True) -> Iterator[PostgresStore]:
    """Open a store on a database, with the onboarding tables unless told otherwise; close it afterwards."""
    if tables:
        create_schema(dsn)
    with closing(open_postgres_store({"DATABASE_URL": dsn, "CREDENTIAL_KEY": KEY}, clock=clock)) as store:
        yield store


def new_account(store: PostgresStore, name: str = "t") -> UUID:
    """Create a tenant of this name with a provider and an account; return the account's id."""
    tenant = store.create_tenant(NewTenant(tenant_name=name)).tenant_id
    provider = store.create_provider(NewProvider(tenant_id=tenant, provider_type="aws")).provider_id
    new = NewAccount(tenant_id=tenant, provider_id=provider, account_name="a")
    return store.create_account(new).account_id


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run the calls in threads that set out together; return answers and errors in their order."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait(timeout=30)
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
