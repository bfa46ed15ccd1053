"""Every type with hostile values, moved: copied, verified, and decoded back to what the source holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pg2dynamo.dynamodb.scan import scan_pages
from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.mapping.digest import digest_row
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.migration.difference import Pairs
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.source import compile_plan, open_source
from pg2dynamo.migration.target import target_settings
from pg2dynamo.migration.verify import verify
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.model import Plan
from tests.conftest import Database
from tests.integration.moved import HEAD
from tests.integration.reading import selected_rows
from tests.integration.zoo_table import ZOO, fill_zoo, make_zoo

VALUES = 12
"""Of each type: the first of the hostile ones, which are the most hostile."""
ENTRY = """
tables:
  - from: {zoo}
    to: {unique}-zoo
    key: {{hash: id}}
    {rules}
"""


def zoo_plan(database: Database, unique: str, environ: dict[str, str], rules: str = "") -> tuple[Plan, list[str]]:
    with database.connect() as writer:
        names = make_zoo(writer)
        fill_zoo(writer, names, VALUES)
    text = HEAD.format(unique=unique) + ENTRY.format(zoo=ZOO, unique=unique, rules=rules)
    if rules:
        # Each column as PostgreSQL's text.
        text += "".join(f"\n      {name!r}: {{as: text}}" for name in names)
    return parse_plan(text, environ), names


def items_as_pairs(plan: Plan, environ: dict[str, str]) -> dict[int, Pairs]:
    """Decode what is in DynamoDB, by id."""
    with open_source(plan, environ) as connection:
        [mapping] = compile_plan(connection, plan)
    decoder = Decoder(mapping)
    pages = scan_pages(target_settings(plan, environ), mapping.target, 0, 1)
    return {int(item["id"]["N"]): list(decoder.decode(item).items()) for page in pages for item in page}


def rows_as_pairs(plan: Plan, environ: dict[str, str]) -> dict[int, Pairs]:
    """Read the source by the path that copying does not use, by id."""
    with open_source(plan, environ) as connection:
        [mapping] = compile_plan(connection, plan)
        rows = selected_rows(connection, mapping)
    names = [attribute.name for attribute in mapping.read]
    pairs = [dict(zip(names, row.values, strict=True)) for row in rows]
    return {int(str(row["id"])): list(row.items()) for row in pairs}


@pytest.mark.parametrize("rules", ["", "attributes:"], ids=["as it is", "as text"])
def test_every_type_is_moved_and_comes_back(
    database: Database, aws_environ: dict[str, str], unique: str, tmp_path: Path, rules: str
) -> None:
    environ = aws_environ | {"DATABASE_URL": database.dsn, "PATH": os.environ["PATH"]}
    plan, names = zoo_plan(database, unique, environ, rules)
    prepare(plan, environ)
    counts = copy(plan, environ, CopyOptions(processes=0)).tables[ZOO]
    compared = verify(plan, environ, processes=0, report=tmp_path / "report.jsonl").total
    assert (compared.missing, compared.different, compared.extra) == (counts.quarantined, 0, 0)
    assert counts.items > 3 * len(names)
    items, rows = items_as_pairs(plan, environ), rows_as_pairs(plan, environ)
    assert len(items) == counts.items == len(rows) - counts.quarantined
    assert [i for i, pairs in items.items() if digest_row(pairs) != digest_row(rows[i])] == []
    if rules:
        # Text fits whatever it says, but for what is longer than an item.
        assert counts.quarantined <= 4
