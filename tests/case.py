"""A small migration for tests: a source database, a plan, and the items that are in the target."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import boto3

from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import Journal
from pg2dynamo.dynamodb.scan import scan_pages
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.migration.copy_report import CopyReport
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.target import target_settings
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.model import Plan
from tests.conftest import Database

SCHEMA = """
CREATE TABLE people (
  id bigint PRIMARY KEY, name text NOT NULL, town text, balance numeric, data jsonb, changed timestamp DEFAULT now()
);
CREATE TABLE visits (person bigint, place text, seen timestamptz NOT NULL, PRIMARY KEY (person, place));
"""

PLAN = """
name: {unique}
source: {{dsn: env:DATABASE_URL}}
target: {{control_table: {unique}-control, request_timeout_seconds: 1}}
tables:
  - from: public.people
    to: {unique}-people
    key: {{hash: id}}
    indexes:
      - {{name: town-index, hash: town, range: name}}
  - from: public.visits
    to: {unique}-visits
    key: {{hash: person, range: place}}
"""

FILL = """
INSERT INTO people (id, name, town, balance, data)
SELECT n, 'name ' || n, CASE WHEN n % 3 > 0 THEN 'town ' || n % 7 END, n / 4.0,
       jsonb_build_object('n', n, 'l', '[]'::jsonb)
  FROM generate_series(1, {people}) n;
INSERT INTO visits SELECT n % {people} + 1, 'place ' || n, '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 second'
  FROM generate_series(1, {visits}) n;
"""

SMALL_SEGMENTS = 2
"""Blocks per segment, so that a few hundred rows make many segments."""


@dataclass(frozen=True)
class Case:
    """A filled source, an empty prepared target, and the plan between them."""

    database: Database
    plan: Plan
    plan_text: str
    environ: dict[str, str]

    def execute(self, statement: str) -> None:
        """Run SQL on the source."""
        with self.database.connect() as connection:
            connection.execute(statement.encode())

    def copy(self, **options: Any) -> CopyReport:
        """Copy in this process, in small segments."""
        defaults: dict[str, Any] = {"processes": 0, "blocks_per_segment": SMALL_SEGMENTS}
        return copy(self.plan, self.environ, CopyOptions(**(defaults | options)))

    def items(self, number: int) -> dict[str, dict[str, Any]]:
        """Return the items of the plan's table of that number, by the text of their key."""
        table = self.plan.tables[number]
        pages = scan_pages(target_settings(self.plan, self.environ), table.to, 0, 1)
        names = [n for n in (table.key.hash, table.key.range) if n]
        return {"/".join(next(iter(item[n].values())) for n in names): item for page in pages for item in page}

    def journal(self) -> Journal:
        """Return the migration's journal."""
        settings = target_settings(self.plan, self.environ)
        return Journal(dynamodb_client(settings), self.plan.target.control_table, self.plan.name)

    def delete_item(self, number: int, key: dict[str, Any]) -> None:
        """Take an item out of the target behind the migration's back."""
        boto3.client("dynamodb").delete_item(TableName=self.plan.tables[number].to, Key=key)


def make_case(
    database: Database, aws_environ: dict[str, str], unique: str, *, people: int = 300, visits: int = 200
) -> Case:
    """Fill the database, point DATABASE_URL at it, and prepare the target."""
    with database.connect() as connection:
        connection.execute(SCHEMA.encode())
        connection.execute(FILL.format(people=people, visits=visits).encode())
    text = PLAN.format(unique=unique)
    environ = aws_environ | {"DATABASE_URL": database.dsn, "PATH": os.environ["PATH"]}
    case = Case(database, parse_plan(text, environ), text, environ)
    prepare(case.plan, environ)
    return case
