"""Idempotency: the same request with the same key makes one thing, whatever was lost between its two carryings out."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import RFC_4122, UUID

import pytest

from onboarding.api.idempotency import Attempt, Idempotency, carry_out
from onboarding.api.keys import TokenKeys
from onboarding.api.problems import Problem
from onboarding.store.memory import MemoryStore
from onboarding.store.records import NewTenant, Tenant

KEY, OLD_KEY = b"k" * 32, b"o" * 32
KEPT = timedelta(hours=24)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5)

    def __call__(self) -> datetime:
        return self.now


class Place:
    """A store and what carries out creations of tenants in it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore(self.clock)
        self.idempotency = Idempotency(TokenKeys((KEY,)), self.clock, KEPT)

    def attempt(self, name: str, key: str = "a key", scope: str = "platform", route: str = "/tenants") -> Attempt:
        return self.idempotency.attempt(scope, route, key, {"tenant_name": name})

    def create(self, name: str, attempt: Attempt | None = None) -> tuple[Tenant, bool]:
        made = attempt or self.attempt(name)
        new = NewTenant(tenant_name=name, tenant_id=made.identifier)
        outcome = carry_out(
            self.store,
            made,
            lambda: self.store.create_tenant(new, receipt=made.receipt),
            lambda: self.store.get_tenant(made.identifier),
        )
        return outcome.made, outcome.replayed


@pytest.fixture
def place() -> Place:
    """A new store."""
    return Place()


def test_the_same_request_again_makes_nothing_and_gives_the_thing_as_it_is_now(place: Place) -> None:
    first, replayed = place.create("a")
    assert not replayed
    place.store.update_tenant(first.tenant_id, {"status": "closed"})
    again, replayed = place.create("a")
    assert replayed
    assert (again.tenant_id, again.status) == (first.tenant_id, "closed")


def test_the_key_of_another_request_is_refused(place: Place) -> None:
    place.create("a")
    with pytest.raises(Problem) as refused:
        place.create("b")
    assert refused.value.status is HTTPStatus.UNPROCESSABLE_ENTITY


def test_what_was_made_and_deleted_is_not_made_again(place: Place) -> None:
    tenant, _ = place.create("a")
    place.store.delete_tenant(tenant.tenant_id)
    with pytest.raises(Problem) as refused:
        place.create("a")
    assert refused.value.status is HTTPStatus.CONFLICT


def test_a_thing_whose_receipt_is_gone_is_found_by_its_id(place: Place) -> None:
    tenant, _ = place.create("a")
    place.clock.now += KEPT + timedelta(seconds=1)
    again, replayed = place.create("a")
    assert (again, replayed) == (tenant, True)


def test_of_two_carried_out_at_once_the_later_finds_what_the_earlier_made(place: Place) -> None:
    attempt = place.attempt("a")
    new = NewTenant(tenant_name="a", tenant_id=attempt.identifier)

    def beaten() -> Tenant:
        place.create("a")
        return place.store.create_tenant(new, receipt=attempt.receipt)

    outcome = carry_out(place.store, attempt, beaten, lambda: place.store.get_tenant(attempt.identifier))
    assert outcome.replayed
    other = place.attempt("b")
    with pytest.raises(Problem):
        carry_out(place.store, other, beaten, lambda: place.store.get_tenant(other.identifier))


def test_ids_depend_on_who_asks_on_the_route_and_on_the_key_but_on_no_secret(place: Place) -> None:
    attempts = [
        place.attempt("a"),
        place.attempt("a", key="another"),
        place.attempt("a", scope="tenant"),
        place.attempt("a", route="/providers"),
        place.attempt("a", scope="plat", route="form/tenants"),
    ]
    assert len({attempt.identifier for attempt in attempts}) == len(attempts)
    assert len({attempt.receipt.key for attempt in attempts}) == len(attempts)
    elsewhere = Idempotency(TokenKeys((OLD_KEY,)), place.clock, KEPT)
    there = elsewhere.attempt("platform", "/tenants", "a key", {"tenant_name": "a"})
    assert (there.identifier, there.receipt.key) == (attempts[0].identifier, attempts[0].receipt.key)
    assert there.receipt.fingerprint != attempts[0].receipt.fingerprint


def test_ids_stay_what_they_are_because_things_of_earlier_days_are_found_by_them(place: Place) -> None:
    identifier = place.attempt("a").identifier
    assert identifier == UUID("ffdba708-e6f8-8dd6-b408-a8637be16ab0")
    assert (identifier.version, identifier.variant) == (8, RFC_4122)


def test_a_receipt_outlives_one_change_of_key(place: Place) -> None:
    place.create("a")
    place.idempotency = Idempotency(TokenKeys((OLD_KEY, KEY)), place.clock, KEPT)
    assert place.create("a")[1]
    with pytest.raises(Problem):
        place.create("b")


def test_a_receipt_holds_digests_only(place: Place) -> None:
    receipt = place.attempt("a secret name", key="a secret key").receipt
    assert "secret" not in f"{receipt.key}{receipt.fingerprint}"
    assert receipt.expires_at == place.clock.now + KEPT
