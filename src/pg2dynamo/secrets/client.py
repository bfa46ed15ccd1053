"""Calls to Secrets Manager: bounded, rated, quiet, and with errors that hold nothing of what was sent.

Owns how Secrets Manager is reached. What is stored, and in which order, is decided in `vault`.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import boto3
from botocore import exceptions as aws
from botocore.config import Config

from pg2dynamo.errors import Pg2DynamoError, SecretDenied, SecretError, SecretRefused, TargetUnreachable
from pg2dynamo.secret import Secret

CHANGES_PER_SECOND = 40.0
"""Of the 50 CreateSecret and, apart from those, 50 PutSecretValue and stage moves that an account has a second."""
RECOVERY_DAYS = 30
"""The longest that Secrets Manager keeps a deleted secret."""
ATTEMPTS = 10
LIBRARIES = ("boto3", "botocore", "urllib3")

_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
}
_KEY_FAULTS = {"EncryptionFailure", "DecryptionFailure", "KMSInvalidStateException", "NotFoundException"}
_THROTTLED = {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}
_UNREACHABLE = (
    aws.ConnectionError,
    aws.HTTPClientError,
    aws.ConnectTimeoutError,
    aws.ReadTimeoutError,
    aws.EndpointConnectionError,
)
_NO_CREDENTIALS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.ProfileNotFound,
    aws.UnauthorizedSSOTokenError,
    aws.TokenRetrievalError,
)

_quiet: ContextVar[bool] = ContextVar("pg2dynamo_secrets_quiet", default=False)


class NameTaken(Exception):
    """The secret, or this token with another value, is there already: look again at what is there."""


@dataclass(frozen=True, slots=True)
class Described:
    """A secret without its values. `stages` gives the staging labels of each version that has any."""

    name: str
    deleted: bool
    stages: Mapping[str, tuple[str, ...]]
    tags: Mapping[str, str]

    @property
    def current(self) -> str | None:
        """The version that AWSCURRENT is on."""
        return next((version for version, stages in self.stages.items() if "AWSCURRENT" in stages), None)


class TokenBucket:
    """Lets `per_second` calls through, one second's worth at once after a pause; safe between threads."""

    def __init__(
        self,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_second = per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = clock() - 1.0

    def take(self) -> None:
        """Wait until one more call may be made."""
        with self._lock:
            now = self._clock()
            self._free_at = max(self._free_at, now - 1.0) + 1.0 / self._per_second
            wait = self._free_at - now
        if wait > 0:
            self._sleep(wait)


class Api(Protocol):
    """What is used of boto3's client."""

    meta: Any


def secrets_client(
    region: str | None = None, *, rate_per_second: float | None = CHANGES_PER_SECOND, attempts: int = ATTEMPTS
) -> SecretsClient:
    """Return a client by the AWS SDK's own configuration (endpoint variables, profile, region, credentials).

    `rate_per_second` bounds creations, and apart from them all other changes; None, or an endpoint on this machine:
    no bound. A call is tried `attempts` times at most, with jitter, and each try ends after 30 s. Raises SecretError
    when no region or profile is configured.
    """
    config = Config(
        connect_timeout=5,
        read_timeout=25,
        max_pool_connections=32,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    problem: Pg2DynamoError
    try:
        client = boto3.session.Session().client("secretsmanager", region_name=region, config=config)
    except (aws.BotoCoreError, ValueError) as error:
        problem = _configuration_problem(error)
    else:
        return SecretsClient(client, rate_per_second=None if _is_local(client.meta.endpoint_url) else rate_per_second)
    raise problem


def _configuration_problem(error: Exception) -> Pg2DynamoError:
    if isinstance(error, aws.NoRegionError):
        return SecretError("No AWS region is configured.", remedy="Set AWS_REGION, or target.region in the plan.")
    return SecretError(
        f"The AWS configuration cannot be used ({type(error).__name__}).", remedy="Check profile, region and endpoint."
    )


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class SecretsClient:
    """The calls that pg2dynamo makes; safe to share between threads.

    Every call raises SecretDenied (permission or credentials), TargetUnreachable, SecretRefused (this secret cannot
    be taken) or SecretError, all without a word of what was sent or received.
    """

    def __init__(self, client: Api, *, rate_per_second: float | None = None) -> None:
        self._client = client
        self._creations = TokenBucket(rate_per_second) if rate_per_second else None
        self._changes = TokenBucket(rate_per_second) if rate_per_second else None

    def __repr__(self) -> str:
        return "SecretsClient()"

    def describe(self, name: str) -> Described | None:
        """Return what is known of a secret, or None when there is none of that name."""
        answer = self._call("describe_secret", SecretId=name)
        if answer is None:
            return None
        return Described(
            name=answer["Name"],
            deleted=answer.get("DeletedDate") is not None,
            stages={version: tuple(stages) for version, stages in answer.get("VersionIdsToStages", {}).items()},
            tags={tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])},
        )

    def version_ids(self, name: str) -> list[str]:
        """Return the ids of all versions, those without staging labels too."""
        result: list[str] = []
        for page in self._pages("list_secret_version_ids", SecretId=name, IncludeDeprecated=True, MaxResults=100):
            result += [version["VersionId"] for version in page.get("Versions", [])]
        return result

    def value(self, name: str, version_id: str) -> Secret[str] | None:
        """Return the SecretString of one version; None when that version is gone or binary."""
        answer = self._call("get_secret_value", SecretId=name, VersionId=version_id)
        text = None if answer is None else answer.get("SecretString")
        return None if text is None else Secret(text)

    def create(
        self, name: str, value: Secret[str], token: str, *, kms_key: str | None, tags: Mapping[str, str]
    ) -> None:
        """Create a secret with its first version, whose id is `token`; the same request again does nothing.

        Raises NameTaken when there is one with another value.
        """
        _take(self._creations)
        more: dict[str, Any] = {"KmsKeyId": kms_key} if kms_key else {}
        more["Tags"] = [{"Key": key, "Value": text} for key, text in tags.items()]
        answer = self._call("create_secret", Name=name, SecretString=value, ClientRequestToken=token, **more)
        if answer is None:
            raise SecretDenied(
                f"The KMS key of the secrets is not there: {kms_key}.",
                remedy="Create it with `pg2dynamo prepare`, or correct kms_key in the plan.",
            )

    def put(self, name: str, value: Secret[str], token: str, stages: Sequence[str]) -> None:
        """Add a version with these staging labels, whose id is `token`; the same request again does nothing.

        Raises NameTaken when the token is taken by another value.
        """
        _take(self._changes)
        self._change(
            "put_secret_value", SecretId=name, SecretString=value, ClientRequestToken=token, VersionStages=list(stages)
        )

    def move_label(self, name: str, label: str, *, source: str | None, target: str | None) -> None:
        """Take a staging label from the version `source`, if given, and put it on `target`, if given."""
        _take(self._changes)
        ends = {"RemoveFromVersionId": source, "MoveToVersionId": target}
        given = {end: version for end, version in ends.items() if version is not None}
        self._change("update_secret_version_stage", SecretId=name, VersionStage=label, **given)

    def delete(self, name: str) -> None:
        """Delete a secret with a recovery window of 30 days; nothing happens when it is gone or being deleted."""
        described = self.describe(name)
        if described is None or described.deleted:
            return
        _take(self._changes)
        self._call("delete_secret", SecretId=name, RecoveryWindowInDays=RECOVERY_DAYS)

    def restore(self, name: str) -> None:
        """Cancel the deletion of a secret."""
        _take(self._changes)
        self._change("restore_secret", SecretId=name)

    def list(self, prefix: str) -> Iterator[Described]:
        """Return all secrets whose names begin with `prefix`, deleted ones left out; may lag by five minutes."""
        filters = [{"Key": "name", "Values": [prefix]}] if prefix else []
        for page in self._pages("list_secrets", Filters=filters, MaxResults=100):
            for entry in page.get("SecretList", []):
                if entry["Name"].startswith(prefix) and entry.get("DeletedDate") is None:
                    tags = {tag["Key"]: tag["Value"] for tag in entry.get("Tags", [])}
                    yield Described(entry["Name"], False, {}, tags)

    def _pages(self, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            more = {"NextToken": token} if token else {}
            page = self._call(operation, **parameters, **more)
            if page is None:
                return
            yield page
            token = page.get("NextToken")
            if not token:
                return

    def _change(self, operation: str, **parameters: Any) -> None:
        if self._call(operation, **parameters) is None:
            raise SecretRefused("the secret was removed while it was being written", remedy="Run the command again.")

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any] | None:
        """Make one call; None when AWS answers that there is no such secret or version."""
        problem: Exception
        watch_libraries()
        before = _quiet.set(True)
        try:
            # HAZARD: the value is revealed only in this call's arguments, and the error is raised after the handler,
            # so that no exception refers to botocore's, whose text and attributes may repeat the request.
            revealed = {name: v.reveal() if isinstance(v, Secret) else v for name, v in parameters.items()}
            answer: dict[str, Any] = getattr(self._client, operation)(**revealed)
            return answer
        except aws.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code == "ResourceNotFoundException":
                return None
            problem = _problem(operation, code)
        except aws.BotoCoreError as error:
            problem = _transport_problem(error)
        finally:
            revealed = {}
            _quiet.reset(before)
        raise problem


