"""One line of JSON for each request, and the last refuge of an error: neither has a value of a request in it.

A line tells who (tenant and role), what (method and the route's template, not the path), how it ended and how long it
took. It has no header, body, query, id or secret; of an error it has the type and where it was raised.
"""

from __future__ import annotations

import json
import logging
import re
import time
import traceback
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onboarding.api.problems import problem_of, problem_response

LOGGER = logging.getLogger("onboarding.access")
REQUEST_ID = "X-Request-ID"
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestLog:
    """An ASGI application around another. It gives every request an id: the caller's own when that is sane."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = _request_id(Headers(scope=scope).get(REQUEST_ID))
        answered: dict[str, Any] = {"status": None}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                answered.update(status=message["status"], replayed=headers.get("Idempotency-Replayed") == "true")
            await send(message)

        error: Exception | None = None
        try:
            await self._app(scope, receive, sending)
        except Exception as raised:  # noqa: BLE001 - whatever a request runs into must not reach a log with its values
            error = raised
            if answered["status"] is None:
                await problem_response(problem_of(RuntimeError()), request_id)(scope, receive, sending)
        finally:
            _log(scope, answered, time.perf_counter() - began, error)


def error_place(error: BaseException) -> dict[str, Any]:
    """Return the types of an error and its causes, and where the first was raised: nothing of what they say."""
    types, cause = [type(error).__name__], error.__cause__ or error.__context__
    while cause is not None and len(types) < 5:
        types.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    frames = traceback.extract_tb(error.__traceback__)[-5:]
    return {"types": types, "at": [f"{frame.name}:{frame.lineno}" for frame in frames]}


def _request_id(sent: str | None) -> str:
    return sent if sent is not None and _SANE_ID.fullmatch(sent) else uuid4().hex


def _log(scope: Scope, answered: Mapping[str, Any], seconds: float, error: Exception | None) -> None:
    state = scope["state"]
    identity = state.get("identity")
    route = scope.get("route")
    line: dict[str, Any] = {
        "request_id": state["request_id"],
        "method": scope["method"] if scope["method"] in _METHODS else "other",
        "route": getattr(route, "path", None),
        "status": answered["status"],
        "milliseconds": round(seconds * 1000, 3),
        "tenant": str(identity.tenant) if identity is not None and identity.tenant else None,
        "role": identity.role.value if identity is not None else None,
        "replayed": answered.get("replayed", False),
    }
    if error is not None:
        line["error"] = error_place(error)
    LOGGER.log(logging.INFO if error is None else logging.ERROR, "%s", json.dumps(line))


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
