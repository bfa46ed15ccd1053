"""Verify that the target equals the source: every row, item and secret compared, in both directions.

The whole story is in `verify`. Nothing is written but the report and the record of the run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import Journal
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.tables import describe_table
from pg2dynamo.errors import TargetMissing
from pg2dynamo.mapping.digest import Buckets
from pg2dynamo.migration.chosen import chosen_entries
from pg2dynamo.migration.progress import Progress, Silent
from pg2dynamo.migration.report_file import ReportFile, default_report
from pg2dynamo.migration.run import recorded_run
from pg2dynamo.migration.source import compile_plan, open_source, source_dsn, source_tables
from pg2dynamo.migration.target import target_settings
from pg2dynamo.migration.verify_report import Comparison, VerifyReport
from pg2dynamo.migration.verify_secrets import verify_secrets
from pg2dynamo.migration.verify_segment import VerifyJob, close_sessions
from pg2dynamo.migration.verify_shared import scanned_together, sum_items
from pg2dynamo.migration.verify_table import RowSide, TableVerification, source_side
from pg2dynamo.migration.workers import Workers
from pg2dynamo.plan.model import Plan
from pg2dynamo.postgres.segments import plan_segments
from pg2dynamo.postgres.selection import count_visible
from pg2dynamo.postgres.snapshot import SnapshotOwner, adopt_snapshot, hold_snapshot


def verify(
    plan: Plan,
    environ: Mapping[str, str],
    *,
    processes: int | None = None,
    report: Path | None = None,
    tables: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> VerifyReport:
    """Compare the plan's tables and secrets with DynamoDB and Secrets Manager; return what was found.

    Changes nothing. One snapshot of the source is compared with consistent reads of the target; what seems to
    differ is looked at again, as it is then, before it is called a difference. Every difference is a line of
    the report (by default `pg2dynamo-verify-<plan>.jsonl` in the working directory). `processes`: 0 works in
    this process, None takes one a core. `tables` compares only these entries of the plan, by their names or those of
    their source tables, and no secrets. Raises the
    branches of Pg2DynamoError: what could not be compared is an error, never equal.
    """
    progress = progress or Silent()
    began, started_at = time.monotonic(), _now()
    chosen = _chosen(plan, tables)
    settings = target_settings(plan, environ)
    path = report or default_report(plan.name)
    with ExitStack() as stack:
        journal = _journal(chosen, settings)
        _require_targets(journal, chosen)
        owner = stack.enter_context(hold_snapshot(source_dsn(plan, environ), source_tables(chosen)))
        run = stack.enter_context(recorded_run(journal, "verify", owner.position)) if journal.exists() else None
        progress.say(f"Verifying against snapshot {owner.position.snapshot} (LSN {owner.position.lsn}) of the source.")
        file = stack.enter_context(ReportFile(path))
        found = VerifyReport(plan.name, owner.position.snapshot, path)
        work = _Work(plan, chosen, environ, settings, journal, owner, file, progress, _processes(processes))
        work.verify_tables(found.tables)
        secrets = work.verify_secrets() if tables is None else None
        found = replace(found, secrets=secrets, seconds=time.monotonic() - began)
        file.finish(plan.name, owner.position.snapshot, started_at, found.as_json())
        if run is not None:
            run.end("complete", found.as_json())
    return found


def _chosen(plan: Plan, tables: Sequence[str] | None) -> Plan:
    """Return the plan with these entries only: by name, or all of a source table. Raises PlanError for none."""
    if tables is None:
        return plan
    names = chosen_entries(plan, tables)
    chosen = tuple(table for table in plan.tables if table.name in names)
    return plan.model_copy(update={"tables": chosen, "secrets": ()})


def _journal(plan: Plan, settings: TargetSettings) -> Journal:
    return Journal(dynamodb_client(settings), plan.target.control_table, plan.name)


def _require_targets(journal: Journal, plan: Plan) -> None:
    """Raise TargetMissing when a table is not there: to call all its rows missing would hide a wrong name."""
    missing = [table.to for table in plan.tables if describe_table(journal.client, table.to) is None]
    if missing:
        raise TargetMissing(
            f"There is nothing to verify: DynamoDB has no table {', '.join(missing)}.",
            remedy="Run `pg2dynamo prepare` and `pg2dynamo copy`, or correct the region or the plan.",
        )


def _processes(wanted: int | None) -> int:
    return os.cpu_count() or 1 if wanted is None else wanted


@dataclass(frozen=True, slots=True)
class _Work:
    """The comparison of everything that the plan names, by worker processes.

    `plan` has the entries to compare, `whole` those too whose items stand in the same DynamoDB tables.
    """

    whole: Plan
    plan: Plan
    environ: Mapping[str, str]
    settings: TargetSettings
    journal: Journal
    owner: SnapshotOwner
    file: ReportFile
    progress: Progress
    processes: int

    def verify_tables(self, comparisons: dict[str, Comparison]) -> None:
        """Compare every table; add what was found to `comparisons`."""
        sides = {job.mapping.name: (job, rows) for job, rows in self._sides()}
        # In the plan's order, whatever the order of comparing.
        comparisons |= {name: Comparison() for name in sides}
        with self._workers() as workers:
            for group in scanned_together(job for job, _ in sides.values()):
                parts = max(len(sides[job.mapping.name][1].parts) for job in group)
                items = sum_items(group, max(1, parts), workers, self.owner.check) if len(group) > 1 else {}
                for job in group:
                    name = job.mapping.name
                    comparisons[name] = self._verify_table(*sides[name], workers, items.get(name))

    def _verify_table(self, job: VerifyJob, rows: RowSide, workers: Workers, items: Buckets | None) -> Comparison:
        name = job.mapping.name
        table = TableVerification(
            job, rows, workers, self.progress, expected_rows=self._copied(name), check=self.owner.check, items=items
        )
        for difference in table.differences():
            self.file.add(difference)
        table.comparison.quarantined = self._quarantined(name)
        table.comparison.skipped = self._unread(job, table.comparison.compared + table.comparison.left_out)
        return table.comparison

    def _copied(self, name: str) -> int | None:
        """Return how many rows the last copy of the entry read, None when there was none."""
        record = self.journal.tables().get(name) if self.journal.exists() else None
        return record.rows if record else None

    def _unread(self, job: VerifyJob, read: int) -> int:
        """Return how many rows a plain count sees more, or fewer, than were read by segments, as the copy reads."""
        name = self.owner.position.name
        with open_source(self.plan, self.environ) as connection, adopt_snapshot(connection, name):
            return abs(count_visible(connection, job.mapping) - read)

    @contextmanager
    def _workers(self) -> Iterator[Workers]:
        try:
            with Workers(self.processes, self.environ) as workers:
                yield workers
        finally:
            close_sessions()

    def _sides(self) -> list[tuple[VerifyJob, RowSide]]:
        name = self.owner.position.name
        chosen = {table.name for table in self.plan.tables}
        with open_source(self.plan, self.environ) as connection, adopt_snapshot(connection, name):
            jobs = [
                VerifyJob(self.plan.source.dsn, name, mapping, self.settings)
                for mapping in compile_plan(connection, self.whole)
                if mapping.name in chosen
            ]
            return [(job, source_side(job, plan_segments(connection, job.mapping.source))) for job in jobs]

    def _quarantined(self, table: str) -> int:
        return self.journal.quarantined_count(table) if self.journal.exists() else 0

    def verify_secrets(self) -> Comparison:
        """Compare every secret with its credentials."""
        return verify_secrets(
            self.plan,
            self.environ,
            snapshot=self.owner.position.name,
            refusals=self.journal.refusals() if self.journal.exists() else (),
            found=self.file.add,
            progress=self.progress,
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
