"""The JSON Schema of a plan, generated from the model: for editors, and for the reference page.

`python -m pg2dynamo.plan.json_schema` prints it, as `pg2dynamo plan --schema` does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from pg2dynamo.plan.model import Plan

DIALECT = "https://json-schema.org/draft/2020-12/schema"

VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"}
"""Text that a variable of the environment stands in: what it will be is not known before."""

_LIMITED = ("enum", "const", "pattern")


def editor_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) that a plan's YAML must meet, before variables are replaced.

    It refuses unknown keys, wrong types and words that are not known. What it cannot say, as that two keys exclude
    each other, the model refuses.
    """
    return {"$schema": DIALECT, "title": "A plan of pg2dynamo", **_open_to_variables(model_schema())}


@cache
def model_schema() -> dict[str, Any]:
    """Return the JSON Schema of the model itself, without titles and defaults that are null."""
    schema: dict[str, Any] = _tidied(Plan.model_json_schema(by_alias=True))
    return schema


def schema_text() -> str:
    """Return `editor_schema` as the text of a file."""
    return json.dumps(editor_schema(), indent=2, ensure_ascii=False) + "\n"


def _tidied(node: Any, *, named: bool = False) -> Any:
    """Drop titles, null defaults and alternatives that are null; `named` marks a mapping whose keys are names."""
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    if named:
        return {name: _tidied(value) for name, value in node.items()}
    kept = {key: value for key, value in node.items() if key != "title" and (key, value) != ("default", None)}
    result = {key: _tidied(value, named=key in ("properties", "$defs")) for key, value in kept.items()}
    return _one_alternative(result)


def _one_alternative(node: dict[str, Any]) -> dict[str, Any]:
    """Write an optional value as the value with null among its types: shorter, and what is said of it stays."""
    some = [each for each in node.get("anyOf", ()) if each != {"type": "null"}]
    if len(some) != 1 or len(node["anyOf"]) != 2 or not isinstance(some[0].get("type"), str):
        return node
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    value = {**some[0], **rest, "type": [some[0]["type"], "null"]}
    if "const" in value:
        value["enum"] = [value.pop("const")]
    if "enum" in value:
        value["enum"] = [*value["enum"], None]
    return value


def _open_to_variables(node: Any, *, named: bool = False) -> Any:
    if isinstance(node, list):
        return [_open_to_variables(item) for item in node]
    if not isinstance(node, dict):
        return node
    if named:
        return {name: _open_to_variables(value) for name, value in node.items()}
    result = {key: _open_to_variables(value, named=key in ("properties", "$defs")) for key, value in node.items()}
    return _variable_or(result) if _is_limited(result) else result


def _is_limited(node: Mapping[str, Any]) -> bool:
    """Return whether it is a single value that not every text is."""
    types = node.get("type")
    scalar = {types} if isinstance(types, str) else set(types or ())
    if not scalar or scalar & {"object", "array"}:
        return False
    return "string" not in scalar or any(key in node for key in _LIMITED)


def _variable_or(node: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {key: node.pop(key) for key in ("description", "default") if key in node}
    if "enum" in node and "null" in node["enum"] and None not in node["enum"]:
        # The word null needs no quotes in YAML.
        node = {**node, "type": [node["type"], "null"], "enum": [*node["enum"], None]}
    return {**said, "anyOf": [node, VARIABLE]}


if __name__ == "__main__":
    sys.stdout.write(schema_text())
