"""What the plan says of values that DynamoDB cannot hold: copied, verified, changed, copied again and mended."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pg2dynamo.errors import PlanError
from pg2dynamo.migration.check import check
from pg2dynamo.migration.export import export
from pg2dynamo.migration.import_ import ImportOptions, import_export
from pg2dynamo.migration.status import status
from pg2dynamo.migration.verify_export import verify_export
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


def test_text_stands_for_what_dynamodb_cannot_hold_but_in_keys(each: Make) -> None:
    case = each(DDL, things("text"))
    keys = {"2", "3", "4", "13", "14", "15", "16"}
    for _ in range(2):
        assert counts(case) == NONE | {"items": 10, "quarantined": len(keys)}
        assert missing(case) == keys
    items = case.items(0)
    assert items["5"]["ratio"] == {"S": "-Infinity"}
    assert items["6"]["ratio"] == {"S": "1e-200"}
    assert items["7"]["doc"] == {"S": ' { "a" : 1,  "a": 2 }'}
    assert items["9"]["doc"] == {"S": '"\\ud800"'}
    assert items["11"]["doc"] == {"S": '"just text"'}
    assert (items["11"]["amounts"], items["12"]["amounts"]) == ({"S": "{1,NaN,NULL}"}, {"S": "[0:1]={1,NaN}"})
    assert items["12"]["inner"]["M"]["docs"] == {"S": '{"null",[1]}'}
    assert items["1"]["tree"] == {"S": '"bare"'}
    assert items["1"]["ratio"] == {"N": "0.1"}
    case.put(0, items["6"] | {"ratio": {"S": "1e-201"}})
    case.put(0, items["7"] | {"ratio": {"S": "1"}})
    case.verify()
    different = {(key, names) for _, kind, key, names in case.found() if kind == "different"}
    assert different == {(("6",), ("ratio",)), (("7",), ("ratio",))}


def test_a_row_that_is_left_out_has_no_item_and_no_quarantine(each: Make) -> None:
    case = each(DDL, things("skip"))
    for _ in range(2):
        assert counts(case) == NONE | {"items": 2, "skipped": 15}
        verified = case.verify()
        assert verified.equal, case.found()
        assert (verified.total.compared, verified.total.left_out) == (2, 15)
    assert set(case.items(0)) == {"1", "17"}
    assert not list(case.journal().quarantined())
    case.execute("UPDATE things SET amount = 'NaN' WHERE id = 1; UPDATE things SET amount = 2 WHERE id IN (2, 3)")
    assert counts(case) == NONE | {"items": 3, "skipped": 14}
    assert set(case.items(0)) == {"2", "3", "17"}
    case.execute("DELETE FROM things WHERE id IN (4, 17)")
    assert counts(case) == NONE | {"items": 2, "skipped": 13}
    case.execute("UPDATE things SET fine = 2 WHERE id = 5")
    assert counts(case) == NONE | {"items": 2, "skipped": 13}
    assert case.verify().equal, case.found()


def test_an_item_of_a_row_that_is_left_out_is_extra_and_repair_deletes_it(made: Make) -> None:
    case = made(DDL, things("skip"))
    case.copy()
    case.put(0, {"id": {"N": "5"}, "part": {"S": "p"}, "fine": {"N": "1"}})
    case.verify()
    assert case.found() == {("public.things", "extra", ("5",), ())}
    assert case.repair().tables["public.things"].as_json() == dict.fromkeys(
        ("written", "deleted", "quarantined", "accepted"), 0
    ) | {"skipped": 1}
    assert set(case.items(0)) == {"1", "17"}
    assert case.verify().equal


def test_a_plan_that_says_otherwise_is_followed_by_the_next_copy(made: Make) -> None:
    case = made(DDL, things("null"))
    case.copy()
    assert len(case.items(0)) == 17
    for policy, items, skipped, kept, accepted in (
        ("skip", 2, 15, 0, 0),
        ("error", 2, 0, 15, 0),
        ("quarantine", 2, 0, 15, 15),
        ("skip", 2, 15, 0, 0),
        ("null", 17, 0, 0, 0),
    ):
        case = case.planned(things(policy))
        found = counts(case)
        expected = {"items": items, "quarantined": kept, "accepted": accepted, "skipped": skipped}
        assert found == expected | {"nulled": 27 if policy == "null" else 0}
        assert len(case.items(0)) == items
        assert missing(case) == (UNFIT if kept else set())


def test_repair_counts_what_may_stay_in_quarantine(made: Make) -> None:
    case = made(DDL, things("quarantine"))
    case.copy()
    assert not case.verify().equal
    report = case.repair()
    counted = report.tables["public.things"]
    assert (report.ok, counted.quarantined, counted.accepted) == (True, 15, 15)
    case = case.planned(things("error"))
    case.verify()
    assert not case.repair().ok


@pytest.mark.parametrize("policy", ["error", "text", "null", "skip", "quarantine"])
def test_an_export_carries_the_policies_to_the_other_side(made: Make, tmp_path: Path, policy: str) -> None:
    case = made(DDL, things(policy, "null"))
    report = export(case.plan, case.environ, tmp_path / "x", processes=0)
    imported = import_export(case.plan, case.environ, tmp_path / "x", ImportOptions(processes=0))
    assert report.ok is imported.ok is (policy not in ("error", "text"))
    there = imported.tables["public.things"].as_json()
    assert {name: there[name] for name in report.tables["public.things"]} == report.tables["public.things"]
    kept = {"error": UNFIT, "quarantine": UNFIT, "text": {"2", "3", "4", "13", "14", "15", "16"}}.get(policy, set())
    verify_export(case.plan, case.environ, tmp_path / "x", processes=0, report=case.report)
    assert {(kind, key[0]) for _, kind, key, _ in case.found()} == {("missing", key) for key in kept}
    assert missing(case) == kept


def test_attributes_may_differ_in_what_becomes_of_their_values(made: Make) -> None:
    own = "ratio: {unfit: text}\n      doc: {unfit: skip}\n      tree: {unfit: 'null', nulls: 'null'}\n      "
    case = made(DDL, things("quarantine").replace("both: {template", own + "both: {template"))
    assert case.copy().ok
    assert counts(case) == NONE | {"items": 4, "quarantined": 9, "accepted": 9, "skipped": 4}
    assert missing(case) == {"2", "3", "4", "11", "12", "13", "14", "15", "16"}
    assert case.items(0)["5"]["ratio"] == {"S": "-Infinity"}


def test_an_item_that_is_too_large_may_stay_in_quarantine(made: Make) -> None:
    ddl = "CREATE TABLE things (id int PRIMARY KEY, note text, data bytea)"
    fill = """INSERT INTO things VALUES
  (1, repeat('x', 409600), NULL),
  (2, NULL, (SELECT string_agg(md5(n::text), '')::bytea FROM generate_series(1, 70000) n)),
  (3, 'x', NULL)"""
    tables = things("skip").split("    maps")[0]
    case = made(ddl + "; " + fill, tables)
    for policy, accepted in (("skip", 0), ("quarantine", 2)):
        case = case.planned(tables.replace("skip", policy))
        assert counts(case) == NONE | {"items": 1, "quarantined": 2, "accepted": accepted}
        assert missing(case) == {"1", "2"}


def test_a_key_that_is_null_follows_the_policy_of_the_key(made: Make) -> None:
    ddl = "CREATE TABLE things (id int PRIMARY KEY, note text); INSERT INTO things VALUES (1, 'a'), (2, NULL), (3, '')"
    tables = """
