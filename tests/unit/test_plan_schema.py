"""The JSON Schema of plans: the one that is published, and what editors are told by it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from pg2dynamo.errors import PlanError
from pg2dynamo.plan.json_schema import editor_schema, schema_text
from pg2dynamo.plan.load import parse_plan, read_values

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "plan.schema.json"
SCHEMA = Draft202012Validator(editor_schema())

PLAN = """\
name: x
tables:
  - from: a
    to: b
    key: {hash: id}
"""

EVERY_KEY = """\
name: ${NAME:-x}
source: {dsn: env:DATABASE_URL}
target:
  {region: null, control_table: c, point_in_time_recovery: false, request_timeout_seconds: 2.5, import: {bucket: moves}}
unfit: null
nulls: ${NULLS:-null}
tables:
  - from: a
    name: n
    to: b
    key: {hash: pk, range: sk}
    identity: [id]
    where: id > 0
    indexes: [{name: i, hash: pk, range: day, local: true}]
    leave_out: [x]
    rename: {c: d}
    constants: {type: ORDER, version: 3, live: true}
    attributes:
      pk: {template: "A#{id}"}
      sk: {sql: "1::text", back: "1"}
      price: {as: text}
      ratio: {unfit: null, nulls: null}
    maps: {address: [street], other: {a: b}}
    lookups: [{from: o, on: {id: o_id}, attributes: {o_name: name}}]
    embed:
      lines: {from: l, on: {a: id}, order_by: [n], at_most: 5, embed: {m: {from: m, on: {l: id}, one: true}}}
    ttl: {attribute: expires, from: expires_at}
    unfit: skip
    schema: 0123456789ab
secrets:
  - from: s
    name: p/{id}
    ciphertext: data
    decrypt: {format: fernet, keys: [env:KEY]}
    newest_by: at
    fields: [id]
    plaintext: credentials
    kms_key: alias/k
"""


def faults(text: str) -> list[str]:
    return [error.message for error in SCHEMA.iter_errors(read_values(text))]


def documented() -> list[Any]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = [
        (page.relative_to(ROOT), re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.M | re.S)) for page in pages
    ]
    return [pytest.param(block, id=f"{page}-{n}") for page, blocks in found for n, block in enumerate(blocks, 1)]


def test_the_published_schema_is_the_one_that_the_model_gives() -> None:
    write_anew = f"pg2dynamo plan --schema > {PUBLISHED.relative_to(ROOT)}"
    assert PUBLISHED.read_text() == schema_text(), f"the model has changed; run: {write_anew}"


def test_the_schema_is_one_of_draft_2020_12() -> None:
    Draft202012Validator.check_schema(editor_schema())
    assert editor_schema()["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_every_key_has_a_description() -> None:
    models = [editor_schema(), *editor_schema()["$defs"].values()]
    assert [key for m in models for key, field in m["properties"].items() if not field.get("description")] == []


def test_no_mapping_takes_unknown_keys() -> None:
    models = [editor_schema(), *editor_schema()["$defs"].values()]
    assert all(model["additionalProperties"] is False for model in models)


def test_the_plan_of_the_example_meets_the_schema() -> None:
    assert faults((ROOT / "src" / "onboarding" / "plan.yaml").read_text()) == []


@pytest.mark.parametrize("text", documented())
def test_plans_in_the_documentation_meet_the_schema(text: str) -> None:
    assert faults(text) == []


def test_a_plan_of_every_key_meets_schema_and_model() -> None:
    assert faults(EVERY_KEY) == []
    parse_plan(EVERY_KEY, {})


@pytest.mark.parametrize(
    "text",
    [
        PLAN + "nmae: y\n",
        PLAN.replace("hash", "hsah"),
        PLAN + "target: {import: {bucket: Not-A-Bucket}}\n",
        PLAN + "target: {import: {bucket: moves, prefix: ends/}}\n",
        PLAN + "    attributes: {x: {sqk: y}}\n",
        PLAN + "    embed: {x: {from: y, on: {a: b}, order: [c]}}\n",
        PLAN + "    embed: {x: {from: y, on: {a: b}, embed: {z: {from: y, on: {a: b}, ones: true}}}}\n",
        PLAN + "    unfit: ignore\n",
        PLAN + "    nulls: skip\n",
        PLAN + "    attributes: {x: {as: json}}\n",
        PLAN + "    where: 2024-01-01\n",
        PLAN + "    columns: id\n",
        PLAN + "    columns: []\n",
        PLAN + "    identity: [1]\n",
        PLAN + "    constants: {a: 1.5}\n",
        PLAN + "    constants: {a: null}\n",
        PLAN + "    maps: {a: b}\n",
        PLAN + "    lookups: [{from: o, on: {}, attributes: {a: b}}]\n",
        PLAN + "    embed: {x: {from: y, on: {a: b}, at_most: many}}\n",
        PLAN + "    embed: {x: {from: y, on: {a: b}, at_most: 0}}\n",
        PLAN + "    schema: 12\n",
        PLAN.replace("name: x", "name: x y"),
        PLAN.replace("name: x", "name: 5"),
        PLAN.replace("    key: {hash: id}\n", ""),
        PLAN + "target: {request_timeout_seconds: 90}\n",
        PLAN + "target: {deletion_protection: perhaps}\n",
        "tables: []\n",
    ],
)
def test_the_schema_refuses_what_the_model_refuses(text: str) -> None:
    with pytest.raises(PlanError):
        parse_plan(text, {})
    assert faults(text) != []


@pytest.mark.parametrize("where", ["name: ${A}", "unfit: ${A}", "nulls: p${A:-b}"])
def test_a_variable_may_stand_where_text_has_a_form(where: str) -> None:
    assert faults("name: x\n" * (not where.startswith("name")) + where + "\n") == []


def test_words_that_yaml_has_for_itself_may_stand_without_quotes() -> None:
    assert yaml.safe_load("unfit: null") == {"unfit": None}
    assert faults("name: x\nunfit: null\nnulls: null\n") == faults("name: x\nunfit: 'null'\nnulls: 'null'\n") == []
