"""One worker: makes its calls, holds every answer against its model, and never loses track of what is there."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from datetime import datetime
from typing import Any

from onboarding.store.errors import AlreadyExists, Changed, NotFound, Unavailable
from onboarding.store.interface import Page
from onboarding.traffic.asking import Asked, Asker, GaveUp
from onboarding.traffic.calls import ID_FIELDS, Answer, Call, answer_of, describe, intent
from onboarding.traffic.comparison import differences, due_differences, is_shared, shared_differences
from onboarding.traffic.deleting import get_gone
from onboarding.traffic.model import Model, Window, is_error
from onboarding.traffic.report import WrongAnswer
from onboarding.traffic.scene import Peer, Scene

LOOK_AGAIN_SECONDS = 0.05
NAMES_KEPT = 20_000
DONE_BEFORE = {"create": AlreadyExists, "update": Changed, "delete": NotFound}
"""How a write is refused when it is repeated after it had happened."""


class Worker:
    """See the module. Not for several threads."""

    def __init__(self, scene: Scene, asker: Asker) -> None:
        self.scene, self.asker = scene, asker
        self._names: OrderedDict[str, str] = OrderedDict()
        self._peers: dict[str, str] = {}

    @property
    def model(self) -> Model:
        """What this worker knows to be there."""
        return self.scene.model

    def do(self, call: Call) -> Answer:
        """Make one call, judge the answer, and return what the answer must be. Raises GaveUp."""
        self.asker.operation += 1
        line = intent(call, self._name)
        if call.method == "sweep":
            expected: Answer = self._sweep(call)
        elif call.repeat and self.scene.features.replays:
            expected = self._replay(call)
        else:
            expected = self._write(call) if call.writes else self._read(call)
        outcome = describe(expected) if is_error(expected) else "done"
        if is_error(expected):
            self.asker.tally.refusals[f"{call.kind}: {outcome}"] += 1
        self.asker.tally.intended(line, "" if is_shared(call) else outcome)
        self.asker.around.counts.add(operations=1)
        return expected

    def name_peer(self, number: int, peer: Peer) -> None:
        """Give the ids of another worker's things names that are the same in every run."""
        for name in ("tenant_id", "provider_id", "account_id"):
            self._peers[str(getattr(peer, name))] = f"{name} of worker {number}"

    def _name(self, text: str) -> str:
        return self._names.get(text) or self._peers.get(text, text)

    # Reads

    def _read(self, call: Call) -> Answer:
        began = self.asker.around.watch.now()
        while True:
            asked = self.asker.until_answered(call)
            expected, answer = answer_of(self.model, call), asked.answer
            found = self._compare(call, expected, asked)
            if not found or not self._may_yet_agree(call, expected, answer, began):
                break
            self.asker.tally.reread += 1
        if found:
            self._wrong(call, found)
            self._follow(call, expected, answer)
        elif not is_shared(call):
            self.model.settle(answer)
        return expected

    def _compare(self, call: Call, expected: Answer, asked: Asked) -> list[str]:
        if is_shared(call):
            return shared_differences(self.model, call, asked.answer, self.scene.mine)
        if call.method == "due_schedules" and self.scene.features.reckons_runs:
            return due_differences(self.model, call, asked.answer, self._window(asked.began, asked.ended))
        return differences(self.model, expected, asked.answer)

    def _may_yet_agree(self, call: Call, expected: Answer, answer: Answer, began: float) -> bool:
        around = self.asker.around
        lagging = isinstance(answer, Page) and (isinstance(expected, Page) or is_shared(call))
        allowed = around.options.lag_seconds if lagging else 0.0
        if call.gone:
            allowed = max(allowed, around.options.deletion_seconds)
        if around.watch.now() - began >= allowed:
            return False
        if call.gone and self.scene.features.sweeps:
            self.asker.until_answered(Call("sweep"))
        around.watch.sleep(LOOK_AGAIN_SECONDS)
        return True

    def _follow(self, call: Call, expected: Answer, answer: Answer) -> None:
        """After a wrong answer to a read by id believe the target, so that one fault is not told again and again."""
        if not call.method.startswith("get_") or is_error(expected) or call.method.startswith("get_credential"):
            return
        if isinstance(answer, NotFound) and call.method.removeprefix("get_") in ID_FIELDS:
            self.model.forget((call.method.removeprefix("get_"), call.args[0]))
        elif type(answer) is type(expected):
            self.model.settle(answer)

    def _sweep(self, call: Call) -> Answer:
        answer = self.asker.until_answered(call).answer
        if not isinstance(answer, int):
            self._wrong(call, [f"{describe(answer)} instead of int"])
        return 0

    # Writes

    def _write(self, call: Call) -> Answer:
        below = self.model.descendants(call.record_kind, call.args[0]) if call.method in _DELETIONS else []
        tenant_id = self._tenant_of_deleted(call) if below else None
        asked = self.asker.once(call)
        lost = isinstance(asked.answer, Unavailable)
        expected = self._recover(call, asked.began) if lost else self._judge(call, asked, asked.began)
        if lost and not is_error(expected):
            self._see_the_end_of(below, tenant_id)
        if call.method.startswith("create_") and not is_error(expected):
            self.scene.last_creation = self._named_as_made(call, expected)
        self.model.forget_receipts()
        return expected

    def _recover(self, call: Call, began: datetime) -> Answer:
        """After a lost answer find out whether the write has happened, and repeat it until it has."""
        patience = self.asker.patience()
        try:
            while True:
                patience.wait()
                if self._has_happened(call, began):
                    return self._follow_lost(call, began)
                asked = self.asker.once(call)
                if not isinstance(asked.answer, Unavailable):
                    return self._judge(call, asked, began, repeated=True)
        except GaveUp:
            self.asker.tally.outcomes["not known"] += 1
            raise

    def _tenant_of_deleted(self, call: Call) -> Any:
        records = self.model.all(call.record_kind, **{ID_FIELDS[call.record_kind]: call.args[0]})
        return self.model.tenant_of(records[0]) if records else None

    def _judge(self, call: Call, asked: Asked, began: datetime, *, repeated: bool = False) -> Answer:
        """Let the model follow a write that was answered, and hold the answer against it."""
        call = self._named_as_made(call, asked.answer)
        expected = self.model.apply(call, self._window(began, asked.ended))
        answer = self._of_the_first(call, expected, asked.answer) if repeated else asked.answer
        found = differences(self.model, expected, answer)
        if found:
            self._wrong(call, found)
            self._make_good(call, expected, answer)
        else:
            self.model.settle(answer)
        return expected

    def _of_the_first(self, call: Call, expected: Answer, answer: Answer) -> Answer:
        """Return the answer to a repeated write; of one that had happened meanwhile what a read tells of it."""
        refused = is_error(expected)
        happened = not refused and isinstance(answer, DONE_BEFORE.get(call.method.partition("_")[0], ()))
        self.asker.tally.outcomes["happened" if happened else "refused" if refused else "repeated"] += 1
        probe = call.probe()
        if not happened or probe is None:
            return answer
        found = self.asker.until_answered(probe).answer
        return None if call.method.startswith("delete_") and isinstance(found, NotFound) else found

    def _has_happened(self, call: Call, began: datetime) -> bool:
        """Return whether what a read tells is no longer as before the write."""
        probe = self._probe(call)
        if probe is None or is_error(self.model.fork().apply(call, self._window(began, began))):
            return False
        told = self.asker.until_answered(probe).answer
        return bool(differences(self.model, answer_of(self.model, probe), told))

    def _probe(self, call: Call) -> Call | None:
        unnamed = call.method.startswith("create_") and self.scene.features.gives_ids
        return None if unnamed else call.probe()

    def _follow_lost(self, call: Call, began: datetime) -> Answer:
        """Let the model follow a write whose answer was lost, and hold what a read tells against it."""
        probe = call.probe()
        asked = self.asker.until_answered(probe) if probe else Asked(None, began, began)
        expected = self.model.apply(call, self._window(began, asked.ended))
        wanted = answer_of(self.model, probe) if probe else None
        found = differences(self.model, wanted, asked.answer)
        if found:
            self._wrong(call, ["neither as before nor as after", *found])
            self._make_good(call, expected, asked.answer)
        else:
            self.asker.tally.outcomes["happened"] += 1
            self.model.settle(asked.answer)
        return expected

    def _window(self, began: datetime, ended: datetime) -> Window:
        allowance = self.asker.around.options.clock_allowance
        return Window(began - allowance, ended + allowance)

    def _see_the_end_of(self, below: list[Any], tenant_id: Any) -> None:
        """After a deletion that was cut short wait until all that was below has gone."""
        for key in below:
            call = get_gone(key, {} if self.scene.features.platform else {"owner": tenant_id})
            self._read(replace(call, why="after a deletion cut short"))

    def _make_good(self, call: Call, expected: Answer, answer: Answer) -> None:
        """After a wrong answer to a write find out what is there, and go on from that."""
        verb, _, kind = call.method.partition("_")
        if verb == "create" and is_error(expected) and not is_error(answer) and kind in ("tenant", "provider"):
            identifier = getattr(answer, ID_FIELDS[kind], None)
            self.asker.once(Call(f"delete_{kind}", (identifier,), why="made wrongly"))
            return
        probe = call.probe()
        if probe is None or kind not in ID_FIELDS:
            return
        told = self.asker.until_answered(probe).answer
        if isinstance(told, NotFound):
            self.model.forget((kind, probe.args[0]))
        elif not is_error(told):
            self.model.settle(told)

    def _replay(self, call: Call) -> Answer:
        """Repeat a creation at a target that then gives what it gave."""
        probe = call.probe()
        answer = self.asker.until_answered(call).answer
        expected = answer_of(self.model, probe) if probe else None
        found = differences(self.model, expected, answer)
        if found:
            self._wrong(call, found)
        return expected

    def _named_as_made(self, call: Call, answer: Answer) -> Call:
        """Return a creation with the id that the target gave, remembering the generator's own."""
        if not self.scene.features.gives_ids or not call.method.startswith("create_") or is_error(answer):
            return call
        new, id_field = call.args[0], ID_FIELDS[call.record_kind]
        given = getattr(answer, id_field)
        self._names[str(given)] = str(getattr(new, id_field))
        while len(self._names) > NAMES_KEPT:
            self._names.popitem(last=False)
        return replace(call, args=(replace(new, **{id_field: given}), *call.args[1:]))

    def _wrong(self, call: Call, found: list[str]) -> None:
        self.asker.around.counts.add(wrong=1)
        self.asker.tally.was_wrong(WrongAnswer(self.asker.worker, self.asker.operation, call.kind, tuple(found)))


_DELETIONS = ("delete_tenant", "delete_provider", "delete_account", "delete_schedule")
