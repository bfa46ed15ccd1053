"""What a migration is estimated to come to, against what it does come to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import onboarding
from onboarding.seed import CredentialKeys, fill
from pg2dynamo.errors import PlanError
from pg2dynamo.mapping.limits import item_bytes, write_units
from pg2dynamo.migration.estimate import EstimateOptions, estimate
from pg2dynamo.migration.progress import Silent
from pg2dynamo.plan.estimate import Amounts, PlanEstimate
from pg2dynamo.plan.load import load_plan, parse_plan
from pg2dynamo.plan.model import Plan
from tests.case import make_case
from tests.conftest import Database
from tests.integration.reading import run

KEYS = CredentialKeys(
    current="Y3VycmVudCBrZXkgb2YgdGhlIHRlc3RzLCAzMiBieXQ=", old="b2xkIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzLi4="
)
PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "estimate.md").read_text()
ONBOARDING = Path(onboarding.__file__).parent / "plan.yaml"
EXACT = EstimateOptions(exact=True, region="us-east-1")
FROM_STATISTICS = EstimateOptions(region="us-east-1")

WIDE = """
CREATE TABLE wide (
  id bigint PRIMARY KEY, at timestamptz, day date, sparse uuid, price numeric(12,2), ratio float8, flag boolean,
  doc jsonb, tags text[], numbers int[], raw bytea, words text, story text, address inet, {texts}
)
"""
FILL_WIDE = """
INSERT INTO wide SELECT n, now() - n * interval '1 minute', current_date - n % 1000,
  CASE WHEN n % 4 = 0 THEN gen_random_uuid() END, (n * 37 % 100000) / 100.0, n / 7.0, n % 2 = 0,
  jsonb_build_object('number', n, 'name', md5(n::text), 'list', jsonb_build_array(n, n + 1, 'some text'),
                     'inner', jsonb_build_object('one', true, 'two', NULL, 'three', 'four')),
  ARRAY['tag ' || n, 'another', 'and a third of them'], ARRAY[n, n * 2, n * 3], decode(md5(n::text), 'hex'),
  repeat('word ', n % 60),
  CASE WHEN n % 10 = 0 THEN (SELECT string_agg(md5((n * g)::text), '') FROM generate_series(1, 200) g) END,
  '10.0.0.1', {values}
