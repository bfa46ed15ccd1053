"""What the page on moving an application shows, before and after, works and answers the same."""

from __future__ import annotations

import inspect
import os
import re
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from onboarding.database.connection import dispose_engines, get_db
from onboarding.store.interface import PageRequest, Store
from onboarding.store.opening import open_store
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.plan.load import load_plan
from tests.acceptance.conftest import Migration

pytestmark = pytest.mark.acceptance

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "move-your-application.md"
PAIR = re.compile(
    r"^## ([^\n]+)\n\*\*Before\*\*\n```python\n(.*?)```\n\n\*\*After\*\*\n```python\n(.*?)```", re.M | re.S
)
PAIRS = {title: (before, after) for title, before, after in PAIR.findall(PAGE.read_text())}


@dataclass(frozen=True)
class Side:
    """What one of the two blocks defines, and the session that the block before needs."""

    names: Mapping[str, Any]
    db: Session | None

    def call(self, name: str, *given: Any) -> Any:
        """Call a function of the block, with the session first where it takes one."""
        function: Callable[..., Any] = self.names[name]
        needs_session = "db" in inspect.signature(function).parameters
        return function(*((self.db,) if needs_session else ()), *given)

    def get(self, path: str) -> tuple[int, Any]:
        """Ask the block's router."""
        application = FastAPI()
        application.include_router(self.names["router"])
        with TestClient(application) as client:
            answer = client.get(path)
        return answer.status_code, answer.json()


@dataclass(frozen=True)
class Moved:
    """A database and the tables that were copied from it, both in this process's environment."""

    dsn: str
    db: Session
    store: Store

    def sides(self, title: str) -> tuple[Side, Side]:
        """Return the blocks of one section, before and after."""
        before, after = (_run(code) for code in PAIRS[title])
        return Side(before, self.db), Side(after, None)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask PostgreSQL."""
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(statement.encode()).fetchall()


def _run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "block"}
    exec(compile(code.replace("from __future__ import annotations\n", ""), str(PAGE), "exec"), names)
    return names


@pytest.fixture
def moved(migration: Migration, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moved]:
    """The onboarding database, copied."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "DYNAMODB_", "SECRETS_MANAGER_"))]:
        monkeypatch.delenv(name)
    for name, value in migration.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DYNAMODB_SERVICE_STATE_TABLE", f"{migration.environ['SECRETS_MANAGER_PREFIX']}-service-state")
    plan = load_plan(migration.folder / "plan.yaml", migration.environ)
    refused = migration.onboarding.seeded.secrets.refused
    assert copy(plan, migration.environ, CopyOptions(processes=0, expect_refused=refused)).ok
    store = open_store("dynamodb", os.environ)
    store.prepare()
    sessions = cast("Generator[Session]", get_db())
    yield Moved(migration.onboarding.dsn, next(sessions), store)
    sessions.close()
    dispose_engines()
    store.close()


def test_the_page_shows_the_six_changes() -> None:
    assert list(PAIRS) == list(CHECKS)
    assert PAGE.read_text().count("```python") == 2 * len(PAIRS)


def test_before_and_after_give_the_same_answers(moved: Moved) -> None:
    for title, check in CHECKS.items():
        before, after = moved.sides(title)
        try:
            check(moved, before, after)
        except Exception as error:
            error.add_note(f"in the section {title!r} of {PAGE.name}")
            raise


def _listing(moved: Moved, before: Side, after: Side) -> None:
    tenants = [*(row[0] for row in moved.rows("SELECT tenant_id FROM tenants")), uuid.uuid4()]
    answers = [before.get(f"/tenants/{tenant}/accounts") for tenant in tenants]
    assert sum(len(listed) for _, listed in answers) == moved.rows("SELECT count(*) FROM accounts")[0][0] > 0
    assert [after.get(f"/tenants/{tenant}/accounts") for tenant in tenants] == answers


def _record(moved: Moved, before: Side, after: Side) -> None:
    rows = moved.rows("SELECT tenant_id, schedule_id FROM schedules LIMIT 20")
    foreign = [(uuid.uuid4(), schedule) for _, schedule in rows[:2]]
    paths = [f"/tenants/{tenant}/schedules/{schedule}" for tenant, schedule in rows + foreign]
    answers = [before.get(path) for path in paths]
    assert [status for status, _ in answers] == [200] * len(rows) + [404] * 2
    assert [after.get(path) for path in paths] == answers


def _credentials(moved: Moved, before: Side, after: Side) -> None:
    [(account,)] = moved.rows("SELECT account_id FROM accounts LIMIT 1")
    for value in ("first", "second", "first"):
        for side in (before, after):
            assert side.call("rotate", str(account), "ibm_api_key", {"api_key": value}) == {"api_key": value}


def _unique(moved: Moved, before: Side, after: Side) -> None:
    [(copied,)] = moved.rows("SELECT tenant_name FROM tenants LIMIT 1")
    fresh = f"nobody has this name {uuid.uuid4()}"
    for side in (before, after):
        assert [side.call("create", name) for name in (copied, fresh, fresh)] == ["taken", "created", "taken"]


def _pause(moved: Moved, before: Side, after: Side) -> None:
    rows = moved.rows("SELECT DISTINCT ON (status) schedule_id FROM schedules")
    answers = [[side.call("pause", str(schedule)) for (schedule,) in rows] for side in (before, after)]
    assert answers[0] == answers[1]
    assert "paused" in answers[0]


def _remove(moved: Moved, before: Side, after: Side) -> None:
    [(tenant,)] = moved.rows("SELECT tenant_id FROM accounts LIMIT 1")
    before.call("remove", str(tenant))
    after.call("remove", str(tenant))
    left = moved.rows(f"SELECT count(*) FROM schedules WHERE tenant_id = '{tenant}'")
    assert left == [(0,)]
    assert moved.store.list_schedules_by_tenant(tenant, PageRequest()).items == ()
    assert moved.store.list_accounts_by_tenant(tenant, PageRequest()).items == ()


CHECKS: dict[str, Callable[[Moved, Side, Side], None]] = {
    "A listing": _listing,
    "One record, of one tenant": _record,
    "Credentials": _credentials,
    "A unique value": _unique,
    "A counter, and an update of what was read": _pause,
    "Deleting what hangs on it": _remove,
}
