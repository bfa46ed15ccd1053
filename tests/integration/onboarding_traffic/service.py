"""The service on a store, listening in this process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from onboarding.api.app import create_app
from onboarding.api.keys import TokenKeys
from onboarding.api.settings import ApiSettings
from onboarding.store.interface import Store

KEYS = TokenKeys((b"k" * 32,))
STARTING_SECONDS = 30


@contextmanager
def served(store: Store) -> Iterator[str]:
    """Give the address of the service on `store`."""
    config = uvicorn.Config(create_app(store, ApiSettings(KEYS)), log_config=None, access_log=False)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        # Inherited by what is accepted: asyncio sets it only on sockets that name their protocol.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            _wait_until_started(server)
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _wait_until_started(server: uvicorn.Server) -> None:
    deadline = time.monotonic() + STARTING_SECONDS
    while not server.started:
        assert time.monotonic() < deadline, "the service does not start"
        time.sleep(0.01)
