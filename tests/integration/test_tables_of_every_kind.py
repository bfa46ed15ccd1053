"""Views, materialized views, foreign, unlogged, partitioned and inherited tables: copied, verified, copied again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from pg2dynamo.errors import SourceChanged, SourceUnsupported
from pg2dynamo.mapping.table import TableName
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.migration.export import export
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.verify import verify
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.model import Plan
from pg2dynamo.postgres.identity import require_identity
from pg2dynamo.postgres.segments import Segment, plan_segments
from pg2dynamo.postgres.snapshot import adopt_snapshot, hold_snapshot
from pg2dynamo.postgres.storage import unmoved
from pg2dynamo.secret import Secret
from tests.conftest import Database
from tests.integration.reading import run, session

BASE = "CREATE TABLE public.base (id int PRIMARY KEY, t text)"
ROWS = "INSERT INTO public.base SELECT n, 'row ' || n FROM generate_series(1, 300) n"
S = TableName("public", "s")
FOREIGN = """
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE public.{name} {columns} SERVER files OPTIONS (program 'printf "{rows}"')
"""
PARTITIONED = """
CREATE TABLE public.s (id int, part int, t text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE public.s1 PARTITION OF public.s FOR VALUES IN (1) PARTITION BY HASH (id);
CREATE TABLE public.s1a PARTITION OF public.s1 FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY RANGE (id);
CREATE TABLE public.s1a1 PARTITION OF public.s1a FOR VALUES FROM (MINVALUE) TO (100);
CREATE TABLE public.s1a2 PARTITION OF public.s1a DEFAULT;
CREATE TABLE public.s1b PARTITION OF public.s1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE public.s2 PARTITION OF public.s FOR VALUES IN (2);
CREATE TABLE public.s3 PARTITION OF public.s FOR VALUES IN (3) PARTITION BY LIST (id);
INSERT INTO public.s SELECT n, n % 2 + 1, 'row ' || n FROM generate_series(1, 300) n
"""
KINDS = {
    "view": "CREATE VIEW public.s AS SELECT id, upper(t) AS t FROM public.base",
    "materialized view": "CREATE MATERIALIZED VIEW public.s AS SELECT id, upper(t) AS t FROM public.base",
    "unlogged table": "CREATE UNLOGGED TABLE public.s (id int PRIMARY KEY, t text); INSERT INTO s SELECT * FROM base",
    "inherited table": "CREATE TABLE public.s (id int PRIMARY KEY, t text); INSERT INTO s SELECT * FROM base;"
    "CREATE TABLE public.child () INHERITS (public.s); INSERT INTO child VALUES (1, 'another'), (999, 'another')",
    "partitioned": PARTITIONED,
}

PLAN = """
name: {unique}
source: {{dsn: env:DATABASE_URL}}
target: {{control_table: {unique}-control, request_timeout_seconds: 1}}
tables: [{{from: public.s, to: {unique}-s, key: {{hash: id}}, identity: [id]}}]
"""


class Migration:
    """The migration of public.s into one table."""

    def __init__(
        self, database: Database, environ: dict[str, str], unique: str, directory: Path, **changes: Any
    ) -> None:
        self.environ = environ | {"DATABASE_URL": database.dsn}
        text = PLAN.format(unique=unique)
        for old, new in changes.items():
            text = text.replace(old, new)
        self.plan: Plan = parse_plan(text, self.environ)
        self.report = directory / "report.jsonl"
        prepare(self.plan, self.environ)

    def copy(self) -> tuple[int, int, int]:
        """Return rows, written and deleted items."""
        [counts] = copy(self.plan, self.environ, CopyOptions(processes=0, blocks_per_segment=1)).tables.values()
        return counts.rows, counts.written, counts.deleted

    def equal(self) -> bool:
        return verify(self.plan, self.environ, processes=0, report=self.report).equal


@pytest.mark.parametrize("kind", KINDS)
def test_its_rows_are_copied_and_verified(
    database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path, kind: str
) -> None:
    run(database, BASE, ROWS, f"SET search_path = public; {KINDS[kind]}")
    migration = Migration(
        database,
        any_aws_environ,
        unique,
        tmp_path,
        **({"[id]": "[id, part]", "{hash: id}": "{hash: id, range: part}"} if kind == "partitioned" else {}),
    )
    assert migration.copy() == (300, 300, 0)
    assert migration.equal()
    again = migration.copy()
    assert again == (300, 300 if kind == "view" else 0, 0)
    assert migration.equal()


@pytest.mark.parametrize("kind", ["view", "materialized view"])
def test_a_later_run_follows_every_change_of_a_view(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path, kind: str
) -> None:
    run(any_database, BASE, ROWS, f"SET search_path = public; {KINDS[kind]}")
    migration = Migration(any_database, any_aws_environ, unique, tmp_path)
    migration.copy()
    run(any_database, "DELETE FROM public.base WHERE id <= 3", "UPDATE public.base SET t = 'new' WHERE id = 9")
    if kind == "materialized view":
        assert migration.copy() == (300, 0, 0)
        run(any_database, "REFRESH MATERIALIZED VIEW public.s")
    assert migration.copy() == (297, 297, 3)
    assert migration.equal()


def test_a_foreign_table_and_a_foreign_leaf_are_read_whole(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    rows = "1\\t1\\ta\\n2\\t1\\tb\\n"
    columns = "PARTITION OF public.s FOR VALUES IN (1)"
    run(any_database, "CREATE TABLE public.s (id int, part int, t text) PARTITION BY LIST (part)")
    run(any_database, FOREIGN.format(name="s1", columns=columns, rows=rows))
    run(
        any_database,
        "CREATE TABLE public.s2 PARTITION OF public.s FOR VALUES IN (2)",
        "INSERT INTO public.s VALUES (3, 2, 'c')",
    )
    migration = Migration(any_database, any_aws_environ, unique, tmp_path, s="s", **{"public.s,": "public.s1,"})
    assert migration.copy() == (2, 2, 0)
    assert migration.equal()
    assert migration.copy() == (2, 2, 0)
    with hold_snapshot(Secret(any_database.dsn), [S]), session(any_database) as conn:
        assert [(s.leaf.name, s.whole) for s in plan_segments(conn, S)] == [("s1", True), ("s2", False)]


def test_a_partitioned_table_without_partitions_is_empty(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    run(any_database, "CREATE TABLE public.s (id int PRIMARY KEY, t text) PARTITION BY RANGE (id)")
    migration = Migration(any_database, any_aws_environ, unique, tmp_path)
    assert migration.copy() == (0, 0, 0)
    assert migration.equal()


@pytest.mark.parametrize("planned", [False, True])
def test_a_materialized_view_refreshed_since_the_snapshot_is_not_read(any_database: Database, planned: bool) -> None:
    run(any_database, BASE, ROWS, KINDS["materialized view"])
    with (
        hold_snapshot(Secret(any_database.dsn), [S]) as owner,
        session(any_database) as conn,
        adopt_snapshot(conn, owner.position.name),
    ):
        segments = plan_segments(conn, S) if planned else []
        run(any_database, "REFRESH MATERIALIZED VIEW public.s")
        with pytest.raises(SourceChanged, match=r"refreshed since the snapshot|REFRESH MATERIALIZED VIEW"):
            _read(conn, segments[0]) if planned else plan_segments(conn, S)


def _read(conn: psycopg.Connection, segment: Segment) -> None:
    with unmoved(conn, segment):
        pass


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("(1, 'a'), (2, 'b'), (NULL, 'c'), (NULL, 'd')", r"\(id\) is NULL in 2 rows"),
        ("(1, 'a'), (2, 'b'), (2, 'c'), (3, 'd'), (3, 'e')", r"\(id\) is not unique: 4 rows share it"),
    ],
)
def test_an_identity_that_does_not_tell_rows_apart_is_refused_before_anything_is_written(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path, rows: str, message: str
) -> None:
    run(any_database, f"CREATE VIEW public.s AS SELECT * FROM (VALUES {rows}) AS r(id, t)")
    migration = Migration(any_database, any_aws_environ, unique, tmp_path)
    with pytest.raises(SourceUnsupported, match=message):
        migration.copy()
    with pytest.raises(SourceUnsupported, match=message):
        export(migration.plan, migration.environ, tmp_path / "export", processes=0)
    with session(any_database) as conn:
        require_identity(conn, S, ["id"], "id = 1 -- only")
        run(any_database, "CREATE VIEW public.j AS SELECT '{}'::json AS j")
        with pytest.raises(SourceUnsupported, match="without equality"):
            require_identity(conn, TableName("public", "j"), ["j"])
