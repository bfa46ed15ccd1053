"""The lease of a migration: one runner at a time, and a new one only when nothing of the old can land any more.

The holder renews it every few seconds and stops itself when it could not, before anybody may take the lease over.
`takeover.decide` says what a newcomer may do; here it is done.

What it cannot do: DynamoDB has no conditions on batched writes, so a process that is stopped between its look
at the lease and its request, and goes on after another has taken over, can still send that one request. Journal
writes are safe from that (`Journal.lease`), and verification finds what such a request did to items.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pg2dynamo.dynamodb import records
from pg2dynamo.dynamodb.client import aws_errors, error_code
from pg2dynamo.dynamodb.holder import clock_seconds, has_died, is_local, this_process
from pg2dynamo.dynamodb.lease_record import ENTRY, LeaseRecord, lease_values, read_lease
from pg2dynamo.dynamodb.takeover import LeaseTimes, Sight, decide
from pg2dynamo.errors import RunnerActive, StageError, TargetError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

POLL_SECONDS = 1.0
"""How often a newcomer that waits looks again."""


_OURS = "#token = :token AND #held = :held"


@dataclass(frozen=True, slots=True)
class _Look:
    record: LeaseRecord | None
    sight: Sight


class Lease:
    """Hold the migration's lease while the context lasts; made by `Journal.lease`.

    Entering raises RunnerActive at once while another holds it, and waits while something of an earlier
    holder may still land (`say` tells). Leaving gives it back. `on_lost` is called once, from any thread, when
    the lease is lost: stop at once what still writes. Renewals use a client of their own, whose short timeout
    keeps one lost request from costing the lease.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        renewing_client: DynamoDBClient,
        control_table: str,
        migration: str,
        command: str,
        times: LeaseTimes,
        *,
        say: Callable[[str], None] = lambda _: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._renewing_client = renewing_client
        self._table = control_table
        self._key = {"migration": {"S": migration}, "entry": {"S": ENTRY}}
        self._command = command
        self._times = times
        self._say = say
        self._on_lost = on_lost
        self._token = uuid.uuid4().hex
        self._holder = this_process()
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._losing = threading.Lock()
        self._renewing = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name="pg2dynamo-lease", daemon=True)
        self._beat = 0
        self._entered = False
        self._renewed_clock = 0.0
        self.epoch = 0

    @property
    def lost(self) -> bool:
        """Whether the lease is not surely ours any more."""
        return self._lost.is_set() or self._overdue()

    @property
    def entered(self) -> bool:
        """Whether the lease's context is entered and not yet left."""
        return self._entered

    def check(self) -> None:
        """Raise StageError unless the lease is surely ours; call it before each step that another must not see.

        When the last renewal is too long ago (the process or the machine was asleep), it is renewed here.
        """
        if not self._lost.is_set() and self._overdue():
            self._try_renewal()
        if self.lost:
            raise self.error()

    def error(self) -> StageError:
        """Return the error that tells of the loss."""
        return StageError(
            "This run has lost its lease: it could not renew it in time, or another run took over.",
            remedy="See `pg2dynamo status`, and run the command again when no other run is active.",
        )

    def lose(self) -> None:
        """Take note that the lease is lost; nothing brings it back. Tells `on_lost` the first time."""
        with self._losing:
            first = not self._lost.is_set()
            self._lost.set()
        if first:
            self._on_lost()

    def fence(self) -> dict[str, Any]:
        """Return the condition, for a transaction, that the lease is ours."""
        return {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": self._key,
                "ConditionExpression": _OURS,
                "ExpressionAttributeNames": {"#token": "token", "#held": "held"},
                "ExpressionAttributeValues": self._ours(),
            }
        }

    def __enter__(self) -> Lease:
        self._acquire()
        self._entered = True
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        self._stop.set()
        self._thread.join()
        if not self._lost.is_set():
            self._release(settle_seconds=0.0 if kind is None else self._times.request)

    def _acquire(self) -> None:
        seen = self._look(None)
        told = False
        while True:
            wait = decide(seen.record, seen.sight)
            if wait is None and seen.record is not None:
                raise _active(seen.record)
            if not wait and self._take(seen.record):
                return
            if wait and not told:
                self._say(f"An earlier run did not end cleanly: waiting up to {wait:.0f} seconds until it is safe.")
                told = True
            time.sleep(min(wait or 0.0, POLL_SECONDS))
            before, seen = seen, self._look(seen)
            self._require_not_renewed(before, seen)

    def _look(self, before: _Look | None) -> _Look:
        """Read the lease and look at its holder; `seen_since` goes on while both stay as they were `before`."""
        record = self._read()
        local = record is not None and is_local(record.holder)
        dead = record is not None and has_died(record.holder)
        clock = clock_seconds()
        same = before is not None and (before.record, before.sight.dead) == (record, dead)
        since = before.sight.seen_since if before is not None and same else clock
        return _Look(record, Sight(datetime.now(UTC), clock, local, dead, since))

    @staticmethod
    def _require_not_renewed(before: _Look, seen: _Look) -> None:
        """Raise RunnerActive when a holder that was silent has renewed; a dead one's last renewal may still land."""
        record = seen.record
        if record is None or not record.held or seen.sight.dead or record == before.record:
            return
        if before.record is None or before.record.token == record.token:
            raise _active(record)

    def _take(self, seen: LeaseRecord | None) -> bool:
        """Write ourselves as the holder where `seen` still stands; return whether we are."""
        epoch = seen.epoch + 1 if seen else 1
        clock = clock_seconds()
        record = self._record(epoch, clock)
        if not self._write(record, seen) and self._read() != record:
            return False
        self.epoch, self._renewed_clock = epoch, clock
        return True

    def _record(self, epoch: int, clock: float, *, held: bool = True, settle_seconds: float = 0.0) -> LeaseRecord:
        return LeaseRecord(
            epoch=epoch,
            token=self._token,
            command=self._command,
            held=held,
            holder=self._holder,
            beat=self._beat,
            renewed_at=datetime.now(UTC).isoformat(),
            renewed_clock=clock,
            expiry_seconds=self._times.expiry,
            request_seconds=self._times.request,
            settle_seconds=settle_seconds,
        )

    def _keep(self) -> None:
        while not self._stop.wait(self._times.heartbeat):
            self._try_renewal()
            if self.lost:
                self.lose()
                return

    def _try_renewal(self) -> None:
        """Renew the lease; a renewal that fails is tried again at the next beat, until it is too late."""
        with self._renewing:
            clock = clock_seconds()
            self._beat += 1
            try:
                ours = self._renew(self._renewing_client, self._record(self.epoch, clock))
            except TargetError:
                return
            if ours:
                self._renewed_clock = clock
        if not ours:
            self.lose()

    def _overdue(self) -> bool:
        return clock_seconds() - self._renewed_clock > self._times.holder_stops

    def _release(self, settle_seconds: float) -> None:
        self._beat += 1
        try:
            record = self._record(self.epoch, clock_seconds(), held=False, settle_seconds=settle_seconds)
            self._renew(self._client, record)
        except TargetError:
            self._say("The lease could not be given back: it runs out by itself.")

    def _renew(self, client: DynamoDBClient, record: LeaseRecord) -> bool:
        """Write the record where the lease is ours; return False when it is not."""
        return self._store(client, record, _OURS, self._ours())

    def _ours(self) -> dict[str, Any]:
        return {":token": {"S": self._token}, ":held": {"BOOL": True}}

    def _write(self, record: LeaseRecord, seen: LeaseRecord | None) -> bool:
        """Write the record where the lease is as it was seen."""
        if seen is None:
            return self._store(self._client, record, "attribute_not_exists(#token)", {})
        values = {":token": {"S": seen.token}, ":held": {"BOOL": seen.held}, ":beat": {"N": str(seen.beat)}}
        return self._store(self._client, record, f"{_OURS} AND #beat = :beat", values)

    def _store(self, client: DynamoDBClient, record: LeaseRecord, condition: str, values: dict[str, Any]) -> bool:
        names = {"#token": "token", "#held": "held", "#beat": "beat"}
        request: dict[str, Any] = {
            "TableName": self._table,
            "Item": records.to_item(self._key["migration"]["S"], ENTRY, lease_values(record)),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {alias: name for alias, name in names.items() if alias in condition},
        }
        if values:
            request["ExpressionAttributeValues"] = values
        with aws_errors(f"write the lease in the control table {self._table}"):
            try:
                client.put_item(**request)
            except ClientError as error:
                if error_code(error) == "ConditionalCheckFailedException":
                    return False
                raise
        return True

    def _read(self) -> LeaseRecord | None:
        return read_lease(self._client, self._table, self._key["migration"]["S"])


def _active(record: LeaseRecord) -> RunnerActive:
    return RunnerActive(
        f"Another run works on this migration: `{record.command}`, process {record.holder.process} on "
        f"{record.holder.host}, last heard of at {record.renewed_at}.",
        remedy="Wait until it ends, or stop it. If it is dead, its lease can be taken over "
        f"{record.expiry_seconds:.0f} seconds after it was last heard of.",
    )
