"""Measure ways to send signed BatchWriteItem requests: `python -m tests.bench.senders [--json]`.

Each sender runs in a process of its own and sends the same bodies (25 items of about 400 bytes), each signed
anew, with 16 in flight, to a sink that reads and answers and keeps nothing. Rounds are interleaved, and the
median is shown. CPU is that of the sending process, per million items; the sink runs beside it on the same
machine. A sender whose library is not installed is left out by name.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import importlib.util
import json
import multiprocessing
import os
import queue
import resource
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.signing import Signer, SigningCredentials, SigningScope
from pg2dynamo.dynamodb.writer import BatchWriter
from pg2dynamo.secret import Secret
from tests.bench.bulk.sink import Sink, listen

IN_FLIGHT = 16
ITEMS = 25
CREDENTIALS = SigningCredentials("AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), None)
ITEM = (
    b'{"account_id":{"S":"%032d"},"tenant_id":{"S":"%032d"},"status":{"S":"active"},"name":{"S":"%s"},'
    b'"created_at":{"S":"2024-01-02T03:04:05.678901"},"count":{"N":"12345"}}'
)


def run_sink(report: Any) -> None:
    """Serve until the process is ended; report the port."""

    async def serve() -> None:
        server = await listen(Sink())
        report.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def make_bodies() -> list[bytes]:
    """Return eight different bodies."""
    bodies = []
    for n in range(8):
        requests = [b'{"PutRequest":{"Item":' + ITEM % (n * 100 + i, i, b"x" * 170) + b"}}" for i in range(ITEMS)]
        bodies.append(b'{"RequestItems":{"threat-engine-accounts":[' + b",".join(requests) + b"]}}")
    return bodies


class Head:
    """Make signed request heads, as bytes or as a dict; for one thread."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.signer = Signer(SigningScope(self.host, "/", "us-east-1"))

    def lines(self, body: bytes) -> str:
        timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        return self.signer.headers("BatchWriteItem", body, CREDENTIALS, timestamp)

    def raw(self, body: bytes) -> bytes:
        return f"POST / HTTP/1.1\r\n{self.lines(body)}content-length: {len(body)}\r\n\r\n".encode() + body

    def pairs(self, body: bytes) -> list[tuple[str, str]]:
        split = (line.split(":", 1) for line in self.lines(body).split("\r\n") if line)
        return [(name, value.strip()) for name, value in split]


