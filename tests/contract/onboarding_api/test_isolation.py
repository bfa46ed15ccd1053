"""A tenant's token reaches nothing of another tenant: every route, with every kind of id, answers about another
tenant's thing exactly as about one that is not there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from onboarding.api.permissions import Role
from tests.contract.onboarding_api.conftest import Api, Scene, nowhere
from tests.contract.onboarding_api.test_permissions import routes

SCHEDULE = {"name": "n", "provider_type": "aws", "schedule_type": "interval", "interval_seconds": 60}
SCAN = {"provider_type": "aws", "started_at": "2026-01-02T03:04:05Z", "status": "running"}
CREDENTIAL = {"credential_type": "ibm_api_key", "credentials": {"api_key": "k"}}


@dataclass(frozen=True)
class Ask:
    """One request; words in braces are ids of another tenant or of nobody, those in angle brackets are one's own."""

    path: str
    body: dict[str, Any] | None = None
    query: dict[str, str] = field(default_factory=dict)
    status: int = 404


CASES: dict[str, list[Ask]] = {
    "GET /tenants/{tenant_id}": [Ask("/tenants/{tenant_id}")],
    "PATCH /tenants/{tenant_id}": [Ask("/tenants/{tenant_id}", {"status": "x"})],
    "DELETE /tenants/{tenant_id}": [Ask("/tenants/{tenant_id}", status=403)],
    "POST /providers": [Ask("/providers", {"tenant_id": "{tenant_id}", "provider_type": "ibm"})],
    "GET /providers": [
        Ask("/providers", query={"tenant_id": "{tenant_id}"}),
        Ask("/providers", query={"tenant_id": "{tenant_id}", "provider_type": "aws"}),
    ],
    "GET /providers/{provider_id}": [Ask("/providers/{provider_id}")],
    "PATCH /providers/{provider_id}": [Ask("/providers/{provider_id}", {"status": "x"})],
    "DELETE /providers/{provider_id}": [Ask("/providers/{provider_id}")],
    "POST /accounts": [
        Ask("/accounts", {"provider_id": "{provider_id}", "account_name": "a"}),
        Ask("/accounts", {"tenant_id": "<tenant_id>", "provider_id": "{provider_id}", "account_name": "a"}),
        Ask("/accounts", {"tenant_id": "{tenant_id}", "provider_id": "{provider_id}", "account_name": "a"}),
        Ask("/accounts", {"tenant_id": "{tenant_id}", "provider_id": "<provider_id>", "account_name": "a"}),
    ],
    "GET /accounts": [
        Ask("/accounts", query={"tenant_id": "{tenant_id}"}),
        Ask("/accounts", query={"tenant_id": "{tenant_id}", "status": "pending"}),
        Ask("/accounts", query={"provider_id": "{provider_id}"}),
        Ask("/accounts", query={"provider_id": "{provider_id}", "tenant_id": "<tenant_id>"}),
        Ask("/accounts", query={"provider_id": "<provider_id>", "tenant_id": "{tenant_id}"}),
    ],
    "GET /accounts/{account_id}": [Ask("/accounts/{account_id}")],
    "PATCH /accounts/{account_id}": [Ask("/accounts/{account_id}", {"status": "active"})],
    "DELETE /accounts/{account_id}": [Ask("/accounts/{account_id}")],
    "PUT /accounts/{account_id}/credentials": [Ask("/accounts/{account_id}/credentials", CREDENTIAL)],
    "GET /accounts/{account_id}/credentials": [Ask("/accounts/{account_id}/credentials")],
    "DELETE /accounts/{account_id}/credentials": [Ask("/accounts/{account_id}/credentials")],
    "POST /schedules": [
        Ask("/schedules", {**SCHEDULE, "account_id": "{account_id}"}),
        Ask("/schedules", {**SCHEDULE, "account_id": "{account_id}", "tenant_id": "<tenant_id>"}),
        Ask("/schedules", {**SCHEDULE, "account_id": "{account_id}", "tenant_id": "{tenant_id}"}),
        Ask("/schedules", {**SCHEDULE, "account_id": "<account_id>", "tenant_id": "{tenant_id}"}),
    ],
    "GET /schedules": [
        Ask("/schedules", query={"tenant_id": "{tenant_id}"}),
        Ask("/schedules", query={"account_id": "{account_id}"}),
        Ask("/schedules", query={"account_id": "<account_id>", "tenant_id": "{tenant_id}"}),
    ],
    "GET /schedules/{schedule_id}": [Ask("/schedules/{schedule_id}")],
    "PATCH /schedules/{schedule_id}": [
        Ask("/schedules/{schedule_id}", {"name": "x"}),
        Ask("/schedules/{schedule_id}", {"interval_seconds": 5}),
    ],
    "DELETE /schedules/{schedule_id}": [Ask("/schedules/{schedule_id}")],
    "POST /executions": [
        Ask("/executions", {"schedule_id": "{schedule_id}", "triggered_by": "manual"}),
        Ask(
            "/executions",
            {"schedule_id": "{schedule_id}", "triggered_by": "scheduler", "next_run_at": "2026-01-02T03:04:05Z"},
        ),
    ],
    "GET /executions": [
        Ask("/executions", query={"schedule_id": "{schedule_id}"}),
        Ask("/executions", query={"account_id": "{account_id}"}),
    ],
    "GET /executions/{execution_id}": [Ask("/executions/{execution_id}")],
    "PATCH /executions/{execution_id}": [Ask("/executions/{execution_id}", {"status": "completed"})],
    "POST /scan-results": [Ask("/scan-results", {**SCAN, "account_id": "{account_id}"})],
    "GET /scan-results": [Ask("/scan-results", query={"account_id": "{account_id}"})],
    "GET /scan-results/{scan_id:path}": [Ask("/scan-results/{scan_id}")],
    "PATCH /scan-results/{scan_id:path}": [Ask("/scan-results/{scan_id}", {"status": "completed"})],
}
WITHOUT_IDS = {"GET /health", "POST /tenants", "GET /tenants", "GET /schedules/due"}
"""Routes that take no id; what they tell is looked at below, and by the permissions' table."""