def _take(bucket: TokenBucket | None) -> None:
    if bucket is not None:
        bucket.take()


def _problem(operation: str, code: str) -> Exception:
    if code == "ResourceExistsException":
        return NameTaken()
    if code in _DENIED:
        return SecretDenied(
            f"AWS refuses {operation} in Secrets Manager ({code}).",
            remedy="Grant it to these credentials, with kms:GenerateDataKey and kms:Decrypt on the secrets' key.",
        )
    if code in _KEY_FAULTS:
        return SecretDenied(
            f"The KMS key of the secrets cannot be used ({code}).",
            remedy="Check that kms_key exists in this region, is enabled, and that these credentials may use it.",
        )
    if code in _THROTTLED:
        return SecretError(
            f"Secrets Manager throttled every attempt ({code}).", remedy="Wait until others are done, and run again."
        )
    if code in ("InvalidRequestException", "InvalidParameterException", "ValidationException"):
        return SecretRefused(f"Secrets Manager refuses {operation} for this secret ({code})")
    if code == "LimitExceededException":
        return SecretRefused(
            "the secret has as many versions or labels as Secrets Manager allows",
            remedy="Versions without labels are removed after a day; run the command again then.",
        )
    return SecretError(f"Secrets Manager failed at {operation} ({code or 'no error code'}).", remedy="Run it again.")


