"""Entries of the plan being written, and their lines. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pg2dynamo.mapping.templates import parse_template
from pg2dynamo.plan.infer.embeds import PossibleEmbed
from pg2dynamo.plan.infer.facts import Facts
from pg2dynamo.plan.infer.indexes import ChosenIndex, boolean_rule, choose_indexes
from pg2dynamo.plan.infer.keys import ChosenKey, Undecided, choose_key
from pg2dynamo.plan.infer.names import is_kept_by_mapping
from pg2dynamo.plan.infer.notes import sorted_as_text, table_notes
from pg2dynamo.plan.infer.yaml_text import comment, commented, flow_list, key, scalar, source
from pg2dynamo.plan.schema import fingerprint


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: what its lines say."""

    facts: Facts
    to: str
    key: ChosenKey
    indexes: tuple[ChosenIndex, ...] = ()
    templates: Mapping[str, str] = field(default_factory=dict)
    booleans: tuple[str, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    embeds: tuple[PossibleEmbed, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A table that is only a comment, because something has to be decided or done first."""

    facts: Facts
    to: str
    why: Undecided


def entry_of(facts: Facts, to: str, embeds: Sequence[PossibleEmbed]) -> Entry | LeftOut:
    """Return a table's entry with a DynamoDB table of its own."""
    chosen = choose_key(facts)
    if isinstance(chosen, Undecided):
        return LeftOut(facts, to, chosen)
    indexes = choose_indexes(facts, chosen)
    templates = dict((*chosen.templates, *indexes.templates))
    sorting = _sorting(facts, templates, [chosen.attributes, *(index.attributes for index in indexes.indexes)])
    return Entry(
        facts=facts,
        to=to,
        key=chosen,
        indexes=indexes.indexes,
        templates=templates,
        booleans=indexes.booleans,
        notes=(*table_notes(facts), *chosen.reasons, *sorting, *indexes.notes),
        embeds=tuple(embeds),
    )


def _sorting(facts: Facts, templates: Mapping[str, str], keys: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Say which values of sort keys stand as their text, and so in another order than PostgreSQL's."""
    ranges = [attributes[1] for attributes in keys if len(attributes) == 2]
    parts = [part for name in ranges if name in templates for part in parse_template(templates[name])]
    unsorted = [part[0] for part in parts if not isinstance(part, str) and not part[1]]
    if names := sorted_as_text(facts, list(dict.fromkeys([*ranges, *unsorted]))):
        yield f"DynamoDB sorts {', '.join(names)} by the text, unlike PostgreSQL"


def entry_lines(entry: Entry | LeftOut) -> list[str]:
    """Return the lines of an entry, or those of its comment."""
    return _left_out_lines(entry) if isinstance(entry, LeftOut) else _decided_lines(entry)


def _decided_lines(entry: Entry) -> list[str]:
    table = entry.facts.table
    lines = [line for note in entry.notes for line in comment(note, "  ")]
    lines += [f"  - from: {source(table.name)}", f"    to: {_target(entry)}", f"    key: {_key(entry.key.attributes)}"]
    if entry.key.identity:
        lines.append(f"    identity: {flow_list(entry.key.identity)}")
    if entry.indexes:
        lines.append("    indexes:")
        lines += [f"      - {{name: {scalar(i.name)}, {_key(i.attributes)[1:]}" for i in entry.indexes]
    if entry.constants:
        shown = ", ".join(f"{key(name)}: {scalar(value)}" for name, value in entry.constants.items())
        lines.append(f"    constants: {{{shown}}}")
    lines += _rules(entry)
    lines.append(f"    schema: {scalar(fingerprint(table))}")
    return lines + _embed_lines(entry.embeds)


def _target(entry: Entry | LeftOut) -> str:
    name = entry.facts.table.name.name
    mapped = "" if isinstance(entry, Entry) and entry.constants else _mapped(name, entry.to)
    return scalar(entry.to) + mapped


def _mapped(name: str, to: str) -> str:
    if is_kept_by_mapping(name, to):
        return ""
    numbered = is_kept_by_mapping(name, to.rpartition("-")[0])
    what = "with a number, as the name is taken" if numbered else "in characters that DynamoDB allows"
    return f"  {comment(f'{name}, {what}')[0]}"


def _rules(entry: Entry) -> list[str]:
    if not entry.booleans and not entry.templates:
        return []
    lines = ["    attributes:"]
    lines += [f"      {key(name)}: {{template: {scalar(text)}}}" for name, text in entry.templates.items()]
    if entry.booleans:
        lines.append("      # An index key cannot be a boolean.")
    for name in entry.booleans:
        sql, back = boolean_rule(entry.facts.table, name)
        lines.append(f"      {key(name)}: {{sql: {scalar(sql)}, back: {scalar(back)}}}")
    return lines


def _embed_lines(embeds: Sequence[PossibleEmbed]) -> list[str]:
    if not embeds:
        return []
    lines = [line for embed in embeds for line in comment(embed.note, "    ")]
    return lines + commented(["embed:", *(line for embed in embeds for line in embed.lines)], "    ")


def _left_out_lines(entry: LeftOut) -> list[str]:
    table = entry.facts.table
    lines = comment(f"{table.name} is left out: {entry.why.reason}.", "  ")
    lines += commented([f"  {remedy}" for remedy in entry.why.remedies], "  ")
    draft = [f"- from: {source(table.name)}", f"  to: {_target(entry)}"]
    draft.append(f"  key: {_key(entry.why.identity[:2]) if entry.why.identity else '{hash: }'}")
    if table.kind in ("view", "materialized view", "foreign"):
        draft.append(f"  identity: {flow_list(entry.why.identity)}")
    return lines + commented(draft, "  ")


def _key(attributes: Sequence[str]) -> str:
    parts = [f"{role}: {scalar(name)}" for role, name in zip(("hash", "range"), attributes, strict=False)]
    return "{" + ", ".join(parts) + "}"
