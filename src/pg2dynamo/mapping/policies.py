"""What becomes of a row with a value that DynamoDB cannot hold: converted attribute by attribute, by the plan's words.

Rows come here only when their conversion has failed, so that those that fit pay nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson

from pg2dynamo.errors import RowRefused, RowSkipped
from pg2dynamo.mapping.documents import NULL
from pg2dynamo.mapping.fitness import may_be_text
from pg2dynamo.mapping.limits import AttributeValue, Malformed, Unfit, item_bytes, key_fault
from pg2dynamo.mapping.rendering import Renderer
from pg2dynamo.mapping.table import Attribute, TableMapping

Convert = Callable[[str], AttributeValue]
Read = Callable[[str], str | None]

_PRECEDENCE = ("error", "quarantine", "skip")
"""Of two values at fault, the one with the earlier policy decides: what nobody has allowed is never left out."""


@dataclass(frozen=True, slots=True)
class _Fault:
    attribute: str
    reason: str
    policy: str


@dataclass(slots=True)
class _Row:
    item: dict[str, AttributeValue] = field(default_factory=dict)
    nulled: int = 0
    faults: list[_Fault] = field(default_factory=list)


class Policies:
    """Converts the rows of one mapping that hold values which DynamoDB cannot. Not changed by use.

    `columns` convert what is read, in order; `derived` render what is made of it, with the limit of keys; `read`
    gives the text of COPY's field, None for NULL.
    """

    def __init__(
        self,
        mapping: TableMapping,
        columns: Sequence[tuple[str, Convert]],
        derived: Sequence[tuple[str, Renderer, int | None]],
        read: Read,
    ) -> None:
        self._columns = [(a, convert) for a, (_, convert) in zip(mapping.read, columns, strict=True)]
        self._derived, self._read = derived, read
        self._policy = {a.name: a.unfit for a in mapping.read} | {d.name: d.unfit for d in mapping.derived}
        self._key = mapping.key_attributes

    def convert(self, fields: Sequence[bytes]) -> tuple[dict[str, AttributeValue], int]:
        """Return the attributes of a row, hidden ones too, and how many values are NULL by policy.

        Raises RowRefused when a policy, or a NULL in the key, keeps the row back, and when a field is not as PostgreSQL
        writes it; RowSkipped when all that keeps it back is to leave it out.
        """
        row = _Row()
        for (attribute, convert), data in zip(self._columns, fields):  # noqa: B905 (key columns may follow)
            self._take(row, attribute, convert, data)
        self._decide(row)
        self._derive(row)
        self._decide(row)
        row.faults += [_Fault(n, "NULL in a key attribute", self._policy[n]) for n in self._key if n not in row.item]
        self._decide(row)
        return row.item, row.nulled

    def _take(self, row: _Row, attribute: Attribute, convert: Convert, data: bytes) -> None:
        text, fault = self._text(attribute, data)
        if fault is None:
            if text is None:
                if attribute.nulls:
                    row.item[attribute.name] = NULL
                return
            value, fault = _converted(attribute, convert, text)
            if value is not None:
                row.item[attribute.name] = value
        if fault is not None:
            self._instead(row, attribute, fault, text)

    def _text(self, attribute: Attribute, data: bytes) -> tuple[str | None, str | None]:
        try:
            return self._read(data.decode()), None
        except UnicodeDecodeError:
            return None, "text that is not UTF-8"
        except LookupError:
            pass
        raise _malformed(attribute)

    def _instead(self, row: _Row, attribute: Attribute, reason: str, text: str | None) -> None:
        """Write what the attribute's policy says in place of a value, or note the fault."""
        policy = attribute.unfit
        if policy == "null":
            row.nulled += 1
            if attribute.nulls:
                row.item[attribute.name] = NULL
        elif policy == "text" and text is not None and may_be_text(attribute.type):
            row.item[attribute.name] = {"S": text}
        else:
            row.faults.append(_Fault(attribute.name, reason, "error" if policy == "text" else policy))

    def _derive(self, row: _Row) -> None:
        for name, renderer, limit in self._derived:
            text = renderer.render(row.item)
            if text is None:
                continue
            fault = key_fault(len(text.encode()), limit) if limit else None
            if fault is None:
                row.item[name] = {"S": text}
            elif self._policy[name] == "null":
                row.nulled += 1
            else:
                row.faults.append(_Fault(name, fault, self._policy[name]))

    def _decide(self, row: _Row) -> None:
        if not row.faults:
            return
        worst = min(row.faults, key=lambda fault: _PRECEDENCE.index(fault.policy))
        if worst.policy == "skip":
            raise RowSkipped(worst.attribute, worst.reason, self._earlier_key(row))
        raise RowRefused(worst.attribute, worst.reason, accepted=worst.policy == "quarantine")

    def _earlier_key(self, row: _Row) -> bytes | None:
        """Return the key of a row that is left out, None when it has none."""
        derived = _Row(dict(row.item))
        self._derive(derived)
        key = {name: derived.item.get(name) for name in self._key}
        return None if None in key.values() else orjson.dumps(key)


def _converted(attribute: Attribute, convert: Convert, text: str) -> tuple[AttributeValue | None, str | None]:
    try:
        value = convert(text)
        orjson.dumps(value)
        return value, None
    except Malformed as fault:
        refusal = RowRefused(attribute.name, fault.reason)
    except Unfit as fault:
        return None, fault.reason
    except TypeError:
        return None, "a lone surrogate in json, which is no Unicode text"
    except (ValueError, LookupError):
        refusal = _malformed(attribute)
    # Not in the handlers: what was raised may hold the value.
    raise refusal


def _malformed(attribute: Attribute) -> RowRefused:
    return RowRefused(attribute.name, "not in the form that PostgreSQL writes")


def checked_key(value: AttributeValue, form: str, limit: int) -> AttributeValue:
    """Return the value of a key that is text or binary. Raises Unfit when it is empty or too long."""
    content = value[form]
    if not content or len(content) * 4 > limit:
        fault = key_fault(item_bytes({"": value}), limit)
        if fault:
            raise Unfit(fault)
    return value
