"""Holds an application against its own OpenAPI document with schemathesis, with real ids to work with.

The store must hold the examples of the document (`make_scene` with IDS and SCAN). They stay, since what a request
deletes is made for it. What a document cannot say (that a cursor must have been given out, that one of two filters is
needed) is put right in the requests that are meant to be accepted; those meant to be refused stay as they are.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

import schemathesis
from fastapi import FastAPI
from schemathesis import Case, GenerationMode, HookContext
from schemathesis.config import (
    ChecksConfig,
    CoveragePhaseConfig,
    FuzzingPhaseConfig,
    GenerationConfig,
    PhasesConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
    StatefulPhaseConfig,
)
from schemathesis.engine import events, from_schema
from schemathesis.generation.meta import TestPhase
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER

from onboarding.api.example_records import BY_NAME
from onboarding.api.schedule_times import BadTime, check_cron, check_timezone
from onboarding.api.secured_route import PREFIX
from onboarding.store.interface import Store
from onboarding.store.records import (
    NewAccount,
    NewCredential,
    NewExecution,
    NewProvider,
    NewScanResult,
    NewSchedule,
    NewTenant,
)

NOW = datetime(2024, 1, 2, 3, 4, 5)
SCAN = BY_NAME["scan_id"]
IDS: Mapping[str, UUID] = {name: UUID(text) for name, text in BY_NAME.items() if name != "scan_id"}
REAL = 0.8
"""How many of the ids in bodies and filters are such as are there."""
LISTED = ("providers", "accounts", "schedules")
ONE_OF = {"executions": ("schedule_id", "account_id"), "scan-results": ("account_id", "status")}
ACCEPTED: list[str | int] = [*PositiveDataAcceptanceConfig().expected_statuses, 412]
"""412 is what a well-formed If-Match gets that the record does not have."""


@dataclass
class Findings:
    """What a run came to: failed checks in words, and how often each route answered with each status."""

    failures: dict[str, str] = field(default_factory=dict)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)

    def succeeded(self) -> set[str]:
        """Return the routes that at least once did what they are for."""
        return {route for route, status in self.statuses if 200 <= status < 300}


BOUNDS = PhasesConfig(fuzzing=FuzzingPhaseConfig(enabled=False), stateful=StatefulPhaseConfig(enabled=False))
"""Every value at and beyond the bounds of each constraint, and the examples."""
GENERATED = PhasesConfig(coverage=CoveragePhaseConfig(enabled=False))
"""Examples, generated requests, and sequences of requests that use what earlier ones made."""


def conform(app: FastAPI, store: Store, authorization: str, phases: PhasesConfig, *, examples: int) -> Findings:
    """Run the phases with every check, deterministically, and return the findings."""
    generation = GenerationConfig(deterministic=True, max_examples=examples, no_shrink=True, database="none")
    project = ProjectConfig(
        headers={"Authorization": authorization},
        generation=generation,
        continue_on_failure=True,
        checks=ChecksConfig(positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=ACCEPTED)),
        phases=phases,
    )
    config = SchemathesisConfig(seed=1, projects=ProjectsConfig(default=project))
    schema = schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", app, config=config)
    findings, random = Findings(), Random(1)

    def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
        if case.method == "DELETE":
            _give_something_to_delete(case, store, random)
        if _is_meant(case):
            _put_right(case, random)

    def after_call(context: HookContext, case: Case[Any], response: Any) -> None:
        findings.statuses[f"{case.operation.method.upper()} {case.operation.path}", response.status_code] += 1

    hooks: list[Callable[..., Any]] = [before_call, after_call]
    for hook in hooks:
        GLOBAL_HOOK_DISPATCHER.register_hook_with_name(hook, hook.__name__)
    try:
        for event in from_schema(schema).execute():
            _note(event, findings)
    finally:
        for hook in hooks:
            GLOBAL_HOOK_DISPATCHER.unregister(hook)
    return findings


def _note(event: events.EngineEvent, findings: Findings) -> None:
    if isinstance(event, events.NonFatalError | events.FatalError):
        findings.failures[f"error {len(findings.failures)}"] = repr(event)
    if not isinstance(event, events.ScenarioFinished):
        return
    for case_id, checks in event.recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                answer = event.recorder.interactions[case_id].response
                said = answer.content[:300] if answer is not None else None
                findings.failures.setdefault(
                    f"{event.recorder.label}: {check.name}: {failure.title}",
                    f"{failure.message}\n{check.failure_info.code_sample[:1500]}\n{said!r}",
                )


def make_scene(store: Store, ids: Mapping[str, UUID], scan_id: str | None) -> None:
    """Make a tenant with one of everything, under these ids."""
    tenant, provider, account, schedule = (ids[f"{kind}_id"] for kind in ("tenant", "provider", "account", "schedule"))
    store.create_tenant(NewTenant(tenant_name=f"Tenant {tenant}", tenant_id=tenant))
    store.create_provider(NewProvider(tenant_id=tenant, provider_type="aws", provider_id=provider))
    store.create_account(
        NewAccount(provider_id=provider, tenant_id=tenant, account_name="production", account_id=account)
    )
    store.put_credential(account, NewCredential(credential_type="ibm_api_key", credentials={"api_key": "example"}))
    new = NewSchedule(
        tenant_id=tenant,
        account_id=account,
        name="nightly",
        schedule_type="cron",
        cron_expression="@daily",
        provider_type="aws",
        next_run_at=NOW,
        schedule_id=schedule,
    )
    store.create_schedule(new)
    store.create_execution(NewExecution(schedule_id=schedule, started_at=NOW, execution_id=ids["execution_id"]))
    scan = NewScanResult(account_id=account, provider_type="aws", started_at=NOW, status="running", scan_id=scan_id)
    store.create_scan_result(scan)


def _put_right(case: Case[Any], random: Random) -> None:
    """Have real ids in most requests, and what a document cannot say in all of them."""
    body = case.body if isinstance(case.body, dict) else {}
    query, path = case.query, case.path_parameters
    for values in (body, query):
        for name in values.keys() & BY_NAME.keys():
            if random.random() < REAL:
                values[name] = BY_NAME[name]
    # In a sequence an id in the path is what an earlier request made.
    if case.method != "DELETE" and not _in_sequence(case):
        path.update({name: BY_NAME[name] for name in path.keys() & BY_NAME.keys()})
    key = next((name for name in case.headers if name.lower() == "idempotency-key"), None)
    if key is not None and isinstance(case.headers[key], str):
        # A key is for one body.
        case.headers[key] = f"{zlib.crc32(repr(body).encode()):08x}{case.headers[key]}"[:255]
    _put_query_right(case, body)
    _put_timing_right(body)


def _in_sequence(case: Case[Any]) -> bool:
    return case.meta is not None and case.meta.phase.name is TestPhase.STATEFUL


def _give_something_to_delete(case: Case[Any], store: Store, random: Random) -> None:
    """Put an id in the path that is there and that nobody needs, in place of an example's and of one that is made up.

    What a request is meant to be refused for stays, and what an earlier one of its sequence made.
    """
    made_up = _is_meant(case) and not _in_sequence(case)
    for name, value in case.path_parameters.items():
        if value == BY_NAME.get(name) or made_up:
            ids = {each: UUID(int=random.getrandbits(128), version=4) for each in IDS}
            make_scene(store, ids, None)
            case.path_parameters[name] = str(ids[name])


def _is_meant(case: Case[Any]) -> bool:
    """Whether the request is meant to be accepted."""
    return case.meta is None or case.meta.generation.mode is GenerationMode.POSITIVE


def _put_query_right(case: Case[Any], body: dict[str, Any]) -> None:
    query, collection = case.query, case.path.removeprefix(f"{PREFIX}/")
    query.pop("cursor", None)
    if collection in LISTED:
        (query if case.method == "GET" else body).setdefault("tenant_id", BY_NAME["tenant_id"])
    if case.method == "GET" and collection in ONE_OF:
        first, second = ONE_OF[collection]
        query.pop(second if first in query else first, None)
        if not query.keys() & {first, second}:
            query[first] = BY_NAME[first]


def _put_timing_right(body: dict[str, Any]) -> None:
    for name, check, instead in (
        ("cron_expression", check_cron, "0 2 * * *"),
        ("timezone", check_timezone, "Europe/Berlin"),
    ):
        try:
            if isinstance(body.get(name), str):
                check(body[name])
        except BadTime:
            body[name] = instead
