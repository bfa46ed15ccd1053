"""The vault: one place that writes secrets, each an ordered list of versions of which the newest is current.

`decide` says what is to be done from what is there; `Vault` reads, does it and looks again, until nothing is left to
do. So a run that was killed at any moment is finished by the next, and one that has nothing to do writes nothing.

Versions are told apart by what they hold, compared in memory, never by their ids: an application that writes the same
value under a token of its own has stored it just as well.

Staging labels. Secrets Manager removes versions that have no label once there are about 100, and allows 20 labels on a
secret. So the newest LABELLED_VERSIONS older credentials keep a label of their own (`pg2dynamo-` and a digest of the
credential's key), which leaves AWSCURRENT, AWSPREVIOUS and one to work with. Credentials older than those are stored
too, but without a label: Secrets Manager may remove them after a day, and a later copy then stores them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pg2dynamo import faults
from pg2dynamo.errors import SecretRefused
from pg2dynamo.mapping.limits import secret_name_fault, secret_value_fault
from pg2dynamo.secret import Secret
from pg2dynamo.secrets.client import Described, NameTaken, SecretsClient
from pg2dynamo.secrets.names import LABEL_PREFIX, version_label
from pg2dynamo.secrets.value import Tokens, VersionContent, same_content

LABELLED_VERSIONS = 17
VERSIONS_KEPT = 100
"""How many versions Secrets Manager keeps for certain."""
ROUNDS = 6
"""How often to look: one round creates, one puts, one labels, one finds all done; the rest for what others change."""
CURRENT = "AWSCURRENT"
MIGRATION_TAG = "pg2dynamo:migration"
SOURCE_TAG = "pg2dynamo:source"


@dataclass(frozen=True, slots=True)
class Stored:
    """A secret that holds what it should: the versions written in this run, and how many there are in all."""

    versions: int
    written: int


@dataclass(frozen=True, slots=True)
class Put:
    """Add version `index`; `current` moves AWSCURRENT to it. `label` stays on it, `passing` is taken off again."""

    index: int
    current: bool
    label: str | None = None
    passing: str | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """Take a label from one version, put it on another, or both."""

    label: str
    source: str | None
    target: str | None


def decide(
    held: Sequence[str | None], labels: Sequence[str], current: str | None, stages: Mapping[str, Sequence[str]]
) -> list[Put | Label]:
    """Return what is left to do, in order; nothing when all is as it should be.

    `held` gives for each wanted version, oldest first, the id of the stored one that holds it, or None; the last only
    if AWSCURRENT is on it. `labels` gives each version's own label. Versions that are missing are put oldest first.
    Those after the current one move AWSCURRENT, so that AWSPREVIOUS ends on the second newest; those before it, or
    beside a value that is not ours, leave it where it is.
    """
    last = len(held) - 1
    kept = {labels[index] for index in range(max(0, last - LABELLED_VERSIONS), last)}
    where = {label: version for version, own in stages.items() for label in own if label.startswith(LABEL_PREFIX)}
    actions: list[Put | Label] = [Label(label, version, None) for label, version in where.items() if label not in kept]
    if None in held:
        return actions + _puts(held, labels, current, kept)
    for index in range(last):
        label, target = labels[index], held[index]
        if label in kept and where.get(label) != target:
            actions.append(Label(label, where.get(label), target))
    return actions


def _puts(held: Sequence[str | None], labels: Sequence[str], current: str | None, kept: set[str]) -> list[Put | Label]:
    last = len(held) - 1
    base = next((index for index in range(last) if held[index] == current), last) if current else -1
    puts: list[Put | Label] = []
    for index in range(last):
        if held[index] is None:
            label = labels[index] if labels[index] in kept else None
            moves = index > base
            puts.append(Put(index, moves, label, None if label or moves else labels[index]))
    if held[last] is None:
        puts.append(Put(last, True))
    return puts


def match(
    versions: Sequence[VersionContent],
    described: Described,
    ids: Sequence[str],
    values: Mapping[str, Secret[str] | None],
) -> list[str | None]:
    """Return for each wanted version the stored one that holds it, each stored one at most once.

    The newest is held only by the version that AWSCURRENT is on; the others rather by one with their own label.
    """
    free = list(ids)
    held: list[str | None] = [None] * len(versions)
    for index in reversed(range(len(versions))):
        if index == len(versions) - 1:
            candidates = [version for version in free if version == described.current]
        else:
            candidates = _labelled_first(free, described, version_label(versions[index].key))
        found = next((c for c in candidates if same_content(versions[index], values.get(c))), None)
        if found is not None:
            free.remove(found)
            held[index] = found
    return held


def _labelled_first(versions: Sequence[str], described: Described, label: str) -> list[str]:
    labelled = [version for version in versions if label in described.stages.get(version, ())]
    return labelled + [version for version in versions if version not in labelled]


class Vault:
    """Stores secrets; safe to share between threads that work on different names.

    `tags` are set on the secrets that it creates. A secret that carries other values of these tags belongs to another
    migration or table and is refused; one without them is taken over, its tags left alone.
    """

    def __init__(
        self, client: SecretsClient, *, kms_key: str | None, tags: Mapping[str, str], token_key: Secret[bytes] | None
    ) -> None:
        self._client = client
        self._kms_key = kms_key
        self._tags = dict(tags)
        self._tokens = Tokens(token_key)

    def __repr__(self) -> str:
        return "Vault()"

    def store(self, name: str, versions: Sequence[VersionContent]) -> Stored:
        """Bring the secret to hold these versions, oldest first, the last current. Idempotent and durable.

        Returns when Secrets Manager has said that AWSCURRENT is on the last. Raises SecretRefused when the secret
        cannot be stored: name or size beyond the limits, waiting for deletion, somebody else's, or changed by
        another writer all the while; SecretDenied, TargetUnreachable or SecretError when none can.
        """
        _require_fit(name, versions)
        work = _Work(self._client, self._tokens, name, versions)
        for _ in range(ROUNDS):
            described = self._client.describe(name)
            if described is None:
                work.create(self._kms_key, self._tags)
            else:
                self._require_ours(described)
                if not work.advance(described):
                    return Stored(len(versions), work.written)
        raise SecretRefused(
            "another writer changes the secret at the same time", remedy="Stop it, and run the command again."
        )

    def _require_ours(self, described: Described) -> None:
        if described.deleted:
            raise SecretRefused(
                "a secret of that name is waiting for its deletion",
                remedy="Restore it with `aws secretsmanager restore-secret` or `pg2dynamo repair`, or wait.",
            )
        for tag, ours in self._tags.items():
            if described.tags.get(tag, ours) != ours:
                raise SecretRefused(
                    f"the secret is tagged {tag}={described.tags[tag]}, so it is not this one's to write",
                    remedy="Use another name in the plan, or remove the tag.",
                )


def _require_fit(name: str, versions: Sequence[VersionContent]) -> None:
    if len(versions) > VERSIONS_KEPT:
        raise SecretRefused(f"more than {VERSIONS_KEPT} versions")
    faults_found = [secret_name_fault(name), *(value_fault(version.content) for version in versions)]
    fault = next((fault for fault in faults_found if fault), None)
    if fault:
        raise SecretRefused(fault)


def value_fault(value: Secret[str]) -> str | None:
    """Say why Secrets Manager cannot hold this value, or None."""
    return secret_value_fault(len(value.reveal().encode("utf-8", "surrogatepass")))


class _Work:
    """One call of `Vault.store`: what was read and written so far."""

    def __init__(self, client: SecretsClient, tokens: Tokens, name: str, versions: Sequence[VersionContent]) -> None:
        self._client = client
        self._tokens = tokens
        self._name = name
        self._versions = versions
        self._labels = [version_label(version.key) for version in versions]
        self._values: dict[str, Secret[str] | None] = {}
        self.written = 0

    def create(self, kms_key: str | None, tags: Mapping[str, str]) -> None:
        """Create the secret with the oldest version."""
        oldest = self._versions[0]
        token = self._tokens.token(self._name, oldest, None)
        try:
            self._client.create(self._name, oldest.content, token, kms_key=kms_key, tags=tags)
        except NameTaken:
            return
        self._values[token] = oldest.content
        self.written += 1
        faults.point("secrets.after_create")

    def advance(self, described: Described) -> bool:
        """Do what is left to do; false when nothing was."""
        ids = list(described.stages)
        held = self._match(described, ids)
        if None in held:
            ids = self._client.version_ids(self._name)
            held = self._match(described, ids)
        actions = decide(held, self._labels, described.current, described.stages)
        current = described.current
        for action in actions:
            if isinstance(action, Label):
                self._client.move_label(self._name, action.label, source=action.source, target=action.target)
                continue
            token = self._put(action, current, ids)
            if token is None:
                break
            ids.append(token)
            current = token if action.current else current
        return bool(actions)

    def _match(self, described: Described, ids: Sequence[str]) -> list[str | None]:
        for version in ids:
            if version not in self._values:
                self._values[version] = self._client.value(self._name, version)
        return match(self._versions, described, ids, self._values)

    def _put(self, action: Put, current: str | None, taken: Sequence[str]) -> str | None:
        """Put one version; None when its token turns out to be taken, so that one must look again."""
        version = self._versions[action.index]
        token = self._free_token(version, current, taken)
        own = action.label or action.passing
        stages = [stage for stage in (CURRENT if action.current else None, own) if stage]
        faults.point("secrets.before_put")
        try:
            self._client.put(self._name, version.content, token, stages)
        except NameTaken:
            return None
        faults.point("secrets.after_put")
        self._values[token] = version.content
        self.written += 1
        if action.passing:
            self._client.move_label(self._name, action.passing, source=token, target=None)
        return token

    def _free_token(self, version: VersionContent, current: str | None, taken: Sequence[str]) -> str:
        # A token that a version has already is answered as a repeated request, and moves nothing.
        repeat = 0
        while (token := self._tokens.token(self._name, version, current, repeat)) in taken:
            repeat += 1
        return token
