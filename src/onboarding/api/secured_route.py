"""A route lets nobody in before token, rate, tenant and permission are in order; the body is read after that."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.routing import Match
from starlette.types import Scope

from onboarding.api.permissions import Permission
from onboarding.api.problems import Problem
from onboarding.api.service import Service
from onboarding.api.tokens import Identity, InvalidToken, read_token
from onboarding.store.errors import NotFound

PREFIX = "/api/v1"
DUE = "due"
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_PERMISSION = "onboarding_permission"


def requires(permission: Permission) -> Callable[[Endpoint], Endpoint]:
    """Declare the permission that an endpoint needs; put under the router's decorator."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _PERMISSION, permission)
        return endpoint

    return declare


class SecuredRoute(APIRoute):
    """A route with one permission. Raises TypeError when its endpoint declares none."""

    @property
    def permission(self) -> Permission:
        """What the caller must be allowed to do."""
        permission = getattr(self.endpoint, _PERMISSION, None)
        if not isinstance(permission, Permission):
            raise TypeError(f"The endpoint {self.name} declares no permission.")
        return permission

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as usual, but take no word for an id that is a path of its own: /schedules/due is no schedule."""
        match, found = super().matches(scope)
        if match is not Match.NONE and found["path_params"].get("schedule_id") == DUE:
            return Match.NONE, {}
        return match, found

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that admits a request before it goes on as usual."""
        go_on, permission = super().get_route_handler(), self.permission

        async def handle(request: Request) -> Response:
            request.state.identity = await run_in_threadpool(_admit, request, permission)
            if await request.body() and not _is_json(request.headers.get("content-type", "")):
                raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
            return await go_on(request)

        return handle


def secured_router(tag: str) -> APIRouter:
    """Return a router whose routes are all secured, under the prefix of the service."""
    return APIRouter(prefix=PREFIX, route_class=SecuredRoute, tags=[tag])


def _admit(request: Request, permission: Permission) -> Identity:
    service: Service = request.app.state.service
    identity = _identity(request, service)
    request.state.identity = identity
    wait_seconds = service.buckets.wait_seconds((identity.tenant, identity.subject))
    if wait_seconds:
        detail = f"Too many requests: try again in {wait_seconds} s."
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(wait_seconds)})
    _require_tenant(service, identity)
    if not identity.may(permission):
        raise Problem(HTTPStatus.FORBIDDEN, f"The role {identity.role} has no permission {permission}.")
    return identity


def _identity(request: Request, service: Service) -> Identity:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _unauthorized("Send a token: Authorization: Bearer …", "")
    try:
        return read_token(service.settings.token_keys, token.strip(), service.settings.clock())
    except InvalidToken as invalid:
        raise _unauthorized(str(invalid)) from None


def _require_tenant(service: Service, identity: Identity) -> None:
    if identity.tenant is None:
        return
    try:
        service.store.get_tenant(identity.tenant)
    except NotFound:
        raise _unauthorized("The token's tenant is no longer there.") from None


def _unauthorized(detail: str, error: str = ', error="invalid_token"') -> Problem:
    headers = {"WWW-Authenticate": f'Bearer realm="onboarding"{error}'}
    return Problem(HTTPStatus.UNAUTHORIZED, detail, headers=headers)


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))
