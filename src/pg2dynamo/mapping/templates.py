"""Placeholder until the real one is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pg2dynamo.mapping.types import ColumnType
from pg2dynamo.mapping.values import Value


@dataclass(frozen=True, slots=True)
class Placeholder:
    name: str
    type: ColumnType
    sort: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    parts: tuple[str | Placeholder, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    @property
    def prefix(self) -> str:
        return ""

    def of_values(self, values: Mapping[str, Value]) -> str | None:
        raise NotImplementedError

    def values(self, text: str) -> dict[str, Value]:
        raise NotImplementedError


def parse_template(text: str) -> tuple[str | tuple[str, bool], ...]:
    raise NotImplementedError


class Renderer:
    def __init__(self, template: Template) -> None:
        raise NotImplementedError

    def render(self, contents: Mapping[str, dict[str, object]]) -> str | None:
        raise NotImplementedError


def fault(template: Template) -> str | None:
    raise NotImplementedError


def disjoint(a: Template, b: Template) -> bool:
    raise NotImplementedError
