"""After `pg2dynamo copy` the service in DynamoDB answers every route as it did before in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from onboarding.store.interface import PageRequest
from onboarding.store.opening import open_store
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.migration.verify import verify
from pg2dynamo.plan.load import load_plan
from tests.acceptance.conftest import Migration
from tests.acceptance.replayed import NOW, Answered, Crawler, Sent, Service, path, without_what_is_new

pytestmark = pytest.mark.acceptance


class Both:
    """The service on each of the two stores, one filled from the other by the tool."""

    def __init__(self, migration: Migration, environ: dict[str, str]) -> None:
        self._migration, self._environ = migration, environ
        self.stores = {name: open_store(name, environ, clock=lambda: NOW) for name in ("postgres", "dynamodb")}
        for store in self.stores.values():
            store.prepare()
        self.before, self.after = (Service(self.stores[name]) for name in ("postgres", "dynamodb"))

    def copy(self) -> None:
        """Move everything, and see that it is equal."""
        plan = load_plan(self._migration.folder / "plan.yaml", self._environ)
        refused = self._migration.onboarding.seeded.secrets.refused
        assert copy(plan, self._environ, CopyOptions(processes=0, expect_refused=refused)).ok
        assert verify(plan, self._environ, report=self._migration.folder / "report.jsonl").equal

    def undecryptable(self) -> set[str]:
        """Return the accounts of which the newest credential could not be moved: there an older one counts now."""
        refused = [str(key) for key in self._migration.onboarding.seeded.refused]
        with psycopg.connect(self._migration.onboarding.dsn) as connection:
            rows = connection.execute(
                "SELECT DISTINCT account_id FROM account_credentials WHERE credential_id = ANY(%s::uuid[])", (refused,)
            )
            return {str(account) for (account,) in rows}


@pytest.fixture
def both(migration: Migration) -> Iterator[Both]:
    """The two services; the tables of the second are empty at first."""
    state = {"DYNAMODB_SERVICE_STATE_TABLE": f"{migration.environ['SECRETS_MANAGER_PREFIX']}-service-state"}
    both = Both(migration, migration.environ | state)
    yield both
    for store in both.stores.values():
        store.close()


def test_what_was_read_before_the_copy_reads_the_same_after_it(both: Both) -> None:
    crawler = Crawler(both.before)
    crawler.everything()
    assert both.before.not_walked("GET") == set()
    both.copy()
    skipped = {path("accounts", account, "credentials") for account in both.undecryptable()}
    differing = []
    for sent, answered in crawler.record:
        if sent.path not in skipped and both.after.send(sent) != answered:
            differing.append(sent.path)
    assert differing == []
    assert len(crawler.record) > 300
    assert len(skipped) < 10


def test_what_is_written_after_the_copy_answers_the_same_on_both(both: Both) -> None:
    both.copy()
    differing = []
    for sent, before, after in _exchange(both):
        same = (before.status, without_what_is_new(before.body)) == (after.status, without_what_is_new(after.body))
        if not same or set(before.headers) != set(after.headers):
            differing.append((sent.method, sent.path, before.status, after.status, before.body, after.body))
    assert differing == []
    assert both.before.not_walked("POST", "PUT", "PATCH", "DELETE") == set()


def _exchange(both: Both) -> Iterator[tuple[Sent, Answered, Answered]]:
    """Write to both by every route; the ids are those of the requests' keys, and so the same on both."""
    writing = _writing(both.stores["postgres"])
    sent = next(writing)
    while True:
        before, after = both.before.send(sent), both.after.send(sent)
        yield sent, before, after
        try:
            sent = writing.send(before.body)
        except StopIteration:
            return


def _post(tenant: str | None, key: str, *parts: str, **body: Any) -> Sent:
    return Sent("POST", path(*parts), tenant, body, {"Idempotency-Key": key})


