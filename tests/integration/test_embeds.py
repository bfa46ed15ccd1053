"""Rows of other tables inside an item: copied, verified, changed, mended, on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pg2dynamo.errors import PlanError, SourceChanged
from pg2dynamo.local.postgres import PostgresServer
from pg2dynamo.mapping.digest import digest_row
from pg2dynamo.migration.source import compile_plan
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.model import Plan
from tests.conftest import Database, _fresh_database
from tests.integration.embeds import DDL, FILL, PLAN
from tests.integration.moved import HEAD, Moved, ready
from tests.integration.reading import run, selected_rows, session

CUSTOMERS, NODES = 0, 1


@pytest.fixture
def shop(database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Moved:
    """The tables, on each server."""
    return ready(database, any_aws_environ, unique, tmp_path, DDL + FILL, PLAN)


@pytest.fixture
def served(any_database: Database, aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Moved:
    """The tables, on each DynamoDB."""
    return ready(any_database, aws_environ, unique, tmp_path, DDL + FILL, PLAN)


@pytest.fixture
def local(any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Moved:
    """The tables, on one of each."""
    return ready(any_database, any_aws_environ, unique, tmp_path, DDL + FILL, PLAN)


@pytest.fixture(scope="module")
def shared(any_postgres: PostgresServer) -> Iterator[Database]:
    """One database with the tables, empty, which nothing changes."""
    with contextmanager(_fresh_database)(any_postgres) as database:
        run(database, DDL)
        yield database


def n(number: int) -> dict[str, Any]:
    return {"N": str(number)}


def s(text: str) -> dict[str, Any]:
    return {"S": text}


def rows(*maps: dict[str, Any]) -> dict[str, Any]:
    return {"L": [{"M": entries} for entries in maps]}


def test_rows_of_other_tables_stand_in_the_item_in_their_order(shop: Moved) -> None:
    shop.move()
    customers, nodes = shop.items(CUSTOMERS), shop.items(NODES)
    assert len(customers) == 40
    orders = customers["2"]["orders"]["L"]
    assert [order["M"]["number"]["N"] for order in orders] == ["31", "91", "1", "61"]
    third = {"line no": n(4), "note": s("")}, {"line no": n(3)}, {"line no": n(2), "note": s('tab\t"quote\\')}
    assert orders[2]["M"] == {
        "number": n(1),
        "placed": s("2024-01-18"),
        "total": s("0.25"),
        "late": {"BOOL": True},
        "lines": rows(*reversed(third)),
    }
    assert customers["1"]["profile"] == {
        "M": {
            "photo": {"B": "AP8="}
            if isinstance(customers["1"]["profile"]["M"]["photo"]["B"], str)
            else {"B": b"\0\xff"},
            "settings": {"M": {"n": n(1), "l": {"L": [{"NULL": True}]}}},
            "seen": s("2024-01-01T01:00:00.000000Z"),
        }
    }
    # Many-to-many: a list by way of the table between, with one map in each entry.
    labels = rows(*({"label_id": n(number), "of": {"M": {"label": s(f"label {number}")}}} for number in (1, 3, 4)))
    # No rows are an empty list, and no map.
    empty = {"L": list[Any]()}
    whole = {"id": n(40), "name": s("customer 40"), "orders": empty, "notes": empty, "labels": labels}
    assert customers["40"] == whole
    # Equal rows of a table without key are all kept.
    notes = customers["2"]["notes"]["L"]
    assert len(notes) == 5
    assert notes.count({"M": {"note": s("note 1"), "stars": n(1)}}) > 1
    assert nodes["4"]["children"] == rows(
        {"id": n(12), "label": s("node 12!"), "children": rows(*(node(36), node(38)))},
        {"id": n(13), "label": s("node 13!"), "children": rows(node(40))},
        {"id": n(14), "label": s("node 14!"), "children": rows(node(42), node(44))},
    )


def node(number: int) -> dict[str, Any]:
    return {"id": n(number), "name": s(f"node {number}")}


def test_a_table_without_key_has_the_same_order_however_it_is_stored(local: Moved) -> None:
    local.execute("INSERT INTO notes VALUES (1, NULL, 3), (1, '', 3), (1, 'é', 3), (1, 'f', 3), (1, 'E', 3)")
    local.move()
    before = local.items(CUSTOMERS)["1"]["notes"]
    local.execute(
        "CREATE TEMP TABLE kept AS SELECT * FROM notes; DELETE FROM notes;"
        " INSERT INTO notes SELECT * FROM kept ORDER BY note DESC NULLS FIRST"
    )
    assert local.verify().equal
    assert local.items(CUSTOMERS)["1"]["notes"] == before


CHANGES = (
    "UPDATE orders SET total = 7 WHERE id = 31",
    "UPDATE orders SET customer_id = 3 WHERE id = 31",
    "UPDATE orders SET placed = '2030-01-01' WHERE id = 91",
    "UPDATE orders SET status = 'void' WHERE id = 1; UPDATE orders SET status = 'new' WHERE id = 11",
    "DELETE FROM orders WHERE id = 61",
    "INSERT INTO orders VALUES (1000, 40, '2024-01-01', 'new', 1.50)",
    """UPDATE "order ""lines" SET note = 'changed' WHERE "order" = 31 AND "line no" = 1""",
    """DELETE FROM "order ""lines" WHERE "order" = 91""",
    "UPDATE products SET name = NULL, tags = '[0:0]={x}' WHERE id = 3",
    "UPDATE labels SET label = 'other' WHERE id = 1",
    "DELETE FROM customer_labels WHERE label_id = 2",
    "DELETE FROM profiles WHERE customer_id = 1; INSERT INTO profiles (customer_id) VALUES (2)",
    "UPDATE nodes SET parent = 5 WHERE id = 12; UPDATE nodes SET name = 'renamed' WHERE id = 1",
    "DELETE FROM customers WHERE id = 4; INSERT INTO customers VALUES (41, 'new')",
)


def test_a_later_copy_follows_rows_that_change_move_come_and_go(served: Moved) -> None:
    served.move()
    before = served.items(CUSTOMERS)
    for change in CHANGES:
        served.execute(change)
    served.move()
    after = served.items(CUSTOMERS)
    assert before.keys() ^ after.keys() == {"4", "41"}
    assert {number for number, item in before.items() if after.get(number) not in (item, None)} > {"1", "2", "3"}
    assert served.items(NODES)["3"]["parent_name"] == s("renamed")


def test_verification_sees_what_changed_in_embedded_rows_and_repair_mends_it(local: Moved) -> None:
    local.copy()
    before = [local.items(number) for number in (CUSTOMERS, NODES)]
    for change in CHANGES:
        local.execute(change)
    assert not local.verify().equal
    found = local.found()
    local.repair()
    assert local.verify().equal
    after = [local.items(number) for number in (CUSTOMERS, NODES)]
    changed = set()
    for name, old, new in zip(("public.customers", "public.nodes"), before, after, strict=True):
        for key in old.keys() & new.keys():
            names = tuple(sorted(n for n in old[key] | new[key] if old[key].get(n) != new[key].get(n)))
            changed |= {(name, "different", (key,), names)} if names else set()
    assert {line for line in found if line[1] == "different"} == changed
    assert len(changed) > 20


def test_every_change_of_an_embedded_row_shows_in_the_rows_that_verification_reads(any_database: Database) -> None:
    run(any_database, DDL + FILL)
    with session(any_database) as connection:
        mappings = compile_plan(connection, plan_of(PLAN))

        def digests() -> list[bytes]:
            rows = [(mapping, row) for mapping in mappings for row in selected_rows(connection, mapping)]
            return [digest_row(zip(mapping.names, row.values, strict=True)) for mapping, row in rows]

        for change in CHANGES:
            before = digests()
            run(any_database, change)
            assert digests() != before, change


def planted(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """Return attributes each of which an item may hold instead of its own, and no row would give."""
    orders = whole["orders"]["L"]
    first = orders[0]["M"]
    line = first["lines"]["L"][0]["M"]
    return [
        {"orders": {"L": orders[1:]}},
        {"orders": {"L": [*orders, orders[0]]}},
        {"orders": {"L": [orders[1], orders[0], *orders[2:]]}},
        {"orders": {"M": {}}},
        {"orders": {"NULL": True}},
        {"orders": {"L": [{"M": first | {"total": n(8)}}, *orders[1:]]}},
        {"orders": {"L": [{"M": first | {"x": s("")}}, *orders[1:]]}},
        {"orders": {"L": [{"M": {k: v for k, v in first.items() if k != "late"}}, *orders[1:]]}},
        {"orders": {"L": [{"M": first | {"lines": {"L": []}}}, *orders[1:]]}},
        {"orders": {"L": [{"M": first | {"lines": rows(line | {"note": s("other")})}}, *orders[1:]]}},
        {"profile": {"M": {"x": s("")}}},
        {"notes": {"L": [{"M": {}}]}},
    ]


def has_lines(item: dict[str, Any]) -> bool:
    orders = item["orders"]["L"]
    return len(orders) > 1 and bool(orders[0]["M"]["lines"]["L"])


def test_every_fault_planted_in_an_embedded_row_is_found_and_mended(local: Moved) -> None:
    local.move()
    whole = local.items(CUSTOMERS)
    expected = set()
    # boto3 would want bytes for the profile's photo, which every other customer has.
    plain = [key for key, item in whole.items() if "profile" not in item and has_lines(item)]
    for key, number in zip(plain, range(12), strict=False):
        change = planted(whole[key])[number]
        local.put(CUSTOMERS, whole[key] | change)
        expected.add(("public.customers", "different", (key,), tuple(change)))
    last = plain[12]
    local.put(CUSTOMERS, {name: value for name, value in whole[last].items() if name != "orders"})
    expected.add(("public.customers", "different", (last,), ("orders",)))
    assert len(expected) == 13
    assert not local.verify().equal
    assert local.found() == expected
    local.repair()
    assert local.verify().equal
    assert local.items(CUSTOMERS) == whole


REFUSALS = """
tables:
  - from: customers
    to: {unique}-customers
    key: {hash: id}
    embed:
      few: {from: orders, on: {customer_id: id}, columns: [id, total, status], at_most: 100}
      single: {from: profiles, on: {customer_id: id}, one: true}
