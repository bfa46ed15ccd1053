"""A file of every operation and its answer, one JSON object a line, without the values of credentials."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import orjson

from onboarding.traffic.calls import Answer, Call, as_json


class Recording:
    """Writes what was asked and answered, in the order in which answers came. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = path.open("wb")

    def add(self, worker: int, operation: int, call: Call, answer: Answer, moment: str, seconds: float) -> None:
        """Write one call with its answer."""
        line: dict[str, Any] = {
            "worker": worker,
            "operation": operation,
            "at": moment,
            "seconds": round(seconds, 6),
            "kind": call.kind,
            "method": call.method,
            "arguments": as_json(call.args),
            "named": as_json(call.kwargs),
            "answer": as_json(answer),
        }
        with self._lock:
            self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        """Write what is left, and close the file."""
        with self._lock:
            self._file.close()
