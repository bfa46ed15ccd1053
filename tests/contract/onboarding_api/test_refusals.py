"""Whatever goes wrong is told as problem details, and neither an answer nor a log repeats what was sent."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from onboarding.api.permissions import Role
from onboarding.api.settings import Rate
from onboarding.store.errors import Unavailable
from tests.contract.onboarding_api.conftest import Api, nowhere

CANARY = "canary-9f3b7c51e2"
JSON = {"Content-Type": "application/json"}


def problem(answer: Any, status: int) -> dict[str, Any]:
    """Return the problem of an answer, having looked at its form."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["status"] == status
    assert told["type"] == "about:blank"
    assert told["title"]
    assert told["request_id"] == answer.headers["X-Request-ID"]
    return told


def test_every_refusal_is_a_problem(api: Api) -> None:
    scene = api.scene()
    account = f"/accounts/{scene.ids['account_id']}"
    problem(api.ask("GET", "/tenants?cursor=nonsense"), 400)
    problem(api.ask("POST", "/tenants", content=b"{", headers=JSON), 400)
    problem(api.ask("POST", "/tenants", content=b'"\xff"', headers=JSON), 400)
    problem(api.ask("POST", "/tenants", content=b"[" * 100_000, headers=JSON), 400)
    problem(api.ask("POST", "/tenants", content=b"1" * 5_000, headers=JSON), 400)
    problem(api.client.get("/api/v1/tenants"), 401)
    problem(api.ask("GET", "/tenants", Role.ADMIN, scene.tenant), 403)
    problem(api.ask("GET", f"/tenants/{nowhere()['tenant_id']}"), 404)
    problem(api.client.get("/nothing/here"), 404)
    assert problem(api.ask("PUT", "/tenants"), 405)
    problem(api.ask("POST", "/providers", json={"tenant_id": str(scene.tenant), "provider_type": "aws"}), 409)
    problem(api.ask("PATCH", account, json={}, headers={"If-Match": '"other"'}), 412)
    problem(api.ask("POST", "/tenants", content=b"x" * 262_145, headers=JSON), 413)
    problem(api.ask("POST", "/tenants", content=b"a=b", headers={"Content-Type": "text/plain"}), 415)
    problem(api.ask("POST", "/tenants", content=b"{}"), 415)
    problem(api.ask("POST", "/tenants", json={}), 422)


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/tenants", "GET, POST"),
        ("/tenants/x", "DELETE, GET, PATCH"),
        ("/schedules/due", "GET"),
        ("/accounts/x/credentials", "DELETE, GET, PUT"),
        ("/scan-results/a/b", "GET, PATCH"),
        ("/health", "GET"),
    ],
)
def test_a_wrong_method_is_told_which_are_right(api: Api, path: str, allow: str) -> None:
    for method in ("OPTIONS", "HEAD", "TRACE", "NONSENSE"):
        answer = api.ask(method, path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allow)


def test_a_field_that_does_not_fit_is_named_with_the_reason_and_without_its_value(api: Api) -> None:
    body = {"tenant_name": 7, "description": CANARY * 500, "nonsense": CANARY, CANARY: 1}
    answer = api.ask("POST", "/tenants", json=body)
    assert problem(answer, 422)["errors"] == [
        {"field": "a field without a name of the documented form", "reason": "is not a field here"},
        {"field": "description", "reason": "must be of at most 4096 characters"},
        {"field": "nonsense", "reason": "is not a field here"},
        {"field": "tenant_name", "reason": "must be a text"},
    ]
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    "path",
    ["/tenants", "/providers", "/accounts", "/schedules", "/executions", "/scan-results"],
)
@pytest.mark.parametrize("value", [CANARY, [CANARY], {CANARY: CANARY}, {"schedule_type": CANARY}, None], ids=range(5))
def test_no_refused_body_comes_back(api: Api, path: str, value: Any) -> None:
    names = ("tenant_id", "provider_type", "account_id", "name", "schedule_type", "triggered_by", "started_at")
    for body in (value, dict.fromkeys(names, value)):
        answer = api.ask("POST", path, json=body)
        problem(answer, 422)
        assert CANARY not in answer.text
        assert CANARY not in str(answer.headers)


