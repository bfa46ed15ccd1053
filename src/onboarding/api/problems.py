"""How the service refuses: problem details (RFC 9457) for every error, never with a value that was sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from onboarding.api.answers import FieldProblem, ProblemAnswer
from onboarding.api.cursors import InvalidCursor
from onboarding.api.schedule_times import BadTime
from onboarding.store.errors import AlreadyExists, Changed, Conflict, Invalid, NotFound, StoreError, Unavailable

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1
"""How soon to try again when the store did not answer."""
_NAME = re.compile(r"[a-z][a-z_-]{0,39}")
"""What a field's name looks like. A name that was sent and looks otherwise is not repeated: it may be a value."""


@dataclass(eq=False)
class Problem(Exception):
    """What a caller is told instead of an answer. Raised anywhere under a route."""

    status: HTTPStatus
    detail: str
    errors: Sequence[FieldProblem] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.detail


def field_problem(name: str, reason: str) -> Problem:
    """Return the problem of one field of a request."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, _UNFIT, (FieldProblem(field=name, reason=reason),))


def problem_response(problem: Problem, request_id: str | None) -> Response:
    """Return a problem as it goes over HTTP."""
    answer = ProblemAnswer(
        type="about:blank",
        title=problem.status.phrase,
        status=problem.status,
        detail=problem.detail,
        request_id=request_id,
        errors=list(problem.errors) or None,
    )
    return Response(
        answer.model_dump_json(exclude_none=True),
        status_code=problem.status,
        headers=dict(problem.headers),
        media_type=MEDIA_TYPE,
    )


def problem_of(error: Exception) -> Problem:
    """Return what to tell of an error that one of the handlers below caught."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _unfit(error)
    if isinstance(error, StoreError):
        return _of_store(error)
    if isinstance(error, InvalidCursor):
        return Problem(HTTPStatus.BAD_REQUEST, "The cursor was not given out for this listing: begin without one.")
    if isinstance(error, BadTime):
        return Problem(HTTPStatus.CONFLICT, f"As the schedule stands, {error}")
    if isinstance(error, HTTPException):
        return _of_framework(error)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The service failed. The request id finds it in the log.")


HANDLED: tuple[type[Exception], ...] = (
    Problem,
    RequestValidationError,
    StoreError,
    InvalidCursor,
    BadTime,
    HTTPException,
)


async def answer_problem(request: Request, error: Exception) -> Response:
    """Answer an error of HANDLED: the handler to register for each."""
    return problem_response(problem_of(error), getattr(request.state, "request_id", None))


_UNFIT = "The request does not fit: see errors."


def _of_store(error: StoreError) -> Problem:
    if isinstance(error, Invalid):
        return field_problem(error.field, error.reason)
    if isinstance(error, NotFound):
        return Problem(HTTPStatus.NOT_FOUND, str(error))
    if isinstance(error, AlreadyExists | Conflict | Changed):
        return Problem(HTTPStatus.CONFLICT, str(error))
    if isinstance(error, Unavailable):
        headers = {"Retry-After": str(RETRY_SECONDS)}
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "The store does not answer: try again.", headers=headers)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The service failed. The request id finds it in the log.")


def _of_framework(error: HTTPException) -> Problem:
    status = HTTPStatus(error.status_code)
    details = {
        HTTPStatus.NOT_FOUND: "There is nothing under this path.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This path does not take this method.",
        HTTPStatus.BAD_REQUEST: "The body is no JSON text in UTF-8.",
    }
    return Problem(status, details.get(status, status.phrase), headers=error.headers or {})


def _unfit(error: RequestValidationError) -> Problem:
    errors = error.errors()
    if any(found["type"] == "json_invalid" for found in errors):
        return Problem(HTTPStatus.BAD_REQUEST, "The body is no JSON text in UTF-8.")
    told = {(_field(found), _reason(found)) for found in errors}
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        _UNFIT,
        [FieldProblem(field=name, reason=reason) for name, reason in sorted(told)],
    )


def _field(found: Mapping[str, Any]) -> str:
    """Return the name of the field that an error is about: of the outermost one, or `body`.

    The place begins with body, query, path or header; in a body of several kinds the kind comes next.
    """
    place = [part for part in found["loc"] if isinstance(part, str)]
    names = [part for part in place[1:] if part not in _KINDS]
    if not names:
        return place[0] if place else "body"
    name = names[0].lower() if place[0] == "header" else names[0]
    return name if _NAME.fullmatch(name) else "a field without a name of the documented form"


_KINDS = frozenset({"cron", "interval", "one_time", "manual", "api", "scheduler"})


def _reason(found: Mapping[str, Any]) -> str:
    """Return why, from the kind of error and the limits that the document names; never the framework's own text."""
    limits = found.get("ctx", {})
    if found["type"] == "rule":
        return str(limits["reason"])
    template = _REASONS.get(found["type"], "is not as documented")
    return template.format_map(limits)


_REASONS: Mapping[str, str] = {
    "missing": "must be given",
    "extra_forbidden": "is not a field here",
    "string_type": "must be a text",
    "string_too_short": "must be of at least {min_length} characters",
    "string_too_long": "must be of at most {max_length} characters",
    "string_pattern_mismatch": "must have the documented form",
    "string_unicode": "must not contain half of a surrogate pair",
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "int_parsing_size": "is too large",
    "bool_type": "must be true or false",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
    "union_tag_invalid": "must have {discriminator} one of {expected_tags}",
    "union_tag_not_found": "must have {discriminator}",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "string_sub_type": "must be a text",
}