"""
UNFIT = """
ALTER TABLE profiles DROP CONSTRAINT profiles_customer_id_key;
INSERT INTO profiles VALUES (1);
INSERT INTO orders SELECT n, 2 FROM generate_series(1000, 1100) n;
UPDATE orders SET total = 'NaN' WHERE id = 2;
UPDATE orders SET status = repeat('x', 410000) WHERE id = 3;
INSERT INTO orders SELECT n, 5, NULL, repeat('x', 9000) FROM generate_series(2000, 2060) n;
UPDATE orders SET status = string_agg FROM (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 800000) n) b
  WHERE id = 5;
"""


def test_a_row_whose_embedded_rows_fit_no_item_is_kept_back_with_words(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    case = ready(any_database, any_aws_environ, unique, tmp_path, DDL + FILL + UNFIT, REFUSALS)
    report = case.copy()
    assert not report.ok
    large = "an item of more than 409,600 bytes"
    quarantined = case.journal().quarantined("public.customers")
    assert {row.key["id"]: (row.attribute, row.reason) for row in quarantined} == {
        "1": ("single", "several rows of public.profiles belong to it"),
        "2": ("few", "more than 100 rows of public.orders belong to it"),
        "3": ("few", "total: NaN, which DynamoDB has no number for"),
        "4": ("", large),
        "5": ("", large),
        "6": ("few", large),
    }
    assert len(case.items(0)) == 34
    case.verify()
    assert {found[1:3] for found in case.found()} == {("missing", (str(number),)) for number in range(1, 7)}
    case.execute("DELETE FROM orders; DELETE FROM profiles WHERE customer_id = 1")
    case.move()
    assert len(case.items(0)) == 40


@pytest.mark.parametrize("policy", ["skip", "quarantine"])
def test_the_embedding_attribute_may_leave_out_rows_that_fit_no_item(shared: Database, policy: str) -> None:
    tables = REFUSALS + f"    attributes: {{few: {{unfit: {policy}}}}}\n"
    with session(shared) as connection:
        [mapping] = compile_plan(connection, plan_of(tables))
    assert next(a.unfit for a in mapping.attributes if a.name == "few") == policy


def plan_of(tables: str) -> Plan:
    return parse_plan(HEAD.format(unique="x") + tables.replace("{unique}", "x"), {"DATABASE_URL": "postgresql://"})


REFUSED: tuple[tuple[str, str, str], ...] = (
    ("from: profiles", "from: nobody", "no table public.nobody"),
    ("on: {order: id}", "on: {ordre: id}", '`on` names ordre, which public.order "lines does not have'),
    ("on: {order: id}", "on: {order: number}", "`on` names number, which public.orders does not have"),
    ("on: {order: id}", "on: {note: id}", "does not accept the SQL of orders .*operator does not exist"),
    ("order_by: [placed]", "order_by: [place]", "`order_by` names place"),
    ("<> 'void'", "!!", "does not accept the SQL of where"),
    ("orders.status <> 'void'", "orders.id", "must be true or false"),
    ("leave_out: [order, product é]", "leave_out: [ordre]", "`leave_out` names ordre"),
    ("total: {as: text}", 'lines: {sql: "1"}', "not possible inside an embed|cannot be that"),
    ("total: {as: text}", 'total: {template: "{id}"}', "template.* not possible inside an embed"),
    ("total: {as: text}", "total: {unfit: text}", "`unfit: text` is not possible inside an embed"),
    ("total: {as: text}", "total: {unfit: skip}", "`unfit: skip` is not possible inside an embed"),
    ("total: {as: text}", "total: {nulls: null}", "`nulls: null` is not possible inside an embed"),
    ("total: {as: text}", 'total: {sql: "1", back: "2"}', "`back` is not possible inside an embed"),
    ("total: {as: text}", "lines: {unfit: skip}", "not possible inside an embed"),
    ("late: {sql: \"orders.placed > date '2024-01-10'\"}", 'late: {sql: "customers.name"}', "SQL of late"),
    ("rename: {id: number}", "rename: {id: placed}", "two attributes would have the name placed"),
    ("rename: {id: number}", "rename: {id: ''}", "an empty attribute name"),
    ("to: {unique}-customers", "to: {unique}-customers\n    attributes: {orders: {unfit: text}}", "cannot be that"),
    ("to: {unique}-customers", "to: {unique}-customers\n    attributes: {orders: {nulls: null}}", "cannot be that"),
    ("to: {unique}-customers", "to: {unique}-customers\n    attributes: {orders: {sql: '1'}}", "cannot be that"),
    ("to: {unique}-customers", "to: {unique}-customers\n    attributes: {orders: {as: text}}", "neither column"),
    ("{hash: id}", "{hash: orders}", "cannot be a key"),
    ("to: {unique}-customers", 'to: {unique}-customers\n    attributes: {t: {template: "{orders}"}}', "cannot be part"),
)


@pytest.mark.parametrize(("old", "new", "words"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_an_embed_that_does_not_fit_is_refused_with_words(shared: Database, old: str, new: str, words: str) -> None:
    assert old in PLAN
    plan = plan_of(PLAN.replace(old, new, 1))
    with session(shared) as connection, pytest.raises((PlanError, SourceChanged), match=words):
        compile_plan(connection, plan)
