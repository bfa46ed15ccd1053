"""An inferred plan loads, compiles against the catalog that it came from, and says what it could not decide."""

from __future__ import annotations

import re
from pathlib import Path

from onboarding.database.schema import create_schema
from pg2dynamo.dynamodb.tables import shape_faults, table_shape
from pg2dynamo.mapping.table import TableName
from pg2dynamo.migration.init import infer_plan
from pg2dynamo.migration.source import compile_plan
from pg2dynamo.plan.load import load_plan, parse_plan
from pg2dynamo.secret import Secret
from tests.conftest import Database
from tests.integration.foreign_schemas import SHOP
from tests.integration.reading import run, session

ONBOARDING_PLAN = Path(__file__).parents[2] / "src/onboarding/plan.yaml"

ODD = (
    'CREATE SCHEMA "Odd: schema"',
    'CREATE TABLE "Odd: schema"."T""1 # {x}" ("null" int, "a: b" boolean NOT NULL, "yes" text)',
    'ALTER TABLE "Odd: schema"."T""1 # {x}" ADD PRIMARY KEY ("null", "yes")',
    'CREATE UNIQUE INDEX ON "Odd: schema"."T""1 # {x}" ("a: b", "yes")',
    "CREATE TABLE public.no_key (id int)",
    "CREATE TABLE public.wide_key (a int, b int, c int, PRIMARY KEY (a, b, c))",
    "CREATE TABLE public.boolean_key (a boolean PRIMARY KEY)",
    "CREATE VIEW public.seen AS SELECT 1 AS id",
    "CREATE TABLE public.parts (id int PRIMARY KEY, d jsonb) PARTITION BY RANGE (id)",
    "CREATE TABLE public.x (id int PRIMARY KEY, api_token text, parent int REFERENCES public.parts)",
)


def test_the_plan_of_the_onboarding_database_fits_it(database: Database) -> None:
    create_schema(database.dsn)
    plan = parse_plan(infer_plan(Secret(database.dsn)), {})
    with session(database) as conn:
        mappings = compile_plan(conn, plan)
    assert {m.name: m.hash for m in mappings} == {
        "public.account_credentials": "credential_id",
        "public.accounts": "account_id",
        "public.providers": "provider_id",
        "public.scan_results": "scan_id",
        "public.schedule_executions": "execution_id",
        "public.schedules": "schedule_id",
        "public.tenants": "tenant_id",
    }
    assert [fault for m in mappings for fault in shape_faults(m.target, table_shape(m))] == []


def test_the_plan_of_the_onboarding_database_is_near_the_one_that_was_written_for_it(any_database: Database) -> None:
    create_schema(any_database.dsn)
    text = infer_plan(Secret(any_database.dsn))
    written = load_plan(ONBOARDING_PLAN, {"CREDENTIAL_KEY": "x"})
    inferred = {table.source: table for table in parse_plan(text, {}).tables}
    assert {t.source for t in written.tables} | {s.source for s in written.secrets} == set(inferred)
    for table in written.tables:
        mine = inferred[table.source]
        if not table.named:
            assert mine.key == table.key
            hashes = {index.hash for index in mine.indexes}
            # What an index only serves queries by, no catalog tells.
            assert {index.hash for index in table.indexes} - {"enabled"} <= hashes
    ranges = {(index.hash, index.range) for index in inferred[TableName("public", "schedule_executions")].indexes}
    assert ranges == {("schedule_id", "started_at"), ("account_id", "started_at")}
    suggestion = "\n".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    [secret] = parse_plan(f"name: x\n{suggestion[suggestion.index('secrets:') :]}", {}).secrets
    [wanted] = written.secrets
    assert (secret.source, secret.ciphertext, secret.newest_by) == (wanted.source, wanted.ciphertext, wanted.newest_by)
    assert secret.name_columns == wanted.name_columns


def test_what_is_suggested_in_comments_works_once_it_is_uncommented(any_database: Database) -> None:
    with any_database.connect() as connection:
        connection.execute(SHOP.encode())
    text = infer_plan(Secret(any_database.dsn))
    embeds = re.sub(r"(?m)^    # (embed:|  .*)$", r"    \1", text)
    views = re.sub(r"(?m)^  # (- from: public\.open_orders(?:\n  #   .*)*)$", lambda m: _without_signs(m[0]), embeds)
    plan = parse_plan(views, {})
    with session(any_database) as conn:
        mappings = {m.name: m for m in compile_plan(conn, plan)}
    assert mappings["public.open_orders"].unproven
    embedded = {m.name: [a.name for a in m.attributes if a.embed] for m in mappings.values()}
    assert {name: found for name, found in embedded.items() if found} == {
        "public.customers": ["addresses"],
        "public.orders": ["order_lines", "payments"],
    }


def _without_signs(comment: str) -> str:
    return "\n".join(line.replace("# ", "", 1) for line in comment.splitlines())


def test_the_plan_of_a_database_of_odd_names_fits_it(database: Database) -> None:
    run(database, *ODD)
    text = infer_plan(Secret(database.dsn))
    plan = parse_plan(text, {})
    with session(database) as conn:
        mappings = compile_plan(conn, plan)
    keys = {m.name: (m.hash, m.range) for m in mappings}
    assert keys == {
        'Odd: schema.T"1 # {x}': ("null", "yes"),
        "public.boolean_key": ("a_key", None),
        "public.parts": ("id", None),
        "public.wide_key": ("a", "b_c"),
        "public.x": ("id", None),
    }
    odd = mappings[0]
    assert (odd.hash, odd.range, odd.key_types) == ("null", "yes", (("a: b", "S"), ("null", "N"), ("yes", "S")))
    assert [fault for m in mappings for fault in shape_faults(m.target, table_shape(m))] == []
    for left_out in ("no_key", "seen"):
        assert f"public.{left_out} is left out" in text


def test_the_plan_holds_no_part_of_the_connection_string(database: Database) -> None:
    text = infer_plan(Secret(database.dsn))
    assert "env:DATABASE_URL" in text
    assert "127.0.0.1" not in text
