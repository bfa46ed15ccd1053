"""One keep-alive HTTP connection: a socket that never blocks once it is open, and httptools (llhttp) to read answers.

Knows bytes, TLS and proxies; knows nothing of DynamoDB. For one thread.
"""

from __future__ import annotations

import select
import socket
import ssl
import time

import httptools

from pg2dynamo.dynamodb.endpoint import Endpoint, Proxy

RECEIVE_BYTES = 256 * 1024
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""More than any answer of DynamoDB (16 MB of items as JSON); what is longer is garbage."""


class ConnectionFailed(Exception):
    """The exchange gave no whole answer.

    `sent` says whether the service may have got the request, `hopeless` that a repeat would fail as well.
    """

    def __init__(self, reason: str, *, sent: bool, hopeless: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        self.hopeless = hopeless


class HttpReply:
    """The answer to one request; filled by the parser's callbacks."""

    __slots__ = ("_chunks", "_parser", "_size", "checksum", "complete", "keep_alive", "status")

    def __init__(self) -> None:
        self.status = 0
        self.keep_alive = False
        self.checksum: bytes | None = None
        self.complete = False
        self._chunks: list[bytes] = []
        self._size = 0
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take what was received. Raises HttpParserError or HttpParserUpgrade when it is no answer."""
        if self._parser is not None:
            self._parser.feed_data(data)
        if self.complete:
            self._parser = None  # the parser refers to this reply: let both go without the garbage collector

    @property
    def body(self) -> bytes:
        """The body, as it came."""
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def on_message_begin(self) -> None:
        """Refuse a second answer to one request."""
        if self.complete:
            raise ValueError("two answers to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the checksum."""
        if len(name) == 11 and name.lower() == b"x-amz-crc32":
            self.checksum = value

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        self._size += len(data)
        if self._size > MAX_ANSWER_BYTES:
            raise ValueError("the answer is too long")
        self._chunks.append(data)

    def on_message_complete(self) -> None:
        """Note the end. The parser forgets what it read once this returns, so it is asked here."""
        self.complete = True
        if self._parser is not None:
            self.status = self._parser.get_status_code()
            self.keep_alive = self._parser.should_keep_alive()


