"""The application as a process: a server on one address, logs as lines of JSON on standard error."""

from __future__ import annotations

import json
import logging
import signal
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from onboarding.api.request_log import error_place

STOP_SECONDS = 10
"""How long requests that are under way may take when the server is told to stop."""


class JsonLines(logging.Formatter):
    """One JSON object for each record: when, how grave, from where, and what. Of an error never its text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": when.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        message = record.getMessage()
        # The service's own records are JSON already.
        line |= json.loads(message) if record.name.startswith("onboarding.") else {"message": message}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = error_place(record.exc_info[1])
        return json.dumps(line)


class _Server(uvicorn.Server):
    """Tells its address once it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[str, int], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._listening(host, port)


def serve_app(app: FastAPI, host: str, port: int, listening: Callable[[str, int], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests that are under way are finished first. Port 0 picks a free one.

    Raises OSError when the address cannot be had.
    """
    with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as bound:
        _log_as_json()
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=STOP_SECONDS
        )
        # The server gives the signal on to whoever had it before, once it has stopped: that is then the end of it.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _ended)
        _Server(config, listening).run(sockets=[bound])


def _ended(number: int, frame: FrameType | None) -> None:
    """Do nothing: the server has stopped."""


def _log_as_json() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("onboarding", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
