"""Actions that read: by id, by name, and lists to their end by small pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from onboarding.store import paging
from onboarding.store.interface import Page, PageRequest, Position
from onboarding.traffic.calls import ID_FIELDS, Call
from onboarding.traffic.scene import Scene, Steps
from onboarding.traffic.values import identifier


def get(kind: str) -> Callable[[Scene], Steps]:
    """Return the action that reads a record by its id."""

    def action(scene: Scene) -> Steps:
        record = scene.pick(kind)
        owner = {} if kind == "tenant" else scene.owner_of(record)
        yield Call(f"get_{kind}", (getattr(record, ID_FIELDS[kind]),), owner)

    return action


def get_missing(scene: Scene) -> Steps:
    """Read something that never was."""
    kind = scene.random.choice(sorted(ID_FIELDS))
    wanted: Any = identifier(scene.random)
    owner = {} if kind == "tenant" else scene.owner(scene.pick("tenant").tenant_id)
    yield Call(f"get_{kind}", (f"{scene.prefix}-none" if kind == "scan_result" else wanted,), owner, why="never was")


def get_tenant_by_name(scene: Scene) -> Steps:
    """Read a tenant by its name, or by one that was never given."""
    name = scene.pick("tenant").tenant_name
    yield Call("get_tenant_by_name", (name if scene.random.random() < 0.9 else f"{name} not",))


def get_provider_by_type(scene: Scene) -> Steps:
    """Read a provider by tenant and type."""
    provider = scene.pick("provider")
    wanted = provider.provider_type if scene.random.random() < 0.8 else scene.random.choice(("ibm", "oci"))
    yield Call("get_provider_by_tenant_and_type", (provider.tenant_id, wanted))


def get_credential_info(scene: Scene) -> Steps:
    """Read what may be told of a credential."""
    account = scene.pick("account")
    yield Call("get_credential_info", (account.account_id,), scene.owner_of(account))


def read_credential(scene: Scene) -> Steps:
    """Read a credential with its value."""
    account = scene.pick("account")
    yield Call("read_credential", (account.account_id,), scene.owner_of(account))


def walk(method: str, *args: Any, limit: int, **kwargs: Any) -> Steps:
    """Read a listing to its end, page by page."""
    request: PageRequest | None = PageRequest(limit)
    while request:
        page = yield Call(method, (*args, request), kwargs)
        following = page.next if isinstance(page, Page) else None
        request = PageRequest(limit, following) if following else None


def list_providers(scene: Scene) -> Steps:
    """List a tenant's providers."""
    yield from walk("list_providers", scene.pick("tenant").tenant_id, limit=scene.limit())


def _status(scene: Scene) -> dict[str, str]:
    chosen = scene.random.choice((None, None, "active", "pending"))
    return {"status": chosen} if chosen else {}


def list_accounts_by_tenant(scene: Scene) -> Steps:
    """List a tenant's accounts, all or of one status."""
    tenant = scene.pick("tenant")
    yield from walk("list_accounts_by_tenant", tenant.tenant_id, limit=scene.limit(), **_status(scene))


def list_accounts_by_provider(scene: Scene) -> Steps:
    """List a provider's accounts, all or of one status."""
    provider = scene.pick("provider")
    given = scene.owner_of(provider) | _status(scene)
    yield from walk("list_accounts_by_provider", provider.provider_id, limit=scene.limit(), **given)


def list_schedules_by_tenant(scene: Scene) -> Steps:
    """List a tenant's schedules."""
    yield from walk("list_schedules_by_tenant", scene.pick("tenant").tenant_id, limit=scene.limit())


def list_of_account(method: str) -> Callable[[Scene], Steps]:
    """Return the action that lists something of an account."""

    def action(scene: Scene) -> Steps:
        account = scene.pick("account")
        yield from walk(method, account.account_id, limit=scene.limit(), **scene.owner_of(account))

    return action


def list_executions_by_schedule(scene: Scene) -> Steps:
    """List a schedule's executions."""
    schedule = scene.pick("schedule")
    owner = scene.owner_of(schedule)
    yield from walk("list_executions_by_schedule", schedule.schedule_id, limit=scene.limit(), **owner)


def due_schedules(scene: Scene) -> Steps:
    """List a tenant's due schedules."""
    tenant_id = scene.pick("tenant").tenant_id
    if scene.features.reckons_runs:
        yield Call(
            "due_schedules", (scene.moment, PageRequest(scene.limit())), {"owner": tenant_id}, why="by its clock"
        )
        return
    now = scene.moment + timedelta(hours=scene.random.randrange(-6, 24))
    yield from walk("due_schedules", now, limit=scene.limit(), owner=tenant_id)


def due_of_all(scene: Scene) -> Steps:
    """List due schedules of all tenants, from just before one of the worker's own."""
    if scene.features.reckons_runs:
        yield from due_schedules(scene)
        return
    schedule = scene.pick("schedule")
    due = schedule.next_run_at
    before = (paging.moment_text(due), _before(schedule.schedule_id)) if due else None
    yield from _stretch(scene, "due_schedules", scene.moment + timedelta(days=1), before=before)


def list_tenants(scene: Scene) -> Steps:
    """List all tenants, from just before one of the worker's own."""
    yield from _stretch(scene, "list_tenants", before=(_before(scene.pick("tenant").tenant_id),))


def list_scan_results_by_status(scene: Scene) -> Steps:
    """List scan results of one status of all tenants, from just before one of the worker's own."""
    result = scene.pick("scan_result")
    before = (paging.moment_text(result.started_at), f"{result.scan_id}~")
    yield from _stretch(scene, "list_scan_results_by_status", result.status, before=before)


def _before(wanted: UUID) -> str:
    return str(UUID(int=max(wanted.int - 1, 0)))


def _stretch(scene: Scene, method: str, *args: Any, before: Position | None) -> Steps:
    """Read one page of a listing over all tenants: how many there are depends on others, and so on the moment."""
    request = PageRequest(scene.random.choice((1, 3, 10, 50)), before if scene.features.any_position else None)
    yield Call(method, (*args, request), why="of all tenants")
