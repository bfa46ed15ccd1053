"""What makes the rows of a table distinct, where that is not plain to see."""

from __future__ import annotations

import pytest

from pg2dynamo.mapping.table import TableName
from pg2dynamo.plan.schema import SourceIndex
from pg2dynamo.postgres.catalog import read_tables
from tests.conftest import Database
from tests.integration.reading import run, session

T = TableName("public", "t")
TABLE = (
    "CREATE TABLE public.t (id int NOT NULL, tenant int NOT NULL, part int NOT NULL, n int) PARTITION BY LIST (part)"
)
ONE = "CREATE TABLE public.t1 PARTITION OF public.t FOR VALUES IN (1)"
TWO = "CREATE TABLE public.t2 PARTITION OF public.t FOR VALUES IN (2) PARTITION BY RANGE (tenant)"
TWO_LEAF = "CREATE TABLE public.t2a PARTITION OF public.t2 DEFAULT"
KEYS = ("ALTER TABLE public.t1 ADD PRIMARY KEY (id)", "CREATE UNIQUE INDEX leaf ON public.t2a (id)")
LEAVES = SourceIndex("<leaves>", ("id", "part", "tenant"), unique=True, primary=False)


def indexes(database: Database) -> list[SourceIndex]:
    with session(database) as conn:
        return list(read_tables(conn, [T])[T].indexes)


def test_what_every_leaf_makes_unique_is_so_with_the_partition_columns_of_all_levels(database: Database) -> None:
    run(database, TABLE, ONE, TWO, TWO_LEAF, *KEYS)
    assert indexes(database) == [LEAVES]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.t3 PARTITION OF public.t DEFAULT",
        "DROP INDEX public.leaf; CREATE UNIQUE INDEX ON public.t2a (tenant, n)",
        "DROP INDEX public.leaf; CREATE UNIQUE INDEX ON public.t2a (id) WHERE n > 0",
        "DROP INDEX public.leaf; CREATE UNIQUE INDEX ON public.t2a ((id + 0))",
        "DROP INDEX public.leaf; CREATE INDEX ON public.t2a (id)",
        "ALTER TABLE public.t1 DROP CONSTRAINT t1_pkey; CREATE UNIQUE INDEX ON public.t1 (id);"
        "ALTER TABLE public.t ALTER id DROP NOT NULL; ALTER TABLE public.t1 ALTER id DROP NOT NULL",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.leaf'::regclass",
        "CREATE TABLE public.t3 PARTITION OF public.t FOR VALUES IN (3) PARTITION BY LIST ((id + 1))",
    ],
)
def test_one_leaf_that_does_not_is_enough_to_refuse(database: Database, statement: str) -> None:
    run(database, TABLE, ONE, TWO, TWO_LEAF, *KEYS, statement)
    assert [index for index in indexes(database) if index.name == "<leaves>"] == []


def test_a_foreign_leaf_proves_nothing(any_database: Database) -> None:
    run(any_database, TABLE, ONE, KEYS[0])
    run(any_database, "CREATE FOREIGN DATA WRAPPER nothing", "CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing")
    assert [index.columns for index in indexes(any_database)] == [("id", "part")]
    run(any_database, "CREATE FOREIGN TABLE public.t9 PARTITION OF public.t DEFAULT SERVER nowhere")
    assert indexes(any_database) == []


def test_a_key_of_the_whole_and_a_table_without_leaves_need_none(database: Database) -> None:
    run(database, TABLE)
    assert indexes(database) == []
    run(database, ONE, "ALTER TABLE public.t ADD PRIMARY KEY (id, part)")
    assert [(index.name, index.primary) for index in indexes(database)] == [("t_pkey", True)]


def test_a_constraint_that_is_looked_at_late_is_told(database: Database) -> None:
    run(database, "CREATE TABLE public.t (a int UNIQUE, b int UNIQUE DEFERRABLE, c int UNIQUE INITIALLY DEFERRED)")
    assert {index.columns: index.deferrable for index in indexes(database)} == {
        ("a",): False,
        ("b",): True,
        ("c",): True,
    }


def test_not_null_that_was_not_validated_is_none(any_database: Database) -> None:
    run(
        any_database,
        "CREATE TABLE public.t (a int, b int NOT NULL)",
        "ALTER TABLE public.t ADD CONSTRAINT a_is_there NOT NULL a NOT VALID",
    )
    with session(any_database) as conn:
        columns = read_tables(conn, [T])[T].columns
        assert [(column.name, column.not_null) for column in columns] == [("a", False), ("b", True)]
        run(any_database, "ALTER TABLE public.t VALIDATE CONSTRAINT a_is_there")
        assert all(column.not_null for column in read_tables(conn, [T])[T].columns)
