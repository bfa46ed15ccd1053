"""One request under way: whose it is, and the forms that all routes share — one record, a listing, a creation,
a change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, TypeAlias, TypeVar
from uuid import UUID

from fastapi import Depends, Header, Request, Response, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from onboarding.api.answers import Answer
from onboarding.api.idempotency import Outcome, carry_out
from onboarding.api.problems import Problem, field_problem
from onboarding.api.queries import PageQuery
from onboarding.api.secured_route import PREFIX
from onboarding.api.service import Service
from onboarding.api.tokens import Identity
from onboarding.store.errors import Changed, NotFound
from onboarding.store.interface import Page, PageRequest
from onboarding.store.records import Receipt

Record = TypeVar("Record")
REPLAYED = "Idempotency-Replayed"


@dataclass(frozen=True, slots=True)
class Call:
    """See the module. `owner` is what the store is to be asked as: never an id that was sent."""

    service: Service
    identity: Identity
    route: str
    idempotency_key: str | None
    if_match: str | None

    @property
    def owner(self) -> UUID | None:
        """The token's tenant; None for a role of the platform, which reaches all."""
        return self.identity.tenant

    def tenant(self, named: UUID | None) -> UUID:
        """Return the tenant that a request is about: the token's own, or the one that a role of the platform names.

        Raises NotFound when a tenant's token names another one, as if there were none.
        """
        if self.owner is None:
            if named is None:
                raise field_problem("tenant_id", "must be given by a role that belongs to no tenant")
            return named
        if named not in (None, self.owner):
            raise NotFound("tenant")
        return self.owner

    def one(self, answer: type[Answer], record: object, *, status: int = HTTPStatus.OK) -> Response:
        """Answer one record, with its ETag."""
        content = _content(answer, record)
        return _json(content, status, {"ETag": _etag(content)})

    def plain(self, answer: type[Answer], record: object) -> Response:
        """Answer what is no record of its own: without ETag."""
        return _json(_content(answer, record), HTTPStatus.OK, {})

    def page(self, query: PageQuery) -> PageRequest:
        """Return which page a listing is asked for. Raises InvalidCursor."""
        after = None
        if query.cursor is not None:
            after = self.service.cursors.position(self._binding(query), query.cursor)
        return PageRequest(query.limit, after)

    def listing(self, answer: type[Answer], page: Page[Any], query: PageQuery) -> Response:
        """Answer a page, with the cursor of the next one."""
        cursor = None if page.next is None else self.service.cursors.cursor(self._binding(query), page.next)
        items = b",".join(_content(answer, item) for item in page.items)
        following = b"null" if cursor is None else f'"{cursor}"'.encode()
        return _json(b'{"items":[' + items + b'],"next":' + following + b"}", HTTPStatus.OK, {})

    def _binding(self, query: PageQuery) -> tuple[str, ...]:
        filters = query.model_dump(mode="json", exclude={"limit", "cursor"}, exclude_none=True)
        words = (word for name in sorted(filters) for word in (name, str(filters[name])))
        return (self.route, str(self.owner or "platform"), *words)

    def created(
        self,
        answer: type[Answer],
        body: BaseModel,
        create: Callable[[UUID | None, Receipt | None], Record],
        get: Callable[[UUID], Record],
        path: Callable[[Record], str],
    ) -> Response:
        """Create a thing, or find it again by the request's Idempotency-Key, and answer it with its place."""
        outcome = self._outcome(body, create, get)
        content = _content(answer, outcome.made)
        headers = {"ETag": _etag(content), "Location": f"{PREFIX}/{path(outcome.made)}"}
        if outcome.replayed:
            headers[REPLAYED] = "true"
        return _json(content, HTTPStatus.CREATED, headers)

    def _outcome(
        self,
        body: BaseModel,
        create: Callable[[UUID | None, Receipt | None], Record],
        get: Callable[[UUID], Record],
    ) -> Outcome[Record]:
        if self.idempotency_key is None:
            return Outcome(create(None, None), replayed=False)
        scope = str(self.owner or "platform")
        content = body.model_dump(mode="json")
        attempt = self.service.idempotency.attempt(scope, self.route, self.idempotency_key, content)
        new_id = attempt.identifier
        return carry_out(self.service.store, attempt, lambda: create(new_id, attempt.receipt), lambda: get(new_id))

    def changed(
        self,
        answer: type[Answer],
        get: Callable[[], Record],
        update: Callable[[Record | None], Record],
    ) -> Response:
        """Change a record, if it still is as If-Match says, and answer what it has become."""
        if self.if_match is None:
            return self.one(answer, update(None))
        seen = get()
        self.require_match(answer, seen)
        try:
            return self.one(answer, update(seen))
        except Changed:
            raise _not_as_seen() from None

    def require_match(self, answer: type[Answer], record: object) -> None:
        """Raise Problem 412 when the request has If-Match and the record is another one than it names."""
        wanted = self.if_match
        if wanted is None or wanted.strip() == "*":
            return
        if _etag(_content(answer, record)) not in [tag.strip() for tag in wanted.split(",")]:
            raise _not_as_seen()

    def deleted(self) -> Response:
        """Answer that a thing is gone, and have what hung on it swept."""
        self.service.sweeper.wake()
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _not_as_seen() -> Problem:
    detail = "The record is not as If-Match says: read it again and decide anew."
    return Problem(HTTPStatus.PRECONDITION_FAILED, detail)


def _content(answer: type[Answer], record: object) -> bytes:
    return answer.model_validate(record).model_dump_json().encode()


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _json(content: bytes, status: int, headers: Mapping[str, str]) -> Response:
    return Response(content, status_code=status, headers=dict(headers), media_type="application/json")


_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="A token from `onboarding token`.")


async def _call(request: Request, _: Annotated[Any, Security(_bearer)]) -> Call:
    return _of(request)


async def _creating(
    request: Request,
    _: Annotated[Any, Security(_bearer)],
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            pattern="^[!-~]+$",
            description="Sent again with the same body, the request does nothing and answers what it made.",
        ),
    ] = None,
) -> Call:
    return _of(request, idempotency_key=idempotency_key)


async def _changing(
    request: Request,
    _: Annotated[Any, Security(_bearer)],
    if_match: Annotated[
        str | None,
        Header(alias="If-Match", max_length=1_024, description="The ETag that the record must still have."),
    ] = None,
) -> Call:
    return _of(request, if_match=if_match)


def _of(request: Request, *, idempotency_key: str | None = None, if_match: str | None = None) -> Call:
    route: str = request.scope["route"].path
    return Call(request.app.state.service, request.state.identity, route, idempotency_key, if_match)


Reading: TypeAlias = Annotated[Call, Depends(_call)]
Creating: TypeAlias = Annotated[Call, Depends(_creating)]
Changing: TypeAlias = Annotated[Call, Depends(_changing)]
