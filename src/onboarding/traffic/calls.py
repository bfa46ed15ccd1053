"""One call of the store's interface as a value: what the model and the target are both asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from onboarding.store.errors import StoreError
from onboarding.store.interface import PageRequest
from onboarding.store.paging import moment_text
from onboarding.store.records import Receipt

ID_FIELDS: Mapping[str, str] = {
    "tenant": "tenant_id",
    "provider": "provider_id",
    "account": "account_id",
    "schedule": "schedule_id",
    "execution": "execution_id",
    "scan_result": "scan_id",
}
KEPT_BACK = "credentials"
"""The field whose value is never written anywhere."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method of the store with its arguments.

    `why` tells calls of one method apart in the summary. `gone` says that what is asked for was deleted with its
    parent, which may take a moment; `repeat` that the same creation was made before.
    """

    method: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    gone: bool = False
    repeat: bool = False

    @property
    def kind(self) -> str:
        """What the summary counts it under."""
        return f"{self.method} ({self.why})" if self.why else self.method

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.method.startswith(("create_", "update_", "put_", "delete_"))

    @property
    def record_kind(self) -> str:
        """The kind of record that a writing call is about."""
        return self.method.partition("_")[2]

    def probe(self) -> Call | None:
        """Return the read that tells whether this writing call has happened; None when the id is not known."""
        verb, _, kind = self.method.partition("_")
        owner = {"owner": self.kwargs["owner"]} if self.kwargs.get("owner") else {}
        if kind == "credential":
            return Call("get_credential_info", self.args[:1], owner, why="outcome")
        identifier = getattr(self.args[0], ID_FIELDS[kind]) if verb == "create" else self.args[0]
        return Call(f"get_{kind}", (identifier,), owner, why="outcome") if identifier else None


class Unforeseen(StoreError):
    """The target raised what no store may raise. Names its class only: its text might hold values."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"The store raised {type(error).__name__}.")
        self.name = getattr(error, "said", type(error).__name__)


Answer: TypeAlias = Any
"""What a call returned, or the StoreError that it raised."""


def answer_of(store: object, call: Call) -> Answer:
    """Make the call and return what it returned or raised."""
    try:
        return getattr(store, call.method)(*call.args, **call.kwargs)
    except StoreError as error:
        return error
    except Exception as error:  # noqa: BLE001 - whatever a store under test raises is an answer to be judged
        return Unforeseen(error)


def describe(answer: Answer) -> str:
    """Return the class of an answer, which says enough in a list of wrong answers."""
    return answer.name if isinstance(answer, Unforeseen) else type(answer).__name__


def as_json(value: Any) -> Any:
    """Return a call's argument or an answer as JSON values, without the values of credentials."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_json(getattr(value, f.name)) for f in fields(value) if f.name != KEPT_BACK}
    if isinstance(value, StoreError):
        return {"error": describe(value)}
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, Mapping):
        return {str(name): as_json(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(member) for member in value]
    return str(value) if isinstance(value, UUID) else value


def intent(call: Call, name: Callable[[str], str]) -> str:
    """Return a call as one line of text that is the same in every run of a seed: without times of the server's.

    `name` gives the generator's own name of an id.
    """
    arguments = [_intended(argument) for argument in call.args]
    served = ("seen", "advance")
    named = {key: value is not None if key in served else _intended(value) for key, value in call.kwargs.items()}
    named.pop("receipt", None)
    return json.dumps([call.kind, _renamed(arguments, name), _renamed(named, name)], sort_keys=True)


def _intended(value: Any) -> Any:
    if isinstance(value, PageRequest):
        return [value.limit, value.after is not None]
    return None if isinstance(value, Receipt) else as_json(value)


def _renamed(value: Any, name: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(member, name) for key, member in value.items()}
    if isinstance(value, list):
        return [_renamed(member, name) for member in value]
    return name(value) if isinstance(value, str) else value
