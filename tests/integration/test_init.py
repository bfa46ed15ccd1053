"""An inferred plan loads, compiles against the catalog that it came from, and says what it could not decide."""

from __future__ import annotations

from onboarding.database.schema import create_schema
from pg2dynamo.dynamodb.tables import shape_faults, table_shape
from pg2dynamo.migration.init import infer_plan
from pg2dynamo.migration.source import compile_plan
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.secret import Secret
from tests.conftest import Database
from tests.integration.reading import run, session

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
