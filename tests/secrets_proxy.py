"""A Secrets Manager endpoint that does what a test tells it to: a real HTTP server in front of the stand-in.

Every request is handed to `rule`; what that returns is done with it, nothing meaning that it is passed on.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass
class Call:
    """One request; `number` counts from 1."""

    proxy: SecretsProxy
    operation: str
    request: dict[str, Any]
    body: bytes
    headers: dict[str, str]
    number: int

    def pass_on(self) -> tuple[int, bytes]:
        """Let the stand-in do it; return its answer."""
        connection = http.client.HTTPConnection(self.proxy.host, self.proxy.port, timeout=30)
        try:
            connection.request("POST", "/", self.body, self.headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


Answer = tuple[int, bytes] | None
Rule = Callable[[Call], Callable[[Call], Answer] | None]


def fail(code: str, status: int = 400, message: str = "") -> Callable[[Call], Answer]:
    """Answer with an error; nothing is done."""
    return lambda call: (status, json.dumps({"__type": code, "Message": message}).encode())


def lose_answer(call: Call) -> Answer:
    """Do it, but close the connection without an answer."""
    call.pass_on()
    return None


class SecretsProxy:
    """Listens on 127.0.0.1 while its context lasts; `calls` are the requests so far."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.rule: Rule = lambda call: None
        self.calls: list[Call] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def operations(self) -> list[str]:
        """Return the names of the operations that were asked for."""
        return [call.operation for call in self.calls]

    def _handler(proxy) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                operation = self.headers["X-Amz-Target"].partition(".")[2]
                with proxy._lock:
                    call = Call(proxy, operation, json.loads(body), body, dict(self.headers), len(proxy.calls) + 1)
                    proxy.calls.append(call)
                answer = (proxy.rule(call) or Call.pass_on)(call)
                self.close_connection = True
                if answer is None:
                    return
                self.send_response(answer[0])
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(answer[1])))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(answer[1])

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
