"""Read a plan file: YAML with line numbers, `${NAME:-default}` from the environment, errors that help.

The only input here is the text and the environment that the caller passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pg2dynamo.errors import PlanError, SourceChanged, SourceUnsupported
from pg2dynamo.plan.compile import label_of
from pg2dynamo.plan.document import Document, Place, read_document
from pg2dynamo.plan.explain import explain
from pg2dynamo.plan.model import Plan
from pg2dynamo.secret import Secret

_OF_AN_ENTRY = (PlanError, SourceChanged, SourceUnsupported)
"""What compiling an entry raises when it does not fit the source."""


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan, and where in the file each of its entries stands."""

    plan: Plan
    where: str
    document: Document

    @contextmanager
    def located(self) -> Iterator[None]:
        """Raise errors that begin with an entry of the plan with file and line before them."""
        try:
            yield
        except _OF_AN_ENTRY as error:
            message = self.with_line(error.message)
            if message == error.message:
                raise
            raise type(error)(message, remedy=error.remedy) from error.__cause__

    def with_line(self, message: str) -> str:
        """Return a message that begins with an entry of the plan with file and line before it; others as they are."""
        place = self._place(message)
        return message if place is None else f"{self.where}:{self.document.line(place)}: {message}"

    def _place(self, message: str) -> Place | None:
        """Return where the entry stands that a message begins with, at the key that it names first if it names one."""
        begins = message.removeprefix("The source has no table ")
        found = [
            (len(label), n)
            for n, table in enumerate(self.plan.tables)
            for label in (label_of(table), table.name, str(table.source))
            if begins.startswith((f"{label}:", f"{label} ")) or begins == f"{label}."
        ]
        if not found:
            return None
        longest = max(length for length, _ in found)
        entry: Place = ("tables", next(n for length, n in found if length == longest))
        return next((at for at in _places_named(message, entry) if at in self.document.lines), entry)


def _places_named(message: str, entry: Place) -> Iterator[Place]:
    """Yield where the keys and attributes may stand that a message names, the nearest to them first."""
    keys = re.findall(r"`(\w+)`", message)
    embed = re.search(r": embed (\S+?):? ", message)
    around = (*entry, *(part for name in embed.group(1).split(".") for part in ("embed", name))) if embed else entry
    for key in keys:
        yield (*around, key)
    yield around


def load_plan(path: Path, environ: Mapping[str, str]) -> Plan:
    """Read and check the plan file at `path`.

    `${NAME}` and `${NAME:-default}` in any text are replaced from `environ`. Raises PlanError naming file,
    line, key, and the nearest right key when one is misspelt.
    """
    return load_plan_file(path, environ).plan


def load_plan_file(path: Path, environ: Mapping[str, str]) -> PlanFile:
    """Read and check as `load_plan`; what is returned knows where the entries stand."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PlanError(f"The plan {path} cannot be read: {error.strerror}.", remedy="Give one with --plan.") from error
    except UnicodeDecodeError:
        raise PlanError(f"The plan {path} is not UTF-8.", remedy="Save it as UTF-8.") from None
    return parse_plan_file(text, environ, str(path))


def parse_plan(text: str, environ: Mapping[str, str], where: str = "plan") -> Plan:
    """Check the text of a plan; see `load_plan`."""
    return parse_plan_file(text, environ, where).plan


def read_values(text: str) -> dict[str, Any]:
    """Return a plan's text as plain values, unchecked and with its variables as they stand."""
    return read_document(text, None, "plan").values


def parse_plan_file(text: str, environ: Mapping[str, str], where: str) -> PlanFile:
    """Check the text of a plan; see `load_plan_file`."""
    document = read_document(text, environ, where)
    plan, error = None, None
    try:
        plan = Plan.model_validate(document.values)
    except ValidationError as caught:
        error = caught
    faults = explain(document, error, where)
    if plan is None or faults:
        # pydantic's own text repeats the input, which may be the password that the plan must not hold.
        raise PlanError("\n".join(faults)) from None
    return PlanFile(plan, where, document)


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
