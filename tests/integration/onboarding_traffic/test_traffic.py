"""Traffic against real stores, and against the service over HTTP: every answer is right."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from onboarding.cli import app
from onboarding.database.schema import create_schema
from onboarding.store.errors import Conflict, NotFound, Unavailable
from onboarding.store.interface import Page, Store
from onboarding.store.memory import MemoryStore
from onboarding.store.opening import open_store, utc_now
from onboarding.traffic import Target, TrafficOptions, TrafficReport, run_traffic
from onboarding.traffic.http_target import HttpStore, http_target
from onboarding.traffic.pacing import Watch
from tests.conftest import Database
from tests.integration.onboarding_traffic.service import KEYS, served
from tests.unit.onboarding_traffic.stores import Flaky, Method, QuickWatch, Wrapped

OPERATIONS = 300
TABLES = (
    "TENANTS",
    "PROVIDERS",
    "ACCOUNTS",
    "SCHEDULES",
    "EXECUTIONS",
    "SCAN_RESULTS",
    "TENANT_NAMES",
    "TENANT_PROVIDERS",
    "SERVICE_STATE",
)


@pytest.fixture
def postgres_environ(any_database: Database) -> dict[str, str]:
    """The configuration of the store in PostgreSQL."""
    create_schema(any_database.dsn)
    return {"DATABASE_URL": any_database.dsn, "CREDENTIAL_KEY": Fernet.generate_key().decode()}


@pytest.fixture
def dynamodb_environ(any_aws_environ: dict[str, str], unique: str) -> dict[str, str]:
    """The configuration of the store in DynamoDB."""
    names = {f"DYNAMODB_{table}_TABLE": f"{unique}-{table.lower()}" for table in TABLES}
    return any_aws_environ | names | {"SECRETS_MANAGER_PREFIX": unique}


@pytest.fixture(params=["postgres", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Each real store in turn, empty."""
    opened = open_store(request.param, request.getfixturevalue(f"{request.param}_environ"))
    opened.prepare()
    yield opened
    opened.close()


def _run(target: Target, operations: int = OPERATIONS, watch: Watch | None = None) -> TrafficReport:
    return run_traffic(lambda: target, TrafficOptions(label="t", operations=operations, workers=3), watch=watch)


def _over_http(store: Store, operations: int = OPERATIONS) -> TrafficReport:
    with served(store) as url:
        target = http_target(url, KEYS)
        try:
            return _run(target, operations)
        finally:
            target.store.close()


def test_every_answer_of_a_real_store_is_right(store: Store) -> None:
    report = _run(Target(store))
    assert (report.listed, report.unavailable, report.left) == ((), 0, ())


def test_every_answer_of_the_service_on_a_real_store_is_right(store: Store) -> None:
    report = _over_http(store)
    assert (report.listed, report.unavailable, report.left) == ((), 0, ())


def test_two_runs_over_http_ask_the_same_though_the_service_gives_the_ids() -> None:
    first, second = (_over_http(MemoryStore(utc_now)) for _ in range(2))
    assert first.listed == second.listed == ()
    assert first.digest == second.digest


def test_over_http_lost_answers_are_followed_up_too() -> None:
    report = _over_http(Flaky(4, before=0.01, after=0.01))
    assert report.listed == ()
    assert report.unavailable > 0


class _HidesAConflict(Wrapped):
    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except Conflict as conflict:
            raise NotFound(conflict.kind) from None


class _OfAnotherTenant(Wrapped):
    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        return method(*args, **({**kwargs, "owner": None} if "owner" in kwargs else kwargs))


class _LosesThePlace(Wrapped):
    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        answer = method(*args, **kwargs)
        return Page(answer.items, None) if isinstance(answer, Page) else answer


@pytest.mark.parametrize(
    "faulty", [_HidesAConflict, _OfAnotherTenant, _LosesThePlace], ids=lambda faulty: faulty.__name__
)
def test_what_the_service_gets_wrong_is_found_over_http(faulty: type[Wrapped]) -> None:
    assert _over_http(faulty()).wrong > 0


def test_a_service_that_is_away_is_unavailable() -> None:
    away = HttpStore("http://127.0.0.1:9", KEYS)
    with pytest.raises(Unavailable):
        away.check()
    away.close()


def test_a_store_that_stops_answering_for_a_while_is_waited_for() -> None:
    watch = QuickWatch()

    class AwayForAMinute(Wrapped):
        def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
            if 20 < watch.seconds - self.begun < 80:
                raise Unavailable("memory")
            return method(*args, **kwargs)

        begun = 0.0

    target = Target(AwayForAMinute())
    options = TrafficOptions(label="t", operations=400, workers=2, rate=10)
    report = run_traffic(lambda: target, options, watch=Watch(watch.now, watch.sleep))
    assert report.wrong == 0
    assert report.unavailable > 0
    assert report.left == ()


def test_the_command_runs_and_tells_in_json(postgres_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in postgres_environ.items():
        monkeypatch.setenv(name, value)
    chosen = ["--store", "postgres", "--operations", "60", "--workers", "2", "--label", f"c{uuid.uuid4().hex[:8]}"]
    result = CliRunner().invoke(app, ["traffic", *chosen, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["ok"], report["wrong"], report["left"]) == (True, 0, [])
    assert report["operations"] >= 60
    assert {"kind", "count", "per_second", "median_ms", "p95_ms", "p99_ms", "max_ms"} == set(report["kinds"][0])


@pytest.mark.parametrize("chosen", [[], ["--store", "postgres", "--url", "http://127.0.0.1:9"], ["--store", "none"]])
def test_the_command_takes_one_target(chosen: list[str]) -> None:
    assert CliRunner().invoke(app, ["traffic", *chosen]).exit_code == 2


def test_the_command_says_what_is_not_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # no kept demo of this machine is looked at
    for name in [name for name in os.environ if name.startswith("ONBOARDING_")]:
        monkeypatch.delenv(name)
    result = CliRunner().invoke(app, ["traffic", "--url", "http://127.0.0.1:9"])
    assert "ONBOARDING_TOKEN_KEY" in str(result.exception)
