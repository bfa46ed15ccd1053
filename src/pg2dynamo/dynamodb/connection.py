"""One keep-alive HTTP connection: a blocking socket, and httptools (llhttp) to read answers.

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
    """Exchange requests for answers, one at a time; connects when needed and after every failure."""

    def __init__(self, endpoint: Endpoint, timeout_seconds: float) -> None:
        self._endpoint = endpoint
        self._timeout = timeout_seconds
        self._socket: socket.socket | None = None
        self._poll = select.poll()

    def exchange(self, request: bytes) -> HttpReply:
        """Send `request` and return the whole answer.

        Bounded by the timeout as a whole, however slowly the answer comes. Raises ConnectionFailed; the
        connection is then closed, and no later answer can be taken for this one's.
        """
        deadline = time.monotonic() + self._timeout
        sent = False
        try:
            connection = self._reusable() or self._open(deadline)
            sent = True
            return self._converse(connection, request, deadline)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            failure = ConnectionFailed("the answer is not HTTP", sent=sent)
        except ssl.SSLCertVerificationError as error:
            failure = ConnectionFailed(
                f"its certificate is not trusted: {error.verify_message}", sent=False, hopeless=True
            )
        except TimeoutError:
            failure = ConnectionFailed("no answer in time", sent=sent)
        except (OSError, EOFError) as error:
            failure = ConnectionFailed(_describe(error), sent=sent)
        except ConnectionFailed as error:
            failure = error
        except BaseException:
            self.close()
            raise
        self.close()
        raise failure from None

    def close(self) -> None:
        """Close the socket; the next exchange connects anew."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _converse(self, connection: socket.socket, request: bytes, deadline: float) -> HttpReply:
        connection.settimeout(_remaining(deadline))
        connection.sendall(request)
        reply = HttpReply()
        while not reply.complete:
            connection.settimeout(_remaining(deadline))
            data = connection.recv(RECEIVE_BYTES)
            if not data:
                raise EOFError("the connection was closed before the answer's end")
            reply.feed(data)
        if not reply.keep_alive:
            self.close()
        return reply

    def _reusable(self) -> socket.socket | None:
        """Return the open connection, unless the other side closed it while it was idle.

        Looking first spares a resend: what is written to a closed connection might have been executed, for all
        that can be known here.
        """
        if self._socket is None:
            return None
        if self._poll.poll(0):
            self.close()
        return self._socket

    def _open(self, deadline: float) -> socket.socket:
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
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        return self._socket


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
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    return str(error)
