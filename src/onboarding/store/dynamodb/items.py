"""Records as DynamoDB items, exactly as pg2dynamo writes the same row (docs/types.md), and back. Pure.

None is an absent attribute; `schedules.enabled` is 'true' or 'false', since an index key cannot be a boolean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeAlias, get_type_hints
from uuid import UUID

from onboarding.store.documents import plain_document
from onboarding.store.paging import moment_text
from onboarding.store.records import Account, Document, Execution, Provider, ScanResult, Schedule, Tenant, Words

Item: TypeAlias = dict[str, dict[str, Any]]
LONGEST_KEY = 255
PLAIN_CHARACTERS = 40
"""The longest number that is written without an exponent, as by pg2dynamo: 38 digits, a sign and a point."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record: its name, its class, the field of TableNames, and its key."""

    name: str
    record: type
    table: str
    key: str

    def key_item(self, identifier: UUID | str) -> Item:
        """Return the key of an item."""
        return {self.key: {"S": str(identifier)}}


TENANT = Kind("tenant", Tenant, "tenants", "tenant_id")
PROVIDER = Kind("provider", Provider, "providers", "provider_id")
ACCOUNT = Kind("account", Account, "accounts", "account_id")
SCHEDULE = Kind("schedule", Schedule, "schedules", "schedule_id")
EXECUTION = Kind("execution", Execution, "executions", "execution_id")
SCAN_RESULT = Kind("scan_result", ScanResult, "scan_results", "scan_id")


@dataclass(frozen=True, slots=True)
class _Form:
    write: Callable[[Any], dict[str, Any]]
    read: Callable[[dict[str, Any]], Any]


def can_be_key(text: str) -> bool:
    """Tell whether an item could have this text as a key: none is empty or of more than 255 characters."""
    return 0 < len(text) <= LONGEST_KEY and not any("\ud800" <= character <= "\udfff" for character in text)


def encode(kind: Kind, record: Any) -> Item:
    """Return the item of a record."""
    values = {name: getattr(record, name) for name in _forms(kind)}
    return {name: attribute(kind, name, value) for name, value in values.items() if value is not None}


def attribute(kind: Kind, name: str, value: Any) -> dict[str, Any]:
    """Return the attribute of one field whose value is not None."""
    return _forms(kind)[name].write(value)


def decode(kind: Kind, item: Mapping[str, dict[str, Any]]) -> Any:
    """Return the record of an item; an absent attribute is None."""
    values = {name: form.read(item[name]) if name in item else None for name, form in _forms(kind).items()}
    return kind.record(**values)


def normal(kind: Kind, record: Any) -> Any:
    """Return the record as it will be read back: the numbers of its documents in their one form."""
    return decode(kind, encode(kind, record))


@cache
def _forms(kind: Kind) -> Mapping[str, _Form]:
    hints = get_type_hints(kind.record)
    forms = {field.name: _form(hints[field.name]) for field in fields(kind.record)}
    return forms | ({"enabled": _FLAG_TEXT} if kind is SCHEDULE else {})


def _form(hint: Any) -> _Form:
    for known, form in _FORMS:
        if hint in (known, known | None):
            return form
    raise TypeError(hint)


def _text(value: str) -> dict[str, Any]:
    return {"S": value}


def _words(value: Words) -> dict[str, Any]:
    return {"L": [{"NULL": True} if word is None else {"S": word} for word in value]}


def _read_words(value: dict[str, Any]) -> Words:
    return tuple(word.get("S") for word in value["L"])


def document_attribute(value: Any) -> dict[str, Any]:
    """Return a JSON value as an attribute."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, Mapping):
        return {"M": {name: document_attribute(member) for name, member in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [document_attribute(element) for element in value]}
    return {"N": number_text(value)}


def number_text(value: int | float) -> str:
    """Return a number as pg2dynamo writes it: plain up to 40 characters, no useless zeros, no -0."""
    sign, digit_tuple, exponent = Decimal(repr(value)).as_tuple()
    digits = "".join(map(str, digit_tuple))
    significant = digits.rstrip("0")
    if not significant:
        return "0"
    power = int(exponent) + len(digits) - 1
    minus = "-" if sign else ""
    plain = minus + _plain(significant, power)
    if len(plain) <= PLAIN_CHARACTERS:
        return plain
    return f"{minus}{significant[0]}{'.' if significant[1:] else ''}{significant[1:]}E{power:+d}"


def _plain(digits: str, power: int) -> str:
    """Return a number without exponent; `power` is that of its first digit."""
    if power < 0:
        return f"0.{'0' * (-power - 1)}{digits}"
    whole, fraction = digits[: power + 1].ljust(power + 1, "0"), digits[power + 1 :]
    return f"{whole}.{fraction}" if fraction else whole


def read_document(value: Mapping[str, Any]) -> Any:
    """Return an attribute as a JSON value."""
    [(form, content)] = value.items()
    if form == "M":
        return {name: read_document(member) for name, member in content.items()}
    if form == "L":
        return [read_document(element) for element in content]
    if form == "NULL":
        return None
    return plain_document(Decimal(content)) if form == "N" else content


_FLAG_TEXT = _Form(lambda value: {"S": "true" if value else "false"}, lambda value: value["S"] == "true")
_FORMS: tuple[tuple[Any, _Form], ...] = (
    (str, _Form(_text, lambda value: value["S"])),
    (UUID, _Form(lambda value: {"S": str(value)}, lambda value: UUID(value["S"]))),
    (datetime, _Form(lambda value: {"S": moment_text(value)}, lambda value: datetime.fromisoformat(value["S"]))),
    (int, _Form(lambda value: {"N": str(value)}, lambda value: int(Decimal(value["N"])))),
    (bool, _Form(lambda value: {"BOOL": value}, lambda value: value["BOOL"])),
    (Words, _Form(_words, _read_words)),
    (Document, _Form(document_attribute, read_document)),
)