tables:
  - from: things
    to: {unique}-things
    key: {hash: key, range: id}
    attributes:
      key: {template: "{note}", unfit: POLICY}
"""
    case = made(ddl, tables.replace("POLICY", "error"))
    for policy, kept in (("error", 2), ("quarantine", 2), ("skip", 0)):
        case = case.planned(tables.replace("POLICY", policy))
        found = counts(case)
        assert (found["items"], found["quarantined"], found["skipped"]) == (1, kept, 2 - kept)
        assert found["accepted"] == (2 if policy == "quarantine" else 0)
        assert case.verify().equal is (policy == "skip")


COUNTED = {
    "amount": 4,
    "ratio": 3,
    "doc": 6,
    "tree": 4,
    "amounts": 3,
    "docs": 2,
    "city": 3,
    "size": 2,
    "raw": 2,
}
HOSTILE = """
INSERT INTO things (id, doc, docs, city) VALUES
  (100, (repeat('[', 3000) || '1e99999999999999999' || repeat(']', 3000))::json,
   ARRAY['"\\u0000\\ud800"'::json], 'x'),
  (101, '{"a\\u0000": 1, "\\ud800": 2}', ARRAY['{"": 1}'::json, NULL], 'x'),
  (102, '{"Q": "", "q": "\\"\\"", "[[{{": "QQ:", "": ""}', ARRAY[]::json[], 'x'),
  (103, '["", {"a": ""}, "{\\"\\":", "\\\\ud800", "1e400 11111111111111111111111111111111111111111"]', NULL, 'x');
