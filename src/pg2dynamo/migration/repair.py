"""Mend what a verification found: each key of its report is read again, and its item put or deleted.

The whole story is in `repair`. Rows take the path that copying takes: COPY, encoder, writer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import orjson
import psycopg

from pg2dynamo import faults
from pg2dynamo.dynamodb.journal import Journal, QuarantinedRow
from pg2dynamo.dynamodb.lease import Lease
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.errors import MassDeletion, RowRefused, RowSkipped, StageError
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.key_text import can_be_key, item_key, key_values
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.values import Value
from pg2dynamo.mapping.write_units import WriteUnits
from pg2dynamo.migration.difference import Difference
from pg2dynamo.migration.progress import Progress, Silent
from pg2dynamo.migration.repair_secrets import repair_secrets
from pg2dynamo.migration.report_file import ReportSummary, default_report, read_differences, read_summary
from pg2dynamo.migration.resume import deletions_allowed
from pg2dynamo.migration.run import recorded_run
from pg2dynamo.migration.source import compile_plan, open_source, source_dsn, source_tables
from pg2dynamo.migration.target import open_journal, target_settings, within_budget
from pg2dynamo.plan.model import Plan
from pg2dynamo.postgres.lines import UnreadableRow
from pg2dynamo.postgres.rows import copy_rows_by_item_key, keys_present
from pg2dynamo.postgres.selection import KEYS_PER_STATEMENT
from pg2dynamo.postgres.snapshot import adopt_snapshot, hold_snapshot

PHASE = "repair"


@dataclass(slots=True)
class RepairCounts:
    """One table: items put because their row is there, deleted because it is gone, rows DynamoDB cannot hold.

    Of the latter `accepted` may stay in quarantine by the plan. `skipped` rows are there, and left out by the plan:
    their items are deleted too.
    """

    written: int = 0
    deleted: int = 0
    quarantined: int = 0
    accepted: int = 0
    skipped: int = 0

    def as_json(self) -> dict[str, int]:
        """Return the counts as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class RepairReport:
    """The result of `repair`, in counts by the plan's entries."""

    migration: str
    report: Path
    tables: dict[str, RepairCounts] = field(default_factory=dict)
    secrets: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every row of the report could be mended, or may stay in quarantine."""
        return all(counts.quarantined == counts.accepted for counts in self.tables.values())

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "ok": self.ok,
            "migration": self.migration,
            "report": str(self.report),
            "tables": {name: counts.as_json() for name, counts in self.tables.items()},
            "secrets": self.secrets,
        }


def repair(
    plan: Plan,
    environ: Mapping[str, str],
    *,
    report: Path | None = None,
    max_deletes: int | None = None,
    write_units: int | None = None,
    progress: Progress | None = None,
) -> RepairReport:
    """Mend exactly the keys that a report names: put the item of a row that is there, delete that of one that is not.

    `report` is by default the one that `verify` writes. Idempotent; durable when it returns; verify again
    after it. Raises StageError for a report of another migration, one that is damaged, or one older than what
    was copied or repaired since; MassDeletion, before anything is written, when more rows of a table are gone
    than 10 % of its items, at least 100 (`max_deletes` replaces that), and likewise for secrets when their turn
    comes; RunnerActive when another run works on this migration. `write_units` a second replace the plan's budget.
    """
    progress = progress or Silent()
    path = report or default_report(plan.name)
    summary = read_summary(path)
    settings = target_settings(plan, environ)
    journal = open_journal(plan, settings)
    with (
        journal.lease("repair", request_timeout_seconds=settings.request_timeout_seconds, say=progress.say) as lease,
        hold_snapshot(source_dsn(plan, environ), source_tables(plan)) as owner,
    ):
        _require_current(plan, summary, journal)
        with (
            recorded_run(journal, "repair", owner.position) as run,
            open_source(plan, environ) as connection,
            adopt_snapshot(connection, owner.position.name),
            within_budget(plan, settings, write_units, progress) as budgeted,
        ):
            mappings = {mapping.name: mapping for mapping in compile_plan(connection, plan)}
            secret_tables = frozenset(str(secret.source) for secret in plan.secrets)
            work = _Work(
                connection, budgeted, journal, lease, mappings, secret_tables, owner.position.snapshot, progress
            )
            work.require_few_deletions(path, summary, max_deletes)
            tables = work.mend(path)
            secrets = repair_secrets(plan, environ, read_differences(path), max_deletes=max_deletes, progress=progress)
            journal.put_refusals(secrets.refusals)
            found = RepairReport(plan.name, path, tables, secrets.as_json())
            run.end("complete" if found.ok else "incomplete", found.as_json())
    progress.say("Run `pg2dynamo verify` to see that everything is equal now.")
    return found


def _require_current(plan: Plan, summary: ReportSummary, journal: Journal) -> None:
    if summary.migration != plan.name:
        raise StageError(f"The report is one of the migration {summary.migration}.", remedy=_VERIFY)
    begun = datetime.fromisoformat(summary.started_at)
    for run in journal.runs():
        writes = run.command == "copy" or (run.command == "repair" and run.state == "complete")
        if writes and datetime.fromisoformat(run.ended_at or run.started_at) > begun:
            raise StageError(f"The report is older than the last {run.command}.", remedy=_VERIFY)


_VERIFY = "Run `pg2dynamo verify` again, then repair what it finds."


@dataclass(frozen=True, slots=True)
class _Batch:
    """Keys of one table: those whose row is there, by values, and those whose row is not, in DynamoDB JSON.

    `lacking` tells whether an item is to be put where there was none.
    """

    table: str
    present: list[Mapping[str, Value]]
    gone: list[bytes]
    lacking: bool


@dataclass(frozen=True, slots=True)
class _Work:
    """The mending, by one connection to each side."""

    connection: psycopg.Connection
    settings: TargetSettings
    journal: Journal
    lease: Lease
    mappings: Mapping[str, TableMapping]
    secret_tables: frozenset[str]
    snapshot: str
    progress: Progress

    def require_few_deletions(self, path: Path, summary: ReportSummary, max_deletes: int | None) -> None:
        """Raise MassDeletion when more items of a table would be deleted than is allowed."""
        gone: Counter[str] = Counter()
        for batch in self._batches(path):
            gone[batch.table] += len(batch.gone)
            counts = summary.report["tables"].get(batch.table, {})
            items = counts.get("compared", 0) - counts.get("missing", 0) + counts.get("extra", 0)
            allowed = deletions_allowed(items, max_deletes)
            if gone[batch.table] > allowed:
                raise MassDeletion(
                    f"{batch.table}: more than {allowed:,} items would be deleted, as their rows are gone.",
                    remedy="Make sure that the rows are really gone, then run again with a higher --max-deletes.",
                )

    def mend(self, path: Path) -> dict[str, RepairCounts]:
        """Put and delete; return the counts by table."""
        found: dict[str, RepairCounts] = {}
        for batch in self._batches(path):
            counts = found.get(batch.table)
            if counts is None:
                counts = found[batch.table] = RepairCounts()
                self.progress.start(PHASE, batch.table, None)
            self.lease.check()
            if batch.lacking:
                self._expect_vanishing(batch.table)
            self._mend(batch, counts)
            faults.point("repair.batch.written")
            self.progress.advance(PHASE, batch.table, len(batch.present) + len(batch.gone))
        for table in found:
            self.progress.finish(PHASE, table)
        return found

    def _batches(self, path: Path) -> Iterator[_Batch]:
        for table, differences in groupby(read_differences(path), key=lambda difference: difference.table):
            if table in self.secret_tables:
                continue
            while group := list(islice(differences, KEYS_PER_STATEMENT)):
                yield self._batch(self._mapping(table), group)

    def _mapping(self, table: str) -> TableMapping:
        mapping = self.mappings.get(table)
        if mapping is None:
            raise StageError(f"The report speaks of {table}, which the plan does not have.", remedy=_VERIFY)
        return mapping

    def _batch(self, mapping: TableMapping, differences: Iterable[Difference]) -> _Batch:
        differences = list(differences)
        keys = [difference.key for difference in differences]
        if any(key.keys() != set(mapping.key_attributes) for key in keys):
            raise StageError(f"The report names rows of {mapping.name} by another key.", remedy=_VERIFY)
        values = [key_values(mapping, texts) for texts in keys]
        known = [value for value in values if value is not None]
        is_there = iter(keys_present(self.connection, mapping, known))
        there = [value is not None and next(is_there) for value in values]
        return _Batch(
            table=mapping.name,
            present=[value for value, row in zip(values, there, strict=True) if row and value is not None],
            gone=[
                orjson.dumps(item_key(mapping, texts))
                for texts, row in zip(keys, there, strict=True)
                if not row and can_be_key(mapping, texts)
            ],
            lacking=any(row and d.kind != "different" for row, d in zip(there, differences, strict=True)),
        )

    def _expect_vanishing(self, table: str) -> None:
        """Have the next copy look for items without rows: a row it has not counted may be put now, and go later."""
        record = self.journal.tables().get(table)
        if record is not None and record.state == "complete":
            self.journal.put_table(replace(record, state="copying"))

    def _mend(self, batch: _Batch, counts: RepairCounts) -> None:
        mapping = self.mappings[batch.table]
        encoder = Encoder(mapping)
        sources: dict[bytes, dict[str, str | None]] = {}
        left_out: list[dict[str, str | None]] = []
        refused: list[QuarantinedRow] = []

        def reject(item_key: bytes, reason: str) -> None:
            refused.append(self._quarantined(batch.table, sources.pop(item_key), "", reason))

        unreadable: list[UnreadableRow] = []
        units = WriteUnits(mapping)
        with BatchWriter(self.settings, mapping.target, on_refused=reject, units=units) as writer:
            for lines in copy_rows_by_item_key(self.connection, mapping, batch.present, unreadable.append):
                for line in lines:
                    source = encoder.source_key(line)
                    try:
                        encoded = encoder.encode(line)
                    except RowSkipped as skipped:
                        left_out.append(source)
                        if skipped.key is not None:
                            writer.delete(skipped.key)
                        continue
                    except RowRefused as refusal:
                        refused.append(self._refused(batch.table, source, refusal))
                        continue
                    sources[encoded.key] = source
                    writer.put(encoded.key, encoded.item)
            for key in batch.gone:
                writer.delete(key)
            writer.flush()
        for row in unreadable:
            source = encoder.source_key(row.line)
            unread = RowRefused(row.attribute, row.reason, accepted=row.accepted_by(mapping))
            refused.append(self._refused(batch.table, source, unread))
        self.journal.put_quarantined(refused)
        if next(self.journal.quarantined(batch.table), None) is not None:
            mended = [self._quarantined(batch.table, key, "", "") for key in (*sources.values(), *left_out)]
            self.journal.remove_quarantined(mended)
        counts.written += len(sources)
        counts.deleted += len(batch.gone)
        counts.quarantined += len(refused)
        counts.accepted += sum(row.accepted for row in refused)
        counts.skipped += len(left_out)

    def _refused(self, table: str, key: dict[str, str | None], refusal: RowRefused) -> QuarantinedRow:
        row = self._quarantined(table, key, refusal.attribute, refusal.reason)
        return replace(row, accepted=refusal.accepted)

    def _quarantined(self, table: str, key: dict[str, str | None], attribute: str, reason: str) -> QuarantinedRow:
        return QuarantinedRow(table, key, attribute, reason, self.snapshot)
