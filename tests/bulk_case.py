"""A small migration whose tables are imported from S3, and a DynamoDB that can be told to import wrongly."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import boto3

from pg2dynamo.migration.prepare import prepare
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.ways import Via
from tests.case import FILL, PLAN, SCHEMA, Case
from tests.conftest import Database

Meddle = Callable[[str, dict[str, Any]], "dict[str, Any] | None"]
"""Gets operation and answer of each request, and may give another answer."""


@dataclass(frozen=True)
class BulkCase(Case):
    """A case with a bucket of its own."""

    bucket: str = ""

    def objects(self) -> list[str]:
        """The names of the objects that are in the bucket."""
        return [found["Key"] for found in boto3.client("s3").list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    def with_environment(self, **variables: str) -> BulkCase:
        """The same case reached by other means."""
        return replace(self, environ=self.environ | variables)

    def with_plan(self, text: str) -> BulkCase:
        """The same case with another plan."""
        return replace(self, plan=parse_plan(text, self.environ), plan_text=text)


def bulk_plan(unique: str, bucket: str) -> str:
    """The plan of `tests.case`, with a bucket."""
    place = f", import: {{bucket: {bucket}, prefix: moves}}}}"
    head, target, rest = PLAN.format(unique=unique).partition("request_timeout_seconds: 1}")
    return f"{head}{target[:-1]}{place}{rest}"


def make_bulk_case(
    database: Database,
    environ: dict[str, str],
    unique: str,
    *,
    people: int = 300,
    visits: int = 200,
    schema: str = SCHEMA,
) -> BulkCase:
    """Fill the database, make bucket and control table, and leave the tables to the import."""
    with database.connect() as connection:
        connection.execute(schema.encode())
        if people:
            connection.execute(FILL.format(people=people, visits=visits).encode())
    boto3.client("s3").create_bucket(Bucket=unique)
    whole = environ | {"DATABASE_URL": database.dsn, "PATH": os.environ["PATH"]}
    text = bulk_plan(unique, unique)
    case = BulkCase(database, parse_plan(text, whole), text, whole, unique)
    prepare(case.plan, whole, via=Via.IMPORT)
    return case


@dataclass
class MeddlingEndpoint:
    """Passes DynamoDB's requests on to the real endpoint; a context manager.

    `before` is called with each operation and its request before that is passed on, `after` with its answer. When one
    raises ConnectionError the connection is closed; when `before` raises LookupError the operation is not known.
    """

    upstream: str
    before: Callable[[str, dict[str, Any]], None] = lambda operation, request: None
    after: Meddle = lambda operation, answer: None
    operations: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"endpoint": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(20)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def forward(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        url = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
        try:
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint: MeddlingEndpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        operation = self.headers["x-amz-target"].rpartition(".")[2]
        self.endpoint.operations.append(operation)
        try:
            self.endpoint.before(operation, json.loads(body))
        except ConnectionError:
            self.close_connection = True
            return
        except LookupError:
            self._answer(400, b'{"__type":"com.amazon.coral.service#UnknownOperationException","message":""}')
            return
        wanted = ("x-amz-target", "content-type", "authorization", "x-amz-date", "host")
        status, answer = self.endpoint.forward({n: v for n, v in self.headers.items() if n.lower() in wanted}, body)
        if status == 200:
            try:
                changed = self.endpoint.after(operation, json.loads(answer))
            except ConnectionError:
                self.close_connection = True
                return
            answer = answer if changed is None else json.dumps(changed).encode()
        self._answer(status, answer)

    def _answer(self, status: int, answer: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: Any) -> None: ...


def rewrite_objects(bucket: str, change: Callable[[list[dict[str, Any]]], list[Any]], prefix: str = "moves/") -> None:
    """Replace the items of every object to import by what `change` makes of them."""
    s3 = boto3.client("s3")
    for found in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
        if found["Key"].endswith(".json.gz"):
            data = gzip.decompress(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
            items = change([json.loads(line)["Item"] for line in data.splitlines()])
            lines = "".join(json.dumps({"Item": item}) + "\n" for item in items)
            s3.put_object(Bucket=bucket, Key=found["Key"], Body=gzip.compress(lines.encode()))
