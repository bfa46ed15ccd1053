"""The commands of the service: serve it, and make the tokens and keys that it believes."""

from __future__ import annotations

import os
import secrets
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from onboarding.api.keys import TokenKeys, token_keys
from onboarding.api.permissions import Role
from onboarding.kept_demo import use_kept_demo
from onboarding.store.errors import StoreError
from onboarding.store.opening import open_store, utc_now

if TYPE_CHECKING:
    from onboarding.store.interface import Store


class StoreName(StrEnum):
    """What the service can stand on."""

    POSTGRES = "postgres"
    DYNAMODB = "dynamodb"


class ServiceFailure(Exception):
    """What the user must know; shown without a traceback, exit code 1."""


def serve(
    store: Annotated[StoreName, typer.Option(help="What the service stands on.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8000,
    rate: Annotated[
        float, typer.Option(min=0.1, help="Requests per second of one caller; twice as many at once.")
    ] = 50,
    docs: Annotated[bool, typer.Option(help="Show the API's document, which needs no token.")] = True,
) -> None:
    """Serve the onboarding service over HTTP until it is stopped.

    Its configuration is the environment's: ONBOARDING_TOKEN_KEY (and ONBOARDING_TOKEN_KEY_OLD after a rotation), and
    DATABASE_URL with CREDENTIAL_KEY, or AWS's. Without any, the servers that `onboarding demo --keep` left are used.
    Example: onboarding serve --store dynamodb --port 8000
    """
    from onboarding.api.app import create_app
    from onboarding.api.secured_route import PREFIX
    from onboarding.api.serving import serve_app
    from onboarding.api.settings import ApiSettings, Rate

    use_kept_demo()
    keys = _keys()
    settings = ApiSettings(keys, rate=Rate(rate, max(1, round(2 * rate))), docs=docs)

    def listening(host: str, port: int) -> None:
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}{PREFIX}"
        typer.echo(f"Listening on {address}" + (f" (docs at {address}/docs)" if docs else ""), err=True)

    opened = _open(store)
    try:
        serve_app(create_app(opened, settings), host, port, listening)
    except OSError as error:
        raise ServiceFailure(f"Cannot listen on {host} port {port}: {error.strerror}.") from None
    finally:
        opened.close()


def token(
    role: Annotated[Role, typer.Option(help="What the bearer may do.")],
    tenant: Annotated[UUID | None, typer.Option(help="Whose token: for all roles but platform and scheduler.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 366, help="How long it is valid.")] = 12,
    subject: Annotated[str, typer.Option(help="Who bears it; each subject has a rate of its own.")] = "cli",
) -> None:
    """Print a token for the service, and nothing else.

    Example: curl -H "Authorization: Bearer $(onboarding token --role platform)" http://127.0.0.1:8000/api/v1/tenants
    """
    from onboarding.api.tokens import Identity, issue_token

    use_kept_demo()
    keys = _keys()
    try:
        identity = Identity(subject, role, tenant)
    except ValueError as error:
        raise ServiceFailure(str(error)) from None
    typer.echo(issue_token(keys, identity, utc_now(), timedelta(hours=hours)))


def token_key() -> None:
    """Print a new key, for ONBOARDING_TOKEN_KEY.

    Example: export ONBOARDING_TOKEN_KEY="$(onboarding token-key)"
    """
    typer.echo(secrets.token_urlsafe(48))


def _keys() -> TokenKeys:
    try:
        return token_keys(os.environ)
    except ValueError as error:
        raise ServiceFailure(str(error)) from None


def _open(name: StoreName) -> Store:
    """Return the store, ready: the service's own table is there."""
    try:
        opened = open_store(name, os.environ)
    except KeyError as error:
        raise ServiceFailure(f"Set {error.args[0]}, or keep servers with `onboarding demo --keep`.") from None
    except ValueError as error:
        raise ServiceFailure(str(error)) from None
    try:
        opened.prepare()
    except StoreError as error:
        opened.close()
        raise ServiceFailure(str(error)) from None
    return opened
