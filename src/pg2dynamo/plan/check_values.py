"""Conditions in SQL that are true of rows with values which DynamoDB cannot hold: counted before a copy. Pure.

None of them fails, whatever the rows hold. Not counted: documents of more than 1 MB, names that stand twice below the
top level of one or where it has escapes, elements of arrays of arrays, texts of templates, embedded rows, and of the
size of an item all but text and bytea.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pg2dynamo.mapping.fitness import DOCUMENTS, NUMBERS, key_limits, levels_allowed
from pg2dynamo.mapping.limits import ITEM_BYTES, NUMBER_DIGITS
from pg2dynamo.mapping.table import Attribute, TableMapping, Unfit
from pg2dynamo.mapping.types import Kind

WORDS: dict[Unfit, str] = {
    "error": "would go to quarantine",
    "quarantine": "would go to quarantine, as the plan accepts",
    "text": "would have its text instead",
    "null": "would have NULL instead",
    "skip": "would be left out",
}
"""What happens to the rows, by policy."""

DOCUMENT_BYTES = 1 << 20
"""Of a document's text; one that is longer is not looked into."""

_SIZED = (25, 1043, 17)  # text, varchar and bytea tell their size without being read
_PRECISION = re.compile(r"numeric\((\d+),\s*(-?\d+)\)")
_NOT_FINITE = "('NaN', 'Infinity', '-Infinity')"
_STRING = r"""'"(?:[^"\\]|\\.)*"'"""
_NUMBER = r"'([0-9]+)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?'"


@dataclass(frozen=True, slots=True)
class ValueCheck:
    """A condition in SQL that is true of rows of which `attribute` cannot be what it is, why, and what becomes of them.

    `attribute` is empty when it is the whole item.
    """

    attribute: str
    reason: str
    sql: str
    policy: Unfit = "error"


def value_checks(mapping: TableMapping) -> list[ValueCheck]:
    """Return the conditions under which rows hold what DynamoDB cannot, with the plan's policy for each."""
    limits = key_limits(mapping)
    found: list[ValueCheck] = []
    for attribute in mapping.read:
        if attribute.embed is None:
            found += _of_attribute(attribute, limits.get(attribute.name))
    by_name = {attribute.name: attribute for attribute in mapping.attributes}
    for name in mapping.key_attributes:
        if name in by_name and by_name[name].column is None:
            sql = f"num_nulls({by_name[name].sql}) = 1"
            found.append(ValueCheck(name, "is NULL, and a key must not be", sql, by_name[name].unfit))
    return [*found, *_of_item(mapping)]


def _of_attribute(attribute: Attribute, limit: int | None) -> Iterator[ValueCheck]:
    name = attribute.column or attribute.name
    for reason, sql in _faults(attribute, limit):
        yield ValueCheck(name, reason, sql, attribute.unfit)


def _faults(attribute: Attribute, limit: int | None) -> Iterator[tuple[str, str]]:
    kind, sql, element = attribute.type.kind, attribute.sql, attribute.type.element
    if limit is not None and kind in (Kind.TEXT, Kind.OUTPUT, Kind.BYTEA):
        # format('%s', …) gives the text of the output function, as the copy does, but '' for NULL.
        size = f"octet_length({sql})" if kind is Kind.BYTEA else f"octet_length(format('%s', {sql}))"
        present = f"num_nulls({sql}) = 0"
        yield "is empty, and a key must not be", f"{present} AND {size} = 0"
        yield f"is a key of more than {limit:,} bytes", f"{present} AND {size} > {limit}"
    elif kind in NUMBERS:
        yield "is NaN or infinite, which is no number in DynamoDB", f"{sql}::text IN {_NOT_FINITE}"
        if beyond := _beyond(kind, attribute.type.name, sql):
            yield _BEYOND, beyond
    elif kind in DOCUMENTS:
        yield _DOCUMENT, _of_document(sql, kind, levels_allowed(attribute), null=attribute.nulls)
    elif kind is Kind.ARRAY and element is not None and element.kind in NUMBERS:
        odd = f"v::text IN {_NOT_FINITE}"
        beyond = _beyond(element.kind, element.name, "v") or "false"
        yield f"holds NaN, an infinity, or a number {_RANGE}", _any_element(sql, f"{odd} OR {beyond}")
    elif kind is Kind.ARRAY and element is not None and element.kind in DOCUMENTS:
        inner = _of_document("v", element.kind, levels_allowed(attribute) - 1, null=True)
        yield _DOCUMENT, _any_element(sql, inner)


_RANGE = f"of more than {NUMBER_DIGITS} digits or out of DynamoDB's range"
_BEYOND = f"is a number {_RANGE}"
_DOCUMENT = "holds json that no item can, for its depth, a name that is empty or stands twice, a number or a text"


