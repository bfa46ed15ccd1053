"""pg2dynamo plan."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pg2dynamo.cli.command import DEFAULT_PLAN, DONE, JsonOption, PlanOption, run
from pg2dynamo.migration.show_plan import DEFAULT_ROWS, ShownPlan, ShownRow, ShownSecrets, ShownTable, show_plan
from pg2dynamo.plan.json_schema import schema_text

SchemaOption = Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of plans, and nothing else.")]
RowsOption = Annotated[int, typer.Option("--rows", min=1, help="How many rows of each table.", show_default=True)]
NoRowsOption = Annotated[bool, typer.Option("--no-rows", help="Read no row, and show no value.")]
TableOption = Annotated[
    list[str] | None,
    typer.Option("--table", help="Show this entry of the plan only, or all entries of this source table."),
]


def plan(
    plan: PlanOption = DEFAULT_PLAN,
    as_json: JsonOption = False,
    schema: SchemaOption = False,
    rows: RowsOption = DEFAULT_ROWS,
    no_rows: NoRowsOption = False,
    table: TableOption = None,
) -> None:
    """Show what the plan comes to: calls, statements, and the items that the first rows of each table become.

    This shows values of rows, as no other command does; --no-rows reads none. Rows of credentials are never read.
    Nothing is written anywhere, and AWS is not called.
    """
    if schema:
        sys.stdout.write(schema_text())
        raise typer.Exit(DONE)
    count = 0 if no_rows else rows
    run(
        lambda loaded, progress: show_plan(loaded, os.environ, rows=count, tables=table, progress=progress),
        plan=plan,
        as_json=as_json,
        show=show_shown_plan,
        exit_code=lambda _: DONE,
    )


def show_shown_plan(report: ShownPlan, console: Console) -> None:
    """Print the plan, an entry after the other."""
    for table in report.tables:
        for line in _table(table):
            console.print(Text(line))
    for secrets in report.secrets:
        for line in _secrets(secrets):
            console.print(Text(line))


def _table(table: ShownTable) -> Iterator[str]:
    of = "" if table.name == table.source else f" (from {table.source})"
    yield f"{table.name}{of} → {table.target}"
    yield from (f"  DynamoDB cannot have this table: {fault}." for fault in table.faults)
    yield "  key: " + _key(table.request, table.request)
    for kind, scope in (("GlobalSecondaryIndexes", "global"), ("LocalSecondaryIndexes", "local")):
        for index in table.request.get(kind, ()):
            yield f"  {scope} index {index['IndexName']}: {_key(index, table.request)}"
    yield "  prepare: CreateTable"
    yield from _indented(json.dumps(table.request, indent=2, ensure_ascii=False), "    ")
    yield "  copy, a range of blocks at a time:"
    yield f"    {table.copy}"
    yield "  verify, in binary form, a range of blocks at a time:"
    yield f"    {table.verify}"
    yield from _rows(table)
    yield ""


def _key(key: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    types = {each["AttributeName"]: each["AttributeType"] for each in request["AttributeDefinitions"]}
    return ", ".join(f"{each['AttributeName']} ({types[each['AttributeName']]})" for each in key["KeySchema"])


def _rows(table: ShownTable) -> Iterator[str]:
    if table.unread:
        yield f"  rows cannot be shown: {table.unread}"
    if table.rows is not None and not table.rows:
        yield "  no row"
    for row in table.rows or ():
        yield from _row(row)


def _row(row: ShownRow) -> Iterator[str]:
    if row.item is None:
        where = ", ".join(f"{name}={_visible(str(value))}" for name, value in row.key.items())
        yield f"  {'skipped' if row.skipped else 'refused'}: the row {where}: {row.refusal}"
        return
    yield "  item:"
    for name, value in row.item.items():
        yield f"    {_visible(name)}: {_visible(_text(value))}"


def _text(value: Mapping[str, Any]) -> str:
    """Return a value of DynamoDB JSON as a person reads it, numbers with all their digits; bytes are base64."""
    [(form, content)] = value.items()
    if form == "M":
        return (
            "{" + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {_text(v)}" for name, v in content.items()) + "}"
        )
    if form == "L":
        return "[" + ", ".join(map(_text, content)) + "]"
    if form == "NULL":
        return "null"
    if form == "B":
        return f"base64 {content}"
    return str(content) if form == "N" else json.dumps(content, ensure_ascii=False)


def _visible(text: str) -> str:
    """Return the text without characters that a terminal would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _secrets(secrets: ShownSecrets) -> Iterator[str]:
    yield f"{secrets.source} → secrets {secrets.name}"
    yield from (f"  {step}" for step in secrets.steps)
    yield ""


def _indented(text: str, by: str) -> Iterator[str]:
    yield from (by + line for line in text.splitlines())
