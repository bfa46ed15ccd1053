"""Pages of a listing: what a request may be, and what a position looks like. Pure, the same for all stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from onboarding.store.errors import Invalid
from onboarding.store.interface import MAX_PAGE, Page, PageRequest, Position

Record = TypeVar("Record")


def moment_text(moment: datetime) -> str:
    """Return a time as it stands in a position, and sorts as text: `2024-01-02T03:04:05.000000`."""
    return moment.isoformat(timespec="microseconds")


def _moment(text: str) -> None:
    if moment_text(datetime.fromisoformat(text)) != text:
        raise ValueError(text)


def _identifier(text: str) -> None:
    if str(UUID(text)) != text:
        raise ValueError(text)


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a listing: the fields it sorts by, which together are unique, and the direction."""

    fields: tuple[str, ...]
    descending: bool = False

    def position(self, record: Any) -> Position:
        """Return where `record` stands in this order."""
        return tuple(_text(getattr(record, name)) for name in self.fields)

    def check(self, page: PageRequest) -> None:
        """Raise Invalid for a limit out of bounds or a position that is none of this order."""
        if not 1 <= page.limit <= MAX_PAGE:
            raise Invalid("limit", f"must be from 1 to {MAX_PAGE}")
        if page.after is None:
            return
        try:
            for name, text in zip(self.fields, page.after, strict=True):
                _FORMS.get(name, str)(text)
        except (ValueError, TypeError, AttributeError):
            raise Invalid("after", "must be a position of this listing") from None


_FORMS: dict[str, Callable[[str], object]] = {
    "tenant_id": _identifier,
    "account_id": _identifier,
    "schedule_id": _identifier,
    "execution_id": _identifier,
    "next_run_at": _moment,
    "started_at": _moment,
}

TENANTS = Order(("tenant_id",))
PROVIDERS = Order(("provider_type",))
ACCOUNTS = Order(("status", "account_id"))
SCHEDULES = Order(("schedule_id",))
DUE = Order(("next_run_at", "schedule_id"))
EXECUTIONS = Order(("started_at", "execution_id"), descending=True)
SCAN_RESULTS = Order(("started_at", "scan_id"), descending=True)


def cut(records: Sequence[Record], order: Order, limit: int) -> Page[Record]:
    """Return the first `limit` of `records`, which are in order and go on beyond the page when there is more."""
    items = tuple(records[:limit])
    return Page(items, order.position(items[-1]) if len(records) > limit else None)


def _text(value: Any) -> str:
    return moment_text(value) if isinstance(value, datetime) else str(value)