def _writing(copied: Any) -> Any:
    """Yield requests, each made with what the ones before it were answered."""
    old = copied.list_tenants(PageRequest(1)).items[0]
    provider = copied.list_providers(old.tenant_id, PageRequest(1)).items[0]
    own = str(old.tenant_id)
    # What came from PostgreSQL stands in the way as it did there.
    yield _post(None, "taken", "tenants", tenant_name=old.tenant_name)
    yield _post(own, "again", "providers", provider_type=provider.provider_type)
    yield Sent("PATCH", path("providers", str(provider.provider_id)), own, {"status": "inactive"})
    create = _post(None, "tenant", "tenants", tenant_name="made after the copy", description="one")
    made = yield create
    yield create  # the same key again: the same tenant
    yield _post(None, "tenant", "tenants", tenant_name="another body, the same key")
    yield _post(None, "tenant-2", "tenants", tenant_name="made after the copy")
    tenant = made["tenant_id"]
    yield Sent("PATCH", path("tenants", tenant), tenant, {"tenant_name": f"{old.tenant_name}"})
    yield Sent("PATCH", path("tenants", tenant), tenant, {"tenant_name": "renamed", "description": None})
    yield Sent("PATCH", path("tenants", tenant), tenant, {"status": "x"}, {"If-Match": '"not this one"'})
    made = yield _post(tenant, "provider", "providers", provider_type="aws")
    yield _post(tenant, "provider-2", "providers", provider_type="aws")
    yield from _account(tenant, made["provider_id"])
    yield Sent("DELETE", path("providers", made["provider_id"]), tenant)
    yield Sent("DELETE", path("providers", made["provider_id"]), tenant)
    yield Sent("DELETE", path("tenants", tenant))
    yield Sent("GET", path("providers"), tenant)
    yield create  # its key is remembered, and the tenant is gone
    yield _post(None, "tenant-3", "tenants", tenant_name="renamed")


def _account(tenant: str, provider: str) -> Any:
    made = yield _post(tenant, "account", "accounts", provider_id=provider, account_name="prod", account_number="1")
    account = made["account_id"]
    yield Sent("PATCH", path("accounts", account), tenant, {"status": "active", "account_number": None})
    yield Sent("PATCH", path("accounts", account), tenant, {"status": "no such"})
    yield Sent("GET", path("accounts", account, "credentials"), tenant)
    credential = {"credential_type": "ibm_api_key", "credentials": {"api_key": "value"}}
    yield Sent("PUT", path("accounts", account, "credentials"), tenant, credential)
    yield Sent("GET", path("accounts", account, "credentials"), tenant)
    yield Sent("DELETE", path("accounts", account, "credentials"), tenant)
    yield Sent("DELETE", path("accounts", account, "credentials"), tenant)
    yield from _schedule(tenant, account)
    scan = {"account_id": account, "provider_type": "aws", "started_at": "2026-11-30T10:00:00Z", "status": "running"}
    made = yield _post(tenant, "scan", "scan-results", **scan, metadata={"score": 1.0, "deep": [1.5, {"a": None}]})
    yield Sent("PATCH", path("scan-results", made["scan_id"]), tenant, {"status": "completed", "metadata": {"n": 3}})
    yield Sent("GET", path("scan-results", account_id=account), tenant)
    yield Sent("DELETE", path("accounts", account), tenant)
    yield Sent("GET", path("scan-results", made["scan_id"]), tenant)


def _schedule(tenant: str, account: str) -> Any:
    body: dict[str, Any] = {"account_id": account, "name": "nightly", "provider_type": "aws", "schedule_type": "cron"}
    body |= {"cron_expression": "30 2 * * *", "timezone": "Europe/Berlin", "regions": ["eu-central-1", None, ""]}
    made = yield _post(tenant, "schedule", "schedules", **body)
    schedule = made["schedule_id"]
    changed = yield Sent("PATCH", path("schedules", schedule), tenant, {"cron_expression": "*/5 * * * *"})
    due = {"schedule_id": schedule, "triggered_by": "scheduler", "next_run_at": changed["next_run_at"]}
    begun = yield _post(tenant, "run", "executions", **due)
    yield _post(tenant, "run-2", "executions", **due)
    yield Sent("GET", path("schedules", schedule), tenant)
    end = {
        "status": "failed",
        "error_message": "AccessDenied",
        "total_checks": 3,
        "completed_at": "2026-12-01T12:01:00Z",
    }
    yield Sent("PATCH", path("executions", begun["execution_id"]), tenant, end)
    yield Sent("PATCH", path("executions", begun["execution_id"]), tenant, {"status": "completed"})
    yield Sent("GET", path("schedules", schedule), tenant)
    yield Sent("GET", path("executions", schedule_id=schedule), tenant)
    yield Sent("DELETE", path("schedules", schedule), tenant)
    yield Sent("GET", path("executions", begun["execution_id"]), tenant)
