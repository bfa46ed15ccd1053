"""What is wrong in a plan, in words: with the line, the key, and the nearest that would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from pydantic import ValidationError

from pg2dynamo.plan.document import Document, Place
from pg2dynamo.plan.json_schema import model_schema

Schema = Mapping[str, Any]

_WANTED = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "a mapping",
    "model": "a mapping",
}
"""What is wanted where pydantic's error begins so."""

_BOUNDS = {"greater_than_equal": ("ge", "at least"), "less_than_equal": ("le", "at most")}

_FORMS = {
    "name": "up to 64 letters, digits and _ . - are wanted, a letter or digit first",
    "schema": "twelve hex digits are wanted, as `pg2dynamo init` writes them; without it the table is taken as it is",
}


def explain(document: Document, error: ValidationError | None, where: str) -> list[str]:
    """Return a line of text for each fault, in the order of the file.

    Never repeats what a key holds, which may be a password that the plan must not hold, but for a word where only
    certain words are known.
    """
    faults = [(place, _of_document(place, what)) for place, what in document.faults.items()]
    if error is not None:
        faults += [each for each in _of_model(document, error) if each[0] not in document.faults]
    told = {place for place, _ in faults}
    faults += [(place, f"{_name(place)}: {what}") for place, what in _doubts(document) if place not in told]
    lined = [(document.line(place), words) for place, words in faults]
    return [f"{where}:{line}: {words}." for line, words in sorted(lined, key=lambda each: each[0])]


def _doubts(document: Document) -> Iterator[tuple[Place, str]]:
    """Yield the doubts that matter: `yes` is no other than true where text cannot stand."""
    for place, what in document.doubts.items():
        if not isinstance(document.value(place), bool) or _takes_text(_schema_at(place)):
            yield place, what


def _takes_text(schema: Schema) -> bool:
    return any(each.get("type") == "string" for each in schema.get("anyOf", (schema,)))


def _of_document(place: Place, what: str) -> str:
    return f"{_name(place[:-1] if place[-1] == '' else place)}: {what}"


def _of_model(document: Document, error: ValidationError) -> Iterator[tuple[Place, str]]:
    alternatives: dict[Place, list[str]] = {}
    for problem in error.errors(include_input=False, include_url=False):
        place = tuple(problem.get("ctx", {}).get("place", problem["loc"]))
        kind = problem["type"]
        if kind == "extra_forbidden":
            yield place, f"unknown key {_name(place)}{_nearest_key(place)}"
        elif kind == "missing":
            yield place, f"{_name(place)}: it is required, and not there"
        elif _is_alternative(document, place):
            # One error for each type that a value could have, under the name of that type.
            alternatives.setdefault(place[:-1], []).append(_wanted(kind))
        else:
            yield place, f"{_prefix(place)}{_words(document, place, problem)}"
    for place, wanted in alternatives.items():
        words = f"{', or '.join(dict.fromkeys(wanted))} is wanted{_mistaken(document.value(place), 'string_type')}"
        yield place, f"{_name(place)}: {words}"


def _is_alternative(document: Document, place: Place) -> bool:
    return place not in document.lines and place[:-1] in document.lines and place[-1] not in _known_keys(place[:-1])


def _prefix(place: Place) -> str:
    return f"{_name(place)}: " if place else ""


def _words(document: Document, place: Place, problem: Any) -> str:
    kind = problem["type"]
    if kind == "literal_error":
        value = document.value(place)
        return _not_a_word(value, _schema_at(place).get("enum", ()), shown=place not in document.variables)
    if kind in _BOUNDS:
        key, bound = _BOUNDS[kind]
        return f"{bound} {problem['ctx'][key]:,g} is wanted"
    if kind == "too_short":
        return "it must not be empty"
    if kind == "string_pattern_mismatch":
        return _FORMS.get(str(place[-1]), "another form is wanted")
    if kind.partition("_")[0] in _WANTED:
        return f"{_wanted(kind)} is wanted{_mistaken(document.value(place), kind)}"
    words = str(problem["msg"]).removeprefix("Value error, ").rstrip(".")
    return words.removeprefix(f"{place[-1]}: ") if place else words


def _wanted(kind: str) -> str:
    return _WANTED.get(kind.partition("_")[0], "another value")


def _mistaken(value: Any, kind: str) -> str:
    """Return how YAML reads a plain value that was meant as text."""
    if value is None:
        return ", and it is empty"
    if kind != "string_type":
        return ""
    for read_as, name in ((bool, "true or false"), ((int, float), "a number"), (date, "a date")):
        if isinstance(value, read_as):
            return f", and YAML reads this as {name}: write it in quotes"
    return ""


def _not_a_word(value: Any, known: Iterable[Any], *, shown: bool) -> str:
    words = [word for word in known if word is not None]
    listed = f"known: {', '.join(words)}"
    if not isinstance(value, str):
        return f"a word is wanted; {listed}"
    if not shown:
        return f"what the variable holds is not known; {listed}"
    near = difflib.get_close_matches(value.lower(), words, n=1)
    return f"{value} is not known; " + (f"did you mean {near[0]}" if near else listed)


def _nearest_key(place: Place) -> str:
    """Return the key that was meant: a like one here, or the same one further in."""
    known = _known_keys(place[:-1])
    near = difflib.get_close_matches(str(place[-1]), known, n=1)
    if near:
        return f"; did you mean {near[0]}"
    further = [key for key in known if place[-1] in _known_keys((*place[:-1], key))]
    return f"; did you mean {further[0]}.{place[-1]}" if further else f"; known here: {', '.join(known)}"


def _known_keys(place: Place) -> list[str]:
    return list(_schema_at(place).get("properties", ()))


def _schema_at(place: Place) -> Schema:
    """Return the schema of what stands at a place, empty when the model has no such place."""
    root = model_schema()
    found: Schema = root
    for part in place:
        found = _resolved(root, _inner(found, part))
    return found


def _inner(schema: Schema, part: str | int) -> Schema:
    if isinstance(part, int):
        inner = schema.get("items", {})
    else:
        inner = schema.get("properties", {}).get(part) or schema.get("additionalProperties") or {}
    return inner if isinstance(inner, dict) else {}


def _resolved(root: Schema, schema: Schema) -> Schema:
    if "$ref" in schema:
        found: Schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
        return found
    referring = [each for each in schema.get("anyOf", ()) if "$ref" in each]
    return _resolved(root, referring[0]) if referring else schema


def _name(place: Place) -> str:
    return ".".join(str(part) for part in place)
