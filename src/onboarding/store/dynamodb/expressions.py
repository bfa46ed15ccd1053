"""DynamoDB's expressions with their placeholders, put together piece by piece. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from onboarding.store.dynamodb.items import Item


class Expression:
    """Gathers names and values of one request; every name goes by a placeholder, as some are reserved words."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, dict[str, Any]] = {}
        self._conditions: list[str] = []

    def name(self, attribute: str) -> str:
        """Return the placeholder of an attribute's name."""
        return self._names.setdefault(attribute, f"#n{len(self._names)}")

    def value(self, value: dict[str, Any]) -> str:
        """Return a placeholder for a value."""
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = value
        return placeholder

    def exists(self, attribute: str) -> Expression:
        """Require that the item has an attribute."""
        return self._require(f"attribute_exists({self.name(attribute)})")

    def absent(self, attribute: str) -> Expression:
        """Require that the item lacks an attribute."""
        return self._require(f"attribute_not_exists({self.name(attribute)})")

    def equals(self, attribute: str, value: dict[str, Any] | None) -> Expression:
        """Require an attribute's value; None: that it is absent."""
        if value is None:
            return self.absent(attribute)
        return self._require(f"{self.name(attribute)} = {self.value(value)}")

    def absent_or(self, attribute: str, other: str, operator: str, value: dict[str, Any]) -> Expression:
        """Require that there is no item (which would have `attribute`), or that `other` compares so."""
        missing = f"attribute_not_exists({self.name(attribute)})"
        return self._require(f"({missing} OR {self.name(other)} {operator} {self.value(value)})")

    def matches(self, item: Item, attributes: Iterable[str]) -> Expression:
        """Require that each of the attributes is as in `item`."""
        for attribute in attributes:
            self.equals(attribute, item.get(attribute))
        return self

    def _require(self, condition: str) -> Expression:
        self._conditions.append(condition)
        return self

    def condition(self) -> dict[str, Any]:
        """Return the parameters of a request with this condition."""
        return self.parameters(ConditionExpression=" AND ".join(self._conditions) or None)

    def parameters(self, **expressions: str | None) -> dict[str, Any]:
        """Return the expressions given, with the names and values that they use."""
        gathered = {
            "ExpressionAttributeNames": {placeholder: name for name, placeholder in self._names.items()} or None,
            "ExpressionAttributeValues": self._values or None,
        }
        return {name: value for name, value in {**expressions, **gathered}.items() if value is not None}

    def update(
        self, changes: Mapping[str, dict[str, Any] | None], added: Mapping[str, int] | None = None
    ) -> dict[str, Any]:
        """Return the parameters that SET these attributes (None: REMOVE), ADD these numbers, on the condition."""
        sets = [f"{self.name(n)} = {self.value(v)}" for n, v in changes.items() if v is not None]
        removals = [self.name(n) for n, v in changes.items() if v is None]
        additions = [f"{self.name(n)} {self.value({'N': str(v)})}" for n, v in (added or {}).items()]
        clauses = {"SET": sets, "REMOVE": removals, "ADD": additions}
        text = " ".join(f"{verb} {', '.join(parts)}" for verb, parts in clauses.items() if parts)
        return self.parameters(UpdateExpression=text, ConditionExpression=" AND ".join(self._conditions) or None)
