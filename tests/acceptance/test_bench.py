"""The main benchmark: every number stands for rows that arrived, once each, and what fails gives no number at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pg2dynamo.local import process
from tests.bench.bulk.certificates import make_certificates
from tests.bench.bulk.front import CHECKING, NGINX, OWN, Counts, Front, SinkDiffers, nginx_program, start_front

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).parents[2]
RATIOS = {
    "small_vs_batch_writer",
    "small_vs_bare_copy",
    "large_vs_batch_writer",
    "two_vs_one",
    "source_cpu_vs_copy",
    "native_small_vs_bare_copy",
    "native_large_vs_batch_writer",
    "verify_vs_copy",
}
NUMBERS = {"rows_per_s", "client_cpu_s_per_million", "server_cpu_s_per_million", "peak_rss_mb"}


def bench(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the main benchmark with few rows, in one round, to the sink that looks at every key."""
    few = ("--json", "--no-write", "--rows", "1000", "--runs", "1", "--sink", CHECKING)
    program = [sys.executable, "-m", "tests.bench.bulk", *few, *arguments]
    return subprocess.run(
        program, cwd=ROOT, env=os.environ | environ, capture_output=True, text=True, timeout=240, check=False
    )


def test_a_run_prints_lines_and_ratios_and_every_row_arrives_once() -> None:
    chosen = ("bare COPY", "boto3", "pure Python", "native, 1 process", "stand-in")
    done = bench(*(word for text in chosen for word in ("--only", text)))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.keys() == {"machine", "runs", "lines", "ratios"}
    assert found["runs"] == 1
    assert found["ratios"].keys() == RATIOS
    assert all(line.keys() == {"name"} | NUMBERS for line in found["lines"])
    lines = {line["name"]: line for line in found["lines"]}
    assert {"small: copy, pure Python, 2 worker processes", "small: verify, pure Python, 1 process"} <= lines.keys()
    measured = [line for name, line in lines.items() if "native" not in name]
    assert all(line["rows_per_s"] > 0 and line["peak_rss_mb"] > 10 for line in measured)
    native = {line["rows_per_s"] is None for name, line in lines.items() if "native" in name}
    assert len(native) == 1
    assert (found["ratios"]["native_small_vs_bare_copy"] is None) is native.pop()


def test_a_copy_that_fails_ends_the_run_and_gives_no_numbers() -> None:
    line = "small: copy, pure Python, 1 process"
    done = bench("--only", line, PG2DYNAMO_KILL_AT="copy.segment.answered")
    assert done.returncode == 1
    assert f"The benchmark failed. {line}: the call failed" in done.stderr
    assert done.stdout == ""


@pytest.fixture(params=[OWN, CHECKING, *([NGINX] if nginx_program() else [])])
def front(request: pytest.FixtureRequest) -> Iterator[Front]:
    """Each sink that can be started here, with nothing behind it; no part of the product needs nginx."""
    directory = process.make_directory("pg2dynamo-sink-")
    upstream = f"http://127.0.0.1:{process.free_port()}"
    front = start_front(request.param, directory, upstream, make_certificates(directory))
    try:
        yield front
    finally:
        front.process.stop()
        process.remove_directory(directory)


def put(front: Front, *keys: str) -> bytes:
    requests = [{"PutRequest": {"Item": {"id": {"S": key}, "text": {"S": '{"PutRequest"'}}}} for key in keys]
    request = urllib.request.Request(
        front.environ()["AWS_ENDPOINT_URL"],
        json.dumps({"RequestItems": {"table": requests}}).encode(),
        {"X-Amz-Target": "DynamoDB_20120810.BatchWriteItem"},
    )
    with urllib.request.urlopen(request) as response:
        answer: bytes = response.read()
        return answer


def sent(front: Front, *batches: tuple[str, ...]) -> Counts:
    """Send batches; return the counts before them."""
    front.reset()
    before = front.counts()
    for batch in batches:
        assert put(front, *batch) == b'{"UnprocessedItems":{}}'
    return before


def test_a_sink_that_got_all_is_content(front: Front) -> None:
    front.require(3, sent(front, ("1", "2"), ("3",)))


def test_a_sink_that_got_too_few_requests_is_an_error(front: Front) -> None:
    before = sent(front, ("1", "2"))
    with pytest.raises(SinkDiffers):
        front.require(100, before)


def test_a_sink_that_got_fewer_items_is_an_error_where_items_are_counted(front: Front) -> None:
    before = sent(front, ("1", "2"))
    if front.kind == NGINX:
        assert front.counts().items is None
        return
    with pytest.raises(SinkDiffers, match="3 items were to arrive, and 2 did"):
        front.require(3, before)


def test_an_item_that_came_twice_in_the_place_of_another_is_an_error_where_keys_are_looked_at(front: Front) -> None:
    before = sent(front, ("1", "2"), ("2",))
    if front.kind != CHECKING:
        assert front.counts().keys is None
        return
    with pytest.raises(SinkDiffers, match="3 keys were to arrive, and 2 did"):
        front.require(3, before)
