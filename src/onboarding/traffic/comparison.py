"""In what an answer differs from what the model says it must be: names of fields, never their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from onboarding.store import paging
from onboarding.store.interface import MAX_PAGE, Page, PageRequest
from onboarding.store.records import Credential
from onboarding.traffic.calls import Answer, Call, answer_of, describe
from onboarding.traffic.model import ANY_TIME, Model, Window, field_names, is_error, key_of

SHARED: Mapping[str, paging.Order] = {
    "list_tenants": paging.TENANTS,
    "due_schedules": paging.DUE,
    "list_scan_results_by_status": paging.SCAN_RESULTS,
}
"""Listings over all tenants: of them only the worker's own records can be foretold."""


def is_shared(call: Call) -> bool:
    """Return whether others' records may be in the answer."""
    return call.method in SHARED and call.kwargs.get("owner") is None


def differences(model: Model, expected: Answer, answer: Answer) -> list[str]:
    """Return the names of what differs, in order; none when the answer is right."""
    if is_error(expected) or is_error(answer) or type(expected) is not type(answer):
        return [] if type(expected) is type(answer) else [f"{describe(answer)} instead of {describe(expected)}"]
    if isinstance(expected, Page):
        return _page_differences(model, expected, answer)
    return [] if expected is None else _record_differences(model, expected, answer)


def _record_differences(model: Model, expected: Any, answer: Any) -> list[str]:
    if isinstance(expected, Credential):
        differing = _record_differences(model, expected.info, answer.info)
        return differing + ([] if same(expected.credentials, answer.credentials) else ["credentials"])
    key = key_of(expected)
    return [name for name in field_names(expected) if not _field_agrees(model, key, name, expected, answer)]


def _field_agrees(model: Model, key: Any, name: str, expected: Any, answer: Any) -> bool:
    window = model.window(key, name)
    value = getattr(answer, name)
    if window is None:
        return same(getattr(expected, name), value)
    return window is ANY_TIME or bool(window.low <= value <= window.high)


def same(first: Any, second: Any) -> bool:
    """Return whether two values are equal and of one kind of JSON: true is not 1, and a list is a list."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(same(value, second[name]) for name, value in first.items())
    if isinstance(first, list | tuple) and type(first) is type(second):
        return len(first) == len(second) and all(map(same, first, second))
    return isinstance(first, bool) == isinstance(second, bool) and bool(first == second)


def _page_differences(model: Model, expected: Page[Any], answer: Page[Any]) -> list[str]:
    differing = _items_differences(model, expected.items, answer.items)
    return differing + ([] if expected.next == answer.next else ["next"])


def _items_differences(model: Model, expected: Sequence[Any], answer: Sequence[Any]) -> list[str]:
    wanted, given = [key_of(item) for item in expected], [key_of(item) for item in answer]
    if wanted != given:
        return _membership(wanted, given)
    return [
        f"items[{number}].{name}"
        for number, (item, told) in enumerate(zip(expected, answer, strict=True))
        for name in _record_differences(model, item, told)
    ]


def _membership(wanted: Sequence[Any], given: Sequence[Any]) -> list[str]:
    missing, unexpected = len(set(wanted) - set(given)), len(set(given) - set(wanted))
    repeated = len(given) - len(set(given))
    said = {"missing": missing, "unexpected": unexpected, "repeated": repeated}
    return [f"items {word}: {count}" for word, count in said.items() if count] or ["items in another order"]


def shared_differences(model: Model, call: Call, answer: Answer, mine: Callable[[Any], bool]) -> list[str]:
    """Compare one page of a listing over all tenants: the whole for order and size, the worker's own exactly."""
    if not isinstance(answer, Page):
        return [f"{describe(answer)} instead of Page"]
    order, request = SHARED[call.method], call.args[-1]
    differing = _shape_differences(order, request, answer)
    if differing:
        return differing
    whole = Call(call.method, (*call.args[:-1], PageRequest(MAX_PAGE, request.after)), call.kwargs)
    expected = [item for item in answer_of(model, whole).items if _told(order, answer, item)]
    return _items_differences(model, expected, [item for item in answer.items if mine(item)])


def _told(order: paging.Order, answer: Page[Any], item: Any) -> bool:
    if answer.next is None:
        return True
    position = order.position(item)
    return position >= answer.next if order.descending else position <= answer.next


def due_differences(model: Model, call: Call, answer: Answer, window: Window) -> list[str]:
    """Compare one page of what is due by a clock that is known only to lie in `window`."""
    if not isinstance(answer, Page):
        return [f"{describe(answer)} instead of Page"]
    differing = _shape_differences(paging.DUE, call.args[-1], answer)
    owner = {"owner": call.kwargs["owner"]}
    surely, perhaps = (
        answer_of(model, Call("due_schedules", (moment, PageRequest(MAX_PAGE)), owner)).items
        for moment in (window.low, window.high)
    )
    told = [key_of(item) for item in answer.items]
    missing = [item for item in surely if _told(paging.DUE, answer, item) and key_of(item) not in told]
    known = {key_of(item): item for item in perhaps}
    expected = [known[key] for key in told if key in known]
    return differing + (["items missing"] if missing else []) + _items_differences(model, expected, answer.items)


def _shape_differences(order: paging.Order, request: PageRequest, answer: Page[Any]) -> list[str]:
    positions = [order.position(item) for item in answer.items]
    walked = ([request.after] if request.after else []) + positions
    steps = pairwise(walked)
    ordered = all(first > second if order.descending else first < second for first, second in steps)
    said = {
        "items in another order": not ordered,
        "items beyond the limit": len(positions) > request.limit,
        "next": answer.next is not None and (not positions or answer.next != positions[-1]),
    }
    return [words for words, wrong in said.items() if wrong]
