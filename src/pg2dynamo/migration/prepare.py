"""Prepare the target: control table, tables with their indexes and protection, and the KMS key when asked.

Everything is looked at before anything is made; nothing that exists is altered, but for protection that is
switched on, and the time to live where that is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import CONTROL_SHAPE, Journal
from pg2dynamo.dynamodb.protection import protect
from pg2dynamo.dynamodb.tables import (
    WAIT_SECONDS,
    DescribedTable,
    create_table,
    describe_table,
    require_shape,
    settle,
    shape_differences,
    shape_faults,
    shape_notes,
    table_shape,
    unwritable,
    wait_until_active,
)
from pg2dynamo.dynamodb.ttl import enable_time_to_live, time_to_live
from pg2dynamo.errors import PlanError, SecretError, TargetShapeDiffers
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.choose_ways import choose_ways
from pg2dynamo.migration.progress import Progress, Silent
from pg2dynamo.migration.source import compile_plan, open_source
from pg2dynamo.migration.target import target_settings
from pg2dynamo.plan.model import Plan, Target
from pg2dynamo.plan.ways import Via, Way
from pg2dynamo.secrets.kms import ensure_key, key_state, kms_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Outcome(StrEnum):
    """What `prepare` has done about one thing."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    LACKING = "lacking"  # the endpoint does not have it, or it was not asked for
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class PrepareLine:
    """One line of the report: what it is about, what was done, and details in words (may be empty)."""

    subject: str
    outcome: Outcome
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.outcome}{' — ' + self.detail if self.detail else ''}"

    def as_json(self) -> dict[str, str]:
        """Return the line as JSON values."""
        return {"subject": self.subject, "outcome": str(self.outcome), "detail": self.detail}


@dataclass(frozen=True, slots=True)
class PrepareReport:
    """What `prepare` has done."""

    migration: str
    lines: tuple[PrepareLine, ...]

    @property
    def changed(self) -> bool:
        """Whether anything was created or changed."""
        return any(line.outcome in (Outcome.CREATED, Outcome.CHANGED) for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "migration": self.migration,
            "changed": self.changed,
            "lines": [line.as_json() for line in self.lines],
        }


def prepare(
    plan: Plan,
    environ: Mapping[str, str],
    *,
    mappings: Sequence[TableMapping] | None = None,
    create_kms_key: bool = False,
    enable_ttl: bool = False,
    via: Via = Via.AUTO,
    progress: Progress | None = None,
) -> PrepareReport:
    """Make the target ready for `copy`: tables, control table, protection, and with `create_kms_key` the key.

    With `enable_ttl` DynamoDB is told to delete items by the plan's `ttl`; without, what is to be known of it is noted.

    A table that `copy` will import from S3 when it is given the same `via` is left to it, as ImportTable makes its own.

    Idempotent: a second run changes nothing. Reads the catalog of the source for the types of key attributes,
    unless `mappings` gives them: then every table is made. Raises TargetShapeDiffers, before anything is made, when a
    table exists with another shape; PlanError when DynamoDB cannot have a table as the plan wants it, or cannot import
    what is to be imported; SourceError; TargetError; SecretError.
    """
    left: dict[str, Way] = {}
    if mappings is None:
        with open_source(plan, environ) as connection:
            mappings = compile_plan(connection, plan)
        left = _left_to_import(mappings, plan, environ, via)
    made = [mapping for mapping in mappings if mapping.name not in left]
    lines = prepare_tables(made, plan, environ, enable_ttl=enable_ttl, progress=progress)
    lines += [PrepareLine(f"table of {name}", Outcome.NOTE, _left(way)) for name, way in left.items()]
    return PrepareReport(plan.name, (*lines, *_keys(plan, environ, create=create_kms_key)))


def _left(way: Way) -> str:
    return f"left to `pg2dynamo copy`, which has DynamoDB make it by an import: {way.why}"


def _left_to_import(
    mappings: Sequence[TableMapping], plan: Plan, environ: Mapping[str, str], via: Via
) -> dict[str, Way]:
    """Return the ways of the entries that are imported; a table that is there is prepared, whatever is wanted."""
    client = dynamodb_client(target_settings(plan, environ))
    tables = {mapping.target: describe_table(client, mapping.target) for mapping in mappings}
    new = [mapping for mapping in mappings if tables[mapping.target] is None]
    ways = choose_ways(plan, environ, new, tables, {}, via)
    return {name: way for name, way in ways.items() if way.via == "import"}


