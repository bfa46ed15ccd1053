"""An HTTP proxy for tests: tunnels CONNECT, forwards absolute requests, and notes what came through."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class ScriptedProxy:
    """A context manager. `refusal` is the status line to refuse everybody with."""

    def __init__(self, *, refusal: str | None = None) -> None:
        self.heads: list[str] = []
        self._refusal = refusal
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    @property
    def authority(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(20)
        for connection in self._open:
            connection.close()

    def _spawn(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data:
                if not (received := client.recv(65536)):
                    return
                data += received
            head = data.partition(b"\r\n\r\n")[0].decode()
            self.heads.append(head)
            if self._refusal is not None:
                client.sendall(f"HTTP/1.1 {self._refusal}\r\ncontent-length: 0\r\n\r\n".encode())
                return
            method, target, *_ = head.split(" ")
            url = urlsplit(f"//{target}" if method == "CONNECT" else target)
            upstream = socket.create_connection((url.hostname or "", url.port or 80), 10)
            self._open.append(upstream)
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream.sendall(data)
            self._spawn(_pump, upstream, client)
            _pump(client, upstream)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
