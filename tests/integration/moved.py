"""Move a small database by a plan: prepare, copy, verify; then change either side, and mend."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from pg2dynamo.migration.copy_report import CopyReport
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.repair import RepairReport, repair
from pg2dynamo.migration.verify import verify
from pg2dynamo.migration.verify_report import VerifyReport
from pg2dynamo.plan.load import parse_plan
from tests.case import Case
from tests.conftest import Database

HEAD = """
name: {unique}
source: {{dsn: env:DATABASE_URL}}
target: {{control_table: {unique}-control, request_timeout_seconds: 1}}
"""


@dataclass(frozen=True)
class Moved(Case):
    """A database, its plan, and a prepared target."""

    report: Path

    def move(self, **options: Any) -> CopyReport:
        """Copy, and verify that every row is an item and nothing else is."""
        report = self.copy(**options)
        found = self.verify()
        assert found.equal, self.found()
        return report

    def verify(self, **options: Any) -> VerifyReport:
        """Verify in this process."""
        return verify(self.plan, self.environ, processes=0, report=self.report, **options)

    def planned(self, tables: str) -> Moved:
        """Return the case under another plan of the same tables."""
        text = HEAD.format(unique=self.plan.name) + tables.replace("{unique}", self.plan.name)
        return replace(self, plan=parse_plan(text, self.environ), plan_text=text)

    def repair(self) -> RepairReport:
        """Mend what the last verification found."""
        return repair(self.plan, self.environ, report=self.report)

    def found(self) -> set[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
        """Return entry, kind, key and attributes of each difference of the last report."""
        lines = [orjson.loads(line) for line in self.report.read_bytes().splitlines()]
        return {(n["table"], n["kind"], tuple(n["key"].values()), tuple(n["attributes"])) for n in lines if "kind" in n}

    def put(self, number: int, item: dict[str, Any]) -> None:
        """Put an item into the table of entry `number` behind the migration's back."""
        self.journal().client.put_item(TableName=self.plan.tables[number].to, Item=item)

    def delete(self, number: int, key: dict[str, Any]) -> None:
        """Delete an item from the table of entry `number` behind the migration's back."""
        self.journal().client.delete_item(TableName=self.plan.tables[number].to, Key=key)


def ready(database: Database, aws_environ: dict[str, str], unique: str, folder: Path, ddl: str, tables: str) -> Moved:
    """Make the source's tables, load the plan (`{unique}` in it is the case's name), and prepare the target."""
    with database.connect() as connection:
        connection.execute(ddl.encode())
    text = HEAD.format(unique=unique) + tables.replace("{unique}", unique)
    environ = aws_environ | {"DATABASE_URL": database.dsn, "PATH": os.environ["PATH"]}
    case = Moved(database, parse_plan(text, environ), text, environ, folder / "report.jsonl")
    prepare(case.plan, environ)
    return case
