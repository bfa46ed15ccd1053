"""The service's application on each store, and callers of every role."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from onboarding.api.app import create_app
from onboarding.api.keys import TokenKeys
from onboarding.api.permissions import PLATFORM_ROLES, Role
from onboarding.api.secured_route import PREFIX
from onboarding.api.settings import ApiSettings, Rate
from onboarding.api.tokens import Identity, issue_token
from onboarding.store.interface import Store
from onboarding.store.memory import MemoryStore
from onboarding.store.opening import utc_now
from tests.conftest import Servers
from tests.contract.onboarding_store.conftest import Clock, Making, Opened, _opened

KEYS = TokenKeys((b"the key of these tests, 32 bytes!",))
STORES = ("memory", "postgres", "dynamodb-stand-in")
UNLIMITED = Rate(per_second=1e9, burst=10**9)


@dataclass(frozen=True)
class Scene:
    """A tenant with one of everything; its ids by their names."""

    tenant: uuid.UUID
    ids: dict[str, str]


@dataclass
class Api:
    """The application and a client of it. `settings` may be replaced before the first call."""

    store: Store
    clock: Clock
    settings: ApiSettings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = ApiSettings(KEYS, clock=self.clock, rate=UNLIMITED, sweep_every_seconds=3600)
        self._client: TestClient | None = None

    def with_settings(self, **changes: Any) -> Api:
        """Return another application on the same store."""
        other = Api(self.store, self.clock)
        other.settings = replace(self.settings, **changes)
        return other

    @property
    def app(self) -> FastAPI:
        """The application."""
        app = self.client.app
        assert isinstance(app, FastAPI)
        return app

    @property
    def client(self) -> TestClient:
        """A client without any token."""
        if self._client is None:
            app = create_app(self.store, self.settings)
            self._client = TestClient(app, base_url="http://testserver", raise_server_exceptions=False)
        return self._client

    def token(self, role: Role, tenant: uuid.UUID | None = None, subject: str = "test") -> dict[str, str]:
        """Return the header of a caller."""
        identity = Identity(subject, role, None if role in PLATFORM_ROLES else tenant)
        text = issue_token(self.settings.token_keys, identity, self.clock(), timedelta(hours=1))
        return {"Authorization": f"Bearer {text}"}

    def ask(
        self,
        method: str,
        path: str,
        role: Role = Role.PLATFORM,
        tenant: uuid.UUID | None = None,
        *,
        headers: dict[str, str] | None = None,
        **request: Any,
    ) -> Any:
        """Make a request with a token, and return the response."""
        sent = self.token(role, tenant) | (headers or {})
        return self.client.request(method, PREFIX + path, headers=sent, **request)

    def scene(self) -> Scene:
        """Make a tenant with one of everything."""
        make = Making(self.store)
        tenant = make.tenant()
        provider = make.provider(tenant)
        account = make.account(provider)
        schedule = make.schedule(account, next_run_at=utc_now() - timedelta(days=1))
        execution, scan = make.execution(schedule), make.scan(account)
        ids = {
            "tenant_id": str(tenant.tenant_id),
            "provider_id": str(provider.provider_id),
            "account_id": str(account.account_id),
            "schedule_id": str(schedule.schedule_id),
            "execution_id": str(execution.execution_id),
            "scan_id": scan.scan_id,
        }
        return Scene(tenant.tenant_id, ids)


def nowhere() -> dict[str, str]:
    """Return ids under which there is nothing."""
    names = ("tenant_id", "provider_id", "account_id", "schedule_id", "execution_id", "scan_id")
    return {name: str(uuid.uuid4()) for name in names}


@pytest.fixture(scope="session", params=STORES)
def any_opened(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Opened]:
    """Each store in turn, opened once for all tests; a test makes tenants of its own."""
    yield from _opened(request.param, servers)


@pytest.fixture
def any_store(any_opened: Opened) -> Iterator[Store]:
    """The store under the service: each in turn."""
    yield any_opened.store
    any_opened.clock.ahead = timedelta()


@pytest.fixture
def any_api(any_store: Store, any_opened: Opened) -> Api:
    """The application on each store in turn."""
    return Api(any_store, any_opened.clock)


@pytest.fixture
def api() -> Api:
    """The application on a store in memory, for what no store has a part in."""
    clock = Clock()
    return Api(MemoryStore(clock), clock)
