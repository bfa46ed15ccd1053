"""The page about embeds holds: its tables, moved by its plan, become the item that it shows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson

from pg2dynamo.dynamodb.scan import scan_pages
from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.migration.check import check
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.source import compile_plan, open_source
from pg2dynamo.migration.target import target_settings
from pg2dynamo.migration.verify import verify
from pg2dynamo.plan.load import parse_plan
from tests.conftest import Database
from tests.integration.reading import run

PAGE = Path(__file__).parents[2] / "docs/how-to/embed-rows.md"


def block(language: str) -> str:
    [found] = [part.partition("```")[0] for part in PAGE.read_text().split(f"```{language}\n")[1:]]
    return found


def test_the_example_becomes_the_item_that_the_page_shows_and_decodes_to_the_rows(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    run(any_database, block("sql"))
    environ = any_aws_environ | {"DATABASE_URL": any_database.dsn, "PATH": os.environ["PATH"]}
    plan = parse_plan(block("yaml").replace("shop", unique), environ)
    assert check(plan, environ).ok
    prepare(plan, environ)
    assert copy(plan, environ, CopyOptions(processes=0)).ok
    assert verify(plan, environ, processes=0, report=tmp_path / "report.jsonl").equal
    pages = scan_pages(target_settings(plan, environ), plan.tables[0].to, 0, 1)
    items: dict[str, dict[str, Any]] = {item["id"]["N"]: item for page in pages for item in page}
    assert items["1"] == orjson.loads(block("json"))
    with open_source(plan, environ) as connection:
        [mapping] = compile_plan(connection, plan)
    assert Decoder(mapping).decode(items["2"]) == {
        "id": 2,
        "name": "Ben",
        "orders": [],
        "labels": [{"label_id": 2, "of": {"label": "loud"}}],
    }
