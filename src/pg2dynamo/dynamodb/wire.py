"""One request to DynamoDB and its answer, over one keep-alive connection.

Owns signing, sending and reading; judges only whether an answer is whole. What an answer means is `retry`'s.
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from typing import Any

import orjson

from pg2dynamo.dynamodb.connection import Connection, ConnectionFailed, HttpReply
from pg2dynamo.dynamodb.endpoint import Endpoint, resolve_endpoint
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.signing import Signer, SigningCredentials

NO_ANSWER = "NoAnswer"
"""The error code of an answer that did not come, or came damaged."""
NO_CONNECTION = "NoConnection"
"""The error code when no connection can be had and none will: an untrusted certificate, a proxy that refuses."""
_USER_AGENT = "pg2dynamo"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service answered. `status` is 0 when no whole answer came.

    `error_code` is empty on success. `message` is the service's own and may hold values of items: match it,
    never show it. `uncertain` is true when the request may still be executed after this call returned.
    """

    status: int
    body: bytes = b""
    error_code: str = ""
    message: str = ""
    uncertain: bool = False


class Wire:
    """A connection to DynamoDB for one thread. It decides nothing: no retries, no waiting between.

    `call` waits for the answer; `begin` and `advance` do not: see `Connection`.
    """

    def __init__(
        self, settings: TargetSettings, endpoint: Endpoint | None = None, signer: Signer | None = None
    ) -> None:
        """Connect lazily. `endpoint` spares resolving it again; wires of one thread may share a signer."""
        self.endpoint = endpoint or resolve_endpoint(settings)
        self._used: SigningCredentials | None = None
        self._signer = signer or Signer(self.endpoint.scope)
        self._connection = Connection(self.endpoint, settings.request_timeout_seconds)
        self._second, self._timestamp = 0, ""
        self._request_line, self._fixed = _fixed_lines(self.endpoint)

    def call(self, operation: str, body: bytes) -> Answer:
        """Send one request, e.g. `BatchWriteItem`, and return the answer, also when it is an error or none.

        Takes at most `request_timeout_seconds` (and the time to refresh credentials). Raises TargetDenied
        when there are no credentials to sign with.
        """
        request = self._signed(operation, body)
        try:
            reply = self._connection.exchange(request)
        except ConnectionFailed as failure:
            return _no_answer(failure)
        return _read(reply)

    def begin(self, operation: str, body: bytes) -> Answer | None:
        """Send one request; return the answer when there will be none, as no connection can be had. Raises as `call`.

        The wire has one request under way at a time.
        """
        request = self._signed(operation, body)
        try:
            self._connection.begin(request)
        except ConnectionFailed as failure:
            return _no_answer(failure)
        return None

    def advance(self) -> Answer | None:
        """Take what has come; return the answer to the request under way when it is whole, or lost."""
        try:
            reply = self._connection.advance()
        except ConnectionFailed as failure:
            return _no_answer(failure)
        return None if reply is None else _read(reply)

    def expire(self) -> Answer:
        """Give up the request under way, which has not been answered by its deadline."""
        return _no_answer(self._connection.expire())

    def fileno(self) -> int:
        """The connection's descriptor, while a request is under way."""
        return self._connection.fileno()

    @property
    def events(self) -> int:
        """What to wait for before `advance`, as select.poll names it."""
        return self._connection.events

    @property
    def deadline(self) -> float:
        """When the request under way is to be given up, by the monotonic clock."""
        return self._connection.deadline

    def _signed(self, operation: str, body: bytes) -> bytes:
        credentials = self._used = self.endpoint.credentials.current()
        now = int(time.time())
        if now != self._second:
            self._second, self._timestamp = now, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        signed = self._signer.headers(operation, body, credentials, self._timestamp)
        head = f"{self._request_line}{signed}{self._fixed}content-length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def renew_credentials(self) -> bool:
        """Find credentials anew after the last call's were called expired; return whether there are others."""
        return self._used is not None and self.endpoint.credentials.renew(self._used)

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._connection.close()


def _fixed_lines(endpoint: Endpoint) -> tuple[str, str]:
    fixed = f"user-agent: {_USER_AGENT}\r\naccept-encoding: identity\r\n"
    if endpoint.proxy is None or endpoint.tls is not None:
        return f"POST {endpoint.scope.path} HTTP/1.1\r\n", fixed
    if endpoint.proxy.authorization is not None:
        fixed += f"proxy-authorization: {endpoint.proxy.authorization.reveal()}\r\n"
    return f"POST {endpoint.url}{endpoint.scope.path} HTTP/1.1\r\n", fixed


def _no_answer(failure: ConnectionFailed) -> Answer:
    code = NO_CONNECTION if failure.hopeless else NO_ANSWER
    return Answer(0, error_code=code, message=failure.reason, uncertain=failure.sent)


def _read(reply: HttpReply) -> Answer:
    body = reply.body
    if reply.checksum is not None and not _checksum_holds(reply.checksum, body):
        return Answer(0, error_code=NO_ANSWER, message="the answer is damaged (CRC32)", uncertain=True)
    if reply.status == 200:
        return Answer(200, body)
    error = _json_object(body)
    code = str(error.get("__type", "")).rpartition("#")[2]
    message = str(error.get("message") or error.get("Message") or "")
    refused = 400 <= reply.status < 500 and reply.status != 408  # whoever says so did not pass the request on
    return Answer(reply.status, body, code, message, uncertain=not code and not refused)


def _checksum_holds(checksum: bytes, body: bytes) -> bool:
    return checksum.isdigit() and int(checksum) == zlib.crc32(body)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