def _transport_problem(error: aws.BotoCoreError) -> Exception:
    if isinstance(error, _NO_CREDENTIALS):
        return SecretDenied(
            f"No usable AWS credentials ({type(error).__name__}).", remedy="Configure them as for any AWS tool."
        )
    if isinstance(error, _UNREACHABLE):
        return TargetUnreachable(
            f"Secrets Manager does not answer ({type(error).__name__}).",
            remedy="Check the endpoint, the region and the network, and run the command again.",
        )
    if isinstance(error, aws.ParamValidationError):
        return SecretRefused("Secrets Manager cannot take the name or the size of this secret")
    return SecretError(f"A call to Secrets Manager failed ({type(error).__name__}).")


class _DropWhileQuiet(logging.Filter):
    """Drops what the libraries say below WARNING while this thread is in a call of ours: bodies are among it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or not _quiet.get()


_drop = _DropWhileQuiet()
_watched: set[str] = set()


def watch_libraries() -> None:
    """Silence the libraries' loggers in calls of ours, whatever level somebody sets them to.

    A filter on every logger of theirs, since a filter on a parent does not see its children's records.
    """
    for name in set(logging.root.manager.loggerDict) - _watched:
        if name.partition(".")[0] in LIBRARIES:
            logging.getLogger(name).addFilter(_drop)
        _watched.add(name)
