"""Import an export directory: rows to items, credentials to secrets, without the source.

The whole story is in `import_export`. The directory is proved before anything is written; a file is journaled
when all its items have been answered for, so that a run that was cut short goes on where it was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pg2dynamo import faults
from pg2dynamo.dynamodb.journal import Journal, QuarantinedRow, SegmentRecord, TableRecord
from pg2dynamo.dynamodb.lease import Lease
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.tables import DescribedTable, wait_until_active
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.copy_report import CopyReport, TableCounts
from pg2dynamo.migration.copy_secrets import SecretsReport, copy_secrets, delete_vanished, while_held
from pg2dynamo.migration.export_credentials import exported_credentials
from pg2dynamo.migration.export_files import prove
from pg2dynamo.migration.export_manifest import ExportedTable, Manifest, require_same_plan
from pg2dynamo.migration.import_file import ImportJob, ImportTask, import_file, refused_rows
from pg2dynamo.migration.import_vanished import delete_vanished_items
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.progress import Progress, Silent
from pg2dynamo.migration.resume import deletions_allowed
from pg2dynamo.migration.run import recorded_run
from pg2dynamo.migration.target import open_journal, require_empty, target_settings, within_budget
from pg2dynamo.migration.workers import Workers
from pg2dynamo.plan.model import Plan
from pg2dynamo.postgres.snapshot import SnapshotPosition
from pg2dynamo.secrets.client import secrets_client
from pg2dynamo.secrets.names import NamesSeen

PHASE = "import"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How `import_export` works; as `copy.CopyOptions`; `create_kms_key` makes a missing KMS key."""

    processes: int | None = None
    max_deletes: int | None = None
    expect_refused: int = 0
    overwrite: bool = False
    create_kms_key: bool = False
    write_units: int | None = None


@dataclass(slots=True)
class _TableRun:
    exported: ExportedTable
    job: ImportJob
    record: TableRecord
    done: dict[str, SegmentRecord]
    reconcile: bool
    counts: TableCounts

    @property
    def name(self) -> str:
        return self.job.mapping.name

    def leaf(self, path: str) -> str:
        return f"{self.job.leaf_prefix}{path}"


def target_mappings(manifest: Manifest, plan: Plan) -> dict[str, TableMapping]:
    """Return the export's mappings by name, with the target tables that this side's plan names.

    Raises PlanError unless the export was made with this plan, names aside.
    """
    require_same_plan(manifest, plan)
    targets = {table.name: table.to for table in plan.tables}
    mappings = [table.mapping for table in manifest.tables]
    return {mapping.name: replace(mapping, target=targets[mapping.name]) for mapping in mappings}


def import_export(
    plan: Plan,
    environ: Mapping[str, str],
    directory: Path,
    options: ImportOptions | None = None,
    progress: Progress | None = None,
) -> CopyReport:
    """Bring the target to what the export in `directory` holds; return what was done.

    Raises ExportDamaged, before anything is written, unless every file of the export is there and as it was
    written; PlanError when it was made with another plan. Creates the tables that are not there. Idempotent and
    resumable; an import over that of an earlier export deletes the items and secrets whose rows are gone
    (MassDeletion when suspiciously many). Other errors as `copy`; no source is needed.
    """
    options, progress = options or ImportOptions(), progress or Silent()
    began = time.monotonic()
    progress.say(f"Proving the export in {directory}.")
    manifest = prove(directory)
    mappings = target_mappings(manifest, plan)
    prepare(plan, environ, mappings=list(mappings.values()), create_kms_key=options.create_kms_key, progress=progress)
    settings = target_settings(plan, environ)
    journal = open_journal(plan, settings)
    position = _position(manifest)
    with (
        journal.lease("import", request_timeout_seconds=settings.request_timeout_seconds, say=progress.say) as lease,
        recorded_run(journal, "import", position) as run,
        within_budget(plan, settings, options.write_units, progress) as budgeted,
    ):
        progress.say(f"Importing snapshot {position.snapshot} (LSN {position.lsn}) of the source.")
        tables = _open_tables(plan, budgeted, journal, manifest, mappings, directory, options)
        resumed = any(table.done for table in tables)
        _Work(environ, options, progress, journal, lease).import_tables(tables)
        secrets = _import_secrets(plan, environ, journal, lease, manifest, directory, options, progress)
        report = CopyReport(
            migration=plan.name,
            snapshot=position.as_json(),
            resumed=resumed,
            tables={table.name: table.counts for table in tables},
            secrets=secrets,
            refused_expected=options.expect_refused,
            seconds=time.monotonic() - began,
        )
        run.end("complete" if report.ok else "incomplete", report.as_json())
    return report


def _position(manifest: Manifest) -> SnapshotPosition:
    return SnapshotPosition(**{name: manifest.snapshot[name] for name in SnapshotPosition.__slots__})


def _open_tables(
    plan: Plan,
    settings: TargetSettings,
    journal: Journal,
    manifest: Manifest,
    mappings: Mapping[str, TableMapping],
    directory: Path,
    options: ImportOptions,
) -> list[_TableRun]:
    """Look at every table and decide what to do, before anything is written."""
    known = journal.tables()
    runs = []
    for exported in manifest.tables:
        mapping = mappings[exported.mapping.name]
        job = ImportJob(
            migration=plan.name,
            control_table=plan.target.control_table,
            directory=str(directory),
            export_id=manifest.export_id,
            snapshot_label=f"{manifest.snapshot['snapshot']} of {manifest.snapshot['taken_at']}",
            mapping=mapping,
            settings=settings,
        )
        target = wait_until_active(journal.client, mapping.target)
        runs.append(_open_table(journal, exported, job, target, known.get(mapping.name), options))
    for run in runs:
        if not run.done:
            journal.clear_segments(run.name)
        journal.put_table(run.record)
        faults.point("import.table.begun")
    return runs


