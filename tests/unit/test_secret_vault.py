"""The vault's decisions against a model of Secrets Manager that is stricter than the stand-ins.

The model keeps AWS's own rules: 20 labels on a secret, no listing of versions without labels, a repeated token that
moves nothing. It can end a run before or after any change, as a kill would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pg2dynamo.errors import SecretRefused
from pg2dynamo.secret import Secret
from pg2dynamo.secrets.client import Described, NameTaken, SecretsClient
from pg2dynamo.secrets.value import VersionContent
from pg2dynamo.secrets.vault import LABELLED_VERSIONS, Label, Put, Vault, decide

LABELS_ALLOWED = 20


class Killed(Exception):
    """The run ends here."""


class Model:
    """One secret, as AWS documents it."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.stages: dict[str, set[str]] = {}
        self.changes = 0
        self.kill_at: int | None = None

    def describe(self, name: str) -> Described | None:
        if not self.values:
            return None
        return Described(name, False, {v: tuple(sorted(own)) for v, own in self.stages.items() if own}, {})

    def version_ids(self, name: str) -> list[str]:
        return list(self.values)

    def value(self, name: str, version_id: str) -> Secret[str]:
        return Secret(self.values[version_id])

    def create(
        self, name: str, value: Secret[str], token: str, *, kms_key: str | None, tags: Mapping[str, str]
    ) -> None:
        assert not self.values
        self.put(name, value, token, ["AWSCURRENT"])

    def put(self, name: str, value: Secret[str], token: str, stages: Sequence[str]) -> None:
        self._step()
        if token in self.values:
            if self.values[token] != value.reveal():
                raise NameTaken
            return
        assert stages, "a version put without labels would become current"
        self.values[token], self.stages[token] = value.reveal(), set()
        for stage in stages:
            self._attach(stage, token)
        self._check_labels()
        self._step()

    def move_label(self, name: str, label: str, *, source: str | None, target: str | None) -> None:
        self._step()
        holder = next((version for version, own in self.stages.items() if label in own), None)
        assert holder == source, "AWS wants to be told where a label is taken from"
        assert label != "AWSCURRENT"
        if source:
            self.stages[source].discard(label)
        if target:
            self.stages[target].add(label)
        self._check_labels()
        self._step()

    @property
    def current(self) -> str:
        (version,) = [version for version, own in self.stages.items() if "AWSCURRENT" in own]
        return version

    def _attach(self, stage: str, token: str) -> None:
        holder = next((version for version, own in self.stages.items() if stage in own), None)
        if holder:
            self.stages[holder].discard(stage)
        self.stages[token].add(stage)
        if stage == "AWSCURRENT" and holder:
            self._attach("AWSPREVIOUS", holder)

    def _check_labels(self) -> None:
        assert sum(map(len, self.stages.values())) <= LABELS_ALLOWED

    def _step(self) -> None:
        self.changes += 1
        if self.changes == self.kill_at:
            raise Killed


def versions(values: Sequence[int]) -> list[VersionContent]:
    return [VersionContent(f"row {n}", Secret(f"value {value}"), json=False) for n, value in enumerate(values)]


def store(model: Model, values: Sequence[int]) -> int:
    vault = Vault(cast(SecretsClient, model), kms_key=None, tags={}, token_key=Secret(b"k"))
    return vault.store("name", versions(values)).written


def require_held(model: Model, values: Sequence[int]) -> None:
    assert model.values[model.current] == f"value {values[-1]}"
    left = list(model.values.values())
    for value in values:
        left.remove(f"value {value}")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=25), min_size=1, max_size=5),
    st.lists(st.integers(1, 60), max_size=5),
)
def test_any_history_with_any_kills_ends_as_wanted_and_then_rests(histories: list[list[int]], kills: list[int]) -> None:
    model = Model()
    for number, values in enumerate(histories):
        model.kill_at = model.changes + kills[number] if number < len(kills) else None
        try:
            store(model, values)
        except Killed:
            model.kill_at = None
            store(model, values)
        model.kill_at = None
        require_held(model, values)
        changes = model.changes
        assert store(model, values) == 0
        assert model.changes == changes


@pytest.mark.parametrize("kill_at", range(1, 14))
def test_a_kill_at_any_change_then_again_is_the_same_end(kill_at: int) -> None:
    undisturbed, model = Model(), Model()
    store(undisturbed, [1, 2, 3])
    model.kill_at = kill_at
    try:
        store(model, [1, 2, 3])
    except Killed:
        model.kill_at = None
        store(model, [1, 2, 3])
    assert {v: (model.values[v], own) for v, own in model.stages.items()} == {
        v: (undisturbed.values[v], own) for v, own in undisturbed.stages.items()
    }


def test_labels_keep_to_what_a_secret_may_have() -> None:
    model = Model()
    for count in (1, 30, 31, 35):
        store(model, list(range(count)))
        own = [stage for stages in model.stages.values() for stage in stages if stage.startswith("pg2dynamo-")]
        assert len(own) == min(LABELLED_VERSIONS, count - 1)
    store(model, [7, 8])
    assert sum(len(stages) for stages in model.stages.values()) == 3


def test_versions_that_the_service_removed_are_put_back_though_they_keep_no_label() -> None:
    model = Model()
    values = list(range(LABELLED_VERSIONS + 4))
    store(model, values)
    for version in [version for version, own in model.stages.items() if not own]:
        del model.values[version], model.stages[version]
    current = model.current
    assert store(model, values) == 3
    require_held(model, values)
    assert model.current == current


def test_a_current_version_that_nobody_wants_is_not_left_for_an_older_one() -> None:
    actions = decide([None, None], ["pg2dynamo-a", "pg2dynamo-b"], "foreign", {"foreign": ["AWSCURRENT"]})
    assert actions == [Put(0, False, "pg2dynamo-a"), Put(1, True)]


def test_a_label_that_is_no_longer_wanted_is_taken_off_and_a_strange_one_left() -> None:
    stages = {"one": ["AWSCURRENT", "mine"], "two": ["pg2dynamo-gone"]}
    assert decide(["one"], ["pg2dynamo-b"], "one", stages) == [Label("pg2dynamo-gone", "two", None)]


def test_a_hundred_versions_are_stored_and_one_more_refused() -> None:
    model = Model()
    assert store(model, list(range(100))) == 100
    with pytest.raises(SecretRefused, match="100 versions"):
        store(model, list(range(101)))
