"""The page about single-table design holds: its tables, moved by its plan, answer its queries as it says."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.migration.check import check
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.source import compile_plan, open_source
from pg2dynamo.migration.verify import verify
from pg2dynamo.plan.load import parse_plan
from tests.conftest import Database
from tests.integration.reading import run

PAGE = Path(__file__).parents[2] / "docs/how-to/single-table.md"


def block(language: str) -> str:
    [found] = [part.partition("```")[0] for part in PAGE.read_text().split(f"```{language}\n")[1:]]
    return found


def test_the_example_is_moved_and_answers_as_the_page_says(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    run(any_database, block("sql"))
    environ = any_aws_environ | {"DATABASE_URL": any_database.dsn, "PATH": os.environ["PATH"]}
    plan = parse_plan(block("yaml").replace("shop", unique), environ)
    prepare(plan, environ)
    assert check(plan, environ).ok
    assert copy(plan, environ, CopyOptions(processes=0)).ok
    assert verify(plan, environ, processes=0, report=tmp_path / "report.jsonl").equal
    table = boto3.resource("dynamodb").Table(f"{unique}-app")
    calls = re.findall(r"(table\.query\(.*?\n\))  # accounts ([^\n]*)", block("python"), re.DOTALL)
    assert len(calls) == 2
    for call, numbers in calls:
        items: list[dict[str, Any]] = eval(call, {"table": table, "Key": Key})["Items"]
        assert [int(item["number"]) for item in items] == [int(n) for n in re.findall(r"-?[0-9]+", numbers)]
    found = table.get_item(Key={"pk": "TENANT#b#1", "sk": "ACCOUNT#0000000001"})["Item"]
    assert found["gsi1pk"] == "OWNER#eve"
    with open_source(plan, environ) as connection:
        _, accounts, _ = compile_plan(connection, plan)
    plain = {name: {"S": value} for name, value in found.items() if isinstance(value, str)}
    assert Decoder(accounts).decode(plain)["pk"] == "TENANT#b#1"
