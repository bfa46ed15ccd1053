"""A DynamoDB endpoint that does what a test tells it to: a real HTTP server in threads, items in memory.

Without a script it answers BatchWriteItem, BatchGetItem and Scan as DynamoDB does. `script(step, …)` queues steps:
each request that arrives takes the next one. `always(rule)` looks at every request: what it returns is the step
for it. A step is a function of the Exchange, one of those below or a test's own.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

Item = dict[str, Any]
Step = Callable[["Exchange"], None]
Rule = Callable[["Exchange"], "Step | None"]
ACCESS_KEY, SECRET_KEY = "AKIDSCRIPTED", "scripted-secret"


class Hangup(Exception):
    """The connection is closed now, without another word."""


@dataclass
class Exchange:
    """One request, and the means to answer it."""

    endpoint: ScriptedEndpoint
    operation: str
    body: bytes
    headers: dict[str, str]
    connection: socket.socket
    connection_number: int
    closes: bool = field(default=False)
    keys: list[str] = field(default_factory=list)
    ended: bool = field(default=False)

    @property
    def request(self) -> dict[str, Any]:
        """The body, parsed."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    def operations(self) -> list[tuple[str, Item, Item | None]]:
        """The puts and deletes of a BatchWriteItem: (table, key, item or None)."""
        found = []
        for table, requests in self.request["RequestItems"].items():
            for request in requests:
                item = request.get("PutRequest", {}).get("Item")
                key = request["DeleteRequest"]["Key"] if item is None else self.endpoint.key_of(item)
                found.append((table, key, item))
        return found

    def reply(self, status: int, body: bytes, *, checksum: int | None = None, length: int | None = None) -> None:
        """Answer with a body and its headers, right or wrong."""
        crc = zlib.crc32(body) if checksum is None else checksum
        self.endpoint.note_end(self)
        head = f"HTTP/1.1 {status} Scripted\r\ncontent-type: application/x-amz-json-1.0\r\nx-amz-crc32: {crc}\r\n"
        head += "connection: close\r\n" if self.closes else ""
        head += f"content-length: {len(body) if length is None else length}\r\n\r\n"
        self.connection.sendall(head.encode() + body)

    def fail(self, status: int, code: str, message: str = "") -> None:
        """Answer with an error as DynamoDB words it."""
        error = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
        self.reply(status, json.dumps(error).encode())

    def succeed(self) -> None:
        """Do what is asked and answer."""
        self.reply(200, json.dumps(self.endpoint.execute(self)).encode())

    def wait_until_closed(self) -> None:
        """Wait until the client closes the connection."""
        try:
            while self.connection.recv(65536):
                pass
        except OSError:
            pass


# Steps


def succeed(exchange: Exchange) -> None:
    """Do it and answer."""
    exchange.succeed()


def close_after(exchange: Exchange) -> None:
    """Do it, answer, and close the kept-alive connection without having announced it."""
    exchange.succeed()
    raise Hangup


def drop(exchange: Exchange) -> None:
    """Close the connection; nothing was done."""
    raise Hangup


def apply_then_drop(exchange: Exchange) -> None:
    """Do it, but let the answer be lost."""
    exchange.endpoint.execute(exchange)
    raise Hangup


def hold(let_go: threading.Event, arrived: threading.Event | None = None) -> Step:
    """Tell that the request has `arrived`, and do it and answer when it is `let_go`."""

    def step(exchange: Exchange) -> None:
        if arrived is not None:
            arrived.set()
        let_go.wait(20)
        exchange.succeed()

    return step


def throttle(exchange: Exchange) -> None:
    """Refuse the whole request for now."""
    exchange.fail(400, "ProvisionedThroughputExceededException", "slow down")


def error(status: int, code: str, message: str = "") -> Step:
    """Answer with this error."""
    return lambda exchange: exchange.fail(status, code, message)


def raw(data: bytes) -> Step:
    """Send these bytes and close: no HTTP, or half of it."""

    def step(exchange: Exchange) -> None:
        exchange.connection.sendall(data)
        raise Hangup

    return step


def answer(body: bytes, status: int = 200) -> Step:
    """Answer with this body, having done nothing."""
    return lambda exchange: exchange.reply(status, body)


