"""What the plan says of values that DynamoDB cannot hold: copied, verified, changed, copied again and mended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pg2dynamo.migration.status import status
from tests.conftest import Database
from tests.integration.moved import Moved, ready

DDL = """
CREATE TABLE things (
  id int PRIMARY KEY, amount numeric, ratio float8, doc json, tree jsonb, amounts numeric[], docs json[], city text,
  size float4, raw bytea, part text NOT NULL DEFAULT 'p', fine int NOT NULL DEFAULT 1
);
INSERT INTO things (id, amount, ratio, doc, tree, amounts, docs, city, size, raw) VALUES
  (1, 1.50, 0.1, '{"a": 1.0}', '"bare"', '{1,2}', '{"1"}', 'Rome', 0.5, '\\x01'),
  (2, 'NaN', 1, '1', '1', NULL, NULL, 'Rome', 1, NULL),
  (3, 1e126, 1, '1', '1', NULL, NULL, 'Rome', 1, NULL),
  (4, 1.00000000000000000000000000000000000001, 1, '1', '1', NULL, NULL, 'Rome', 1, NULL),
  (5, 1, '-Infinity', '1', '1', NULL, NULL, 'Rome', 1, NULL),
  (6, 1, 1e-200, '1', '1', NULL, NULL, 'Rome', 1, NULL),
  (7, 1, 1, ' { "a" : 1,  "a": 2 }', '1', NULL, NULL, 'Rome', 1, NULL),
  (8, 1, 1, '{"": 1}', '{"": 1}', NULL, NULL, 'Rome', 1, NULL),
  (9, 1, 1, '"\\ud800"', '1', NULL, NULL, 'Rome', 1, NULL),
  (10, 1, 1, (repeat('[', 40) || repeat(']', 40))::json, '[1e200]', NULL, NULL, 'Rome', 1, NULL),
  (11, 1, 1, '"just text"', 'null', '{1,NaN,NULL}', NULL, 'Rome', 1, NULL),
  (12, 1, 1, 'null', '1', '[0:1]={1,NaN}', ARRAY['null'::json, '[1]'], 'Rome', 1, NULL),
  (13, 1, 1, '1', '1', NULL, NULL, '', 1, NULL),
  (14, 1, 1, '1', '1', NULL, NULL, repeat('x', 2049), 1, NULL),
  (15, 1, 1, '1', '1', NULL, NULL, 'Rome', 'NaN', '\\x'),
  (16, 'NaN', 'NaN', '[1e200]', '[1e200]', '{NaN}', ARRAY['1e200'::json], '', 'NaN', '\\x'),
  (17, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"""
UNFIT_ROWS = 15
PLAN = """
unfit: {policy}
nulls: {nulls}
tables:
  - from: things
    to: {unique}-things
    key: {{hash: id}}
    maps: {{inner: [size, docs]}}
    indexes:
      - {{name: by-city, hash: city, range: amount}}
      - {{name: by-raw, hash: raw}}
      - {{name: by-both, hash: both}}
    attributes:
      both: {{template: "{{city}}#{{amount}}"}}
"""

KINDS: tuple[tuple[str, str, str, str], ...] = (
    ("amount", "numeric", "'NaN'", "NaN"),
    ("amount", "numeric", "1e126", "1" + "0" * 126),
    ("ratio", "float8", "'Infinity'", "Infinity"),
    ("doc", "json", """' {"a":1, "a":2}'""", ' {"a":1, "a":2}'),
    ("doc", "json", """'"\\ud800"'""", '"\\ud800"'),
    ("tree", "jsonb", "'[1e200]'", "[1" + "0" * 200 + "]"),
    ("amounts", "numeric[]", "'[0:1]={1,NaN}'", "[0:1]={1,NaN}"),
    ("docs", "json[]", "ARRAY['null'::json]", "{NULL}"),
)


def things(policy: str, nulls: str = "absent") -> str:
    """The plan's text, but for the name."""
    return PLAN.replace("{policy}", policy).replace("{nulls}", nulls).replace("{{", "{").replace("}}", "}")


Make = Callable[..., Moved]


@pytest.fixture
def made(any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Make:
    """Make a case of tables and a plan, on one of each server."""

    def make(ddl: str, tables: str) -> Moved:
        return ready(any_database, any_aws_environ, unique, tmp_path, ddl, tables)

    return make


def counts(case: Moved) -> dict[str, int]:
    """Copy, and return the entry's counts but for what this run wrote; they add up."""
    found = case.copy().tables["public.things"].as_json()
    assert found["rows"] == found["items"] + found["quarantined"] + found["skipped"]
    return {name: number for name, number in found.items() if name not in ("rows", "written", "deleted")}


def missing(case: Moved) -> set[str]:
    """Verify, and return the keys that are missing; nothing else is found."""
    case.verify()
    found = case.found()
    assert {kind for _, kind, _, _ in found} <= {"missing"}, found
    return {key[0] for _, _, key, _ in found}


UNFIT = {str(n) for n in range(2, 17)}
NONE: dict[str, int] = {"quarantined": 0, "accepted": 0, "skipped": 0, "nulled": 0}


@pytest.mark.parametrize("policy", ["error", "quarantine"])
def test_what_is_kept_back_is_in_quarantine_and_missing(made: Make, policy: str) -> None:
    case = made(DDL, things(policy))
    assert case.copy().ok is (policy == "quarantine")
    for _ in range(2):
        accepted = len(UNFIT) if policy == "quarantine" else 0
        assert counts(case) == NONE | {"items": 2, "quarantined": 15, "accepted": accepted}
        assert missing(case) == UNFIT
    [table] = status(case.plan, case.environ).tables
    assert (table.quarantined, table.accepted, table.skipped) == (15, accepted, 0)


@pytest.fixture
def each(database: Database, aws_environ: dict[str, str], unique: str, tmp_path: Path) -> Make:
    """Make a case on each server and each DynamoDB."""

    def make(ddl: str, tables: str) -> Moved:
        return ready(database, aws_environ, unique, tmp_path, ddl, tables)

    return make


def test_null_stands_for_what_dynamodb_cannot_hold_and_is_counted(each: Make) -> None:
    case = each(DDL, things("null"))
    for _ in range(2):
        assert counts(case) == NONE | {"items": 17, "nulled": 27}
        assert case.verify().equal, case.found()
    items = case.items(0)
    assert items["2"].keys() == {"id", "ratio", "doc", "tree", "city", "inner", "part", "fine"}
    assert "both" not in items["2"]
    assert items["16"] == {"id": {"N": "16"}, "part": {"S": "p"}, "fine": {"N": "1"}}
    assert items["12"]["doc"] == {"NULL": True}
