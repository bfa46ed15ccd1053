"""A null sink: answers BatchWriteItem at once and keeps nothing, and passes every other call on to a real stand-in.

`python -m tests.bench.bulk.sink --help` runs it. It counts the items that it is sent; with `--keys` it parses every
body and counts the different keys too, which costs time and is for tests. With `--pages` it answers Scan, by segments,
from a file of pages, so that something can be verified against it. GET /counts tells the counts, and GET /reset forgets
them.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import ssl
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

ALL_WRITTEN = b'{"UnprocessedItems":{}}'
HOST = "127.0.0.1"
FORWARD_SECONDS = 60
_HOP_BY_HOP = {b"connection", b"content-length", b"keep-alive", b"transfer-encoding", b"expect"}


def http_answer(status: int, body: bytes) -> bytes:
    """Return an answer with the headers that DynamoDB sends."""
    return (
        f"HTTP/1.1 {status} {http.client.responses.get(status, 'Other')}\r\nServer: Server\r\n"
        "Date: Tue, 02 Jan 2024 03:04:05 GMT\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\n"
        "x-amzn-RequestId: 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123\r\n"
        f"x-amz-crc32: {zlib.crc32(body)}\r\n\r\n"
    ).encode() + body


ANSWER = http_answer(200, ALL_WRITTEN)


class Pages:
    """The items of one table, to be scanned page by page; each line of the file is a page, a tab and its last key."""

    def __init__(self, file: Path) -> None:
        lines = [line.split(b"\t") for line in file.read_bytes().splitlines()]
        self._pages = [(items, key) for items, key in lines]
        self._number = {_canonical(orjson.loads(key)): n for n, (_, key) in enumerate(self._pages)}

    def answer(self, body: bytes) -> bytes:
        """Return the next page of the segment that is asked for; every page is in one segment."""
        request = orjson.loads(body)
        if "ProjectionExpression" in request or "FilterExpression" in request or "Limit" in request:
            return http_answer(400, b'{"__type":"x#ValidationException","message":"the sink scans whole items only"}')
        total, last = request.get("TotalSegments", 1), request.get("ExclusiveStartKey")
        number = request.get("Segment", 0) if last is None else self._number[_canonical(last)] + total
        if number >= len(self._pages):
            return http_answer(200, b'{"Items":[],"Count":0,"ScannedCount":0}')
        items, key = self._pages[number]
        more = b',"LastEvaluatedKey":' + key if number + total < len(self._pages) else b""
        return http_answer(200, b'{"Items":[' + items + b"]" + more + b"}")


def _canonical(key: Any) -> bytes:
    return orjson.dumps(key, option=orjson.OPT_SORT_KEYS)


@dataclass(slots=True)
class Sink:
    """What all connections share: where to pass calls on to, and the counts."""

    upstream: tuple[str, int] | None = None
    key_attribute: str | None = None
    pages: Pages | None = None
    requests: int = 0
    items: int = 0
    keys: set[bytes] = field(default_factory=set)

    def take(self, body: bytes) -> None:
        """Count the items of a BatchWriteItem. Quotes within a text are escaped, so no text is taken for a put."""
        self.requests += 1
        self.items += body.count(b'"PutRequest"')
        if self.key_attribute is not None:
            for requests in orjson.loads(body)["RequestItems"].values():
                self.keys |= {_canonical(r["PutRequest"]["Item"][self.key_attribute]) for r in requests}

    def counts(self) -> bytes:
        """Return the counts as JSON; `keys` is null where keys are not looked at."""
        keys = len(self.keys) if self.key_attribute is not None else None
        return json.dumps({"requests": self.requests, "items": self.items, "keys": keys}).encode()

    def reset(self) -> None:
        """Forget what was counted."""
        self.requests = self.items = 0
        self.keys.clear()

    def forward(self, head: bytes, body: bytes) -> bytes:
        """Pass a call on and return the whole answer; blocks."""
        if self.upstream is None:
            return http_answer(404, b"{}")
        request, *lines = head.split(b"\r\n")
        method, path, _ = request.decode().split(" ")
        pairs = [line.partition(b":")[::2] for line in lines]
        headers = {n.decode(): v.strip().decode() for n, v in pairs if n.lower() not in _HOP_BY_HOP}
        connection = http.client.HTTPConnection(*self.upstream, timeout=FORWARD_SECONDS)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return http_answer(response.status, response.read())
        except (OSError, http.client.HTTPException):
            return http_answer(502, b"{}")
        finally:
            connection.close()


class SinkConnection(asyncio.Protocol):
    """Read requests with Content-Length and answer each, in order."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = bytearray()
        self._needed = self._body_at = 0
        self._busy: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._answer_all()

    def _answer_all(self) -> None:
        while self._busy is None and self._whole():
            head = bytes(self._buffer[: self._body_at - 4])
            body = bytes(self._buffer[self._body_at : self._needed])
            del self._buffer[: self._needed]
            self._needed = 0
            self._answer(head, body)

    def _whole(self) -> bool:
        """Tell whether a whole request is there."""
        if not self._needed:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            _, _, length = bytes(self._buffer[:end]).lower().partition(b"content-length:")
            self._body_at = end + 4
            self._needed = self._body_at + int(length.split(b"\r\n")[0] or 0)
        return len(self._buffer) >= self._needed

    def _answer(self, head: bytes, body: bytes) -> None:
        sink = self._sink
        if b".BatchWriteItem" in head:
            sink.take(body)
            self._transport.write(ANSWER)
        elif b".Scan" in head and sink.pages is not None:
            self._transport.write(sink.pages.answer(body))
        elif head.startswith(b"GET /counts "):
            self._transport.write(http_answer(200, sink.counts()))
        elif head.startswith(b"GET /reset "):
            sink.reset()
            self._transport.write(http_answer(200, b"{}"))
        else:
            self._busy = asyncio.get_running_loop().create_task(self._forward(head, body))

    async def _forward(self, head: bytes, body: bytes) -> None:
        answer = await asyncio.to_thread(self._sink.forward, head, body)
        self._transport.write(answer)
        self._busy = None
        self._answer_all()


async def listen(sink: Sink, port: int = 0, trust: ssl.SSLContext | None = None) -> asyncio.Server:
    """Listen on 127.0.0.1, on any free port by default."""
    return await asyncio.get_running_loop().create_server(lambda: SinkConnection(sink), HOST, port, ssl=trust)


async def _serve(sink: Sink, options: argparse.Namespace) -> None:
    servers = [await listen(sink, options.port)]
    if options.tls_port:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(options.certificate, options.key)
        servers.append(await listen(sink, options.tls_port, trust))
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", help="host:port of the stand-in that answers all other calls")
    parser.add_argument("--tls-port", type=int, help="listen for TLS as well, with --certificate and --key (PEM files)")
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--keys", metavar="ATTRIBUTE", help="count the different values of this key attribute")
    parser.add_argument("--pages", type=Path, help="answer Scan from this file")
    options = parser.parse_args()
    host, _, port = (options.upstream or "").partition(":")
    upstream = (host, int(port)) if port else None
    asyncio.run(_serve(Sink(upstream, options.keys, Pages(options.pages) if options.pages else None), options))


if __name__ == "__main__":
    main()
