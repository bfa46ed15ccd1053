"""How routes are documented: which refusals each kind of route has, its headers, and the ids in paths."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, TypeAlias

from fastapi import Path

from onboarding.api import example_records as example
from onboarding.api.answers import ProblemAnswer
from onboarding.api.fields import Id, ScanId
from onboarding.api.problems import MEDIA_TYPE

Responses: TypeAlias = dict[int | str, dict[str, Any]]

_MEANINGS = {
    400: "The cursor is none of this listing, or the body is no JSON.",
    401: "The token is missing, not valid, expired, or its tenant is gone.",
    403: "The token's role may not do this.",
    404: "There is nothing under an id that was given; another tenant's counts as nothing.",
    409: "Something else stands against it.",
    412: "The record is not as If-Match says.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "A field does not fit.",
    429: "Too many requests.",
    500: "The service failed.",
    503: "The store does not answer.",
}
_TEXT = {"type": "string"}
_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"required": True, "schema": _TEXT}},
    429: {"Retry-After": {"required": True, "schema": {"type": "integer"}}},
    503: {"Retry-After": {"schema": {"type": "integer"}}},
}
_ETAG = {"ETag": {"required": True, "description": "What the record is, for If-Match.", "schema": _TEXT}}
_MADE = {
    **_ETAG,
    "Location": {"required": True, "description": "The path of the record.", "schema": _TEXT},
    "Idempotency-Replayed": {
        "description": "Sent, and true, when an earlier request with this key made the record.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}


def _refusals(*statuses: int) -> Responses:
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemAnswer.__name__}"}}},
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        }
        for status in sorted({*statuses, 500, 503})
    }


def _secured(*statuses: int) -> Responses:
    return _refusals(401, 403, 429, *statuses)


_BODY = (400, 413, 415, 422)
UNAVAILABLE = _refusals()
LISTED = _secured(400, 404, 422)
ONE = {HTTPStatus.OK.value: {"headers": _ETAG}, **_secured(404, 422)}
CREATED = {HTTPStatus.CREATED.value: {"headers": _MADE}, **_secured(404, 409, *_BODY)}
PATCHED = {HTTPStatus.OK.value: {"headers": _ETAG}, **_secured(404, 409, 412, *_BODY)}
WRITTEN = _secured(404, *_BODY)
TOLD = _secured(404, 422)
DELETED = _secured(404, 422)

TenantPath: TypeAlias = Annotated[Id, Path(examples=[example.TENANT])]
ProviderPath: TypeAlias = Annotated[Id, Path(examples=[example.PROVIDER])]
AccountPath: TypeAlias = Annotated[Id, Path(examples=[example.ACCOUNT])]
SchedulePath: TypeAlias = Annotated[Id, Path(examples=[example.SCHEDULE])]
ExecutionPath: TypeAlias = Annotated[Id, Path(examples=[example.EXECUTION])]
ScanPath: TypeAlias = Annotated[
    ScanId, Path(examples=[example.SCAN], description="Ids that were migrated may hold any character.")
]
