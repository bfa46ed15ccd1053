"""Actions that create and change, and what is read back after them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from onboarding.database.models import PROVIDER_TYPES, SCAN_TYPES, TRIGGERS
from onboarding.store.records import (
    Account,
    Advance,
    NewAccount,
    NewCredential,
    NewExecution,
    NewProvider,
    NewScanResult,
    NewSchedule,
    NewTenant,
    Schedule,
)
from onboarding.traffic import values
from onboarding.traffic.calls import ID_FIELDS, Call
from onboarding.traffic.deleting import delete_oldest
from onboarding.traffic.model import Model
from onboarding.traffic.scene import Missing, Scene, Steps

ENDS = ("completed", "completed", "completed", "failed", "cancelled")


def create_tenant(scene: Scene) -> Steps:
    """Create a tenant, after deleting the oldest when there are enough."""
    if len(scene.tenants()) >= scene.limits.tenants:
        yield from delete_oldest(scene, "tenant", scene.tenants())
    description = values.maybe(scene.random, values.words(scene.random))
    new = NewTenant(tenant_name=scene.name(), description=description, tenant_id=values.identifier(scene.random))
    yield Call("create_tenant", (new,), {"receipt": scene.receipt()})


def create_provider(scene: Scene) -> Steps:
    """Create a provider of a type that the tenant has not yet."""
    tenant_id = scene.pick("tenant").tenant_id
    there = scene.model.all("provider", tenant_id=tenant_id)
    if len(there) >= scene.limits.providers:
        yield from delete_oldest(scene, "provider", _but_the_anchors(scene, there))
    taken = {provider.provider_type for provider in scene.model.all("provider", tenant_id=tenant_id)}
    chosen = scene.random.choice([kind for kind in PROVIDER_TYPES if kind not in taken])
    new = NewProvider(tenant_id=tenant_id, provider_type=chosen, provider_id=values.identifier(scene.random))
    yield Call("create_provider", (new,), scene.owner(tenant_id) | {"receipt": scene.receipt()})


def _but_the_anchors(scene: Scene, records: list[Any]) -> list[Any]:
    """Leave out the oldest of the anchor, which other workers ask for."""
    return records[1:] if records and scene.model.tenant_of(records[0]) == scene.anchor else records


def create_account(scene: Scene) -> Steps:
    """Create an account, after deleting the provider's oldest when there are enough."""
    provider = scene.pick("provider")
    there = scene.model.all("account", provider_id=provider.provider_id)
    if len(there) >= scene.limits.accounts:
        yield from delete_oldest(scene, "account", _but_the_anchors(scene, there))
    possible = values.account_changes(scene.random, scene.moment)
    del possible["last_validated_at"]
    new = NewAccount(
        provider_id=provider.provider_id,
        tenant_id=provider.tenant_id,
        account_id=values.identifier(scene.random),
        **possible,
    )
    given = scene.owner(provider.tenant_id) | {"receipt": scene.receipt()}
    yield Call("create_account", (new,), given)


def create_schedule(scene: Scene) -> Steps:
    """Create a schedule, after deleting the account's oldest when there are enough."""
    account: Account = scene.pick("account")
    there = scene.model.all("schedule", account_id=account.account_id)
    if len(there) >= scene.limits.schedules:
        yield from delete_oldest(scene, "schedule", there)
    possible = values.schedule_changes(scene.random, scene.moment)
    if scene.features.reckons_runs:
        possible = values.fit_for_reckoning(possible, scene.moment)
    new = NewSchedule(
        tenant_id=account.tenant_id,
        account_id=account.account_id,
        provider_type=scene.random.choice(PROVIDER_TYPES),
        schedule_id=values.identifier(scene.random),
        created_by=values.maybe(scene.random, values.identifier(scene.random)),
        **possible,
    )
    given = scene.owner(account.tenant_id) | {"receipt": scene.receipt()}
    yield Call("create_schedule", (new,), given)


def create_execution(scene: Scene) -> Steps:
    """Begin an execution; of a schedule that is due, often as its scheduler, which claims the run."""
    schedule: Schedule = scene.pick("schedule")
    if len(scene.model.all("execution", schedule_id=schedule.schedule_id)) >= scene.limits.executions:
        yield from delete_oldest(scene, "schedule", [schedule])
        return
    # Ends of the same second try the order of ids.
    started = scene.moment if scene.random.random() < 0.6 else scene.moment.replace(second=0)
    runs = not scene.features.reckons_runs or (schedule.enabled and schedule.status == "active")
    claims = runs and schedule.next_run_at is not None and scene.random.random() < 0.6
    new = NewExecution(
        schedule_id=schedule.schedule_id,
        started_at=started,
        triggered_by=_trigger(scene, claims),
        scan_id=values.maybe(scene.random, f"{scene.prefix}-named-{scene.random.randrange(1_000)}"),
        execution_id=values.identifier(scene.random),
    )
    given: dict[str, Any] = scene.owner_of(schedule) | {"receipt": scene.receipt()}
    if claims and schedule.next_run_at:
        following = values.maybe(scene.random, schedule.next_run_at + timedelta(hours=1))
        given["advance"] = Advance(schedule.next_run_at, following)
    yield Call("create_execution", (new,), given, why="claimed" if "advance" in given else "")
    yield Call("get_schedule", (schedule.schedule_id,), scene.owner_of(schedule))


