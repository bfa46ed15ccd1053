"""Infer a plan from catalog and statistics: what follows from them is written with its reason, the rest is comments.

Pure: the tables come in as values, the plan goes out as the text of its file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from pg2dynamo.mapping.table import TableName
from pg2dynamo.plan.infer import single_table
from pg2dynamo.plan.infer.credentials import credential_lines
from pg2dynamo.plan.infer.embeds import possible_embeds
from pg2dynamo.plan.infer.entries import Entry, LeftOut, entry_lines, entry_of
from pg2dynamo.plan.infer.facts import Facts
from pg2dynamo.plan.infer.names import allowed_name, allowed_part, free_name
from pg2dynamo.plan.infer.notes import overall_notes
from pg2dynamo.plan.infer.yaml_text import comment, scalar
from pg2dynamo.plan.model import Target
from pg2dynamo.plan.schema import SourceTable
from pg2dynamo.plan.statistics import TableStatistics

Design: TypeAlias = Literal["tables", "single-table"]
"""A DynamoDB table for each table, or one for all of them."""

_HEAD = """\
# yaml-language-server: $schema=plan.schema.json
# (`pg2dynamo plan --schema > plan.schema.json` writes what the line above refers to, for editors.)
#
"""

_ADVICE = (
    "Read it through, above all what is commented out, then run `pg2dynamo check`, which also counts the rows whose "
    "keys DynamoDB would refuse: too long, or empty text, which a template with letters in it never is, as in "
    '`attributes: {pk: {template: "NAME#{name}"}}`. Every column becomes the attribute of its name; keys and indexes '
    "should follow how the application reads. `schema` is the fingerprint of a table's columns: when they change, "
    "nothing runs."
)


def infer(
    database: str,
    tables: Iterable[SourceTable],
    statistics: Mapping[TableName, TableStatistics] | None = None,
    *,
    design: Design = "tables",
) -> str:
    """Return the text of a plan for these tables of `database`; it loads, and fits the catalog it came from.

    Keys come from primary keys and unique indexes, indexes from foreign keys and indexes up to DynamoDB's limit, and
    reasons from `statistics`, where there are any. Deterministic: the same catalog and statistics give the same text.
    """
    known = statistics or {}
    catalog = {t.name: Facts(t, known.get(t.name)) for t in sorted(tables, key=lambda t: t.name)}
    prefix = allowed_name(database, "database")
    entries = _entries(prefix, catalog)
    credentials = [found for entry in entries if (found := credential_lines(entry.facts, entry.to))]
    notes = list(overall_notes(list(catalog.values())))
    if design == "single-table":
        entries = single_table.share_one_table(free_name(prefix, {Target().control_table.lower()}), entries)
        notes.append(single_table.HEAD.replace("{type}", single_table.type_attribute(entries)))
    decided = any(isinstance(entry, Entry) for entry in entries)
    lines = [*_head(database, prefix, notes), "tables:" if decided else "tables: []"]
    for entry in entries:
        lines += ["", *entry_lines(entry)]
    for found in credentials:
        lines += ["", *found]
    return "\n".join(lines) + "\n"


def _entries(prefix: str, catalog: Mapping[TableName, Facts]) -> list[Entry | LeftOut]:
    embeds = possible_embeds(catalog)
    taken = {Target().control_table.lower()}
    result = []
    for name, facts in catalog.items():
        schema = [] if name.schema == "public" else [allowed_part(name.schema) or "schema"]
        wanted = "-".join([prefix, *schema, allowed_part(name.name) or "table"])
        to = free_name(allowed_name(wanted, "table"), taken)
        result.append(entry_of(facts, to, embeds.get(name, ())))
    return result


def _head(database: str, prefix: str, notes: Sequence[str]) -> list[str]:
    lines = [*_HEAD.splitlines(), *comment(f"Inferred from the catalog of the database {database}. {_ADVICE}")]
    for note in notes:
        lines += ["#", *comment(note)]
    return [*lines, f"name: {scalar(prefix[:64])}", "source: {dsn: env:DATABASE_URL}", ""]
