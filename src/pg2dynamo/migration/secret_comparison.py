"""Whether a secret holds what its credentials say: names of what differs, never values. Pure.

What should be there is made of rows read in binary form; what is there is read back into values by the decoder of
items. Neither shares a step with how secrets are composed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.mapping.values import Json, Unknown, Value
from pg2dynamo.migration.difference import Pairs, differing_attributes
from pg2dynamo.plan.model import SecretPlan
from pg2dynamo.secret import Secret
from pg2dynamo.secrets.value import NotPlainJson, parse_json

WHOLE = "SecretString"
"""What is named when a value is no document of the plan's shape, or a text differs."""
CURRENT = "AWSCURRENT"
OLDER = "older versions"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the version of one credential should hold: `fields` and the decrypted text.

    `key` is the canonical primary key; `fields` has every field of the plan, NULL as None.
    """

    key: str
    fields: tuple[tuple[str, Value], ...] = field(repr=False)
    plaintext: Secret[str] = field(repr=False)


class Comparer:
    """Compares the secrets of one table. Not changed by use: one may serve many threads."""

    def __init__(self, plan: SecretPlan, mapping: TableMapping) -> None:
        self._plan = plan
        self._decoder = Decoder(mapping)
        types = {attribute.name: attribute.type for attribute in mapping.attributes}
        self._binary = {name: _is_binary(types[name]) for name in plan.fields}

    def differing(self, expected: Expected, stored: Secret[str] | None) -> tuple[str, ...]:
        """Return the names of what differs in one version, sorted; empty when it is the same."""
        if stored is None:
            return (WHOLE,)
        if self._plan.plaintext is None:
            return () if stored.reveal() == expected.plaintext.reveal() else (WHOLE,)
        try:
            document = parse_json(stored.reveal())
        except NotPlainJson:
            document = None
        if not isinstance(document, dict):
            return (WHOLE,)
        return self._differing_fields(self._plan.plaintext, expected, document)

    def _differing_fields(self, plaintext: str, expected: Expected, document: dict[str, Any]) -> tuple[str, ...]:
        ours: Pairs = [
            *((name, value) for name, value in expected.fields if value not in (None, Json(None))),
            (plaintext, Json(parse_json(expected.plaintext.reveal()))),
        ]
        item = {
            name: as_attribute(document[name], binary)
            for name, binary in self._binary.items()
            if document.get(name) is not None
        }
        theirs: Pairs = [
            *self._decoder.decode(item).items(),
            *((plaintext, Json(document[plaintext])) for _ in range(plaintext in document)),
            *((name, Unknown()) for name in document if name not in self._binary and name != plaintext),
        ]
        absent = {name for name in (*self._binary, plaintext) if name not in document}
        return tuple(sorted(absent | set(differing_attributes(ours, theirs))))

    def holds(self, expected: Expected, values: Mapping[str, Secret[str] | None]) -> bool:
        """Tell whether some version is that of this credential."""
        return any(not self.differing(expected, value) for value in values.values())

    def compare(
        self, expected: Sequence[Expected], current: str | None, values: Mapping[str, Secret[str] | None]
    ) -> tuple[str, ...]:
        """Return what differs between a secret's versions and its credentials, oldest first; empty when nothing.

        `AWSCURRENT` stands for a current version that is an older credential of this secret, `older versions` for
        older credentials without a version of their own; else the names of the current version's fields.
        """
        *older, newest = expected
        now = values.get(current) if current else None
        differing = self.differing(newest, now)
        if differing and any(not self.differing(one, now) for one in older):
            differing = (CURRENT,)
        free = [value for version, value in values.items() if differing or version != current]
        for one in reversed(older):
            found = next((i for i, value in enumerate(free) if not self.differing(one, value)), None)
            if found is None:
                return (*differing, OLDER)
            del free[found]
        return differing


def as_attribute(value: Any, binary: bool) -> dict[str, Any]:
    """Return parsed JSON as DynamoDB JSON; `binary` says that its texts are bytes in base64."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, Decimal):
        return {"N": str(value)}
    if isinstance(value, list):
        return {"L": [as_attribute(entry, binary) for entry in value]}
    if isinstance(value, dict):
        # The bounds of an array are text, whatever its elements are.
        return {"M": {name: as_attribute(entry, binary and name != "bounds") for name, entry in value.items()}}
    return {"B" if binary else "S": value}


def _is_binary(column_type: ColumnType) -> bool:
    element = column_type.element if column_type.kind is Kind.ARRAY else column_type
    return element is not None and element.kind is Kind.BYTEA