def prepare_tables(
    mappings: Sequence[TableMapping],
    plan: Plan,
    environ: Mapping[str, str],
    *,
    enable_ttl: bool = False,
    progress: Progress | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> list[PrepareLine]:
    """Make the control table and the tables of these mappings ready; see `prepare`. Needs no source."""
    client = dynamodb_client(target_settings(plan, environ))
    found = _look(client, plan, mappings, wait_seconds)
    ttl = {mapping.target: mapping.ttl for mapping in mappings if mapping.ttl}
    if enable_ttl:
        _require_ttl(client, {name: attribute for name, attribute in ttl.items() if found[name] is not None})
    journal = Journal(client, plan.target.control_table, plan.name)
    created = {journal.control_table} if journal.ensure_table() else set()
    tables = list({mapping.target: mapping for mapping in mappings}.values())
    for mapping in tables:
        if found[mapping.target] is None:
            (progress or Silent()).say(f"Creating the table {mapping.target}.")
            protected, warm = plan.target.deletion_protection, plan.target.warm_write_units_per_second
            shape = table_shape(mapping)
            if create_table(client, mapping.target, shape, protected=protected, warm_write_units=warm):
                created.add(mapping.target)
    lines = _finish(client, plan.target, journal.control_table, created, [], wait_seconds)
    for mapping in mappings:
        table = wait_until_active(client, mapping.target, wait_seconds=wait_seconds)
        require_shape(mapping.target, _differences(mapping, table))
        if mapping not in tables:
            continue
        notes = shape_notes(table_shape(mapping), table.shape)
        lines += _finish(client, plan.target, mapping.target, created, notes, wait_seconds)
    return [*lines, *(_ttl_line(client, name, attribute, enable=enable_ttl) for name, attribute in ttl.items())]


def _require_ttl(client: DynamoDBClient, wanted: Mapping[str, str]) -> None:
    """Refuse tables whose items DynamoDB deletes by another attribute than the plan's."""
    others = {name: on for name in wanted if (on := time_to_live(client, name).attribute) not in (None, wanted[name])}
    if others:
        told = ", ".join(f"{name} by {on}, the plan's `ttl` is {wanted[name]}" for name, on in others.items())
        raise TargetShapeDiffers(
            f"Tables have a time to live by another attribute, and nothing was changed: {told}.",
            remedy="Correct the plan, or switch it off yourself; DynamoDB takes an hour between two changes.",
        )


def _ttl_line(client: DynamoDBClient, name: str, attribute: str, *, enable: bool) -> PrepareLine:
    """Switch on the time to live if asked, and tell how it stands."""
    subject = f"time to live of {name}"
    state = time_to_live(client, name)
    if not state.known:
        return PrepareLine(subject, Outcome.LACKING, "this endpoint has no time to live")
    if enable:
        changed = enable_time_to_live(client, name, attribute)
        outcome = Outcome.CHANGED if changed else Outcome.UNCHANGED
        return PrepareLine(subject, outcome, f"on, by {attribute}: what it deletes, `verify` calls missing")
    if state.attribute is not None:
        return PrepareLine(
            subject, Outcome.NOTE, f"on, by {state.attribute}: what DynamoDB deletes by it, `verify` calls missing"
        )
    return PrepareLine(
        subject,
        Outcome.NOTE,
        f"not on, so that nothing written with {attribute} goes while it is still compared; when the migration is "
        "done, switch it on with `pg2dynamo prepare --enable-ttl`",
    )


def _look(
    client: DynamoDBClient, plan: Plan, mappings: Sequence[TableMapping], wait_seconds: float
) -> dict[str, DescribedTable | None]:
    """Return the tables as they are, once none is in change; refuse the plan here if it cannot be met."""
    faults = [f"{m.target}: {fault}" for m in mappings for fault in shape_faults(m.target, table_shape(m))]
    if faults:
        raise PlanError(
            f"DynamoDB cannot have these tables: {'; '.join(dict.fromkeys(faults))}.", remedy="Correct the plan."
        )
    found = {m.target: settle(client, m.target, wait_seconds=wait_seconds) for m in mappings}
    control = settle(client, plan.target.control_table, wait_seconds=wait_seconds)
    differing = {m.target: _differences(m, table) for m in mappings if (table := found[m.target]) is not None}
    if control is not None:
        differing[control.name] = shape_differences(CONTROL_SHAPE, control.shape)
    _require_shapes(differing)
    return found


def _require_shapes(differing: Mapping[str, list[str]]) -> None:
    """Raise one error that names every table of another shape."""
    told = [f"{name}: {'; '.join(differences)}" for name, differences in differing.items() if differences]
    if told:
        raise TargetShapeDiffers(
            f"Tables exist with another shape than the plan's, and nothing was changed. {'. '.join(told)}.",
            remedy="Name other tables in the plan, correct the plan, or change or delete the tables yourself.",
        )


def _differences(mapping: TableMapping, table: DescribedTable) -> list[str]:
    return [*shape_differences(table_shape(mapping), table.shape), *unwritable(mapping, table.shape)]


def _finish(
    client: DynamoDBClient, target: Target, name: str, created: set[str], notes: list[str], wait_seconds: float
) -> list[PrepareLine]:
    """Protect a table that is there, and tell what was done about it."""
    table = wait_until_active(client, name, wait_seconds=wait_seconds)
    done = protect(client, table, recovery=target.point_in_time_recovery, protection=target.deletion_protection)
    subject = f"table {name}"
    outcome = Outcome.CREATED if name in created else Outcome.CHANGED if done.changed else Outcome.UNCHANGED
    detail = f"switched on: {', '.join(done.changed)}" if done.changed else ""
    lacking = [PrepareLine(subject, Outcome.LACKING, f"this endpoint has no {what}") for what in done.lacking]
    return [PrepareLine(subject, outcome, detail), *lacking, *(PrepareLine(subject, Outcome.NOTE, n) for n in notes)]


def _keys(plan: Plan, environ: Mapping[str, str], *, create: bool) -> list[PrepareLine]:
    """Look at the KMS key of each secret, and create what is missing when asked."""
    names = dict.fromkeys(secret.kms_key for secret in plan.secrets if secret.kms_key)
    if not names:
        return []
    client = kms_client(target_settings(plan, environ).region)
    lines = []
    for name in names:
        state, created = ensure_key(client, name) if create else (key_state(client, name), False)
        if state is None:
            detail = "it is not there; create it, or run `pg2dynamo prepare --create-kms-key`"
            lines.append(PrepareLine(f"KMS key {name}", Outcome.LACKING, detail))
            continue
        if state.fault:
            raise SecretError(f"The KMS key {name} cannot be used: {state.fault}.", remedy="Enable it or name another.")
        lines.append(PrepareLine(f"KMS key {name}", Outcome.CREATED if created else Outcome.UNCHANGED))
    return lines