def test_the_walk_covers_every_route(api: Api) -> None:
    assert {f"{method} {path}" for method, path in routes(api)} == CASES.keys() | WITHOUT_IDS


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k", "If-Match": "*"}], ids=["plain", "with keys"])
def test_another_tenants_things_are_as_if_they_were_not_there(any_api: Api, headers: dict[str, str]) -> None:
    own, other = any_api.scene(), any_api.scene()
    before = everything(any_api, other)
    for name, asks in CASES.items():
        method = name.partition(" ")[0]
        for ask in asks:
            foreign = answered(any_api, method, ask, own, other.ids, headers)
            missing = answered(any_api, method, ask, own, nowhere(), headers)
            assert foreign == missing, (name, ask)
            assert foreign[0] == ask.status, (name, ask, foreign)
    assert everything(any_api, other) == before


def answered(
    api: Api, method: str, ask: Ask, own: Scene, ids: dict[str, str], headers: dict[str, str]
) -> tuple[int, Any, Any]:
    """Return all that a caller sees of the answer, but for what differs between any two requests."""

    def filled(text: str) -> str:
        for name in ids:
            text = text.replace(f"{{{name}}}", ids[name]).replace(f"<{name}>", own.ids[name])
        return text

    body = None if ask.body is None else json.loads(filled(json.dumps(ask.body)))
    query = {name: filled(value) for name, value in ask.query.items()}
    answer = api.ask(method, filled(ask.path), Role.ADMIN, own.tenant, params=query, json=body, headers=headers)
    content = answer.json()
    assert content.pop("request_id") == answer.headers.pop("X-Request-ID")
    del answer.headers["Content-Length"]
    return answer.status_code, content, dict(answer.headers)


def everything(api: Api, scene: Scene) -> list[Any]:
    """Return all that is the tenant's, as the platform sees it."""
    ids = scene.ids
    paths = [
        f"/tenants/{ids['tenant_id']}",
        f"/providers?tenant_id={ids['tenant_id']}",
        f"/accounts?tenant_id={ids['tenant_id']}",
        f"/schedules?tenant_id={ids['tenant_id']}",
        f"/executions?account_id={ids['account_id']}",
        f"/scan-results?account_id={ids['account_id']}",
    ]
    return [api.ask("GET", path).json() for path in paths]


def test_a_tenant_sees_its_own_due_schedules_only_and_the_scheduler_those_of_all(any_api: Api) -> None:
    own, other = any_api.scene(), any_api.scene()

    def due(role: Role) -> set[str]:
        items: list[Any] = []
        cursor: dict[str, str] = {}
        while True:
            page = any_api.ask("GET", "/schedules/due", role, own.tenant, params={"limit": "200"} | cursor).json()
            items += page["items"]
            if page["next"] is None:
                return {schedule["schedule_id"] for schedule in items}
            cursor = {"cursor": page["next"]}

    assert due(Role.READER) == {own.ids["schedule_id"]}
    assert due(Role.SCHEDULER) >= {own.ids["schedule_id"], other.ids["schedule_id"]}


def test_the_same_idempotency_key_of_two_tenants_is_two_keys(any_api: Api) -> None:
    made = []
    for scene in (any_api.scene(), any_api.scene()):
        body = {"provider_id": scene.ids["provider_id"], "account_name": "a"}
        answer = any_api.ask(
            "POST", "/accounts", Role.ADMIN, scene.tenant, json=body, headers={"Idempotency-Key": "the-same"}
        )
        assert answer.status_code == 201
        assert "Idempotency-Replayed" not in answer.headers
        made.append(answer.json())
    assert made[0]["account_id"] != made[1]["account_id"]
    assert made[0]["tenant_id"] != made[1]["tenant_id"]


def test_a_tenant_cannot_list_by_status_across_tenants(api: Api) -> None:
    scene = api.scene()
    path = "/scan-results?status=running"
    assert api.ask("GET", path, Role.ADMIN, scene.tenant).status_code == 403
    assert api.ask("GET", path).status_code == 200


def test_a_tenants_token_may_name_its_own_tenant_or_none(any_api: Api) -> None:
    scene = any_api.scene()
    for named in ({}, {"tenant_id": str(scene.tenant)}):
        answer = any_api.ask("GET", "/accounts", Role.READER, scene.tenant, params=named)
        assert [account["account_id"] for account in answer.json()["items"]] == [scene.ids["account_id"]]


def test_a_role_of_the_platform_must_say_which_tenant(api: Api) -> None:
    for path in ("/providers", "/accounts", "/schedules"):
        answer = api.ask("GET", path)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "tenant_id"