def _open_table(
    journal: Journal,
    exported: ExportedTable,
    job: ImportJob,
    target: DescribedTable,
    known: TableRecord | None,
    options: ImportOptions,
) -> _TableRun:
    first = known is None or known.target_id != target.table_id
    if first and not options.overwrite:
        require_empty(journal, target.name)
    same = known is not None and not first and known.mapping_digest == job.mapping.digest
    records = journal.segments(job.mapping.name) if same else []
    done = {record.leaf: record for record in records if record.leaf.startswith(job.leaf_prefix)}
    finished = known is not None and known.state == "complete" and len(done) == len(exported.data) and bool(done)
    return _TableRun(exported, job, _record(exported, job, target), done, not first and not finished, _counts(exported))


def _counts(exported: ExportedTable) -> TableCounts:
    return TableCounts(exported.rows, skipped=exported.skipped, nulled=exported.nulled)


def _record(exported: ExportedTable, job: ImportJob, target: DescribedTable) -> TableRecord:
    return TableRecord(
        source=job.mapping.name,
        target=job.mapping.target,
        target_id=target.table_id,
        mapping_digest=job.mapping.digest,
        source_id=f"export {job.export_id}",
        segment_blocks=0,
        state="copying",
        snapshot=job.snapshot_label,
        rows=exported.rows,
        items=0,
        quarantined=exported.quarantined,
        updated_at=_now(),
        skipped=exported.skipped,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class _Work:
    """The import of all tables, by worker processes; journals what they report."""

    def __init__(
        self, environ: Mapping[str, str], options: ImportOptions, progress: Progress, journal: Journal, lease: Lease
    ) -> None:
        self._environ, self._options, self._progress = environ, options, progress
        self._journal, self._lease = journal, lease
        self._processes = os.cpu_count() or 1 if options.processes is None else options.processes

    def import_tables(self, tables: list[_TableRun]) -> None:
        """Import every file that is not journaled yet, then finish each table."""
        by_name = {table.name: table for table in tables}
        with Workers(self._processes, self._environ) as workers:
            for task, written in workers.run(import_file, self._tasks(tables), self._advance):
                self._journal_file(by_name[task.job.mapping.name], task, written)
        for table in tables:
            self._finish(table)

    def _advance(self, message: tuple[str, int]) -> None:
        self._progress.advance(PHASE, *message)

    def _tasks(self, tables: list[_TableRun]) -> Iterator[ImportTask]:
        for table in tables:
            self._progress.start(PHASE, table.name, table.exported.items)
            for number, file in enumerate(table.exported.data):
                if table.leaf(file.path) in table.done:
                    self._progress.advance(PHASE, table.name, file.rows)
                    continue
                self._lease.check()
                yield ImportTask(table.job, number, file)

    def _journal_file(self, table: _TableRun, task: ImportTask, written: int) -> None:
        record = SegmentRecord(
            leaf=table.leaf(task.file.path),
            number=task.number,
            blocks=0,
            filenode=0,
            as_of=0,
            rows=task.file.rows,
            quarantined=task.file.rows - written,
        )
        self._lease.check()
        faults.point("import.file.answered")
        self._journal.put_segment(table.name, record)
        faults.point("import.file.journaled")
        table.counts.written += written

    def _finish(self, table: _TableRun) -> None:
        name = table.name
        self._replace_quarantine(table)
        if table.reconcile:
            allowed = deletions_allowed(table.exported.rows, self._options.max_deletes)
            self._lease.check()
            table.counts.deleted = delete_vanished_items(table.job, table.exported, allowed)
        table.counts.quarantined = self._journal.quarantined_count(name)
        table.counts.accepted = self._journal.accepted_count(name)
        counts = table.counts
        self._journal.put_table(
            replace(
                table.record,
                state="complete",
                items=counts.items,
                quarantined=counts.quarantined,
                updated_at=_now(),
            )
        )
        self._progress.finish(PHASE, name)
        faults.point("import.table.complete")

    def _replace_quarantine(self, table: _TableRun) -> None:
        """Put the rows that the export lists into quarantine, and take out those of earlier exports and copies."""
        directory, label = Path(table.job.directory), table.job.snapshot_label
        batch: list[QuarantinedRow] = []
        for row in refused_rows(directory, table.exported, label):
            batch.append(row)
            if len(batch) >= 100:
                self._journal.put_quarantined(batch)
                batch = []
        self._journal.put_quarantined(batch)
        stale = [row for row in self._journal.quarantined(table.name) if row.snapshot != label]
        self._journal.remove_quarantined(stale)


def _import_secrets(
    plan: Plan,
    environ: Mapping[str, str],
    journal: Journal,
    lease: Lease,
    manifest: Manifest,
    directory: Path,
    options: ImportOptions,
    progress: Progress,
) -> SecretsReport:
    """Store the credentials of the export; but for the first run, delete secrets whose rows are gone."""
    total = SecretsReport()
    if not plan.secrets:
        return total
    exported = {credentials.source: credentials for credentials in manifest.credentials}
    client = secrets_client(target_settings(plan, environ).region)
    first = sum(run.command in ("copy", "import") for run in journal.runs()) < 2
    for secret in plan.secrets:
        seen = NamesSeen()
        credentials = while_held(lease.check, exported_credentials(directory, exported[str(secret.source)], secret))
        report = copy_secrets(plan.name, secret, credentials, environ, client, seen, progress)
        journal.replace_refusals(str(secret.source), report.refusals)
        total += report
        lease.check()
        if not first:
            total += SecretsReport(deleted=delete_vanished(plan.name, secret, client, seen, options.max_deletes))
    for warning in total.warnings:
        progress.say(warning)
    return total
