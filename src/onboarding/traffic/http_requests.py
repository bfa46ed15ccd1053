"""Requests to a running service: records, listings, creations and changes, whatever they are of."""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx2
import orjson

from onboarding.api.keys import TokenKeys
from onboarding.api.permissions import PERMISSIONS, Permission, Role
from onboarding.api.tokens import Identity, issue_token
from onboarding.store import paging
from onboarding.store.errors import NotFound, Unavailable
from onboarding.store.interface import Page, PageRequest
from onboarding.store.opening import utc_now
from onboarding.store.records import Receipt
from onboarding.traffic.calls import ID_FIELDS
from onboarding.traffic.http_answers import Undocumented, record_of, refusal_of, sent_value

PREFIX = "/api/v1"
TIMEOUT_SECONDS = 15.0
TOKEN_LIFETIME = timedelta(minutes=10)
SUBJECTS = 64
"""The service limits how often each caller may ask: this many callers share the work."""
KEPT = 20_000
"""How many cursors and ETags are remembered."""
STALE_ETAG = '"0000000000000000000000000000dead"'
PATHS = {
    "tenant": "tenants",
    "provider": "providers",
    "account": "accounts",
    "schedule": "schedules",
    "execution": "executions",
    "scan_result": "scan-results",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing's path, what it lists, and its order."""

    kind: str
    order: paging.Order
    path: str
    filters: Mapping[str, Any]


class HttpRequests:
    """See the module. Safe to use from several threads."""

    def __init__(
        self, url: str, keys: TokenKeys, *, sleep: Callable[[float], object] = time.sleep, connections: int = 64
    ) -> None:
        limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._client = httpx2.Client(base_url=url.rstrip("/") + PREFIX, timeout=TIMEOUT_SECONDS, limits=limits)
        self._keys, self._sleep = keys, sleep
        self._turns = itertools.count()
        self._cursors, self._etags = _Remembered(), _Remembered()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return `get_…`, `update_…` or `delete_…` of a kind, which are alike for all kinds."""
        verb, _, kind = name.partition("_")
        actions: Mapping[str, Callable[..., Any]] = {"get": self._got, "update": self._updated, "delete": self._deleted}
        if kind not in PATHS or verb not in actions:
            raise AttributeError(name)
        action: Callable[..., Any] = actions[verb]

        def call(identifier: Any, *args: Any, owner: UUID | None = None, **more: Any) -> Any:
            return action(kind, identifier, owner, *args, **more)

        return call

    def _got(self, kind: str, identifier: Any, owner: UUID | None) -> Any:
        return self._one(kind, self._asked("GET", _path(kind, identifier), kind, owner, None))

    def _updated(
        self, kind: str, identifier: Any, owner: UUID | None, changes: Mapping[str, Any], *, seen: Any = None
    ) -> Any:
        headers = {} if seen is None else {"If-Match": self._etag(kind, identifier, owner, seen)}
        return self._one(kind, self._asked("PATCH", _path(kind, identifier), kind, owner, sent_value(changes), headers))

    def _etag(self, kind: str, identifier: Any, owner: UUID | None, seen: Any) -> str:
        """Return the ETag of the record as it was seen; one that no record has when it has changed since."""
        kept = self._etags.get((kind, identifier))
        if kept is None or kept[0] != seen:
            self._got(kind, identifier, owner)
            kept = self._etags.get((kind, identifier))
        return str(kept[1]) if kept and kept[0] == seen else STALE_ETAG

    def _deleted(self, kind: str, identifier: Any, owner: UUID | None) -> None:
        response = self._asked("DELETE", _path(kind, identifier), kind, owner, None)
        if response.status_code != 204:
            raise Undocumented(f"status {response.status_code}")

    def _created(self, kind: str, body: dict[str, Any], owner: UUID | None, receipt: Receipt | None) -> Any:
        body = {name: value for name, value in body.items() if name != ID_FIELDS[kind]}
        headers = {"Idempotency-Key": receipt.key} if receipt else {}
        response = self._asked("POST", PATHS[kind], kind, owner, body, headers)
        record = self._one(kind, response)
        place = f"{PREFIX}/{_path(kind, getattr(record, ID_FIELDS[kind]))}"
        if response.status_code != 201 or response.headers.get("Location") != place:
            raise Undocumented("another status or Location of something created")
        return record

    def _one(self, kind: str, response: httpx2.Response) -> Any:
        record = record_of(kind, orjson.loads(response.content))
        etag = response.headers.get("ETag")
        if not etag:
            raise Undocumented("no ETag")
        self._etags.put((kind, getattr(record, ID_FIELDS[kind])), (record, etag))
        return record

    def _only(self, listing: Listing) -> Any:
        page = self._listed(listing, PageRequest(), None)
        if page.next is not None or len(page.items) > 1:
            raise Undocumented("several of what there is once")
        if not page.items:
            raise NotFound(listing.kind)
        return page.items[0]

    def _of_tenant(self, listing: Listing, page: PageRequest) -> Page[Any]:
        """List something of a tenant as this tenant, unless it is gone: then as the platform."""
        try:
            return self._listed(listing, page, listing.filters["tenant_id"])
        except NotFound:
            return self._listed(listing, page, None)

    def _listed(self, listing: Listing, page: PageRequest, owner: UUID | None) -> Page[Any]:
        query = {name: str(value) for name, value in listing.filters.items() if value is not None}
        place = (listing.path, tuple(sorted(query.items())), owner)
        if page.after is not None:
            query["cursor"] = str(self._cursors.get((*place, page.after)))
        response = self._asked(
            "GET", listing.path, listing.kind, owner, None, query={**query, "limit": str(page.limit)}
        )
        content = orjson.loads(response.content)
        if set(content) != {"items", "next"}:
            raise Undocumented("other fields than those of a listing")
        items = tuple(record_of(listing.kind, item) for item in content["items"])
        if content["next"] is None:
            return Page(items, None)
        position = listing.order.position(items[-1]) if items else ()
        self._cursors.put((*place, position), content["next"])
        return Page(items, position)

    def _asked(
        self,
        method: str,
        path: str,
        kind: str,
        owner: UUID | None,
        body: Any,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Make a request; one that is refused for coming too soon is made again when the service says."""
        content = None if body is None else orjson.dumps(body)
        while True:
            sent = {"Authorization": f"Bearer {self._token(method, path, owner)}", **(headers or {})}
            if content is not None:
                sent["Content-Type"] = "application/json"
            try:
                response = self._client.request(method, path, content=content, headers=sent, params=query)
            except httpx2.TransportError:
                raise Unavailable("The service") from None
            if response.status_code != 429:
                break
            self._sleep(float(response.headers.get("Retry-After", "1")))
        if response.is_success:
            return response
        raise refusal_of(response.status_code, kind, of_tenant=owner is not None)

    def _token(self, method: str, path: str, owner: UUID | None) -> str:
        turn = next(self._turns)
        role = Role.PLATFORM if owner is None else _role(method, path, turn)
        identity = Identity(f"traffic-{turn % SUBJECTS}", role, owner)
        return issue_token(self._keys, identity, utc_now(), TOKEN_LIFETIME)


def _role(method: str, path: str, turn: int) -> Role:
    """Return one of the roles of a tenant that may do this, by turns."""
    words = path.split("/")
    what = "credentials" if words[-1] == "credentials" else words[0]
    verbs = {"GET": "read", "POST": "create", "PATCH": "update", "DELETE": "delete", "PUT": "write"}
    needed = Permission(f"{what}:{verbs[method]}")
    able = [role for role in (Role.ADMIN, Role.OPERATOR, Role.READER) if needed in PERMISSIONS[role]]
    return able[turn % len(able)]


def _path(kind: str, identifier: Any) -> str:
    return f"{PATHS[kind]}/{quote(str(identifier), safe='')}"


def given(new: Any) -> dict[str, Any]:
    """Return the fields of a new record as they go over HTTP."""
    return {f.name: sent_value(getattr(new, f.name)) for f in fields(new)}


def told(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are given."""
    return {name: value for name, value in values.items() if value is not None}


class _Remembered:
    """What was told last of so many things, the oldest forgotten first. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Any, Any] = OrderedDict()

    def put(self, key: Any, value: Any) -> None:
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def get(self, key: Any) -> Any:
        with self._lock:
            return self._kept.get(key)