class Connection:
    """Exchange requests for answers, one at a time; connects when needed and after every failure.

    `exchange` waits for the answer. Whoever waits for many connections at once calls `begin`, and then `advance`
    whenever `fileno` is ready for `events`, until it returns the answer or `deadline` has passed.
    """

    def __init__(self, endpoint: Endpoint, timeout_seconds: float) -> None:
        self._endpoint = endpoint
        self._timeout = timeout_seconds
        self._socket: socket.socket | None = None
        self._poll = select.poll()
        self._unsent = memoryview(b"")
        self._reply = HttpReply()
        self._sent = False
        self.deadline = 0.0

    def exchange(self, request: bytes) -> HttpReply:
        """Send `request` and return the whole answer.

        Bounded by the timeout as a whole, however slowly the answer comes. Raises ConnectionFailed; the
        connection is then closed, and no later answer can be taken for this one's.
        """
        self.begin(request)
        while (reply := self.advance()) is None:
            poll = select.poll()
            poll.register(self.fileno(), self.events)
            poll.poll(max(0.0, self.deadline - time.monotonic()) * 1000)
            if time.monotonic() >= self.deadline:
                raise self.expire()
        return reply

    def begin(self, request: bytes) -> None:
        """Send `request`, as much of it as goes at once. Waits for a connection only. Raises as `exchange`."""
        self.deadline = time.monotonic() + self._timeout
        self._sent = False
        try:
            if not self._is_reusable():
                self._open(self.deadline)
            self._sent = True
            self._unsent, self._reply = memoryview(request), HttpReply()
            self._send()
        except _FAILURES as error:
            raise self._failure(error) from None
        except BaseException:
            self.close()
            raise

    def advance(self) -> HttpReply | None:
        """Send and receive what can be at once; return the answer when it is whole. Raises as `exchange`."""
        try:
            if self._unsent:
                self._send()
            return self._reply if self._receive() else None
        except _FAILURES as error:
            raise self._failure(error) from None
        except BaseException:
            self.close()
            raise

    def expire(self) -> ConnectionFailed:
        """Close the connection and return the failure of a request that was not answered by its deadline."""
        self.close()
        return ConnectionFailed("no answer in time", sent=self._sent)

    def close(self) -> None:
        """Close the socket; the next exchange connects anew."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def fileno(self) -> int:
        """The open socket's descriptor."""
        return -1 if self._socket is None else self._socket.fileno()

    @property
    def events(self) -> int:
        """What `advance` waits for, as select.poll names it."""
        return select.POLLIN | select.POLLOUT if self._unsent else select.POLLIN

    def _send(self) -> None:
        assert self._socket is not None
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except _NOT_YET:
                return
            self._unsent = self._unsent[sent:]

    def _receive(self) -> bool:
        """Feed the reply with what has come; return whether it is whole."""
        assert self._socket is not None
        reply = self._reply
        while not reply.complete:
            try:
                data = self._socket.recv(RECEIVE_BYTES)
            except _NOT_YET:
                return False
            if not data:
                raise EOFError("the connection was closed before the answer's end")
            reply.feed(data)
        if not reply.keep_alive or self._unsent:
            self.close()
        return True

    def _failure(self, error: Exception) -> ConnectionFailed:
        """Close the connection and say what networks or the other side did to it."""
        self.close()
        if isinstance(error, ConnectionFailed):
            return error
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = f"its certificate is not trusted: {error.verify_message}"
            return ConnectionFailed(reason, sent=False, hopeless=True)
        return ConnectionFailed(_describe(error), sent=self._sent)

    def _is_reusable(self) -> bool:
        """Return whether there is an open connection that the other side did not close while it was idle.

        Looking first spares a resend: what is written to a closed connection might have been executed, for all
        that can be known here. What came unasked is no answer to anything.
        """
        if self._socket is None:
            return False
        unasked = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        if unasked or self._poll.poll(0):
            self.close()
        return self._socket is not None

    def _open(self, deadline: float) -> None:
        endpoint = self._endpoint
        address = (endpoint.proxy.host, endpoint.proxy.port) if endpoint.proxy else (endpoint.host, endpoint.port)
        plain = socket.create_connection(address, _remaining(deadline))
        self._socket = plain
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if endpoint.tls is not None:
            if endpoint.proxy is not None:
                _tunnel(plain, endpoint, endpoint.proxy, deadline)
            plain.settimeout(_remaining(deadline))
            self._socket = endpoint.tls.wrap_socket(plain, server_hostname=endpoint.host)
        self._socket.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)


_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_NOT_HTTP = (httptools.HttpParserError, httptools.HttpParserUpgrade)
_FAILURES = (ConnectionFailed, OSError, EOFError, *_NOT_HTTP)


def _tunnel(connection: socket.socket, endpoint: Endpoint, proxy: Proxy, deadline: float) -> None:
    """Ask the proxy for a way through (HTTP CONNECT, RFC 9110 section 9.3.6)."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    authority = f"{host}:{endpoint.port}"
    lines = f"CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n"
    if proxy.authorization is not None:
        lines += f"proxy-authorization: {proxy.authorization.reveal()}\r\n"
    connection.settimeout(_remaining(deadline))
    connection.sendall(f"{lines}\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        connection.settimeout(_remaining(deadline))
        byte = connection.recv(1)
        if not byte or len(head) > 65536:
            raise ConnectionFailed("the proxy gave no answer", sent=False)
        head += byte
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"]:
        shown = status[0].decode("ascii", "replace") if status else "garbage"
        hopeless = shown in ("403", "405", "407")
        raise ConnectionFailed(f"the proxy refused the connection ({shown})", sent=False, hopeless=hopeless)


def _remaining(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    return remaining


def _describe(error: Exception) -> str:
    if isinstance(error, _NOT_HTTP):
        return "the answer is not HTTP"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    return str(error)
