"""The text of a plan as plain values, and on which line each key stands. Knows YAML, and no key of a plan.

Keys are taken as their text: `on`, `no` and `1` are names like others. Anchors and `<<` are followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from pg2dynamo.errors import PlanError

Place: TypeAlias = tuple[str | int, ...]
"""Where a value stands: the keys and positions that lead to it."""

MOST_VALUES = 2_000_000
"""More are no plan: anchors in anchors can stand for any number."""

DEEPEST = 100
"""Levels of nesting: twenty embeds in one another need some fifty."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_MERGE = "tag:yaml.org,2002:merge"
_STANDARD = "tag:yaml.org,2002:"
_NO_PLAN = ("binary", "omap", "pairs", "set")
_ODD_NUMBER = re.compile(r"[-+]?0[0-9A-Za-z]|.*[_:]")


@dataclass(frozen=True, slots=True)
class Document:
    """A plan as it was read: `lines` has the line of every value, `faults` what cannot be read, by where it stands.

    `doubts` are values that YAML 1.1 reads otherwise than they look, with words; `variables` those in which a variable
    of the environment stood: what it holds is not for messages.
    """

    values: dict[str, Any]
    lines: Mapping[Place, int]
    faults: Mapping[Place, str]
    doubts: Mapping[Place, str]
    variables: frozenset[Place]

    def line(self, place: Place) -> int:
        """Return the line of the value there, or of the nearest around it."""
        return next(self.lines[place[:n]] for n in range(len(place), -1, -1) if place[:n] in self.lines)

    def value(self, place: Place) -> Any:
        """Return the value there, None when there is none."""
        found: Any = self.values
        for part in place:
            if isinstance(found, list) and isinstance(part, int) and part < len(found):
                found = found[part]
            else:
                found = found.get(part) if isinstance(found, dict) else None
        return found


def read_document(text: str, environ: Mapping[str, str] | None, where: str) -> Document:
    """Read YAML; `${NAME}` and `${NAME:-default}` in values are replaced from `environ`, unless that is None.

    Raises PlanError with file and line when the text is no YAML, or no mapping.
    """
    try:
        root = _composed(text, where)
    except yaml.YAMLError as error:
        # Hazard: the error's own text shows a piece of the file, which may be a password.
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        problem = re.sub(r" (?:'.{2,}'|\".{2,}\")$", "", problem)  # a name that follows * or &
        raise PlanError(f"{where}{line}: not YAML: {problem}.{_hint(problem)}") from None
    if not isinstance(root, yaml.MappingNode):
        raise PlanError(f"{where}: a plan is a mapping that begins with name: and tables:.")
    reading = _Reading(environ)
    values = reading.mapping(root, ())
    return Document(values, reading.lines, reading.faults, reading.doubts, frozenset(reading.variables))


def _require_shallow(text: str, where: str, loader: Any) -> None:
    """Refuse what is nested so deeply that composing it would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise PlanError(f"{where}:{line}: more than {DEEPEST} levels of lists and mappings are no plan.")


def _composed(text: str, where: str) -> yaml.Node | None:
    """Compose with libyaml, ten times as fast, where it is there; what it refuses is told in the other's words."""
    try:
        _require_shallow(text, where, _LOADER)
        return yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError:
        # libyaml has a bound of its own on nesting since 0.2.6; the other has none but the interpreter's.
        _require_shallow(text, where, yaml.SafeLoader)
        return yaml.compose(text, Loader=yaml.SafeLoader)


def _hint(problem: str) -> str:
    if "'\\t'" in problem:
        return " Indent with spaces: YAML has no tabs."
    if "'`'" in problem or "'@'" in problem or "'%'" in problem:
        return " Write the value in quotes."
    return " A value with `: ` or ` #` in it needs quotes." if "mapping values are not allowed" in problem else ""


