"""The reference of a plan's keys, generated from the model as a page of Markdown.

`python -m pg2dynamo.plan.reference > docs/reference/plan.md` writes it anew.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pg2dynamo.plan.json_schema import model_schema

_HEAD = """\
# Plan: every key

Generated from the model that plans are checked by: `python -m pg2dynamo.plan.reference > docs/reference/plan.md`.
What the keys do together, with examples, is in [the plan](../plan.md).
"""

_WORDS = {"string": "text", "boolean": "true or false", "integer": "whole number", "number": "number"}

Schema = Mapping[str, Any]


def reference_page() -> str:
    """Return the page: a section for each mapping of a plan, in the order of the model."""
    root = model_schema()
    models: Mapping[str, Schema] = root["$defs"]
    places = _places(root, models)
    sections = [_section("", root, places)]
    sections += [_section(path, models[name], places) for name, path in places.items()]
    return "\n".join([_HEAD, *sections])


def _places(root: Schema, models: Mapping[str, Schema]) -> dict[str, str]:
    """Return where each model stands first, as a path of keys, in the order of the plan."""
    places: dict[str, str] = {}

    def walk(path: str, model: Schema) -> None:
        found = [
            (f"{path}.{key}".lstrip(".") + suffix, name)
            for key, field in model["properties"].items()
            for name, suffix in _models_in(field)
            if name not in places
        ]
        for place, name in found:
            if name not in places:
                places[name] = place
                walk(place, models[name])

    walk("", root)
    return places


def _models_in(field: Any, suffix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the models that a field holds, with what its path is longer by."""
    if "$ref" in field:
        yield field["$ref"].rpartition("/")[2], suffix
    for inner in field.get("anyOf", ()):
        yield from _models_in(inner, suffix)
    if "items" in field:
        yield from _models_in(field["items"], f"{suffix}[]")
    if isinstance(field.get("additionalProperties"), dict):
        yield from _models_in(field["additionalProperties"], f"{suffix}.NAME")


def _section(path: str, model: Schema, places: Mapping[str, str]) -> str:
    required = model.get("required", ())
    lines = [f"## `{path}`" if path else "## The plan", "", *_about(model), ""]
    lines += ["| key | form | default | what it says |", "|---|---|---|---|"]
    for key, field in sorted(model["properties"].items(), key=lambda each: each[0] not in required):
        default = "required" if key in required else _default(field)
        lines.append(f"| `{key}` | {_form(field, places)} | {default} | {_escaped(field.get('description', ''))} |")
    return "\n".join([*lines, ""])


def _about(model: Schema) -> list[str]:
    """Return the model's docstring, a paragraph a line."""
    return [" ".join(text.split()) for text in re.split(r"(\n\n)", model["description"])]


def _form(field: Any, places: Mapping[str, str]) -> str:
    if "$ref" in field:
        path = places[field["$ref"].rpartition("/")[2]]
        return f"[`{path}`](#{_anchor(path)})"
    if "anyOf" in field:
        return _either([_form(each, places) for each in field["anyOf"] if each != {"type": "null"}])
    if "enum" in field:
        return ", ".join(f"`{word}`" for word in field["enum"] if word is not None)
    kinds = [kind for kind in _kinds(field) if kind != "null"]
    return _either([_of_kind(kind, field, places) for kind in kinds])


def _either(forms: list[str]) -> str:
    return ", or ".join(forms)


def _of_kind(kind: str, field: Any, places: Mapping[str, str]) -> str:
    if kind == "array":
        return f"list of {_form(field['items'], places)}{', not empty' if field.get('minItems') else ''}"
    if kind == "object":
        more = ", not empty" if field.get("minProperties") else ""
        return f"mapping of names to {_form(field['additionalProperties'], places)}{more}"
    if "minimum" in field:
        return f"{_WORDS[kind]}, {field['minimum']:,.9g} to {field['maximum']:,.9g}"
    return _WORDS[kind]


def _kinds(field: Any) -> list[str]:
    return [field["type"]] if isinstance(field["type"], str) else list(field["type"])


def _default(field: Any) -> str:
    default = field.get("default")
    return "" if default in (None, "", [], {}) else f"`{json.dumps(default).strip(chr(34))}`"


def _escaped(text: str) -> str:
    return text.replace("|", r"\|")


def _anchor(path: str) -> str:
    """Return the anchor that GitHub gives the heading."""
    return re.sub(r"[^\w -]", "", path.lower()).replace(" ", "-")


if __name__ == "__main__":
    sys.stdout.write(reference_page())
