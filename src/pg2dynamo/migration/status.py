"""Tell where a migration stands, from its control table alone: no PostgreSQL is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.import_record import ImportRecord
from pg2dynamo.dynamodb.journal import Journal, QuarantinedRow, RunRecord, SecretRefusal, TableRecord
from pg2dynamo.dynamodb.lease_record import LeaseRecord
from pg2dynamo.migration.target import target_settings
from pg2dynamo.plan.model import Plan

NOT_STARTED = "not started"


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One entry of the plan, by its `name`.

    `state` is `not started`, `importing` or `import failed` (from S3), `copying` or `complete`; rows and items are
    those of the last copy. `segments` are copied and journaled; `quarantined` is what is in quarantine now, `accepted`
    of it with the plan's consent; `skipped` rows were left out by the plan.
    """

    name: str
    source: str
    target: str
    state: str
    rows: int
    items: int
    quarantined: int
    segments: int
    snapshot: str | None
    updated_at: str | None
    accepted: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Where a migration stands. `prepared` is whether its control table is there."""

    migration: str
    control_table: str
    prepared: bool
    tables: tuple[TableStatus, ...] = ()
    refusals: Mapping[str, int] | None = None
    last_runs: tuple[RunRecord, ...] = ()
    lease: LeaseRecord | None = None
    quarantine: tuple[QuarantinedRow, ...] = ()
    refused_rows: tuple[SecretRefusal, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "migration": self.migration,
            "control_table": self.control_table,
            "prepared": self.prepared,
            "tables": {table.name: asdict(table) for table in self.tables},
            "secrets": {"refused": dict(self.refusals or {})},
            "runs": {run.command: asdict(run) for run in self.last_runs},
            "active": _active(self.lease),
            "quarantine": [asdict(row) for row in self.quarantine],
            "refusals": [asdict(refusal) for refusal in self.refused_rows],
        }


def status(plan: Plan, environ: Mapping[str, str], *, details: bool = False) -> StatusReport:
    """Return where the plan's migration stands. Reads only; raises the TargetError branch, or StageError.

    With `details`, the rows in quarantine and the refused credentials are listed, by key and with the reason. A
    run that is `running` while nobody holds the lease has died; `lease` says who holds it.
    """
    journal = Journal(dynamodb_client(target_settings(plan, environ)), plan.target.control_table, plan.name)
    if not journal.exists():
        return StatusReport(plan.name, plan.target.control_table, prepared=False)
    known, imports = journal.tables(), journal.imports()
    planned = {table.name: (str(table.source), table.to) for table in plan.tables}
    gone = {name: (name, "") for name in (*known, *imports) if name not in planned}
    return StatusReport(
        migration=plan.name,
        control_table=plan.target.control_table,
        prepared=True,
        tables=tuple(
            _table(journal, name, *about, known.get(name), imports.get(name))
            for name, about in {**planned, **gone}.items()
        ),
        refusals={str(secret.source): _refused(journal, str(secret.source)) for secret in plan.secrets},
        last_runs=_last_of_each_command(journal.runs()),
        lease=journal.holder(),
        quarantine=tuple(journal.quarantined()) if details else (),
        refused_rows=tuple(journal.refusals()) if details else (),
    )


def _table(
    journal: Journal,
    name: str,
    source: str,
    target: str,
    record: TableRecord | None,
    importing: ImportRecord | None,
) -> TableStatus:
    return TableStatus(
        name=name,
        source=source,
        target=record.target if record else target,
        state=_importing(importing) if importing else record.state if record else NOT_STARTED,
        rows=record.rows if record else 0,
        items=record.items if record else 0,
        quarantined=journal.quarantined_count(name),
        segments=journal.segment_count(name),
        snapshot=record.snapshot if record else None,
        updated_at=record.updated_at if record else None,
        accepted=journal.accepted_count(name),
        skipped=record.skipped if record else 0,
    )


def _importing(record: ImportRecord) -> str:
    return "import failed" if record.state == "failed" else "importing"


def _refused(journal: Journal, source: str) -> int:
    return sum(1 for _ in journal.refusals(source))


def _last_of_each_command(runs: list[RunRecord]) -> tuple[RunRecord, ...]:
    return tuple({run.command: run for run in runs}.values())


def _active(lease: LeaseRecord | None) -> dict[str, Any] | None:
    if lease is None or not lease.held:
        return None
    return {
        "command": lease.command,
        "host": lease.holder.host,
        "process": lease.holder.process,
        "epoch": lease.epoch,
        "last_heard_of": lease.renewed_at,
    }