@dataclass
class _Reading:
    environ: Mapping[str, str] | None
    lines: dict[Place, int] = field(default_factory=lambda: {(): 1})
    faults: dict[Place, str] = field(default_factory=dict)
    doubts: dict[Place, str] = field(default_factory=dict)
    variables: set[Place] = field(default_factory=set)
    around: list[yaml.Node] = field(default_factory=list)

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        """Return the mapping; keys of its own go before those that `<<` brings."""
        own, merged = self._pairs(node, place)
        self.around.append(node)
        brought: dict[str, Any] = {}
        for base in merged:
            brought = {**self.mapping(base, place), **brought}
        result: dict[str, Any] = {}
        for key_node, value_node in own:
            key = str(key_node.value)
            at = (*place, key)
            line = key_node.start_mark.line + 1
            if key in result:
                self.lines[(*at, "")] = line
                self.faults[(*at, "")] = "the key stands twice"
                continue
            result[key] = self._value(value_node, at)
            self.lines[at] = line
        self.around.pop()
        return {**brought, **result}

    def _pairs(
        self, node: yaml.MappingNode, place: Place
    ) -> tuple[list[tuple[yaml.ScalarNode, yaml.Node]], list[yaml.MappingNode]]:
        own: list[tuple[yaml.ScalarNode, yaml.Node]] = []
        merged: list[yaml.MappingNode] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse((*place, "?"), key_node, "a key is a word, and neither a list nor a mapping")
            elif key_node.tag == _MERGE:
                merged += self._bases(value_node, (*place, "<<"))
            else:
                own.append((key_node, value_node))
        return own, merged

    def _bases(self, node: yaml.Node, place: Place) -> Iterator[yaml.MappingNode]:
        for base in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(base, yaml.MappingNode) and base not in self.around:
                yield base
            else:
                self._refuse(place, node, "<< takes a mapping that stands elsewhere, e.g. <<: *name")

    def _value(self, node: yaml.Node, place: Place) -> Any:
        self.lines[place] = node.start_mark.line + 1
        if len(self.lines) > MOST_VALUES:
            raise PlanError(f"The plan has more than {MOST_VALUES:,} values.", remedy="Write fewer anchors.")
        if node in self.around:
            return self._refuse(place, node, "an anchor that holds itself")
        if not node.tag.startswith(_STANDARD) or node.tag.removeprefix(_STANDARD) in _NO_PLAN:
            return self._refuse(place, node, "a plan has no tags: write the value without")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            self.around.append(node)
            items = [self._value(item, (*place, n)) for n, item in enumerate(node.value)]
            self.around.pop()
            return items
        return self._scalar(node, place)

    def _scalar(self, node: yaml.Node, place: Place) -> Any:
        try:
            value = yaml.constructor.SafeConstructor().construct_object(node)
        except (yaml.YAMLError, ValueError):
            kind = node.tag.removeprefix(_STANDARD)
            return self._refuse(place, node, f"YAML takes it for a {kind}, and it is none: write it in quotes")
        if doubt := _doubt(node.value, value):
            self.doubts[place] = doubt
        return self._replaced(value, place) if isinstance(value, str) and self.environ is not None else value

    def _replaced(self, text: str, place: Place) -> str:
        def found(match: re.Match[str]) -> str:
            self.variables.add(place)
            name, default = match.groups()
            value = (self.environ or {}).get(name) or default
            if value is None:
                self.faults[place] = (
                    f"the environment variable {name} is not set. Set it, or write ${{{name}:-default}}"
                )
                return match.group()
            return str(value)

        return _VARIABLE.sub(found, text)

    def _refuse(self, place: Place, node: yaml.Node, why: str) -> None:
        self.lines[place] = node.start_mark.line + 1
        self.faults[place] = why


def _doubt(text: str, value: Any) -> str:
    """Return in words why a value may not be what its text was meant to say; empty when it is."""
    if value is None and not text:
        return "it is empty: write its value, or take the key out"
    if isinstance(value, bool):
        return "" if text.lower() in ("true", "false") else "YAML reads this as true or false: write so, or in quotes"
    if isinstance(value, int | float) and _ODD_NUMBER.match(text):
        return "YAML reads this as another number than it looks: write that one, or in quotes"
    return ""
