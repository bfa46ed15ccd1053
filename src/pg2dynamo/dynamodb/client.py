"""Clients for DynamoDB by the AWS SDK, and the translation of its errors; not for the hot path (see `wire`).

Endpoint, profile and credentials are the SDK's own configuration (AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_DYNAMODB,
AWS_PROFILE, …); the region is the settings', else the SDK's, else AWS_REGION: as in `endpoint`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore import exceptions as aws
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from pg2dynamo.dynamodb.sdk import sdk_session
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.errors import (
    TargetDenied,
    TargetError,
    TargetMissing,
    TargetRejected,
    TargetThrottled,
    TargetUnreachable,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONNECT_TIMEOUT_SECONDS = 5.0
"""A TCP connection inside a region takes milliseconds; five seconds survive one lost SYN and its repetition."""

ATTEMPTS = 5
"""The SDK's attempts of one call, with its exponential backoff: about ten seconds against an endpoint that restarts."""

_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_THROTTLED = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
    }
)
_NO_ANSWER = (aws.ConnectionError, HTTPClientError)
_NOT_SIGNED_IN = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)


def dynamodb_client(settings: TargetSettings, *, attempts: int = ATTEMPTS) -> DynamoDBClient:
    """Return a client with bounded timeouts and retries; it may be shared by threads, not by processes.

    Raises TargetUnreachable when no region is known, TargetDenied when the profile does not exist. Nothing is
    sent.
    """
    with aws_errors("configure DynamoDB"):
        session = boto3.session.Session(region_name=settings.region, botocore_session=sdk_session())
        region = session.region_name or os.environ.get("AWS_REGION")
        return session.client("dynamodb", region_name=region, config=_config(settings, attempts))


def _config(settings: TargetSettings, attempts: int) -> Config:
    return Config(
        connect_timeout=min(CONNECT_TIMEOUT_SECONDS, settings.request_timeout_seconds),
        read_timeout=settings.request_timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra="pg2dynamo",
    )


@contextmanager
def aws_errors(action: str, *, tell: bool = False) -> Iterator[None]:
    """Translate the SDK's errors into the TargetError branch; `action` completes "could not …".

    The service's own words are passed on when access was denied, or with `tell`, which is only for calls that
    carry no values of rows: validation messages may quote them. For the same reason nothing is chained.
    """
    try:
        yield
    except ClientError as error:
        raise _translate(action, error, tell) from None
    except NoRegionError:
        raise TargetUnreachable(f"Could not {action}: no AWS region is set.", remedy="Set AWS_REGION.") from None
    except _NOT_SIGNED_IN as error:
        raise TargetDenied(f"Could not {action}: {type(error).__name__}.", remedy=_SIGN_IN) from None
    except ParamValidationError:
        raise TargetRejected(f"Could not {action}: the request is malformed.") from None
    except _NO_ANSWER as error:
        raise TargetUnreachable(f"Could not {action}: {type(error).__name__}.", remedy=_CONNECT) from None
    except (BotoCoreError, ValueError) as error:
        # A ValueError is botocore's way of saying that an endpoint's URL is none.
        raise TargetError(f"Could not {action}: {type(error).__name__}.", remedy=_CONNECT) from None


_SIGN_IN = "Give AWS credentials by the usual means: environment, profile or role."
_CONNECT = "Check the endpoint, the region and the network, and run the command again."


def error_code(error: ClientError) -> str:
    """Return the service's code, e.g. `ResourceNotFoundException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _translate(action: str, error: ClientError, tell: bool) -> TargetError:
    code = error_code(error)
    kind = _kind(code, _status(error.response))
    words = str(error.response.get("Error", {}).get("Message", "")) if tell or kind is TargetDenied else ""
    return kind(f"Could not {action}: {code}{': ' + words if words else ''}.", remedy=_remedy(kind))


def _kind(code: str, status: int) -> type[TargetError]:
    if code in _DENIED:
        return TargetDenied
    if code in _THROTTLED:
        return TargetThrottled
    if code in ("ResourceNotFoundException", "TableNotFoundException"):
        return TargetMissing
    return TargetUnreachable if status >= 500 else TargetRejected


def _remedy(kind: type[TargetError]) -> str | None:
    if kind is TargetRejected:
        return None
    words = " ".join((kind.__doc__ or "").split()).partition(": ")[2]
    return words[:1].upper() + words[1:]


def _status(response: Any) -> int:
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
