"""Credentials in AWS Secrets Manager: one secret an account, of the form that pg2dynamo writes.

`retrieve` reads through AWS's caching client and may give the credential before for up to CACHE_SECONDS after
another process has stored or deleted one; what this process stores or deletes it sees at once. `describe` asks AWS.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from aws_secretsmanager_caching import SecretCache, SecretCacheConfig  # type: ignore[import-untyped]
from botocore.exceptions import ClientError

from onboarding.aws import aws_client, error_code, quiet, told
from onboarding.store.errors import Invalid, NotFound, Unavailable, Unreadable
from onboarding.store.paging import moment_text
from onboarding.store.rules import check_fields

DEFAULT_PREFIX = "threat-engine"
DEFAULT_KEY = "alias/threat-engine-secrets"
DEFAULT_RECOVERY_DAYS = 7
CACHE_SECONDS = 30
CACHED_SECRETS = 1_024
ATTEMPTS = 5
STORE = "Secrets Manager"
FIELDS = ("account_id", "created_at", "credential_type", "expires_at")

_ABSENT = "ResourceNotFoundException"
_IN_THE_WAY = ("ResourceExistsException", "InvalidRequestException", _ABSENT)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


class SecretsManagerStorage:
    """Stores, reads and deletes the credentials of accounts. Reads the environment when called, not before.

    SECRETS_MANAGER_PREFIX, SECRETS_MANAGER_KMS_KEY_ID, SECRETS_MANAGER_RECOVERY_DAYS (0: deleted for good at once),
    and the standard AWS configuration. Safe to use from several threads. No value is in a repr, log or error.
    """

    def __init__(self, environ: Mapping[str, str] | None = None, *, clock: Callable[[], datetime] = _now) -> None:
        self._environ = environ
        self._clock = clock
        self._lock = threading.Lock()
        self._configuration: tuple[tuple[str, str], ...] | None = None
        self._made: Any = None
        self._caches: OrderedDict[str, tuple[float, SecretCache]] = OrderedDict()

    def __repr__(self) -> str:
        return "SecretsManagerStorage()"

    def check(self) -> None:
        """Ask for an answer. Raises Unavailable."""
        with self._asking():
            self._described(f"{self._setting('PREFIX', DEFAULT_PREFIX)}/account/check")

    def close(self) -> None:
        """Give back connections. Idempotent; a later call makes new ones."""
        with self._lock:
            client, self._made = self._made, None
            self._caches.clear()
        if client is not None:
            client.close()

    def store(
        self,
        account_id: str | UUID,
        credential_type: str,
        credentials: Mapping[str, Any],
        expires_at: datetime | str | None = None,
    ) -> dict[str, Any]:
        """Store a credential as the account's current one; a secret that waits for its deletion is restored.

        Returns secret_arn, version_id, account_id, credential_type, created_at and expires_at. Raises Invalid,
        Unavailable.
        """
        expiry = _moment(expires_at)
        given = {"credential_type": credential_type, "credentials": credentials, "expires_at": expiry}
        check_fields("credential", given)
        told_of = {
            "account_id": _account(account_id),
            "created_at": moment_text(self._clock()),
            "credential_type": credential_type,
            "expires_at": None if expiry is None else moment_text(expiry),
        }
        name = self._name(account_id)
        with self._asking():
            answer = self._write(name, _secret_string({**told_of, "credentials": credentials}))
        self._forget(name)
        return {"secret_arn": answer["ARN"], "version_id": answer["VersionId"], **told_of}

    def retrieve(self, account_id: str | UUID) -> dict[str, Any]:
        """Return credential_type, credentials, account_id, created_at and expires_at; see the module on how fresh.

        Raises NotFound, Unavailable.
        """
        name = self._name(account_id)
        try:
            with self._asking(), self._absent_is_not_found():
                text = self._cache(name).get_secret_string(name)
        except NotFound:
            self._forget(name)
            raise
        return _parsed(text)

    def describe(self, account_id: str | UUID) -> dict[str, Any]:
        """Return what `retrieve` does without the credentials, and certain at once. Raises NotFound, Unavailable."""
        with self._asking(), self._absent_is_not_found():
            text = self._client().get_secret_value(SecretId=self._name(account_id)).get("SecretString")
        return {name: value for name, value in _parsed(text).items() if name != "credentials"}

    def delete(self, account_id: str | UUID) -> None:
        """Delete the account's credentials, with the days of recovery configured. Raises NotFound, Unavailable."""
        name = self._name(account_id)
        days = self._recovery_days()
        how: dict[str, Any] = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        with self._asking(), self._absent_is_not_found():
            # HAZARD: AWS takes the deletion of a secret that is not there, or is being deleted, for a success.
            described = self._described(name)
            if described is None or described.get("DeletedDate"):
                raise NotFound("credential")
            self._client().delete_secret(SecretId=name, **how)
        self._forget(name)

    # How it is done

    def _write(self, name: str, text: str) -> Mapping[str, Any]:
        for _ in range(ATTEMPTS):
            try:
                return self._attempt(name, text)
            except ClientError as error:
                # Another process has created, deleted or restored it meanwhile: look again.
                if error_code(error) not in _IN_THE_WAY:
                    raise
        raise Unavailable(STORE, "has others writing the same secret")

    def _attempt(self, name: str, text: str) -> Mapping[str, Any]:
        # HAZARD: each write has a token of its own; one that says an earlier version's would leave a later current.
        described = self._described(name)
        client, given = self._client(), {"SecretString": text, "ClientRequestToken": str(uuid4())}
        if described is None:
            key = self._setting("KMS_KEY_ID", DEFAULT_KEY)
            created: Mapping[str, Any] = client.create_secret(Name=name, KmsKeyId=key, **given)
            return created
        if described.get("DeletedDate"):
            client.restore_secret(SecretId=name)
        put: Mapping[str, Any] = client.put_secret_value(SecretId=name, **given)
        return put

    def _described(self, name: str) -> Mapping[str, Any] | None:
        try:
            described: Mapping[str, Any] = self._client().describe_secret(SecretId=name)
        except ClientError as error:
            if error_code(error) == _ABSENT:
                return None
            raise
        return described

    @contextmanager
    def _asking(self) -> Iterator[None]:
        with quiet(), told(STORE):
            yield

    @contextmanager
    def _absent_is_not_found(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            # A secret that waits for its deletion is told as an invalid request.
            if error_code(error) not in (_ABSENT, "InvalidRequestException"):
                raise
            raise NotFound("credential") from None

    def _client(self) -> Any:
        environ = os.environ if self._environ is None else self._environ
        relevant = tuple(sorted((n, v) for n, v in environ.items() if n.startswith("AWS_")))
        with self._lock:
            if self._made is None or self._configuration != relevant:
                self._made = aws_client("secretsmanager", dict(environ))
                self._configuration = relevant
                self._caches.clear()
            return self._made

    def _cache(self, name: str) -> SecretCache:
        """Return the caching client of one secret, none older than CACHE_SECONDS: it trusts a version for ever."""
        client = self._client()
        with self._lock:
            born, cache = self._caches.pop(name, (0.0, None))
            if cache is None or time.monotonic() - born >= CACHE_SECONDS:
                config = SecretCacheConfig(
                    max_cache_size=1, secret_refresh_interval=CACHE_SECONDS, exception_retry_delay_max=1
                )
                born, cache = time.monotonic(), SecretCache(config, client)
            self._caches[name] = (born, cache)
            while len(self._caches) > CACHED_SECRETS:
                self._caches.popitem(last=False)
            return cache

    def _forget(self, name: str) -> None:
        with self._lock:
            self._caches.pop(name, None)

    def _setting(self, name: str, default: str) -> str:
        environ = os.environ if self._environ is None else self._environ
        return environ.get(f"SECRETS_MANAGER_{name}") or default

    def _name(self, account_id: str | UUID) -> str:
        return f"{self._setting('PREFIX', DEFAULT_PREFIX)}/account/{_account(account_id)}"

    def _recovery_days(self) -> int:
        text = self._setting("RECOVERY_DAYS", str(DEFAULT_RECOVERY_DAYS))
        if text != "0" and not (text.isascii() and text.isdigit() and 7 <= int(text) <= 30):
            raise Invalid("SECRETS_MANAGER_RECOVERY_DAYS", "must be 0 or from 7 to 30")
        return int(text)


def _account(account_id: str | UUID) -> str:
    try:
        return str(UUID(str(account_id)))
    except ValueError:
        raise Invalid("account_id", "must be a UUID") from None


def _moment(value: datetime | str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise Invalid("expires_at", "must be a time as ISO 8601 writes it") from None
    if moment is not None and moment.tzinfo is not None:
        return moment.astimezone(UTC).replace(tzinfo=None)
    return moment


def _secret_string(content: Mapping[str, Any]) -> str:
    """Return the SecretString as pg2dynamo composes it: compact, its names sorted, the credentials as they are."""
    texts = {name: json.dumps(content[name], ensure_ascii=False) for name in FIELDS}
    texts["credentials"] = json.dumps(content["credentials"], separators=(",", ":"))
    return "{" + ",".join(f"{json.dumps(name)}:{texts[name]}" for name in sorted(texts)) + "}"


def _parsed(text: str | None) -> dict[str, Any]:
    """Return what a SecretString says. Raises Unreadable when it is none of this service's."""
    try:
        content = json.loads(text or "")
        told = {name: content[name] for name in (*FIELDS, "credentials")}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreadable("credential") from None
    if not isinstance(told["credentials"], dict):
        raise Unreadable("credential")
    return told


secrets_manager_storage = SecretsManagerStorage()
"""The storage that the environment configures when it is called."""
