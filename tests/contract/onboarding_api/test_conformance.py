"""The service does what its OpenAPI document says, and nothing that it does not say."""

from __future__ import annotations

from schemathesis.config import PhasesConfig

from onboarding.api.permissions import Role
from tests.contract.onboarding_api.conforming import BOUNDS, GENERATED, IDS, SCAN, Findings, conform, make_scene
from tests.contract.onboarding_api.conftest import Api
from tests.contract.onboarding_api.test_permissions import ALLOWED, OPEN

ROUTES = {f"{name.replace(' ', ' /api/v1').replace(':path', '')}" for name in {*ALLOWED, *OPEN}}


def held(api: Api, phases: PhasesConfig, *, examples: int) -> Findings:
    """Hold the application against its document; nothing must be found."""
    make_scene(api.store, IDS, SCAN)
    token = api.token(Role.PLATFORM)["Authorization"]
    findings = conform(api.app, api.store, token, phases, examples=examples)
    assert not findings.failures, "\n\n".join(f"{name}\n{text}" for name, text in findings.failures.items())
    return findings


def test_generated_requests_are_answered_as_the_document_says(any_api: Api) -> None:
    findings = held(any_api, GENERATED, examples=5)
    missing = ROUTES - findings.succeeded()
    assert not missing, sorted((route, count) for (route, _), count in findings.statuses.items() if route in missing)


def test_the_bounds_of_every_constraint_are_where_the_document_says(api: Api) -> None:
    """The bounds are no matter of the store: one is enough for them."""
    findings = held(api, BOUNDS, examples=1)
    missing = ROUTES - findings.succeeded()
    assert not missing, sorted((route, count) for (route, _), count in findings.statuses.items() if route in missing)
