"""The calls of pg2dynamo that are measured, whole, as a library user makes them.

Each imports what it needs and no more, since what is imported counts as its memory.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp

from pg2dynamo.plan.load import parse_plan
from tests.bench.bulk.measure import NATIVE_MODULE, Call

PLAN = """
name: {name}
source: {{dsn: env:DATABASE_URL}}
target: {{control_table: bench-control}}
tables: [{{from: public.{table}, to: {target}, key: {{hash: id}}}}]
"""


def plan_text(name: str, table: str, target: str = "") -> str:
    """Return a plan that copies one table; `name` is the migration's, whose journal is empty when it is new."""
    return PLAN.format(name=name, table=table, target=target or f"bench-{table}")


def copy(plan: str, processes: int, rows: int, native: bool = False) -> Call:
    """Copy into a sink, whose target table stays empty; with `native`, in this process, its encoder must be in use."""
    from pg2dynamo.migration.copy import CopyOptions
    from pg2dynamo.migration.copy import copy as copy_plan

    parsed = parse_plan(plan, os.environ)

    def call() -> int:
        report = copy_plan(parsed, os.environ, CopyOptions(processes=processes))
        [counts] = report.tables.values()
        if not report.ok or report.resumed or not rows == counts.rows == counts.written:
            raise AssertionError(f"{rows} rows were to be written anew: {counts}")
        if native and processes == 0 and NATIVE_MODULE not in sys.modules:
            raise AssertionError(f"{NATIVE_MODULE} was not used")
        return rows

    return call


def copy_and_count(plan: str, processes: int, rows: int) -> Call:
    """Copy into a table that is made first, and count afterwards that its items are there."""
    import boto3

    from pg2dynamo.migration.prepare import prepare

    parsed = parse_plan(plan, os.environ)
    prepare(parsed, os.environ)
    copied = copy(plan, processes, rows)

    def call() -> int:
        copied()
        pages = boto3.client("dynamodb").get_paginator("scan")
        count = sum(page["Count"] for page in pages.paginate(TableName=parsed.tables[0].to, Select="COUNT"))
        if count != rows:
            raise AssertionError(f"of {rows} rows {count} are items")
        return rows

    return call


def verify(plan: str, processes: int, rows: int) -> Call:
    """Compare the rows with a Scan of items that must turn out equal."""
    from pg2dynamo.migration.verify import verify as verify_plan

    parsed = parse_plan(plan, os.environ)

    def call() -> int:
        report = verify_plan(parsed, os.environ, processes=processes, report=Path(f"{parsed.name}.jsonl"))
        if not report.equal or report.total.compared != rows:
            raise AssertionError(f"{rows} rows were to be equal: {report.total}")
        return rows

    return call


def export(plan: str, processes: int, rows: int) -> Call:
    """Export into a directory that is new, and gone afterwards."""
    from pg2dynamo.migration.export import export as export_plan

    parsed = parse_plan(plan, os.environ)

    def call() -> int:
        directory = Path(mkdtemp(prefix="export-", dir=Path.cwd()))
        try:
            report = export_plan(parsed, os.environ, directory / "exported", processes=processes)
        finally:
            shutil.rmtree(directory)
        [counts] = report.tables.values()
        if not report.ok or not rows == counts["rows"] == counts["items"]:
            raise AssertionError(f"{rows} rows were to be exported: {counts}")
        return rows

    return call
