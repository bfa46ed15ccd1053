"""Sign requests by AWS Signature Version 4, as DynamoDB takes them.

Pure but for the caller's clock. A signer belongs to one thread: it keeps the day's signing key and the head of
the last second's requests, so that a request costs four hashes and no more.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import NamedTuple

from pg2dynamo.secret import Secret

CONTENT_TYPE = "application/x-amz-json-1.0"
TARGET_PREFIX = "DynamoDB_20120810."
_ALGORITHM = "AWS4-HMAC-SHA256"


class SigningCredentials(NamedTuple):
    """What one request is signed with; prints and logs show the access key's name only."""

    access_key: str
    secret_key: Secret[str]
    token: Secret[str] | None


@dataclass(frozen=True, slots=True)
class SigningScope:
    """Where signed requests go: they are good nowhere else. `host` holds the port when it is not the scheme's own."""

    host: str
    path: str
    region: str
    service: str = "dynamodb"


@dataclass(frozen=True, slots=True, repr=False)
class _Head:
    """What the requests of one second have in common: beginnings of what is hashed and of the headers, and the key."""

    canonical: str
    to_sign: str
    lines: str
    key: bytes


class Signer:
    """Sign requests to one endpoint; for one thread only.

    The formula is AWS's "Create a signed AWS API request"; the tests hold it equal to botocore's.
    """

    def __init__(self, scope: SigningScope) -> None:
        self._scope = scope
        self._key_of: tuple[SigningCredentials, str] | None = None
        self._key = b""
        self._head_of: tuple[str, SigningCredentials, str] | None = None
        self._head = _Head("", "", "", b"")

    def headers(self, operation: str, body: bytes, credentials: SigningCredentials, timestamp: str) -> str:
        """Return the header lines that sign `body`, each ended by CRLF, `host` and `content-type` included.

        `timestamp` is UTC as `20240102T030405Z`; the service refuses one that is minutes off.
        """
        of = (operation, credentials, timestamp)
        if self._head_of != of:
            self._head, self._head_of = self._prepare(operation, credentials, timestamp), of
        head = self._head
        canonical = head.canonical + hashlib.sha256(body).hexdigest()
        to_sign = head.to_sign + hashlib.sha256(canonical.encode()).hexdigest()
        return f"{head.lines}{hmac.digest(head.key, to_sign.encode(), 'sha256').hex()}\r\n"

    def _prepare(self, operation: str, credentials: SigningCredentials, timestamp: str) -> _Head:
        scope = self._scope
        token = credentials.token.reveal() if credentials.token else ""
        token_line = f"x-amz-security-token:{token}\n" if token else ""
        names = f"content-type;host;x-amz-date;{'x-amz-security-token;' if token else ''}x-amz-target"
        lines = (
            f"content-type:{CONTENT_TYPE}\nhost:{scope.host}\nx-amz-date:{timestamp}\n"
            f"{token_line}x-amz-target:{TARGET_PREFIX}{operation}\n"
        )
        day = timestamp[:8]
        credential_scope = f"{day}/{scope.region}/{scope.service}/aws4_request"
        return _Head(
            canonical=f"POST\n{scope.path}\n\n{lines}\n{names}\n",
            to_sign=f"{_ALGORITHM}\n{timestamp}\n{credential_scope}\n",
            lines=lines.replace("\n", "\r\n") + f"authorization: {_ALGORITHM} "
            f"Credential={credentials.access_key}/{credential_scope}, SignedHeaders={names}, Signature=",
            key=self._signing_key(credentials, day),
        )

    def _signing_key(self, credentials: SigningCredentials, day: str) -> bytes:
        if self._key_of != (credentials, day):
            key = f"AWS4{credentials.secret_key.reveal()}".encode()
            for part in (day, self._scope.region, self._scope.service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key, self._key_of = key, (credentials, day)
        return self._key
