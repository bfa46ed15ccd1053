"""Stores that go wrong in one way each, and one that does not always answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from onboarding.store.errors import Conflict, NotFound, StoreError, Unavailable
from onboarding.store.interface import Page
from onboarding.store.memory import MemoryStore
from onboarding.store.opening import utc_now
from onboarding.store.records import NewTenant
from onboarding.traffic import Target, TrafficOptions, TrafficReport, run_traffic
from onboarding.traffic.pacing import Watch

Method = Callable[..., Any]
PAUSED: list[float] = []


class Wrapped:
    """A store in memory whose calls all go through `call`."""

    def __init__(self, memory: MemoryStore | None = None) -> None:
        self.memory = memory or MemoryStore(utc_now)
        self.calls = 0
        self.lock = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.memory, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            with self.lock:
                self.calls += 1
            return self.call(name, method, *args, **kwargs)

        return call if callable(method) else method

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        """Make the call."""
        return method(*args, **kwargs)

    def now_and_then(self) -> bool:
        """Return whether to go wrong this time."""
        return self.calls % 3 == 0


class LosesUpdates(Wrapped):
    """Answers an update as it should, and forgets it."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        if name != "update_schedule" or not self.now_and_then():
            return method(*args, **kwargs)
        before = self.memory.get_schedule(args[0])
        answer = method(*args, **kwargs)
        self.memory._records["schedule"][args[0]] = before
        return answer


class _OfPages(Wrapped):
    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        answer = method(*args, **kwargs)
        return self.page(answer) if isinstance(answer, Page) and len(answer.items) > 1 else answer

    def page(self, page: Page[Any]) -> Page[Any]:
        raise NotImplementedError


class DropsAnItem(_OfPages):
    """Leaves one record out of a page."""

    def page(self, page: Page[Any]) -> Page[Any]:
        return Page(page.items[1:], page.next)


class RepeatsAnItem(_OfPages):
    """Tells one record of a page twice."""

    def page(self, page: Page[Any]) -> Page[Any]:
        return Page((page.items[0], *page.items), page.next)


class OrdersWrongly(_OfPages):
    """Gives a page from its end."""

    def page(self, page: Page[Any]) -> Page[Any]:
        return Page(tuple(reversed(page.items)), page.next)


class EndsEarly(_OfPages):
    """Says that nothing follows."""

    def page(self, page: Page[Any]) -> Page[Any]:
        return Page(page.items, None)


class IgnoresTheOwner(Wrapped):
    """Gives one tenant what is another's."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("get_"):
            kwargs.pop("owner", None)
        return method(*args, **kwargs)


class AnswersAnother(Wrapped):
    """Now and then gives another record of the same kind."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        answer = method(*args, **kwargs)
        others = list(self.memory._records["account"].values())
        return others[0] if name == "get_account" and self.now_and_then() else answer


class ForgetsACascade(Wrapped):
    """Deletes an account and leaves its scan results."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        if not name.startswith("delete_"):
            return method(*args, **kwargs)
        results = dict(self.memory._records["scan_result"])
        answer = method(*args, **kwargs)
        self.memory._records["scan_result"] = results
        return answer


class ForgetsACounter(Wrapped):
    """Ends an execution and does not count it."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        before = dict(self.memory._records["schedule"])
        answer = method(*args, **kwargs)
        if name == "update_execution":
            self.memory._records["schedule"] = before
        return answer


class AnswersStale(Wrapped):
    """Reads an account as it was before its last change."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[Any, Any] = {}

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        if name == "update_account":
            self.before[args[0]] = self.memory._records["account"].get(args[0])
        answer = method(*args, **kwargs)
        return self.before.get(answer.account_id) or answer if name == "get_account" else answer


class TakesANameTwice(Wrapped):
    """Creates a tenant whose name is taken."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except Conflict:
            if name != "create_tenant":
                raise
            new: NewTenant = args[0]
            made = self.memory.create_tenant(replace(new, tenant_name=f"{new.tenant_name} again"))
            return replace(made, tenant_name=new.tenant_name)


class MixesCredentials(Wrapped):
    """Gives the value of another account's credential."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        answer = method(*args, **kwargs)
        if name != "read_credential":
            return answer
        return replace(answer, credentials=next(iter(self.memory._credentials.values())).credentials)


class TurnsTimeBack(Wrapped):
    """Sets updated_at to before what it was."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        answer = method(*args, **kwargs)
        if name != "update_provider" or not args[1]:
            return answer
        earlier = replace(answer, updated_at=answer.created_at - timedelta(microseconds=1))
        self.memory._records["provider"][answer.provider_id] = earlier
        return earlier


class SwallowsAnError(Wrapped):
    """Says of a deletion that could not be that it was done."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except NotFound:
            if name.startswith("delete_"):
                return None
            raise


class IgnoresSeen(Wrapped):
    """Changes what is no longer as it was seen."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("seen", None)
        return method(*args, **kwargs)


class CreatesTwice(Wrapped):
    """Takes a repeated creation for a new one."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        if name != "create_execution":
            return method(*args, **kwargs)
        return method(replace(args[0], execution_id=None), **kwargs | {"receipt": None})


class Breaks(Wrapped):
    """Raises what no store may raise."""

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        if name == "list_providers":
            raise RuntimeError("with a value in it")
        return method(*args, **kwargs)


FAULTY: tuple[type[Wrapped], ...] = (
    LosesUpdates,
    DropsAnItem,
    RepeatsAnItem,
    OrdersWrongly,
    EndsEarly,
    IgnoresTheOwner,
    AnswersAnother,
    ForgetsACascade,
    ForgetsACounter,
    AnswersStale,
    TakesANameTwice,
    MixesCredentials,
    TurnsTimeBack,
    SwallowsAnError,
    IgnoresSeen,
    CreatesTwice,
    Breaks,
)


class Flaky(Wrapped):
    """Raises Unavailable before or after really doing what it was asked, at moments that a seed chooses."""

    def __init__(self, seed: int, *, before: float, after: float) -> None:
        super().__init__()
        self.random, self.before, self.after = Random(seed), before, after

    def call(self, name: str, method: Method, *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            chance = self.random.random()
        if chance < self.before:
            raise Unavailable("memory")
        try:
            return method(*args, **kwargs)
        except StoreError:
            raise
        finally:
            if chance > 1 - self.after:
                raise Unavailable("memory")


class QuickWatch:
    """A monotonic clock that a pause moves forward at once."""

    def __init__(self) -> None:
        self.seconds, self.slept = 0.0, 0.0
        self.lock = threading.Lock()

    def now(self) -> float:
        """Return the time."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Move on."""
        with self.lock:
            self.seconds += seconds
            self.slept += seconds


def run(
    store: object, *, label: str = "t", operations: int = 1_500, watch: Watch | None = None, **options: Any
) -> TrafficReport:
    """Run traffic against a store, without waiting for anything."""
    target = Target(store)  # type: ignore[arg-type]
    chosen = TrafficOptions(label=label, operations=operations, **{"deletion_seconds": 0, **options})
    return run_traffic(lambda: target, chosen, watch=watch)


def quick() -> Watch:
    """Return a watch whose pauses take no time."""
    watch = QuickWatch()
    return Watch(watch.now, watch.sleep)