def test_ids_and_queries_that_do_not_fit_do_not_come_back_either(api: Api) -> None:
    for path in (f"/accounts/{CANARY}", f"/accounts?status={CANARY}", f"/accounts?tenant_id={CANARY}", f"/{CANARY}"):
        answer = api.ask("GET", path)
        assert answer.status_code in (404, 422)
        assert CANARY not in answer.text
    assert CANARY not in api.ask("GET", f"/tenants?cursor={CANARY}").text
    assert CANARY not in api.ask("POST", "/tenants", json={}, headers={"Idempotency-Key": f"{CANARY} "}).text


def test_a_body_is_limited_also_when_it_does_not_say_its_length(api: Api) -> None:
    sent = []

    def pieces() -> Iterator[bytes]:
        for _ in range(1_000):
            sent.append(1)
            yield b"x" * 1_024

    problem(api.ask("POST", "/tenants", content=pieces(), headers=JSON), 413)
    body = json.dumps({"tenant_name": "a", "description": "x" * 3_000}).encode()
    assert api.ask("POST", "/tenants", content=iter([body[:9], body[9:]]), headers=JSON).status_code == 201


def test_the_largest_body_that_fits_is_taken(api: Api) -> None:
    small = api.with_settings(body_bytes=100)
    body = json.dumps({"tenant_name": "a"}).encode()
    exact = body + b" " * (100 - len(body))
    assert small.ask("POST", "/tenants", content=exact, headers=JSON).status_code == 201
    problem(small.ask("POST", "/tenants", content=exact + b" ", headers=JSON), 413)


def test_each_caller_has_a_rate_and_is_told_when_to_come_again(api: Api) -> None:
    now = [0.0]
    slow = api.with_settings(rate=Rate(per_second=0.5, burst=2), monotonic_seconds=lambda: now[0])
    first, second = api.scene(), api.scene()

    def status(tenant: Any, subject: str = "a") -> int:
        token = slow.token(Role.READER, tenant, subject)
        return int(slow.client.get("/api/v1/accounts", headers=token).status_code)

    assert [status(first.tenant) for _ in range(3)] == [200, 200, 429]
    assert [status(first.tenant, "b"), status(second.tenant)] == [200, 200]
    refused = slow.client.get("/api/v1/accounts", headers=slow.token(Role.READER, first.tenant, "a"))
    assert (problem(refused, 429)["status"], refused.headers["Retry-After"]) == (429, "2")
    now[0] += 2
    assert status(first.tenant) == 200
    assert slow.client.get("/api/v1/health").status_code == 200


