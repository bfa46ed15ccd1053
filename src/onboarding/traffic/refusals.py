"""Actions that a store must refuse, each with its error."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from onboarding.store.interface import PageRequest
from onboarding.store.records import (
    Advance,
    NewAccount,
    NewCredential,
    NewExecution,
    NewProvider,
    NewScanResult,
    NewTenant,
)
from onboarding.traffic import values
from onboarding.traffic.calls import ID_FIELDS, Call
from onboarding.traffic.deleting import LISTS_BELOW
from onboarding.traffic.scene import Missing, Scene, Steps
from onboarding.traffic.writing import create_tenant

NEW_STATUS = {"account": "disabled", "schedule": "paused", "execution": "failed", "scan_result": "failed"}


def same_name(scene: Scene) -> Steps:
    """Create a tenant by a name that is taken."""
    new = NewTenant(tenant_name=scene.pick("tenant").tenant_name, tenant_id=values.identifier(scene.random))
    yield Call("create_tenant", (new,), {"receipt": scene.receipt()}, why="name taken")


def rename_to_taken(scene: Scene) -> Steps:
    """Give a tenant the name of another."""
    tenants = scene.model.all("tenant")
    if len(tenants) < 2:
        raise Missing("create_tenant")
    first, second = scene.random.sample(tenants, 2)
    yield Call("update_tenant", (first.tenant_id, {"tenant_name": second.tenant_name}), why="name taken")
    yield Call("get_tenant_by_name", (first.tenant_name,))


def same_provider(scene: Scene) -> Steps:
    """Create a provider that the tenant has."""
    there = scene.pick("provider")
    new = NewProvider(
        tenant_id=there.tenant_id, provider_type=there.provider_type, provider_id=values.identifier(scene.random)
    )
    given = scene.owner(there.tenant_id) | {"receipt": scene.receipt()}
    yield Call("create_provider", (new,), given, why="provider taken")


def same_again(scene: Scene) -> Steps:
    """Repeat the creation that was last made, with its receipt."""
    if scene.last_creation is None:
        raise Missing("create_tenant")
    probe = scene.last_creation.probe()
    if probe is None or not _is_there(scene, probe):
        yield from create_tenant(scene)
    if scene.last_creation:
        yield replace(scene.last_creation, why="repeated", repeat=True)


def _is_there(scene: Scene, probe: Call) -> bool:
    kind = probe.method.removeprefix("get_")
    return bool(scene.model.all(kind, **{ID_FIELDS[kind]: probe.args[0]}))


def end_again(scene: Scene) -> Steps:
    """Give an ended execution another end."""
    ended = [e for e in scene.model.all("execution") if e.status != "running"]
    if not ended:
        raise Missing("end_execution")
    execution = scene.random.choice(ended)
    other = next(status for status in ("failed", "completed") if status != execution.status)
    owner = scene.owner_of(execution)
    yield Call("update_execution", (execution.execution_id, {"status": other}), owner, why="ended before")
    yield Call("get_schedule", (execution.schedule_id,), owner)


def claim_again(scene: Scene) -> Steps:
    """Claim a run of a schedule that is not its next."""
    schedule = scene.pick("schedule")
    new = NewExecution(
        schedule_id=schedule.schedule_id, started_at=scene.moment, execution_id=values.identifier(scene.random)
    )
    advance = Advance((schedule.next_run_at or scene.moment) - timedelta(microseconds=1), scene.moment)
    given = scene.owner_of(schedule) | {"advance": advance, "receipt": scene.receipt()}
    yield Call("create_execution", (new,), given, why="run taken")


def stale(scene: Scene) -> Steps:
    """Change a record that is no longer as it was seen, and see that it has not changed."""
    kind = scene.random.choice(("tenant", "provider", "account", "schedule"))
    record = scene.pick(kind)
    identifier = getattr(record, ID_FIELDS[kind])
    owner = {} if kind == "tenant" else scene.owner_of(record)
    seen = replace(record, updated_at=record.updated_at - timedelta(seconds=1), status="once")
    yield Call(f"update_{kind}", (identifier, {"status": "disabled"}), owner | {"seen": seen}, why="changed since")
    yield Call(f"get_{kind}", (identifier,), owner)


def foreign(scene: Scene) -> Steps:
    """Ask for a record, change it or delete it, on behalf of another tenant of this worker."""
    kind = scene.random.choice(("provider", "account", "schedule", "execution", "scan_result"))
    record = scene.pick(kind)
    of = scene.model.tenant_of(record)
    others = [tenant for tenant in scene.model.all("tenant") if tenant.tenant_id != of]
    if not others:
        raise Missing("create_tenant")
    owner = {"owner": scene.random.choice(others).tenant_id}
    identifier = getattr(record, ID_FIELDS[kind])
    yield scene.random.choice(_intrusions(scene, kind, identifier, owner))
    yield Call(f"get_{kind}", (identifier,), {"owner": of})


def _intrusions(scene: Scene, kind: str, identifier: Any, owner: dict[str, Any]) -> list[Call]:
    """Return the calls of which one is made: all must be NotFound."""
    why = "another tenant's"
    calls = [Call(f"get_{kind}", (identifier,), owner, why)]
    if kind in NEW_STATUS:
        calls.append(Call(f"update_{kind}", (identifier, {"status": NEW_STATUS[kind]}), owner, why))
    if kind in LISTS_BELOW:
        calls.append(Call(f"delete_{kind}", (identifier,), owner, why))
        calls += [Call(method, (identifier, PageRequest()), owner, why) for method in LISTS_BELOW[kind]]
    if kind == "account":
        calls += _intrusions_below(scene, identifier, owner)
    return calls


def _intrusions_below(scene: Scene, account_id: Any, owner: dict[str, Any]) -> list[Call]:
    why = "another tenant's"
    scan = NewScanResult(
        scan_id=f"{scene.prefix}-{scene.random.getrandbits(64):016x}",
        account_id=account_id,
        provider_type="aws",
        started_at=scene.moment,
        status="running",
    )
    credential = NewCredential(**values.credential(scene.random))
    return [
        Call("put_credential", (account_id, credential), owner, why),
        Call("create_scan_result", (scan,), owner | {"receipt": scene.receipt()}, why),
    ]


def other_workers(scene: Scene) -> Steps:
    """Ask for what is another worker's, on behalf of this one's anchor."""
    if not scene.peers or scene.anchor is None:
        raise Missing("create_tenant")
    peer, owner = scene.random.choice(scene.peers), {"owner": scene.anchor}
    why = "another worker's"
    new = NewAccount(
        provider_id=peer.provider_id,
        tenant_id=scene.anchor,
        account_name=values.words(scene.random),
        account_id=values.identifier(scene.random),
    )
    yield scene.random.choice(
        (
            Call("get_provider", (peer.provider_id,), owner, why),
            Call("get_account", (peer.account_id,), owner, why),
            Call("get_credential_info", (peer.account_id,), owner, why),
            Call("update_account", (peer.account_id, {"account_name": "taken over"}), owner, why),
            Call("delete_account", (peer.account_id,), owner, why),
            Call("list_executions_by_account", (peer.account_id, PageRequest()), owner, why),
            Call("create_account", (new,), owner | {"receipt": scene.receipt()}, why),
        )
    )
