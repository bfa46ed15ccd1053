"""A small migration to verify: one table of many types, filled into DynamoDB by encoder and writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import Journal
from pg2dynamo.dynamodb.tables import create_table, table_shape, wait_until_active
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.repair import RepairReport, repair
from pg2dynamo.migration.source import compile_plan, open_source
from pg2dynamo.migration.target import target_settings
from pg2dynamo.migration.verify import verify
from pg2dynamo.migration.verify_report import VerifyReport
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.model import Plan
from pg2dynamo.postgres.rows import copy_rows
from pg2dynamo.postgres.segments import plan_segments
from tests.conftest import Database

ROWS = 300

DDL = """
CREATE TABLE things (
    id int PRIMARY KEY, name text, note text, count int, price numeric, weight float8, small float4, ok boolean,
    raw bytea, at timestamp, zoned timestamptz, day date, span interval, doc jsonb, tags text[], grid int[],
    first text, second text, enabled boolean)
"""
INSERT = """
INSERT INTO things SELECT n, 'name ' || n, CASE WHEN n %% 3 > 0 THEN 'note ' || n END, n * 7, n / 8.0, n / 3.0::float8,
    n / 7.0::float4, n %% 2 = 0, decode(md5(n::text), 'hex'), timestamp '2024-01-01' + n * interval '1 second 7 us',
    timestamptz '2024-01-01 00:00:00+02' + n * interval '1 hour', date '2024-01-01' + n, n * interval '1 mon 1 day 1 s',
    jsonb_build_object('list', jsonb_build_array(n, n + 1, 'x'), 'deep', jsonb_build_object('null', NULL, 'n', n)),
    ARRAY['a' || n, 'b', NULL], ARRAY[[n, 1], [2, 3]], 'first ' || n, 'second ' || n, n %% 2 = 0
FROM generate_series(1, %s) AS n
"""
PLAN = """
name: {name}
source: {{dsn: env:DATABASE_URL}}
target: {{control_table: {name}-control}}
tables:
  - from: things
    to: {name}-things
    key: {{hash: id}}
    attributes:
      enabled: {{sql: "CASE WHEN enabled THEN 'true' ELSE 'false' END", back: "enabled = 'true'"}}
"""


@dataclass
class Migration:
    """A plan, its two sides, and what a test needs to plant differences."""

    plan: Plan
    environ: Mapping[str, str]
    database: Database
    directory: Path
    mapping: TableMapping = field(init=False)

    def __post_init__(self) -> None:
        with open_source(self.plan, self.environ) as connection:
            [self.mapping] = compile_plan(connection, self.plan)
        self.settings = target_settings(self.plan, self.environ)
        self.client = dynamodb_client(self.settings)

    @property
    def journal(self) -> Journal:
        return Journal(self.client, self.plan.target.control_table, self.plan.name)

    @property
    def table(self) -> str:
        return self.mapping.target

    def create_table(self) -> None:
        create_table(self.client, self.table, table_shape(self.mapping))
        wait_until_active(self.client, self.table)

    def fill(self) -> None:
        """Write every row as an item, as copying does."""
        refused: list[bytes] = []
        encoder = Encoder(self.mapping)
        with (
            open_source(self.plan, self.environ) as connection,
            BatchWriter(self.settings, self.table, on_refused=lambda key, _: refused.append(key)) as writer,
        ):
            for segment in plan_segments(connection, self.mapping.source):
                for lines in copy_rows(connection, self.mapping, segment):
                    for line in lines:
                        encoded = encoder.encode(line)
                        writer.put(encoded.key, encoded.item)
        assert not refused

    def sql(self, statement: str, *parameters: Any) -> None:
        with self.database.connect() as connection:
            connection.execute(statement.encode(), parameters or None)

    def item(self, number: int) -> dict[str, Any]:
        return dict(self.client.get_item(TableName=self.table, Key=key(number), ConsistentRead=True)["Item"])

    def put(self, item: dict[str, Any]) -> None:
        self.client.put_item(TableName=self.table, Item=item)

    def change(self, number: int, **values: Any) -> None:
        """Give attributes of an item other values; None removes one."""
        item = self.item(number) | values
        self.put({name: value for name, value in item.items() if value is not None})

    def delete(self, number: int) -> None:
        self.client.delete_item(TableName=self.table, Key=key(number))

    def verify(self, **options: Any) -> VerifyReport:
        whole: dict[str, Any] = {"processes": 0, "report": self.report} | options
        return verify(self.plan, self.environ, **whole)

    @property
    def report(self) -> Path:
        return self.directory / "report.jsonl"

    def repair(self, **options: Any) -> RepairReport:
        whole: dict[str, Any] = {"report": self.report} | options
        return repair(self.plan, self.environ, **whole)

    def lines(self) -> list[dict[str, Any]]:
        """The report's lines by key."""
        lines = [orjson.loads(line) for line in self.report.read_bytes().splitlines()]
        return sorted(lines, key=lambda line: int(line["key"]["id"]))

    def found(self) -> dict[int, tuple[str, list[str]]]:
        """Kind and attributes of each difference, by id."""
        return {int(line["key"]["id"]): (line["kind"], line["attributes"]) for line in self.lines()}


def key(number: int) -> dict[str, Any]:
    return {"id": {"N": str(number)}}


def begin(database: Database, environ: dict[str, str], name: str, directory: Path, rows: int = ROWS) -> Migration:
    """Create table and target, and fill both alike."""
    with database.connect() as connection:
        connection.execute(DDL)
        connection.execute(INSERT, (rows,))
    whole = {**environ, "DATABASE_URL": database.dsn}
    migration = Migration(parse_plan(PLAN.format(name=name), whole), whole, database, directory)
    migration.create_table()
    migration.fill()
    return migration
