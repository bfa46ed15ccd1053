"""Who may do what: every route with every role, and without a token. The table is written a second time here."""

from __future__ import annotations

import pytest
from fastapi.routing import APIRoute

from onboarding.api.permissions import Role
from onboarding.api.secured_route import PREFIX, SecuredRoute, secured_router
from tests.contract.onboarding_api.conftest import Api, nowhere

PLATFORM, SCHEDULER, ADMIN, OPERATOR, READER = Role
EVERY = {PLATFORM, ADMIN, OPERATOR, READER}
ALLOWED: dict[str, set[Role]] = {
    "POST /tenants": {PLATFORM},
    "GET /tenants": {PLATFORM},
    "GET /tenants/{tenant_id}": EVERY,
    "PATCH /tenants/{tenant_id}": {PLATFORM, ADMIN},
    "DELETE /tenants/{tenant_id}": {PLATFORM},
    "POST /providers": {PLATFORM, ADMIN},
    "GET /providers": EVERY,
    "GET /providers/{provider_id}": EVERY,
    "PATCH /providers/{provider_id}": {PLATFORM, ADMIN},
    "DELETE /providers/{provider_id}": {PLATFORM, ADMIN},
    "POST /accounts": {PLATFORM, ADMIN},
    "GET /accounts": EVERY | {SCHEDULER},
    "GET /accounts/{account_id}": EVERY | {SCHEDULER},
    "PATCH /accounts/{account_id}": {PLATFORM, ADMIN, OPERATOR},
    "DELETE /accounts/{account_id}": {PLATFORM, ADMIN},
    "PUT /accounts/{account_id}/credentials": {PLATFORM, ADMIN},
    "GET /accounts/{account_id}/credentials": {PLATFORM, ADMIN},
    "DELETE /accounts/{account_id}/credentials": {PLATFORM, ADMIN},
    "POST /schedules": {PLATFORM, ADMIN, OPERATOR},
    "GET /schedules": EVERY | {SCHEDULER},
    "GET /schedules/due": EVERY | {SCHEDULER},
    "GET /schedules/{schedule_id}": EVERY | {SCHEDULER},
    "PATCH /schedules/{schedule_id}": {PLATFORM, ADMIN, OPERATOR},
    "DELETE /schedules/{schedule_id}": {PLATFORM, ADMIN},
    "POST /executions": {PLATFORM, SCHEDULER, ADMIN, OPERATOR},
    "GET /executions": EVERY,
    "GET /executions/{execution_id}": EVERY,
    "PATCH /executions/{execution_id}": {PLATFORM, SCHEDULER, ADMIN, OPERATOR},
    "POST /scan-results": {PLATFORM, SCHEDULER, ADMIN, OPERATOR},
    "GET /scan-results": EVERY,
    "GET /scan-results/{scan_id:path}": EVERY,
    "PATCH /scan-results/{scan_id:path}": {PLATFORM, SCHEDULER, ADMIN, OPERATOR},
}
OPEN = {"GET /health"}


def routes(api: Api) -> list[tuple[str, str]]:
    """Return every route of the application that its document names, as method and path."""
    found = [route for route in api.app.routes if isinstance(route, APIRoute)]
    return [(method, route.path.removeprefix(PREFIX)) for route in found for method in sorted(route.methods or ())]


def test_every_route_stands_in_the_table(api: Api) -> None:
    assert {f"{method} {path}" for method, path in routes(api)} == ALLOWED.keys() | OPEN


@pytest.mark.parametrize("role", list(Role), ids=str)
def test_a_role_may_do_what_the_table_says_and_nothing_else(api: Api, role: Role) -> None:
    scene = api.scene()
    for method, path in routes(api):
        name = f"{method} {path}"
        if name in OPEN:
            continue
        filled = path.replace(":path", "").format_map(nowhere())
        answer = api.ask(method, filled, role, scene.tenant, json={} if method in ("POST", "PUT", "PATCH") else None)
        assert answer.status_code != 401, name
        assert (answer.status_code == 403) == (role not in ALLOWED[name]), (name, answer.status_code)


def test_no_route_but_health_answers_without_a_token(api: Api) -> None:
    for method, path in routes(api):
        # A body that is no JSON, and an id that is none: nothing is looked at before the token.
        filled = path.replace(":path", "").format_map(dict.fromkeys(nowhere(), "nonsense"))
        for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic YTpi"}):
            answer = api.client.request(method, PREFIX + filled, headers=headers, content=b"{")
            if f"{method} {path}" in OPEN:
                assert answer.status_code == 200
            else:
                assert answer.status_code == 401, (method, path)
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_token_of_a_tenant_that_is_gone_is_refused(any_api: Api) -> None:
    scene = any_api.scene()
    token = any_api.token(Role.ADMIN, scene.tenant)
    assert any_api.client.get(f"{PREFIX}/accounts", headers=token).status_code == 200
    assert any_api.ask("DELETE", f"/tenants/{scene.tenant}").status_code == 204
    assert any_api.client.get(f"{PREFIX}/accounts", headers=token).status_code == 401


def test_an_expired_token_is_refused(api: Api) -> None:
    scene = api.scene()
    token = api.token(Role.READER, scene.tenant)
    api.clock.ahead += 2 * (api.settings.receipts_kept)
    assert api.client.get(f"{PREFIX}/accounts", headers=token).status_code == 401


def test_a_route_cannot_be_made_without_a_permission() -> None:
    router = secured_router("test")
    with pytest.raises(TypeError, match="declares no permission"):
        router.add_api_route("/open", lambda: None)
    assert router.route_class is SecuredRoute
