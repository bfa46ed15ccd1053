"""Show what a plan comes to: tables, calls, statements, and the items that the first rows become.

Nothing is written anywhere, and AWS is not called. What is shown holds values of rows, as it is meant to; no row of
credentials is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg

from pg2dynamo.dynamodb.tables import create_request, shape_faults, table_shape
from pg2dynamo.errors import RowRefused, RowSkipped, SourceError
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.migration.chosen import chosen_entries
from pg2dynamo.migration.progress import Progress, Silent
from pg2dynamo.migration.source import compile_plan, open_source
from pg2dynamo.plan.model import Plan, SecretPlan
from pg2dynamo.postgres.first_rows import copy_statement, first_rows, verify_statement

DEFAULT_ROWS = 3


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row: the item that it becomes, as DynamoDB JSON, or its source key and why there is none."""

    item: Mapping[str, Any] | None
    key: Mapping[str, str | None]
    refusal: str = ""
    skipped: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        if self.item is not None:
            return {"item": dict(self.item)}
        return {"skipped" if self.skipped else "refused": self.refusal, "key": dict(self.key)}


@dataclass(frozen=True, slots=True)
class ShownTable:
    """An entry of the plan: what would be created, what would be read, and what its first rows become.

    `faults` says why DynamoDB cannot have such a table, `unread` why the first rows cannot be read.
    """

    name: str
    source: str
    target: str
    request: Mapping[str, Any]
    copy: str
    verify: str
    rows: tuple[ShownRow, ...] | None
    faults: tuple[str, ...] = ()
    unread: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        found: dict[str, Any] = {
            "name": self.name,
            "source": self.source,
            "target": self.target,
            "create_table": dict(self.request),
            "copy": self.copy,
            "verify": self.verify,
        }
        if self.rows is not None:
            found["rows"] = [row.as_json() for row in self.rows]
        return found | {key: value for key, value in (("faults", self.faults), ("unread", self.unread)) if value}


@dataclass(frozen=True, slots=True)
class ShownSecrets:
    """Rows of credentials, of which none is read: the template of the secrets' names, and what is done, in words."""

    source: str
    name: str
    steps: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return {"source": self.source, "name": self.name, "steps": list(self.steps)}


@dataclass(frozen=True, slots=True)
class ShownPlan:
    """All that a plan comes to."""

    migration: str
    tables: tuple[ShownTable, ...]
    secrets: tuple[ShownSecrets, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return {
            "migration": self.migration,
            "tables": [table.as_json() for table in self.tables],
            "secrets": [secret.as_json() for secret in self.secrets],
        }


def show_plan(
    plan: Plan,
    environ: Mapping[str, str],
    *,
    rows: int = DEFAULT_ROWS,
    tables: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> ShownPlan:
    """Compile the plan against the source and return what would be made, run and written; writes nothing.

    `rows` of each table are read and encoded, none with 0. `tables` shows only these entries, by their names or those
    of their source tables, and no secrets. Raises PlanError when the plan does not fit, and SourceError.
    """
    chosen = chosen_entries(plan, tables) if tables is not None else {table.name for table in plan.tables}
    with open_source(plan, environ, application="pg2dynamo plan") as conn:
        # All are compiled, also when few are shown: entries may share a table.
        mappings = [mapping for mapping in compile_plan(conn, plan) if mapping.name in chosen]
        shown = []
        for mapping in mappings:
            (progress or Silent()).say(f"Reading {mapping.name}.")
            shown.append(_shown(conn, mapping, plan, rows))
    secrets = plan.secrets if tables is None else ()
    return ShownPlan(plan.name, tuple(shown), tuple(ShownSecrets(str(s.source), s.name, _steps(s)) for s in secrets))


def _shown(conn: psycopg.Connection, mapping: TableMapping, plan: Plan, count: int) -> ShownTable:
    shape = table_shape(mapping)
    unread, rows = "", None
    if count:
        try:
            rows = tuple(_rows(mapping, first_rows(conn, mapping, count)))
        except SourceError as error:
            # Only what a row's own values cause: the branches below it end the command.
            if type(error) is not SourceError:
                raise
            unread = str(error)
    return ShownTable(
        name=mapping.name,
        source=str(mapping.source),
        target=mapping.target,
        request=create_request(
            mapping.target,
            shape,
            protected=plan.target.deletion_protection,
            warm_write_units=plan.target.warm_write_units_per_second,
        ),
        copy=copy_statement(conn, mapping),
        verify=verify_statement(conn, mapping),
        rows=rows,
        faults=tuple(shape_faults(mapping.target, shape)),
        unread=unread,
    )


def _rows(mapping: TableMapping, lines: Sequence[bytes]) -> Iterator[ShownRow]:
    encoder = Encoder(mapping)
    for line in lines:
        key = encoder.source_key(line)
        try:
            yield ShownRow(orjson.loads(encoder.encode(line).item), key)
        except RowRefused as refusal:
            yield ShownRow(None, key, refusal.message, skipped=isinstance(refusal, RowSkipped))


def _steps(plan: SecretPlan) -> tuple[str, ...]:
    columns = ", ".join(plan.name_columns)
    value = (
        f"a JSON object of {', '.join(plan.fields) or 'no column'} and, as {plan.plaintext}, the decrypted JSON"
        if plan.plaintext
        else "the decrypted text"
    )
    key = f"the KMS key {plan.kms_key}" if plan.kms_key else "the account's key for Secrets Manager"
    return (
        f"read {', '.join(dict.fromkeys([*plan.name_columns, plan.ciphertext, plan.newest_by, *plan.fields]))} of "
        f"{plan.source}, in the order of {plan.newest_by}; no row of it is read here",
        f"for each {columns}: DescribeSecret, and CreateSecret under {key} when there is none",
        f"for each of its rows, oldest first: PutSecretValue with {value} of {plan.ciphertext} ({plan.decrypt.format})",
        "the newest row becomes the current version",
    )