"""


def counted(case: Moved) -> tuple[dict[str, int], set[str]]:
    """Check, and return how many rows each attribute is at fault in, and what is said to become of them."""
    found: dict[str, int] = {}
    fates = set()
    for line in check(case.plan, case.environ).lines:
        match = re.fullmatch(r"(\w+) (?:is|holds) .*: (\d+) rows (would .*)", line.message)
        if match:
            found[match[1]] = found.get(match[1], 0) + int(match[2])
            fates.add(match[3])
    return found, fates


def test_check_counts_beforehand_what_the_copy_will_meet(each: Make) -> None:
    case = each(DDL, things("skip", "null"))
    assert counted(case) == (COUNTED, {"would be left out"})
    fates = {
        "error": {"would go to quarantine"},
        "quarantine": {"would go to quarantine, as the plan accepts"},
        "null": {"would have NULL instead"},
        "text": {"would have its text instead", "would go to quarantine"},
    }
    for policy, fate in fates.items():
        case = case.planned(things(policy, "null"))
        assert counted(case) == (COUNTED, fate)


def test_check_fails_on_no_value_and_counts_only_what_does_not_fit(made: Make) -> None:
    case = made(DDL + HOSTILE, things("null"))
    found, _ = counted(case)
    assert found == COUNTED | {"doc": 5 + 3, "tree": 3, "docs": 2 + 2}
    nulled = case.copy().tables["public.things"].nulled
    assert nulled == sum(found.values())


PAGE = Path(__file__).parents[2] / "docs/how-to/values-dynamodb-cannot-hold.md"


def block(language: str) -> str:
    [found] = [part.partition("```")[0] for part in PAGE.read_text().split(f"```{language}\n")[1:]]
    return found


def test_the_page_of_such_values_shows_what_becomes_of_them(made: Make) -> None:
    case = made(block("sql"), "tables:" + block("yaml").partition("tables:")[2].replace("weather", "{unique}"))
    report = case.copy()
    found = report.tables["public.readings"].as_json()
    said = re.search(r"`copy` prints ([a-z0-9, ]+), and ends with exit code 0", PAGE.read_text())
    assert said is not None
    assert report.ok
    assert {name: str(found[name]) for name in ("rows", "items", *NONE)} == dict(
        part.split(" ") for part in said[1].split(", ")
    )
    assert list(case.items(0).values()) == [json.loads(line) for line in block("json").splitlines()]
    case.verify()
    assert {(kind, key[0]) for _, kind, key, _ in case.found()} == {("missing", "2"), ("missing", "5")}


def test_a_column_that_only_a_template_needs_follows_the_policy_of_the_entry(made: Make) -> None:
    ddl = "CREATE TABLE things (id int PRIMARY KEY, ratio float8); INSERT INTO things VALUES (1, 2), (2, 'NaN')"
    tables = """
unfit: POLICY
tables:
  - from: things
    to: {unique}-things
    key: {hash: id}
    leave_out: [ratio]
    attributes:
      label: {template: "R#{ratio}"}
"""
    case = made(ddl, tables.replace("POLICY", "skip"))
    assert counts(case) == NONE | {"items": 1, "skipped": 1}
    assert case.verify().equal
    case = case.planned(tables.replace("POLICY", "'null'"))
    assert counts(case) == NONE | {"items": 2, "nulled": 1}
    assert case.verify().equal
    assert case.items(0)["2"] == {"id": {"N": "2"}}
    refused = case.planned(tables.replace("POLICY", "error").replace('}"}', '}", unfit: text}'))
    with pytest.raises(PlanError, match="`unfit: text` is not possible for label"):
        refused.copy()