def _beyond(kind: Kind, type_name: str, sql: str) -> str | None:
    """Return the condition of a finite number that has too many digits or is out of range; None when none is."""
    finite = f"{sql}::text NOT IN {_NOT_FINITE}"
    if kind is Kind.FLOAT4:
        return None
    if kind is Kind.FLOAT8:
        outside = f"abs({sql}) >= '1e126'::float8 OR ({sql} <> 0 AND abs({sql}) < '1e-130'::float8)"
        return f"CASE WHEN {finite} THEN {outside} ELSE false END"
    declared = _PRECISION.fullmatch(type_name)
    if declared and int(declared[1]) <= NUMBER_DIGITS and 0 <= int(declared[2]) <= NUMBER_DIGITS:
        return None
    digits = f"length(btrim(translate({sql}::text, '-.', ''), '0')) > {NUMBER_DIGITS}"
    outside = f"abs({sql}) >= '1e126'::numeric OR ({sql} <> 0 AND abs({sql}) < '1e-130'::numeric)"
    return f"CASE WHEN {finite} THEN {digits} OR {outside} ELSE false END"


def _any_element(sql: str, condition: str) -> str:
    return f"EXISTS (SELECT FROM unnest({sql}) AS elements(v) WHERE {condition})"


def _of_document(sql: str, kind: Kind, levels: int, *, null: bool) -> str:
    """Return the condition of a document, each part of it behind one that is cheap and hardly ever true."""
    faults = [
        rf"CASE WHEN t ~ '[0-9][eE]|[0-9.]{{{NUMBER_DIGITS + 1}}}' THEN {_NUMBERS} ELSE false END",
        f"CASE WHEN length(t) - length(translate(t, '[{{', '')) > {levels} THEN {_deeper_than(levels)} ELSE false END",
        f"CASE WHEN strpos(t, '\"\"') > 0 THEN {_EMPTY_NAME} ELSE false END",
    ]
    if null:
        faults.append(r"t ~ '^\s*null\s*$'")
    if kind is Kind.JSON:
        faults.append(f"CASE WHEN strpos(t, '\\u') > 0 THEN {_SURROGATE} ELSE {_NAME_TWICE} END")
    # OFFSET 0 keeps the planner from evaluating the document again for each condition.
    document = f"SELECT {sql} AS d, ({sql})::text AS t OFFSET 0"
    return (
        f"EXISTS (SELECT FROM ({document}) AS documents "
        f"WHERE CASE WHEN octet_length(t) <= {DOCUMENT_BYTES} THEN {' OR '.join(faults)} ELSE false END)"
    )


_DIGITS = "coalesce(p[1], '') || coalesce(p[2], '')"
_FIRST = f"length(p[1]) - 1 - length({_DIGITS}) + length(ltrim({_DIGITS}, '0')) + coalesce(p[3], '0')::int"
_NUMBERS = (
    f"EXISTS (SELECT FROM regexp_matches(regexp_replace(t, {_STRING}, '', 'g'), {_NUMBER}, 'g') AS numbers(p) "
    f"WHERE length(btrim({_DIGITS}, '0')) > {NUMBER_DIGITS} OR ("
    f"btrim({_DIGITS}, '0') <> '' AND CASE WHEN length(p[3]) > 9 THEN true ELSE {_FIRST} NOT BETWEEN -130 AND 125 END))"
)
# A string as its first character between two letters that stand nowhere else outside of strings: QQ is an empty one.
_EMPTY_NAME = r"""regexp_replace(t, '"((?:[^"\\]|\\.)?)(?:[^"\\]|\\.)*"', 'Q\1Q', 'g') ~ '[{,]\s*QQ\s*:'"""
_SURROGATE = (
    r"regexp_replace(replace(t, '\\', ''), '\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}', '', 'g') "
    r"~ '\\u[dD][89a-fA-F]'"
)
_NAME_TWICE = (
    "CASE WHEN json_typeof(d) = 'object' "
    "THEN (SELECT count(*) <> count(DISTINCT name) FROM json_object_keys(d) AS names(name)) ELSE false END"
)


def _deeper_than(levels: int) -> str:
    brackets = f"regexp_replace(regexp_replace(t, {_STRING}, '', 'g'), '[^][{{}}]', '', 'g')"
    depth = "sum(CASE WHEN c IN ('[', '{') THEN 1 ELSE -1 END) OVER (ORDER BY n) AS depth"
    characters = f"string_to_table({brackets}, NULL) WITH ORDINALITY AS characters(c, n)"
    return f"EXISTS (SELECT FROM (SELECT {depth} FROM {characters}) AS depths WHERE depth > {levels})"  # noqa: S608


def _of_item(mapping: TableMapping) -> Iterator[ValueCheck]:
    sizes = [f"coalesce(octet_length({a.sql}), 0)" for a in mapping.attributes if a.type.oid in _SIZED]
    if sizes:
        policy: Unfit = "quarantine" if mapping.unfit == "quarantine" else "error"
        reason = f"the text and bytea of an item are more than {ITEM_BYTES:,} bytes"
        yield ValueCheck("", reason, f"{'::bigint + '.join(sizes)} > {ITEM_BYTES}", policy)
