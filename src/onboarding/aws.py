"""Clients of AWS for the onboarding service, by the standard AWS configuration, and how their errors are told.

What `environ` has comes first; what it lacks (a profile's region, a role) the SDK finds as it always does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from onboarding.store.errors import StoreError, Unavailable

CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS = 2.0, 5.0
ATTEMPTS = 4
CONNECTIONS = 64
LIBRARIES = ("boto3", "botocore", "urllib3")

_FILES = {
    "AWS_CONFIG_FILE": "config_file",
    "AWS_SHARED_CREDENTIALS_FILE": "credentials_file",
    "AWS_CA_BUNDLE": "ca_bundle",
}
_MISSING = "ResourceNotFoundException"
_REFUSALS = frozenset({"ValidationException", "InvalidParameterException", "SerializationException"})


def aws_client(service: str, environ: Mapping[str, str]) -> Any:
    """Return a client of `service` ("dynamodb", "secretsmanager"), safe to share between threads; nothing is sent.

    A call takes 7 s an attempt at most, and four attempts with the SDK's own pauses between them. Raises KeyError
    naming AWS_REGION when no region is known, and Unavailable when the configuration cannot be used.
    """
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        max_pool_connections=CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        user_agent_extra="pg2dynamo-onboarding",
    )
    try:
        return _session(environ).client(service, config=config, endpoint_url=_endpoint(service, environ))
    except NoRegionError:
        raise KeyError("AWS_REGION") from None
    except (BotoCoreError, ValueError) as error:
        raise Unavailable("AWS", f"cannot be reached as configured ({type(error).__name__})") from None


def _session(environ: Mapping[str, str]) -> Any:
    session = botocore.session.Session()
    for variable, name in _FILES.items():
        if variable in environ:
            session.set_config_variable(name, environ[variable])
    key = environ.get("AWS_ACCESS_KEY_ID")
    profile = None if key else environ.get("AWS_PROFILE")
    if profile:
        session.set_config_variable("profile", profile)
    return boto3.session.Session(
        aws_access_key_id=key,
        aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY") if key else None,
        aws_session_token=environ.get("AWS_SESSION_TOKEN") if key else None,
        region_name=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"),
        botocore_session=session,
    )


def _endpoint(service: str, environ: Mapping[str, str]) -> str | None:
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    own = {"dynamodb": "AWS_ENDPOINT_URL_DYNAMODB", "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER"}[service]
    return environ.get(own) or environ.get("AWS_ENDPOINT_URL") or None


def error_code(error: ClientError) -> str:
    """Return the service's code, e.g. `ResourceNotFoundException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def told(store: str) -> Iterator[None]:
    """Turn the SDK's errors into the store's, without a word of what was sent."""
    try:
        yield
    except ClientError as error:
        raise _translated(store, error_code(error)) from None
    except BotoCoreError as error:
        raise Unavailable(store, f"does not answer ({type(error).__name__})") from None


def _translated(store: str, code: str) -> StoreError:
    if code == _MISSING and store == "DynamoDB":
        return Unavailable(store, "lacks a table (create it with `pg2dynamo prepare` or `onboarding tables`)")
    if code in _REFUSALS:
        return StoreError(f"{store} refuses the request ({code}): its tables or names may not be this service's.")
    return Unavailable(store, f"does not do it ({code})")


_quiet: ContextVar[bool] = ContextVar("onboarding_quiet", default=False)


class _DropWhileQuiet(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or not _quiet.get()


_drop = _DropWhileQuiet()


@contextmanager
def quiet() -> Iterator[None]:
    """Have the SDK say nothing below WARNING in this thread, whatever level is set: bodies of secrets are among it.

    A filter on every logger of theirs, since a filter on a parent does not see its children's records.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in LIBRARIES:
            logging.getLogger(name).addFilter(_drop)
    before = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(before)