def truncated(exchange: Exchange) -> None:
    """Announce a longer body than is sent; nothing was done."""
    exchange.reply(200, b'{"UnprocessedItems":', length=23)
    raise Hangup


def wrong_checksum(exchange: Exchange) -> None:
    """Answer well, but for the checksum; nothing was done."""
    exchange.reply(200, b'{"UnprocessedItems":{}}', checksum=1)


def unprocessed(count: int) -> Step:
    """Leave the last `count` operations of a BatchWriteItem undone."""

    def step(exchange: Exchange) -> None:
        (table, requests), *_ = exchange.request["RequestItems"].items()
        done, left = requests[: len(requests) - count], requests[len(requests) - count :]
        exchange.body = json.dumps({"RequestItems": {table: done}}).encode()
        exchange.endpoint.execute(exchange)
        shuffled = [dict(reversed(request.items())) for request in reversed(left)]
        exchange.reply(200, json.dumps({"UnprocessedItems": {table: shuffled} if left else {}}).encode())

    return step


class ScriptedEndpoint:
    """See the module. A context manager; `hash_key` and `range_key` are the key of every table."""

    def __init__(self, hash_key: str = "id", range_key: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.items: dict[str, dict[str, Item]] = {}
        self.history: list[tuple[str, Item | None]] = []
        self.requests: list[Exchange] = []
        self.connections = 0
        self.most_under_way = 0
        self.key_overlaps: list[str] = []
        self.bad_signatures = 0
        self.secrets: dict[str, str] = {ACCESS_KEY: SECRET_KEY}
        self.page_items = 100
        self.lock = threading.RLock()
        self._key_names = (hash_key,) if range_key is None else (hash_key, range_key)
        self._tls = tls
        self._script: deque[Step] = deque()
        self._rules: list[Rule] = []
        self._under_way = 0
        self._keys_under_way: dict[str, int] = {}
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.listen()

    @property
    def url(self) -> str:
        """The address."""
        return f"{'https://localhost' if self._tls else 'http://127.0.0.1'}:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        """The environment that points the AWS SDK here."""
        return {
            "AWS_ENDPOINT_URL_DYNAMODB": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": "us-east-1",
        }

    def script(self, *steps: Step, times: int = 1) -> None:
        """Queue steps, each for one request."""
        with self.lock:
            self._script.extend(list(steps) * times)

    def always(self, rule: Rule) -> None:
        """Ask `rule` about every request that no queued step takes; None means the next rule, or success."""
        with self.lock:
            self._rules.append(rule)

    def key_of(self, item: Item) -> Item:
        """The key attributes of an item."""
        return {name: item[name] for name in self._key_names}

    def stored(self, table: str) -> list[Item]:
        """The items of a table."""
        with self.lock:
            return list(self.items.get(table, {}).values())

    def execute(self, exchange: Exchange) -> dict[str, Any]:
        """Do what the request asks, at once and whole."""
        operation: Callable[[Exchange], dict[str, Any]] = getattr(self, f"_{exchange.operation}")
        with self.lock:
            return operation(exchange)

    def _BatchWriteItem(self, exchange: Exchange) -> dict[str, Any]:
        for table, key, item in exchange.operations():
            name = json.dumps(key, sort_keys=True)
            self.history.append((name, item))
            if item is None:
                self.items.setdefault(table, {}).pop(name, None)
            else:
                self.items.setdefault(table, {})[name] = item
        return {"UnprocessedItems": {}}

    def _BatchGetItem(self, exchange: Exchange) -> dict[str, Any]:
        found: dict[str, list[Item]] = {}
        for table, wanted in exchange.request["RequestItems"].items():
            items = self.items.get(table, {})
            names = [json.dumps(key, sort_keys=True) for key in wanted["Keys"]]
            found[table] = [items[name] for name in names if name in items]
        return {"Responses": found, "UnprocessedKeys": {}}

    def _Scan(self, exchange: Exchange) -> dict[str, Any]:
        request = exchange.request
        items, total = self.items.get(request["TableName"], {}), request.get("TotalSegments", 1)
        names = sorted(name for name in items if zlib.crc32(name.encode()) % total == request.get("Segment", 0))
        start = request.get("ExclusiveStartKey")
        if start is not None:
            names = [name for name in names if name > json.dumps(start, sort_keys=True)]
        page = names[: self.page_items]
        result: dict[str, Any] = {"Items": [items[name] for name in page], "Count": len(page)}
        if len(names) > len(page):
            result["LastEvaluatedKey"] = json.loads(page[-1])
        return result

    # The server

    def listen(self) -> None:
        """Accept connections, on the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._spawn(self._accept, listener)

    def stop_listening(self) -> None:
        """Refuse connections from now on, and close those that are open, as a server that ends does."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self.lock:
            for connection in self._open:
                with suppress(OSError):  # the client was first
                    connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_listening()
        for thread in self._threads:
            thread.join(20)

    def _spawn(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self._open.add(connection)
            self._spawn(self._serve, connection, self.connections)

    def _serve(self, plain: socket.socket, number: int) -> None:
        connection = plain
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._tls.wrap_socket(plain, server_side=True)
                with self.lock:
                    self._open.discard(plain)
                    self._open.add(connection)
            while (exchange := self._read(connection, number)) is not None:
                self._answer(exchange)
        except (Hangup, OSError):
            pass
        finally:
            with self.lock:
                self._open.discard(plain)
                self._open.discard(connection)
                connection.close()

    def _read(self, connection: socket.socket, number: int) -> Exchange | None:
        data = b""
        while b"\r\n\r\n" not in data:
            received = connection.recv(65536)
            if not received:
                return None
            data += received
        head, _, body = data.partition(b"\r\n\r\n")
        lines = [line.partition(":") for line in head.decode().split("\r\n")[1:]]
        headers = {name.lower(): value.strip() for name, _, value in lines}
        while len(body) < int(headers["content-length"]):
            received = connection.recv(65536)
            if not received:
                return None
            body += received
        operation = headers["x-amz-target"].partition(".")[2]
        return Exchange(self, operation, body, headers, connection, number)

    def _answer(self, exchange: Exchange) -> None:
        step = self._begin(exchange)
        self._note_keys(exchange)
        try:
            step(exchange)
        finally:
            self.note_end(exchange)

    def note_end(self, exchange: Exchange) -> None:
        """Note that the request is no longer under way: just before the client can know."""
        with self.lock:
            for key in exchange.keys:
                self._keys_under_way[key] -= 1
            exchange.keys = []
            self._under_way -= not exchange.ended
            exchange.ended = True

    def _begin(self, exchange: Exchange) -> Step:
        with self.lock:
            self.requests.append(exchange)
            self._under_way += 1
            self.most_under_way = max(self.most_under_way, self._under_way)
            if not signature_holds(exchange.headers, exchange.body, exchange.operation, self.secrets):
                self.bad_signatures += 1
                return error(400, "InvalidSignatureException", "The request signature does not match.")
            if self._script:
                return self._script.popleft()
            rules = list(self._rules)
        return next((step for rule in rules if (step := rule(exchange)) is not None), succeed)

    def _note_keys(self, exchange: Exchange) -> None:
        if exchange.operation != "BatchWriteItem":
            return
        exchange.keys = [json.dumps(key, sort_keys=True) for _, key, _ in exchange.operations()]
        with self.lock:
            for key in exchange.keys:
                self._keys_under_way[key] = self._keys_under_way.get(key, 0) + 1
                if self._keys_under_way[key] > 1:
                    self.key_overlaps.append(key)


def signature_holds(headers: Mapping[str, str], body: bytes, operation: str, secrets: Mapping[str, str]) -> bool:
    """Return whether the signature is what botocore would make of the request."""
    access_key = headers["authorization"].partition("Credential=")[2].partition("/")[0]
    if access_key not in secrets:
        return False
    request = AWSRequest(method="POST", url=f"http://{headers['host']}/", data=body)
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    for name in signed:
        request.headers[name] = headers[name]
    request.context["timestamp"] = headers["x-amz-date"]
    region = headers["authorization"].split("/")[2]
    signer = SigV4Auth(Credentials(access_key, secrets[access_key]), "dynamodb", region)
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    return headers["authorization"].endswith("Signature=" + signer.signature(to_sign, request))
