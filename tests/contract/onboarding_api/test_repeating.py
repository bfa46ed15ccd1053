"""Sent twice, done once; and changed only as seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from onboarding.api.permissions import Role
from tests.contract.onboarding_api.conftest import Api, Scene
from tests.contract.onboarding_api.test_permissions import routes

TIME = "2026-01-02T03:04:05Z"


def bodies(scene: Scene) -> dict[str, tuple[dict[str, Any], str, Any]]:
    """Return for each collection what to create in it, and a field with another value that would make another."""
    ids = scene.ids
    schedule = {"tenant_id": ids["tenant_id"], "account_id": ids["account_id"], "name": "n", "provider_type": "aws"}
    scan = {"account_id": ids["account_id"], "provider_type": "aws", "started_at": TIME, "status": "running"}
    account = {"tenant_id": ids["tenant_id"], "provider_id": ids["provider_id"], "account_name": "a"}
    return {
        "/tenants": ({"tenant_name": f"new {scene.tenant}"}, "description", "other"),
        "/providers": ({"tenant_id": ids["tenant_id"], "provider_type": "ibm"}, "status", "other"),
        "/accounts": (account, "account_name", "other"),
        "/schedules": ({**schedule, "schedule_type": "cron", "cron_expression": "@daily"}, "name", "other"),
        "/executions": ({"schedule_id": ids["schedule_id"], "triggered_by": "manual"}, "triggered_by", "api"),
        "/scan-results": (scan, "status", "failed"),
    }


def test_every_route_that_creates_is_tried_here(api: Api) -> None:
    assert {path for method, path in routes(api) if method == "POST"} == bodies(api.scene()).keys()


@pytest.mark.parametrize("path", ["/tenants", "/providers", "/accounts", "/schedules", "/executions", "/scan-results"])
def test_the_same_creation_again_answers_the_thing_as_it_is_now(any_api: Api, path: str) -> None:
    scene = any_api.scene()
    body, field, other = bodies(scene)[path]
    key = {"Idempotency-Key": f"key-{scene.tenant}"}
    first = any_api.ask("POST", path, json=body, headers=key)
    assert (first.status_code, first.headers.get("Idempotency-Replayed")) == (201, None)

    again = any_api.ask("POST", path, json=body, headers=key)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert (again.json(), again.headers["Location"]) == (first.json(), first.headers["Location"])
    found = any_api.client.get(first.headers["Location"], headers=any_api.token(Role.PLATFORM))
    assert (found.json(), found.headers["ETag"]) == (first.json(), first.headers["ETag"])

    refused = any_api.ask("POST", path, json=body | {field: other}, headers=key)
    assert refused.status_code == 422

    any_api.clock.ahead += timedelta(hours=25)  # the receipt has expired; the id still tells
    late = any_api.ask("POST", path, json=body, headers=key)
    assert (late.status_code, late.headers["Idempotency-Replayed"]) == (201, "true")
    assert late.json() == first.json()


def test_a_creation_whose_thing_was_deleted_since_is_refused(any_api: Api) -> None:
    scene = any_api.scene()
    key = {"Idempotency-Key": f"key-{scene.tenant}"}
    body = bodies(scene)["/accounts"][0]
    made = any_api.ask("POST", "/accounts", json=body, headers=key).json()
    assert any_api.ask("DELETE", f"/accounts/{made['account_id']}").status_code == 204
    assert any_api.ask("POST", "/accounts", json=body, headers=key).status_code == 409


def test_many_at_once_with_one_key_make_one_thing(any_api: Api) -> None:
    scene = any_api.scene()
    body = bodies(scene)["/accounts"][0]
    key = {"Idempotency-Key": f"key-{scene.tenant}"}
    ask = any_api.ask
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask("POST", "/accounts", json=body, headers=key), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["account_id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    listed = any_api.ask("GET", f"/accounts?tenant_id={scene.tenant}").json()["items"]
    assert len(listed) == 2


@pytest.mark.parametrize("key", ["", "a b", "é".encode("latin-1"), "x" * 256], ids=["empty", "space", "beyond", "long"])
def test_a_key_that_is_no_visible_ascii_is_refused(api: Api, key: Any) -> None:
    answer = api.ask("POST", "/tenants", json={"tenant_name": "a"}, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "idempotency-key")


CHANGES = {
    "/tenants/{tenant_id}": {"status": "x"},
    "/providers/{provider_id}": {"status": "x"},
    "/accounts/{account_id}": {"account_name": "x"},
    "/schedules/{schedule_id}": {"name": "x"},
    "/executions/{execution_id}": {"total_checks": 1},
    "/scan-results/{scan_id:path}": {"total_checks": 1},
}


def test_every_route_that_changes_is_tried_here(api: Api) -> None:
    assert {path for method, path in routes(api) if method == "PATCH"} == CHANGES.keys()


@pytest.mark.parametrize("path", sorted(CHANGES))
def test_a_record_is_changed_only_when_it_is_as_if_match_says(any_api: Api, path: str) -> None:
    filled = path.replace(":path", "").format_map(any_api.scene().ids)
    body = CHANGES[path]
    seen = any_api.ask("GET", filled).headers["ETag"]
    changed = any_api.ask("PATCH", filled, json=body, headers={"If-Match": seen})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != seen
    assert changed.headers["ETag"] == any_api.ask("GET", filled).headers["ETag"]
    for wrong in (seen, f"W/{changed.headers['ETag']}", '"nonsense"', "nonsense"):
        assert any_api.ask("PATCH", filled, json=body, headers={"If-Match": wrong}).status_code == 412
    for right in (f'"other", {changed.headers["ETag"]}', "*"):
        assert any_api.ask("PATCH", filled, json=body, headers={"If-Match": right}).status_code == 200


def test_of_two_changes_of_what_both_have_seen_one_is_refused(any_api: Api) -> None:
    scene = any_api.scene()
    path = f"/accounts/{scene.ids['account_id']}"
    seen = {"If-Match": any_api.ask("GET", path).headers["ETag"]}
    names = [f"name {number}" for number in range(6)]
    ask = any_api.ask
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda name: ask("PATCH", path, json={"account_name": name}, headers=seen), names))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5


def test_changes_of_timing_at_once_lose_none_of_each_other(any_api: Api) -> None:
    scene = any_api.scene()
    path = f"/schedules/{scene.ids['schedule_id']}"
    changes: list[dict[str, Any]] = [
        {"interval_seconds": 90},
        {"name": "x"},
        {"timezone": "Asia/Kolkata"},
        {"regions": []},
    ]
    ask = any_api.ask
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda change: ask("PATCH", path, json=change), changes))
    assert {answer.status_code for answer in answers} == {200}
    now = ask("GET", path).json()
    assert {name: now[name] for change in changes for name in change} == {
        name: value for change in changes for name, value in change.items()
    }
