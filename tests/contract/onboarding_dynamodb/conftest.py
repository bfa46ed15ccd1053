"""The store on each DynamoDB of this machine, opened by hand: with a clock, a grace and a client of the test's own."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from onboarding.aws import aws_client
from onboarding.database.dynamodb_tables import DEFINITIONS, TableNames, create_tables
from onboarding.storage.secrets_manager_storage import SecretsManagerStorage
from onboarding.store.dynamodb import DynamoDBStore
from onboarding.store.dynamodb.deletions import GRACE
from onboarding.store.opening import utc_now
from tests.conftest import AWS_STACKS, Servers


@dataclass
class World:
    """Tables and a prefix of secrets of one's own, and stores on them; `ahead` moves the time of all."""

    environ: dict[str, str]
    prefix: str
    ahead: timedelta = timedelta()

    @property
    def names(self) -> TableNames:
        """The tables' names."""
        return TableNames.from_environ(self.environ)

    def clock(self) -> datetime:
        """The time of the machine, moved forward."""
        return utc_now() + self.ahead

    def client(self, service: str = "dynamodb") -> Any:
        """A client of its own, so that what a test registers on it stays with it."""
        return aws_client(service, self.environ)

    def secrets(self) -> SecretsManagerStorage:
        """A storage with a cache of its own, as another process would have."""
        return SecretsManagerStorage(self.environ, clock=self.clock)

    def store(self, client: Any = None, **more: Any) -> DynamoDBStore:
        """A store, as another process would open it."""
        more = {"grace": GRACE, **more}
        return DynamoDBStore(client or self.client(), self.names, self.secrets(), self.clock, **more)

    def count(self) -> dict[str, int]:
        """Count the items of every table, and the secrets that are not deleted."""
        client = self.client()
        items = {name: client.scan(TableName=getattr(self.names, name))["Count"] for name in DEFINITIONS}
        listed = self.client("secretsmanager").list_secrets(Filters=[{"Key": "name", "Values": [self.prefix]}])
        return {**items, "secrets": len(listed["SecretList"])}

    def fresh(self) -> World:
        """Another world on the same servers."""
        return make_world({name: self.environ[name] for name in self.environ if name.startswith(("AWS_", "no_"))})


def make_world(environ: dict[str, str]) -> World:
    """Create tables of one's own."""
    prefix = f"t{uuid.uuid4().hex[:10]}"
    tables = {f"DYNAMODB_{f.name.upper()}_TABLE": f"{prefix}-{f.name}" for f in fields(TableNames)}
    made = World({**environ, **tables, "SECRETS_MANAGER_PREFIX": prefix}, prefix)
    create_tables(made.client(), made.names)
    return made


@pytest.fixture(scope="session", params=AWS_STACKS)
def _shared_world(request: pytest.FixtureRequest, servers: Servers) -> World:
    return make_world(dict(servers.aws(request.param).environ))


@pytest.fixture
def world(_shared_world: World) -> World:
    """Each DynamoDB in turn; its tables are shared by tests, the time is not."""
    return replace(_shared_world)


@pytest.fixture(scope="session")
def _one_world(servers: Servers) -> World:
    return make_world(dict(servers.aws(AWS_STACKS[0]).environ))


@pytest.fixture
def any_world(_one_world: World) -> World:
    """One DynamoDB."""
    return replace(_one_world)


@pytest.fixture
def empty_world(any_world: World) -> World:
    """One DynamoDB with tables that nobody else uses."""
    return any_world.fresh()
