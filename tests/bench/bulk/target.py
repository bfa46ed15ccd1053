"""The target of the copies that are measured: empty tables in the stand-in, and what a Scan of full ones would give."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import orjson

from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.source import compile_plan, open_source
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.postgres.rows import copy_rows
from pg2dynamo.postgres.segments import plan_segments
from tests.bench.bulk.ours import plan_text

PAGE_BYTES = 1_000_000
"""A page of Scan holds 1 MB, by the API reference of DynamoDB; here of the items' JSON, which is somewhat less."""


def prepare_targets(tables: Sequence[str], environ: Mapping[str, str]) -> None:
    """Make the control table and an empty target for each table, in a process that has `environ` for the AWS SDK."""
    subprocess.run([sys.executable, "-m", "tests.bench.bulk.target", *tables], env=environ, check=True)


def make_pages(table: str, path: Path, environ: Mapping[str, str]) -> Path:
    """Write the items of a table to a file as pages: items, a tab, and the key of the last."""
    plan = parse_plan(plan_text("pages", table), environ)
    with open_source(plan, environ) as connection, path.open("wb") as file:
        [mapping] = compile_plan(connection, plan)
        segments = plan_segments(connection, mapping.source)
        batches = (lines for segment in segments for lines in copy_rows(connection, mapping, segment))
        page: list[bytes] = []
        size = 0
        for key, item in _encoded(mapping, batches):
            page.append(item)
            size += len(item)
            if size >= PAGE_BYTES:
                file.write(_page(page, key))
                page, size = [], 0
        if page:
            file.write(_page(page, key))
    return path


def _encoded(mapping: TableMapping, batches: Iterator[list[bytes]]) -> Iterator[tuple[bytes, bytes]]:
    encoder = Encoder(mapping)
    for lines in batches:
        for line in lines:
            encoded = encoder.encode(line)
            yield encoded.key, encoded.item


def _page(items: list[bytes], key: bytes) -> bytes:
    return b",".join(items) + b"\t" + orjson.dumps(orjson.loads(key)) + b"\n"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        prepare(parse_plan(plan_text("prepared", name), os.environ), os.environ)