def _trigger(scene: Scene, claims: bool) -> str | None:
    if scene.features.reckons_runs:
        return "scheduler" if claims else scene.random.choice(("manual", "api"))
    return values.maybe(scene.random, scene.random.choice(TRIGGERS))  # type: ignore[no-any-return]


def end_execution(scene: Scene) -> Steps:
    """End a running execution, and see that its schedule has counted it."""
    execution = scene.pick("execution", status="running")
    changes: dict[str, Any] = {
        "status": scene.random.choice(ENDS),
        "completed_at": scene.moment,
        "execution_time_seconds": scene.random.randrange(10_000),
        "error_message": values.maybe(scene.random, values.words(scene.random)),
        **values.checks(scene.random),
    }
    given = scene.owner_of(execution) | _seen(scene, execution)
    yield Call("update_execution", (execution.execution_id, changes), given, why="end")
    yield Call("get_schedule", (execution.schedule_id,), scene.owner_of(execution))


def create_scan_result(scene: Scene) -> Steps:
    """Append a scan result, after deleting the account when it has enough."""
    account: Account = scene.pick("account")
    if len(scene.model.all("scan_result", account_id=account.account_id)) >= scene.limits.scan_results:
        yield from delete_oldest(scene, "account", _but_the_anchors(scene, [account]))
        return
    new = NewScanResult(
        scan_id=f"{scene.prefix}-{scene.random.getrandbits(64):016x}",
        account_id=account.account_id,
        provider_type=scene.random.choice(PROVIDER_TYPES),
        scan_type=values.maybe(scene.random, scene.random.choice(SCAN_TYPES)),
        started_at=scene.moment if scene.random.random() < 0.6 else scene.moment.replace(second=0),
        **_scan_changes(scene),
    )
    given = scene.owner_of(account) | {"receipt": scene.receipt()}
    yield Call("create_scan_result", (new,), given)


def _scan_changes(scene: Scene) -> dict[str, Any]:
    return {
        "status": scene.random.choice(("running", *ENDS)),
        "completed_at": values.maybe(scene.random, scene.moment),
        "error_checks": scene.random.randrange(5),
        "result_storage_path": values.maybe(scene.random, f"s3://bucket/{scene.random.randrange(10**6)}"),
        "metadata": values.maybe(scene.random, values.document(scene.random)),
        **values.checks(scene.random),
    }


def _seen(scene: Scene, record: Any) -> dict[str, Any]:
    """Often update only what was seen, when it was wholly seen."""
    return {"seen": record} if scene.random.random() < 0.4 else {}


def update(kind: str, possible: Callable[[Scene, Any], dict[str, Any]]) -> Callable[[Scene], Steps]:
    """Return the action that changes some fields of a record."""

    def action(scene: Scene) -> Steps:
        record = scene.pick(kind)
        identifier = getattr(record, ID_FIELDS[kind])
        owner = {} if kind == "tenant" else scene.owner_of(record)
        given = _seen(scene, record)
        if given and not scene.model.settled((kind, identifier)):
            yield Call(f"get_{kind}", (identifier,), owner)
            given = {"seen": current(scene.model, kind, identifier)}
        changes = values.some(scene.random, possible(scene, record)) if scene.random.random() < 0.97 else {}
        yield Call(f"update_{kind}", (identifier, changes), owner | given)

    return action


def current(model: Model, kind: str, identifier: Any) -> Any:
    """Return a record as it is known now. Raises Missing when it is there no more."""
    records = model.all(kind, **{ID_FIELDS[kind]: identifier})
    if not records:
        raise Missing(f"create_{kind}")
    return records[0]


def _schedule_changes(scene: Scene, schedule: Schedule) -> dict[str, Any]:
    possible = values.schedule_changes(scene.random, scene.moment)
    reckons = scene.features.reckons_runs
    return values.changes_while_reckoning(possible, schedule.schedule_type) if reckons else possible


update_tenant = update(
    "tenant",
    lambda scene, _: {
        "tenant_name": scene.name(),
        "description": values.maybe(scene.random, values.words(scene.random)),
        "status": scene.random.choice(("active", "suspended")),
    },
)
update_provider = update("provider", lambda scene, _: {"status": scene.random.choice(("active", "disabled", "error"))})
update_account = update("account", lambda scene, _: values.account_changes(scene.random, scene.moment))
update_schedule = update("schedule", _schedule_changes)
update_scan_result = update("scan_result", lambda scene, _: _scan_changes(scene))


def rotate_credential(scene: Scene) -> Steps:
    """Store a new credential, and read it back."""
    account = scene.pick("account")
    owner = scene.owner_of(account)
    new = NewCredential(**values.credential(scene.random))
    yield Call("put_credential", (account.account_id, new), owner)
    told_only = "read_credential" in scene.features.lacks
    yield Call("get_credential_info" if told_only else "read_credential", (account.account_id,), owner)


def delete_credential(scene: Scene) -> Steps:
    """Delete an account's credentials; there may be none."""
    account = scene.pick("account")
    yield Call("delete_credential", (account.account_id,), scene.owner_of(account))
    yield Call("get_credential_info", (account.account_id,), scene.owner_of(account))