FROM generate_series(1, 2000) n
"""


def plan_of(*entries: str) -> Plan:
    text = "name: estimated\ntables:\n" + "\n".join(f"  - {entry}" for entry in entries)
    return parse_plan(text, {})


def wide(database: Database) -> Plan:
    texts = [f"a_column_named_{n} text" for n in range(30)]
    values = [f"CASE WHEN n % {n + 2} > 0 THEN substr(md5(n::text), 1, {n}) END" for n in range(30)]
    run(database, WIDE.format(texts=", ".join(texts)), FILL_WIDE.format(values=", ".join(values)), "ANALYZE wide")
    return plan_of("{from: wide, to: wide, key: {hash: id}, indexes: [{name: by-uuid, hash: sparse}]}")


def environ_of(database: Database) -> dict[str, str]:
    return {"DATABASE_URL": database.dsn}


def both(plan: Plan, database: Database) -> tuple[PlanEstimate, PlanEstimate]:
    environ = environ_of(database)
    return estimate(plan, environ, FROM_STATISTICS), estimate(plan, environ, EXACT)


def require_near(estimated: Amounts, exact: Amounts) -> None:
    """Hold an estimate to within a quarter of what is exact."""
    for name in ("rows", "item_bytes", "write_units", "storage_bytes", "import_bytes", "index_entries"):
        assert getattr(estimated, name) == pytest.approx(getattr(exact, name), rel=0.25), name


def test_the_onboarding_database_is_estimated_within_a_quarter_of_what_it_is(database: Database) -> None:
    fill(database.dsn, KEYS, accounts=100)
    run(database, "ANALYZE")
    estimated, exact = both(load_plan(ONBOARDING, environ_of(database)), database)
    for one, other in zip(estimated.entries, exact.entries, strict=True):
        require_near(one.amounts, other.amounts)
        assert one.trusted
        assert one.notes == ()
    assert estimated.secrets == exact.secrets
    assert estimated.secrets.secrets < estimated.secrets.versions
    assert estimated.secrets_month == pytest.approx(0.40 * estimated.secrets.secrets)


def test_a_wide_table_is_estimated_within_a_quarter_of_what_it_is(database: Database) -> None:
    estimated, exact = both(wide(database), database)
    require_near(estimated.total, exact.total)
    assert (exact.entries[0].largest_item_bytes or 0) > exact.total.average_item_bytes


def test_an_exact_estimate_is_the_sum_of_the_items_that_are_copied(
    any_database: Database, any_aws_environ: dict[str, str], unique: str
) -> None:
    case = make_case(any_database, any_aws_environ, unique)
    run(any_database, f"INSERT INTO people (id, name, balance) VALUES (9999, '{'n' * 5000}', 1)")
    case.copy()
    report = estimate(case.plan, case.environ, EXACT)
    for number, entry in enumerate(report.entries):
        items = list(case.items(number).values())
        indexes = [sum({i.hash, i.range} <= item.keys() for i in case.plan.tables[number].indexes) for item in items]
        sizes = [item_bytes(item) for item in items]
        assert entry.amounts.items == len(items)
        assert entry.amounts.item_bytes == sum(sizes)
        assert entry.amounts.write_units == sum(map(write_units, sizes, indexes))
        assert entry.amounts.storage_bytes == sum((s + 100) * (1 + i) for s, i in zip(sizes, indexes, strict=True))
        assert entry.largest_item_bytes == max(sizes)


def test_an_exact_estimate_needs_no_aws_and_counts_rows_that_cannot_become_items(any_database: Database) -> None:
    run(
        any_database,
        "CREATE TABLE t (id int PRIMARY KEY, v numeric)",
        "INSERT INTO t VALUES (1, 1), (2, 'NaN'), (3, NULL)",
    )
    [entry] = estimate(plan_of("{from: t, to: items, key: {hash: id}}"), environ_of(any_database), EXACT).entries
    assert (entry.amounts.rows, entry.amounts.items, entry.amounts.refused) == (3, 2, 1)
    assert entry.notes[0].startswith("1 rows cannot become items: v: ")


def test_an_exact_estimate_is_of_one_snapshot(any_database: Database) -> None:
    run(any_database, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")

    class WritesMeanwhile(Silent):
        def start(self, phase: str, table: str, rows: int | None) -> None:
            run(any_database, "INSERT INTO t VALUES (2)")

    plan = plan_of("{from: t, to: items, key: {hash: id}}")
    report = estimate(plan, environ_of(any_database), EXACT, progress=WritesMeanwhile())
    assert report.total.rows == 1


def test_a_table_never_analysed_is_no_silent_zero_but_says_what_to_do(any_database: Database) -> None:
    run(
        any_database,
        "CREATE TABLE t (id int PRIMARY KEY, v text) WITH (autovacuum_enabled = false)",
        "INSERT INTO t SELECT n, 'some text' FROM generate_series(1, 1000) n",
    )
    [entry] = estimate(plan_of("{from: t, to: items, key: {hash: id}}"), environ_of(any_database)).entries
    assert not entry.trusted
    assert entry.amounts.items > 500
    assert entry.amounts.item_bytes > 10_000
    assert "ANALYZE" in entry.notes[0]
    assert "--exact" in entry.notes[0]


def test_an_empty_table_is_nothing_and_no_warning(any_database: Database) -> None:
    run(any_database, "CREATE TABLE t (id int PRIMARY KEY, v text)")
    [entry] = estimate(plan_of("{from: t, to: items, key: {hash: id}}"), environ_of(any_database)).entries
    assert (entry.amounts, entry.trusted, entry.notes) == (Amounts(), True, ())


def test_only_the_rows_of_the_plans_filter_count(any_database: Database) -> None:
    run(
        any_database,
        "CREATE TABLE t (id int PRIMARY KEY, kind text)",
        "INSERT INTO t SELECT n, CASE WHEN n % 10 = 0 THEN 'a' ELSE 'b' END FROM generate_series(1, 3000) n",
        "ANALYZE t",
    )
    estimated, exact = both(plan_of("""{from: t, to: items, key: {hash: id}, where: "kind = 'a'"}"""), any_database)
    assert exact.total.items == 300
    require_near(estimated.total, exact.total)


def test_constants_maps_and_nulls_are_counted_as_they_are_written(any_database: Database) -> None:
    run(
        any_database,
        "CREATE TABLE t (id int PRIMARY KEY, street text, city text, note text, until timestamp)",
        "INSERT INTO t SELECT n, 'a street ' || n, 'the city', CASE WHEN n % 2 = 0 THEN 'a note' END, now() "
        "FROM generate_series(1, 1000) n",
        "ANALYZE t",
    )
    plan = plan_of(
        "{from: t, to: items, key: {hash: id}, nulls: null, maps: {address: [street, city]}, "
        "constants: {type: A_TYPE_OF_ITEM}, ttl: {attribute: expires, from: until}}"
    )
    estimated, exact = both(plan, any_database)
    assert estimated.total.item_bytes == pytest.approx(exact.total.item_bytes, rel=0.1)


def test_a_partitioned_table_is_estimated_by_its_leaves(any_database: Database) -> None:
    run(
        any_database,
        "CREATE TABLE t (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1000)",
        "CREATE TABLE t2 PARTITION OF t DEFAULT",
        "INSERT INTO t SELECT n, repeat('x', n % 300) FROM generate_series(1, 3000) n",
        "ANALYZE t1, t2",
    )
    estimated, exact = both(plan_of("{from: t, to: items, key: {hash: id}}"), any_database)
    require_near(estimated.total, exact.total)


@pytest.mark.parametrize("environ", [{}, {"AWS_REGION": "mars-north-1"}], ids=["asked for", "of the environment"])
def test_a_region_without_prices_is_refused_with_the_way_to_give_them(
    any_database: Database, environ: dict[str, str]
) -> None:
    options = EstimateOptions(region=None if environ else "mars-north-1")
    with pytest.raises(PlanError, match=r"no prices of the region mars-north-1; it has us-east-1.*--prices FILE"):
        estimate(parse_plan("name: empty", {}), environ_of(any_database) | environ, options)


def test_the_report_is_plain_json(any_database: Database) -> None:
    run(any_database, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)", "ANALYZE t")
    plan = plan_of("{from: t, to: items, key: {hash: id}}")
    found: dict[str, Any] = estimate(plan, environ_of(any_database), EXACT).as_json()
    assert found["tables"]["public.t"]["write_units"] == found["total"]["write_units"] == 2
    assert found["total"]["cost"]["writes"] == pytest.approx(2 * 0.625 / 1_000_000, abs=1e-6)
    assert (found["region"], found["currency"], found["exact"]) == ("us-east-1", "USD", True)


def test_the_commands_of_the_how_to_go_through_with_its_price_list(any_database: Database, tmp_path: Path) -> None:
    run(any_database, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)", "ANALYZE t")
    (tmp_path / "plan.yaml").write_text("name: m\ntables:\n  - {from: t, to: items, key: {hash: id}}\n")
    [prices] = re.findall(r"```yml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "prices.yaml").write_text(prices)
    commands = re.findall(r"^pg2dynamo (estimate .*)$", PAGE, re.MULTILINE)
    environ = environ_of(any_database) | {"PATH": os.environ["PATH"], "COLUMNS": "200"}
    outputs = [run_command(command.split(), environ, tmp_path) for command in commands]
    assert "from statistics" in outputs[0]
    assert "USD, us-east-1" in outputs[0]
    assert json.loads(outputs[1])["total"]["items"] == 2
    assert "EUR, eu-north-9" in outputs[2]
    assert "0 s at 40,000 write units a second" in outputs[2]


def run_command(arguments: list[str], environ: dict[str, str], folder: Path) -> str:
    """Run pg2dynamo as a user does, and return what it prints."""
    command = [sys.executable, "-m", "pg2dynamo", *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
