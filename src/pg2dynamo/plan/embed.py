"""The rows of other tables that an item holds: an entry's `embed`, compiled. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pg2dynamo.errors import PlanError
from pg2dynamo.mapping.table import Attribute, TableName
from pg2dynamo.mapping.types import ColumnType
from pg2dynamo.plan.schema import SourceTable
from pg2dynamo.plan.table import Chosen


def embedded_attributes(
    label: str,
    plan: Chosen,
    table: SourceTable,
    catalog: Mapping[TableName, SourceTable],
    computed: Mapping[tuple[str, ...], Mapping[str, ColumnType]],
    path: tuple[str, ...],
) -> Iterator[Attribute]:
    """Yield the attributes that hold embedded rows."""
    for name in plan.embed:
        raise PlanError(f"{label}: {name}: `embed` is not there yet.")
    yield from ()
