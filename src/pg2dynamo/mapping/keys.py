"""What the key of an item says of its row: the values to look the row up by, whether the key is a template or not."""

from __future__ import annotations

from collections.abc import Mapping

from pg2dynamo.mapping.table import Attribute, TableMapping
from pg2dynamo.mapping.templates import Template
from pg2dynamo.mapping.values import Value


def lookup_attributes(mapping: TableMapping) -> list[Attribute]:
    """Return what the key is made of, each once: attributes that are read, those in templates included."""
    by_name = {attribute.name: attribute for attribute in mapping.read}
    templates = {derived.name: derived.template for derived in mapping.derived}
    names: dict[str, None] = {}
    for name in mapping.key_attributes:
        names |= dict.fromkeys(templates[name].names if name in templates else (name,))
    return [by_name[name] for name in names]


def lookup_values(mapping: TableMapping, key: Mapping[str, Value]) -> dict[str, Value] | None:
    """Return the value of each of `lookup_attributes`, given those of the key; None when no row can have this key."""
    templates = {derived.name: derived.template for derived in mapping.derived}
    values: dict[str, Value] = {}
    for name in mapping.key_attributes:
        template = templates.get(name)
        found = {name: key.get(name)} if template is None else _parsed(template, key.get(name))
        if found is None or any(part in values and values[part] != value for part, value in found.items()):
            return None
        values |= found
    return values


def derived_values(mapping: TableMapping, values: Mapping[str, Value]) -> dict[str, Value]:
    """Return the derived attributes, given the values of what is read; those that are absent are left out."""
    texts = {derived.name: derived.template.of_values(values) for derived in mapping.derived}
    return {name: text for name, text in texts.items() if text is not None}


def _parsed(template: Template, text: Value) -> dict[str, Value] | None:
    try:
        return template.values(text) if isinstance(text, str) else None
    except ValueError:
        return None
