"""The application: routes, refusals and limits around one store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import Match

from onboarding.api.body_limit import BodyLimit
from onboarding.api.document import openapi_document
from onboarding.api.problems import HANDLED, answer_problem
from onboarding.api.request_log import RequestLog
from onboarding.api.routes import (
    accounts,
    credentials,
    executions,
    health,
    providers,
    scan_results,
    schedules,
    tenants,
)
from onboarding.api.secured_route import PREFIX
from onboarding.api.service import Service
from onboarding.api.settings import ApiSettings
from onboarding.store.interface import Store

ROUTERS = (
    health.router,
    tenants.router,
    providers.router,
    accounts.router,
    credentials.router,
    schedules.router,
    executions.router,
    scan_results.router,
)
DESCRIPTION = "Tenants, their cloud accounts and credentials, and when these are scanned."


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        return openapi_document(self)


def create_app(store: Store, settings: ApiSettings) -> FastAPI:
    """Return the application on `store`. Nothing is read from the environment; the store is closed by who opened it.

    While the application runs, a thread sweeps the store.
    """
    service = Service(store, settings)

    @asynccontextmanager
    async def sweeping(_: FastAPI) -> AsyncIterator[None]:
        service.sweeper.start()
        try:
            yield
        finally:
            await run_in_threadpool(service.sweeper.stop)

    app = _Application(
        title="onboarding",
        version="1",
        description=DESCRIPTION,
        lifespan=sweeping,
        redirect_slashes=False,
        openapi_url=f"{PREFIX}/openapi.json" if settings.docs else None,
        docs_url=f"{PREFIX}/docs" if settings.docs else None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.service = service
    for router in ROUTERS:
        # The very routes, flat: what walks over `app.routes` meets each of them.
        app.router.routes.extend(router.routes)
    for kind in HANDLED:
        app.add_exception_handler(kind, answer_problem)
    app.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, _wrong_method)
    # The last added is the outermost.
    app.add_middleware(BodyLimit, limit_bytes=settings.body_bytes)
    app.add_middleware(RequestLog)
    return app


async def _wrong_method(request: Request, _: Exception) -> Response:
    """Answer 405 with every method of the path; the framework's own answer knows those of one route only."""
    app: FastAPI = request.app
    methods: set[str] = set()
    for route in app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= (route.methods if isinstance(route, APIRoute) else getattr(route, "methods", None)) or set()
    error = HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(sorted(methods))})
    return await answer_problem(request, error)
