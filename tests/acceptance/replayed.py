"""Requests to the service, recorded with their answers, to be sent again when the store behind it is another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from onboarding.api.app import create_app
from onboarding.api.keys import TokenKeys
from onboarding.api.permissions import Role
from onboarding.api.settings import ApiSettings, Rate
from onboarding.api.tokens import Identity, issue_token
from onboarding.store.interface import Store

NOW = datetime(2026, 12, 1, 12)
KEYS = TokenKeys((b"a key of this test, of at least 32 bytes",))
SETTINGS = ApiSettings(KEYS, clock=lambda: NOW, rate=Rate(1e6, 1_000_000), sweep_every_seconds=3_600)
MADE_ANEW = ("created_at", "updated_at", "request_id")
GIVEN_BACK = ("etag", "location", "idempotency-replayed")


@dataclass(frozen=True)
class Sent:
    """One request: who asks, what, and the body."""

    method: str
    path: str
    tenant: str | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answered:
    """What came back; the headers are those that say something of the record."""

    status: int
    body: Any
    headers: dict[str, str]


class Service:
    """The service on one store, in this process, asked over HTTP."""

    def __init__(self, store: Store) -> None:
        self.app = create_app(store, SETTINGS)
        self.client = TestClient(self.app, raise_server_exceptions=False)
        self.walked: set[tuple[str, str]] = set()

    def send(self, sent: Sent) -> Answered:
        """Send a request as the platform, or as an administrator of its tenant."""
        headers = {"Authorization": f"Bearer {_token(sent.tenant)}"} | sent.headers
        answer = self.client.request(sent.method, sent.path, json=sent.body, headers=headers)
        self._note(sent.method, sent.path)
        shown = {name: answer.headers[name] for name in GIVEN_BACK if name in answer.headers}
        return Answered(answer.status_code, answer.json() if answer.content else None, shown)

    def _note(self, method: str, path: str) -> None:
        scope = {"type": "http", "method": method, "path": path.partition("?")[0]}
        for route in self.routes():
            if method in (route.methods or ()) and route.matches(scope)[0].name == "FULL":
                self.walked.add((method, route.path))
                return

    def routes(self) -> list[APIRoute]:
        """Return the service's own routes."""
        return [route for route in self.app.routes if isinstance(route, APIRoute)]

    def not_walked(self, *methods: str) -> set[tuple[str, str]]:
        """Return the routes of these methods that no request has met."""
        return {(m, r.path) for r in self.routes() for m in (r.methods or ()) if m in methods} - self.walked


def _token(tenant: str | None) -> str:
    identity = Identity("replay", Role.ADMIN if tenant else Role.PLATFORM, UUID(tenant) if tenant else None)
    return issue_token(KEYS, identity, NOW, timedelta(hours=1))


def path(*parts: str, **query: str) -> str:
    """Return a path of the service, its parts quoted."""
    text = "/".join(("/api/v1", *(quote(part, safe="") for part in parts)))
    return f"{text}?{urlencode(query)}" if query else text


class Crawler:
    """Asks for everything that there is, by every route that reads; what was asked and answered stays in `record`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.record: list[tuple[Sent, Answered]] = []

    def ask(self, sent: Sent) -> Answered:
        """Send, and keep request and answer."""
        answered = self._service.send(sent)
        self.record.append((sent, answered))
        return answered

    def listed(self, tenant: str | None, *parts: str, **query: str) -> Iterator[dict[str, Any]]:
        """Walk a listing by small pages."""
        cursor: dict[str, str] = {}
        while True:
            page = self.ask(Sent("GET", path(*parts, limit="20", **query, **cursor), tenant))
            assert page.status == 200, page.body
            yield from page.body["items"]
            if page.body["next"] is None:
                return
            cursor = {"cursor": page.body["next"]}

    def everything(self) -> None:
        """Crawl from the list of tenants down."""
        self._service.send(Sent("GET", path("health")))  # names its store, so it is walked and not kept
        for tenant in list(self.listed(None, "tenants")):
            self._tenant(tenant)
        for status in ("completed", "failed", "running", "cancelled"):
            list(self.listed(None, "scan-results", status=status))
        list(self.listed(None, "schedules", "due"))

    def _tenant(self, tenant: dict[str, Any]) -> None:
        own = tenant["tenant_id"]
        self.ask(Sent("GET", path("tenants", own), own))
        self.ask(Sent("GET", path("tenants", name=tenant["tenant_name"])))
        for provider in list(self.listed(own, "providers")):
            self.ask(Sent("GET", path("providers", provider["provider_id"]), own))
            self.ask(Sent("GET", path("providers", provider_type=provider["provider_type"]), own))
            list(self.listed(own, "accounts", provider_id=provider["provider_id"], status="active"))
        for account in list(self.listed(own, "accounts")):
            self._account(own, account["account_id"])
        list(self.listed(own, "schedules"))
        list(self.listed(own, "schedules", "due"))

    def _account(self, own: str, account: str) -> None:
        self.ask(Sent("GET", path("accounts", account), own))
        self.ask(Sent("GET", path("accounts", account, "credentials"), own))
        for schedule in list(self.listed(own, "schedules", account_id=account)):
            self.ask(Sent("GET", path("schedules", schedule["schedule_id"]), own))
            list(self.listed(own, "executions", schedule_id=schedule["schedule_id"]))
        for execution in list(self.listed(own, "executions", account_id=account))[:3]:
            self.ask(Sent("GET", path("executions", execution["execution_id"]), own))
        for scan in list(self.listed(own, "scan-results", account_id=account))[:3]:
            self.ask(Sent("GET", path("scan-results", scan["scan_id"]), own))


def without_what_is_new(value: Any) -> Any:
    """Return an answer without what is made anew each time."""
    if isinstance(value, dict):
        return {name: without_what_is_new(member) for name, member in value.items() if name not in MADE_ANEW}
    return [without_what_is_new(element) for element in value] if isinstance(value, list) else value
