"""Pages of a listing by keyset: each begins after the last record of the one before, at an equal cost."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, String, Uuid, collate, select, tuple_
from sqlalchemy.dialects.postgresql import TIMESTAMP

from onboarding.store.errors import Invalid
from onboarding.store.interface import Page, PageRequest, Position
from onboarding.store.paging import Order, cut
from onboarding.store.postgres.rows import Kind, is_storable

R = TypeVar("R")


def page_of(
    connection: Connection, kind: Kind[R], order: Order, page: PageRequest, *kept: ColumnElement[bool]
) -> Page[R]:
    """Return the page of `kind` that `page` asks for, of the rows that `kept` lets through."""
    columns = [kind.table.columns[name] for name in order.fields]
    sorts = [_sort(column) for column in columns]
    statement = select(kind.table).where(*kept).limit(page.limit + 1)
    statement = statement.order_by(*(sort.desc() if order.descending else sort for sort in sorts))
    if page.after is not None:
        here, there = tuple_(*sorts), tuple_(*_values(columns, page.after))
        statement = statement.where(here < there if order.descending else here > there)
    return cut([kind.made(row) for row in connection.execute(statement)], order, page.limit)


def _sort(column: Column[Any]) -> ColumnElement[Any]:
    """Return what orders by a column: text by its code points, whatever the database's collation."""
    return collate(column, "C") if isinstance(column.type, String) else column


def _values(columns: list[Column[Any]], position: Position) -> list[Any]:
    return [_value(column, text) for column, text in zip(columns, position, strict=True)]


def _value(column: Column[Any], text: str) -> Any:
    if not is_storable(text):
        raise Invalid("after", "must be a position of this listing")
    if isinstance(column.type, TIMESTAMP):
        return datetime.fromisoformat(text)
    return UUID(text) if isinstance(column.type, Uuid) else text
