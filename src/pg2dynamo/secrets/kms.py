"""The KMS key that encrypts the secrets: whether it can be used, and making it when asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
    PartialCredentialsError,
    ProfileNotFound,
)

from pg2dynamo.errors import SecretDenied, SecretError, TargetUnreachable

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

ALIAS_PREFIX = "alias/"
RESERVED_PREFIX = "alias/aws/"
"""Aliases of keys that AWS makes itself, when a service first needs them."""

DESCRIPTION = "Encrypts the secrets that pg2dynamo moved from PostgreSQL"

DISCARD_DAYS = 7
"""The shortest wait before KMS deletes a key."""

_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "UnrecognizedClientException",
    }
)


@dataclass(frozen=True, slots=True)
class KeyState:
    """A KMS key: its ARN, and why it cannot encrypt secrets (None: it can)."""

    arn: str
    fault: str | None = None


def kms_client(region: str | None = None) -> KMSClient:
    """Return a client with bounded timeouts and retries, by the AWS SDK's own configuration. Nothing is sent."""
    config = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 5})
    with _kms_errors("configure KMS"):
        session = boto3.session.Session(region_name=region)
        return session.client("kms", region_name=session.region_name or os.environ.get("AWS_REGION"), config=config)


def key_state(client: KMSClient, key: str) -> KeyState | None:
    """Return the state of a key, by alias, id or ARN; None when there is none.

    Raises SecretDenied without kms:DescribeKey, TargetUnreachable, SecretError.
    """
    with _kms_errors(f"describe the KMS key {key}"):
        try:
            metadata = client.describe_key(KeyId=key)["KeyMetadata"]
        except ClientError as error:
            if _code(error) == "NotFoundException":
                return None
            raise
    return KeyState(str(metadata.get("Arn", metadata["KeyId"])), _fault(metadata))


def ensure_key(client: KMSClient, alias: str) -> tuple[KeyState, bool]:
    """Return the key of this alias, and whether it was created now, with yearly rotation.

    Idempotent: an alias that exists is left as it is, and one that another makes at the same moment is taken (the
    key made in vain is scheduled for deletion). Raises SecretError for anything but an alias of one's own.
    """
    found = key_state(client, alias)
    if found is not None:
        return found, False
    if not alias.startswith(ALIAS_PREFIX) or alias.startswith(RESERVED_PREFIX):
        raise SecretError(
            f"The KMS key {alias} is not there, and only a key with an alias can be created.",
            remedy="Write kms_key: alias/NAME in the plan, or correct it.",
        )
    with _kms_errors(f"create the KMS key {alias}"):
        metadata = client.create_key(Description=DESCRIPTION)["KeyMetadata"]
        created = _rotate_and_name(client, alias, metadata["KeyId"])
    state = key_state(client, alias)
    if state is None:
        raise SecretError(f"The KMS key {alias} was created but is not there.", remedy="Run the command again.")
    return state, created


def _rotate_and_name(client: KMSClient, alias: str, key_id: str) -> bool:
    """Finish the new key; discard it when that fails, or when another key has taken the alias meanwhile."""
    try:
        client.enable_key_rotation(KeyId=key_id)
        client.create_alias(AliasName=alias, TargetKeyId=key_id)
    except ClientError as error:
        client.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=DISCARD_DAYS)
        if _code(error) != "AlreadyExistsException":
            raise
        return False
    return True


def _fault(metadata: Any) -> str | None:
    state = metadata.get("KeyState", "Enabled")
    if state != "Enabled":
        return f"it is {state}"
    spec = metadata.get("KeySpec", "SYMMETRIC_DEFAULT")
    if spec != "SYMMETRIC_DEFAULT" or metadata.get("KeyUsage", "ENCRYPT_DECRYPT") != "ENCRYPT_DECRYPT":
        return "it is not a symmetric key for encryption, which Secrets Manager needs"
    return None


@contextmanager
def _kms_errors(action: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise _translate(action, error) from None
    except NoRegionError:
        raise SecretError(f"Could not {action}: no AWS region is set.", remedy="Set AWS_REGION.") from None
    except (CredentialRetrievalError, NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
        raise SecretDenied(f"Could not {action}: {type(error).__name__}.", remedy="Give AWS credentials.") from None
    except (aws.ConnectionError, HTTPClientError) as error:
        raise TargetUnreachable(
            f"Could not {action}: {type(error).__name__}.", remedy="Check the endpoint, the region and the network."
        ) from None
    except (BotoCoreError, ValueError) as error:
        raise SecretError(f"Could not {action}: {type(error).__name__}.") from None


def _translate(action: str, error: ClientError) -> SecretError | TargetUnreachable:
    message = f"Could not {action}: {_code(error)}: {error.response.get('Error', {}).get('Message', '')}"
    if _code(error) in _DENIED:
        return SecretDenied(message, remedy="See docs/how-to/aws.md for the policy that is needed.")
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return TargetUnreachable(message, remedy="Run the command again.")
    return SecretError(message)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
