"""Record in the control table that a command runs, and how it ended."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pg2dynamo.dynamodb.journal import Journal, RunRecord
from pg2dynamo.dynamodb.records import RunState
from pg2dynamo.errors import Pg2DynamoError
from pg2dynamo.postgres.snapshot import SnapshotPosition


class Run:
    """One run of one command, recorded as running until it is ended."""

    def __init__(self, journal: Journal, record: RunRecord) -> None:
        self._journal = journal
        self.record = record
        journal.put_run(record)

    def end(self, state: RunState, summary: Mapping[str, Any]) -> None:
        """Record durably how the run ended."""
        self.record = replace(self.record, state=state, ended_at=_now(), summary=dict(summary))
        self._journal.put_run(self.record)


@contextmanager
def recorded_run(journal: Journal, command: str, position: SnapshotPosition | None = None) -> Iterator[Run]:
    """Record a run; one that raises is recorded as failed, one that is interrupted as incomplete.

    The kind of an error is recorded with its message; messages hold no values.
    """
    record = RunRecord(
        run_id=uuid4().hex,
        command=command,
        state="running",
        started_at=_now(),
        ended_at=None,
        host=socket.gethostname(),
        process=os.getpid(),
        snapshot=position.snapshot if position else None,
        lsn=position.lsn if position else None,
    )
    run = Run(journal, record)
    try:
        yield run
    except KeyboardInterrupt:
        run.end("incomplete", {"error": "interrupted"})
        raise
    except Pg2DynamoError as error:
        run.end("failed", {"error": type(error).__name__, "message": str(error)})
        raise
    except Exception as error:
        run.end("failed", {"error": type(error).__name__})
        raise


def _now() -> str:
    # Runs are told apart and ordered by this: two of one second are no rarity.
    return datetime.now(UTC).isoformat(timespec="microseconds")
