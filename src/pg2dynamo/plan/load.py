"""Read a plan file: YAML with line numbers, `${NAME:-default}` from the environment, errors that help.

The only input here is the text and the environment that the caller passes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from pg2dynamo.errors import PlanError
from pg2dynamo.plan.model import Plan
from pg2dynamo.secret import Secret

Path_ = tuple[str | int, ...]

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def load_plan(path: Path, environ: Mapping[str, str]) -> Plan:
    """Read and check the plan file at `path`.

    `${NAME}` and `${NAME:-default}` in any text are replaced from `environ`. Raises PlanError naming file,
    line, key, and the nearest right key when one is misspelt.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PlanError(f"The plan {path} cannot be read: {error.strerror}.", remedy="Give one with --plan.") from error
    return parse_plan(text, environ, where=str(path))


def parse_plan(text: str, environ: Mapping[str, str], where: str = "plan") -> Plan:
    """Check the text of a plan; see `load_plan`."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        raise PlanError(f"{where}{line}: not YAML: {problem}.") from None
    if not isinstance(root, yaml.MappingNode):
        raise PlanError(f"{where}: a plan is a mapping that begins with name: and tables:.")
    lines: dict[Path_, int] = {(): 1}
    data = _build(root, (), lines, environ, where)
    try:
        return Plan.model_validate(data)
    except ValidationError as error:
        # pydantic's own text repeats the input, which may be the password that the plan must not hold.
        raise PlanError("\n".join(_describe(error, lines, where))) from None


def resolve(reference: str, environ: Mapping[str, str]) -> Secret[str] | None:
    """Return what `env:NAME` refers to, masked; None when it is `optional-env:NAME` and unset.

    Text that is no reference is returned as it is. Raises PlanError when the variable is not set.
    """
    scheme, separator, name = reference.partition("env:")
    if not separator or scheme not in ("", "optional-"):
        return Secret(reference)
    value = environ.get(name, "")
    if value:
        return Secret(value)
    if scheme:
        return None
    raise PlanError(f"The environment variable {name} is not set, and the plan refers to it.", remedy=f"Set {name}.")


def _build(node: yaml.Node, path: Path_, lines: dict[Path_, int], environ: Mapping[str, str], where: str) -> Any:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, path, lines, environ, where)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, i), lines, environ, where) for i, item in enumerate(node.value)]
    value = yaml.SafeLoader("").construct_object(node)
    return _interpolate(value, environ, f"{where}:{lines[path]}") if isinstance(value, str) else value


def _build_mapping(
    node: yaml.MappingNode, path: Path_, lines: dict[Path_, int], environ: Mapping[str, str], where: str
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        line = key_node.start_mark.line + 1
        if key in result:
            raise PlanError(f"{where}:{line}: the key {key} stands twice.")
        result[key] = _build(value_node, (*path, key), lines, environ, where)
        lines[(*path, key)] = line
    return result


def _interpolate(text: str, environ: Mapping[str, str], where: str) -> str:
    def value(match: re.Match[str]) -> str:
        name, default = match.groups()
        found = environ.get(name) or default
        if found is None:
            raise PlanError(f"{where}: the environment variable {name} is not set.", remedy=f"Set {name}.")
        return found

    return _VARIABLE.sub(value, text)


def _describe(error: ValidationError, lines: Mapping[Path_, int], where: str) -> Iterator[str]:
    for problem in error.errors(include_input=False, include_url=False):
        location = tuple(problem["loc"])
        line = next(lines[location[:n]] for n in range(len(location), -1, -1) if location[:n] in lines)
        name = ".".join(str(part) for part in location)
        if problem["type"] == "extra_forbidden":
            yield f"{where}:{line}: unknown key {name}{_suggestion(location)}."
        else:
            message = problem["msg"].removeprefix("Value error, ")
            yield f"{where}:{line}: {name + ': ' if name else ''}{message}."


def _suggestion(location: Path_) -> str:
    known = _known_keys(Plan, location[:-1])
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f"; did you mean {near[0]}" if near else f"; known here: {', '.join(known)}"


def _known_keys(model: type[BaseModel], path: Path_) -> list[str]:
    for part in path:
        if isinstance(part, int):
            continue
        field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        inner = _model_in(field.annotation) if field else None
        model = inner or model
    return [f.alias or n for n, f in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)