def in_threads(port: int, requests: int, loop: Callable[[int, Callable[[], bytes | None]], None]) -> None:
    """Run `loop(port, next_body)` in each of the threads; `next_body` gives None at the end."""
    bodies = make_bodies()
    work: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    for n in range(requests):
        work.put(bodies[n % len(bodies)])
    for _ in range(IN_FLIGHT):
        work.put(None)
    threads = [threading.Thread(target=loop, args=(port, work.get)) for _ in range(IN_FLIGHT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def send_httptools(port: int, requests: int) -> None:
    """Blocking sockets in threads, answers parsed by httptools (llhttp)."""
    import httptools

    class Reply:
        done = False
        body = b""
        crc = b""

        def on_header(self, name: bytes, value: bytes) -> None:
            if name.lower() == b"x-amz-crc32":
                self.crc = value

        def on_body(self, data: bytes) -> None:
            self.body += data

        def on_message_complete(self) -> None:
            self.done = True

    def loop(port: int, next_body: Callable[[], bytes | None]) -> None:
        head = Head(port)
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(10)
            while (body := next_body()) is not None:
                sock.sendall(head.raw(body))
                reply = Reply()
                parser = httptools.HttpResponseParser(reply)
                while not reply.done:
                    parser.feed_data(sock.recv(65536))
                assert parser.get_status_code() == 200

    in_threads(port, requests, loop)


def send_h11(port: int, requests: int) -> None:
    """Blocking sockets in threads, HTTP by h11."""
    import h11

    def loop(port: int, next_body: Callable[[], bytes | None]) -> None:
        head = Head(port)
        connection = h11.Connection(our_role=h11.CLIENT)
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.settimeout(10)
            while (body := next_body()) is not None:
                headers = [*head.pairs(body), ("content-length", str(len(body)))]
                out = connection.send(h11.Request(method="POST", target="/", headers=headers)) or b""
                out += connection.send(h11.Data(data=body)) or b""
                out += connection.send(h11.EndOfMessage()) or b""
                sock.sendall(out)
                while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                    if event is h11.NEED_DATA:
                        connection.receive_data(sock.recv(65536))
                connection.start_next_cycle()

    in_threads(port, requests, loop)


def send_http_client(port: int, requests: int) -> None:
    """The standard library's http.client in threads."""

    def loop(port: int, next_body: Callable[[], bytes | None]) -> None:
        head = Head(port)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.connect()
        assert connection.sock is not None
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (body := next_body()) is not None:
            connection.request("POST", "/", body, dict(head.pairs(body)))
            response = connection.getresponse()
            response.read()
            assert response.status == 200
        connection.close()

    in_threads(port, requests, loop)


def send_pycurl(port: int, requests: int) -> None:
    """libcurl's multi interface, one thread."""
    import pycurl

    bodies, head = make_bodies(), Head(port)
    multi = pycurl.CurlMulti()
    idle: list[Any] = []
    for _ in range(IN_FLIGHT):
        easy = pycurl.Curl()
        easy.setopt(pycurl.URL, f"http://127.0.0.1:{port}/")
        easy.setopt(pycurl.TCP_NODELAY, 1)
        easy.setopt(pycurl.TIMEOUT, 10)
        idle.append(easy)
    started = done = 0
    while done < requests:
        while idle and started < requests:
            easy, body = idle.pop(), bodies[started % len(bodies)]
            easy.reply = bytearray()
            easy.setopt(pycurl.POSTFIELDS, body)
            easy.setopt(pycurl.HTTPHEADER, [*head.lines(body).split("\r\n")[:-1], "Expect:"])
            easy.setopt(pycurl.WRITEFUNCTION, easy.reply.extend)
            multi.add_handle(easy)
            started += 1
        multi.perform()
        _, good, bad = multi.info_read()
        assert not bad
        for easy in good:
            assert easy.getinfo(pycurl.RESPONSE_CODE) == 200
            multi.remove_handle(easy)
            idle.append(easy)
        done += len(good)
        if not good:
            multi.select(1.0)


def send_awscrt(port: int, requests: int) -> None:
    """AWS's common runtime: its HTTP client and event loop, signed by our signer."""
    from awscrt import http as crt_http
    from awscrt import io as crt_io

    bodies, head = make_bodies(), Head(port)
    group = crt_io.EventLoopGroup(1)
    bootstrap = crt_io.ClientBootstrap(group, crt_io.DefaultHostResolver(group))
    options = crt_io.SocketOptions()
    connections = [
        crt_http.HttpClientConnection.new("127.0.0.1", port, bootstrap, socket_options=options).result(10)
        for _ in range(IN_FLIGHT)
    ]
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()

    def start(slot: int, body: bytes) -> None:
        request = crt_http.HttpRequest("POST", "/", crt_http.HttpHeaders(head.pairs(body)), _stream(body))
        request.headers.add("content-length", str(len(body)))
        reply = bytearray()
        stream = connections[slot].request(
            request, lambda **_: None, lambda http_stream, chunk, **_: reply.extend(chunk)
        )
        stream.completion_future.add_done_callback(lambda future: ended.put(slot if future.result() == 200 else -1))
        stream.activate()

    def _stream(body: bytes) -> Any:
        import io

        return io.BytesIO(body)

    for n in range(min(IN_FLIGHT, requests)):
        start(n, bodies[n % len(bodies)])
    for n in range(requests):
        slot = ended.get(timeout=20)
        assert slot >= 0
        if n + IN_FLIGHT < requests:
            start(slot, bodies[n % len(bodies)])
    for connection in connections:
        connection.close()


def send_writer(port: int, requests: int) -> None:
    """The product's writer as a whole: batching, order by key, signing, sending, judging answers."""
    names = {"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": CREDENTIALS.access_key}
    os.environ.update(names, AWS_SECRET_ACCESS_KEY=CREDENTIALS.secret_key.reveal(), NO_PROXY="127.0.0.1")
    settings = TargetSettings(region="us-east-1", in_flight=IN_FLIGHT)
    pad = b"x" * 170
    with BatchWriter(settings, "threat-engine-accounts", on_refused=lambda key, reason: sys.exit(reason)) as writer:
        for n in range(requests * ITEMS):
            writer.put(b'{"account_id":{"S":"%032d"}}' % n, ITEM % (n, n % 1000, pad))


SENDERS: dict[str, tuple[str | None, Callable[[int, int], None]]] = {
    "threads+httptools": ("httptools", send_httptools),
    "pycurl multi": ("pycurl", send_pycurl),
    "awscrt": ("awscrt", send_awscrt),
    "threads+http.client": (None, send_http_client),
    "threads+h11": ("h11", send_h11),
    "BatchWriter, whole": ("httptools", send_writer),
}


def run_sender(name: str, port: int, requests: int, report: Any) -> None:
    """Send in this process and report (seconds, CPU seconds)."""
    send = SENDERS[name][1]
    send(port, 200)
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    send(port, requests)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    report.put((time.perf_counter() - started, cpu))


def measure(requests: int, rounds: int) -> dict[str, Any]:
    """Return for each sender its medians, and the names of those that could not run."""
    context = multiprocessing.get_context("spawn")
    report = context.Queue()
    sink = context.Process(target=run_sink, args=(report,), daemon=True)
    sink.start()
    port = report.get(timeout=20)
    able = [n for n, (library, _) in SENDERS.items() if library is None or importlib.util.find_spec(library)]
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in able}
    for _ in range(rounds):
        for name in able:
            process = context.Process(target=run_sender, args=(name, port, requests, report))
            process.start()
            results[name].append(report.get(timeout=300))
            process.join()
    sink.terminate()
    sink.join()
    return {
        "items": requests * ITEMS,
        "in_flight": IN_FLIGHT,
        "rounds": rounds,
        "sink": "tests/bench/bulk/sink.py in a process of its own",
        "skipped": [name for name in SENDERS if name not in able],
        "senders": {name: _medians(values, requests * ITEMS) for name, values in results.items()},
    }


def _medians(values: list[tuple[float, float]], items: int) -> dict[str, float]:
    return {
        "cpu_seconds_per_million_items": round(statistics.median(cpu for _, cpu in values) / items * 1e6, 2),
        "items_per_second": round(items / statistics.median(seconds for seconds, _ in values)),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--requests", type=int, default=8000, help="requests of 25 items in each round")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    result = measure(arguments.requests, arguments.rounds)
    if arguments.json:
        print(json.dumps(result))
        return 0
    print(f"{result['items']} items a round, {IN_FLIGHT} in flight, median of {result['rounds']} rounds")
    print(f"sink: {result['sink']}")
    for name, numbers in result["senders"].items():
        cpu, rate = numbers["cpu_seconds_per_million_items"], numbers["items_per_second"]
        print(f"{name:22} {cpu:8.2f} CPU s per million items {rate:10,} items/s")
    for name in result["skipped"]:
        print(f"{name:22} left out: {SENDERS[name][0]} is not installed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