class Failing:
    """A store that fails as it is told to."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        if self.error is not None and name not in ("get_tenant", "name"):
            raise self.error
        return getattr(self._store, name)


def test_a_store_that_does_not_answer_is_a_503_that_says_when_to_try_again(api: Api) -> None:
    failing = Failing(api.store)
    broken = Api(failing, api.clock)
    assert broken.client.get("/api/v1/health").json() == {"status": "ok", "store": "memory"}
    failing.error = Unavailable(CANARY)
    for path in ("/health", "/tenants"):
        answer = broken.ask("GET", path)
        problem(answer, 503)
        assert answer.headers["Retry-After"] == "1"
        assert CANARY not in answer.text


def test_a_failure_tells_its_type_to_the_log_and_nothing_to_the_caller(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    failing = Failing(api.store)
    broken = Api(failing, api.clock)
    try:
        raise KeyError(CANARY)
    except KeyError as cause:
        failing.error = RuntimeError(f"password={CANARY}")
        failing.error.__cause__ = cause
    with caplog.at_level(logging.DEBUG):
        answer = broken.ask("GET", f"/accounts/{nowhere()['account_id']}")
    told = problem(answer, 500)
    assert CANARY not in answer.text
    assert CANARY not in caplog.text
    line = next(json.loads(record.getMessage()) for record in caplog.records if record.name == "onboarding.access")
    assert (line["status"], line["request_id"]) == (500, told["request_id"])
    assert line["error"]["types"] == ["RuntimeError", "KeyError"]
    assert line["error"]["at"]


def test_each_request_leaves_one_line_that_tells_who_what_and_how_it_ended(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    scene = api.scene()
    caplog.set_level(logging.INFO, logger="onboarding.access")
    path = f"/accounts/{scene.ids['account_id']}?nonsense={CANARY}"
    answer = api.ask("GET", path, Role.READER, scene.tenant, headers={"X-Request-ID": "mine-1", "X-Other": CANARY})
    assert answer.headers["X-Request-ID"] == "mine-1"
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "onboarding.access"]
    assert [line.pop("milliseconds") >= 0 for line in lines] == [True]
    assert lines == [
        {
            "request_id": "mine-1",
            "method": "GET",
            "route": "/api/v1/accounts/{account_id}",
            "status": 200,
            "tenant": str(scene.tenant),
            "role": "reader",
            "replayed": False,
        }
    ]


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, 'a"b', "a\tb"], ids=range(5))
def test_a_request_id_that_is_not_sane_is_replaced(api: Api, sent: str) -> None:
    answer = api.client.get("/api/v1/health", headers={"X-Request-ID": sent})
    assert answer.headers["X-Request-ID"] not in ("", sent)


def test_a_credential_that_was_written_is_in_no_answer_no_log_and_no_document(
    any_api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    scene = any_api.scene()
    path = f"/accounts/{scene.ids['account_id']}/credentials"
    value = {"access_key_id": CANARY, "secret_access_key": f"{CANARY}-secret", "deep": [{"er": CANARY}]}
    body = {"credential_type": "aws_access_key", "credentials": value}
    with caplog.at_level(logging.DEBUG):
        answers = [any_api.ask("PUT", path, json=body)]
        assert answers[0].status_code == 200
        answers += [any_api.ask("PUT", path, json=wrong) for wrong in wrong_credentials(value)]
        assert {answer.status_code for answer in answers[1:]} == {422}
        for route in any_api.app.routes:
            if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
                filled = route.path.removeprefix("/api/v1").replace(":path", "").format_map(scene.ids)
                answers.append(any_api.ask("GET", filled, params=query_of(filled, scene.ids)))
        answers += [any_api.client.get("/api/v1/openapi.json"), any_api.ask("DELETE", path)]
    assert sum(answer.status_code == 200 for answer in answers) > 12
    for answer in answers:
        assert CANARY not in answer.text
        assert CANARY not in str(answer.headers)
    for record in caplog.records:
        # What the store's own client is given for the wire is its business; the service's loggers never see it.
        if record.name.startswith(("onboarding", "uvicorn", "fastapi", "starlette", "sqlalchemy")):
            assert CANARY not in f"{record.getMessage()} {record.args} {record.exc_text}"


def wrong_credentials(value: dict[str, Any]) -> list[Any]:
    """Return bodies that hold the value and are refused."""
    return [
        value,
        [value],
        {"credential_type": CANARY, "credentials": value},
        {"credential_type": "aws_access_key", "credentials": CANARY},
        {"credential_type": "aws_access_key", "credentials": {CANARY: {"": CANARY}}},
        {"credential_type": "aws_access_key", "credentials": value, CANARY: value},
        {"credential_type": "aws_access_key", "credentials": value, "expires_at": CANARY},
        {"credential_type": "aws_access_key", "credentials": {"x": CANARY * 5_000}},
    ]


def query_of(path: str, ids: dict[str, str]) -> dict[str, str]:
    """Return what a listing needs to be told."""
    if path in ("/executions", "/scan-results"):
        return {"account_id": ids["account_id"]}
    return {"tenant_id": ids["tenant_id"]} if path in ("/providers", "/accounts", "/schedules") else {}


def test_the_document_can_be_left_out(api: Api) -> None:
    closed = api.with_settings(docs=False)
    for path in ("/api/v1/openapi.json", "/api/v1/docs"):
        assert api.client.get(path).status_code == 200
        assert closed.client.get(path).status_code == 404
