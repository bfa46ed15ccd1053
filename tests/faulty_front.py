"""A DynamoDB that fails as a test says: passes requests on to a real one, but for the writes that meet a fault.

Everything else, the control table among it, is as on the real one; TLS when the test gives a context.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tests.scripted_endpoint import Exchange, Item, ScriptedEndpoint, Step

KEY_NAMES = ("id", "person", "place")
"""Of the tables of `case.PLAN`."""


class FaultyFront(ScriptedEndpoint):
    """A context manager. `faults` are steps for the writes to come, None for one that is passed on.

    `refuse_when` tells of an item that the service refuses: a request that holds one fails as a whole.
    """

    def __init__(self, upstream: str, tls: ssl.SSLContext | None = None) -> None:
        self._upstream = urlsplit(upstream)
        self.faults: deque[Step | None] = deque()
        self.faults_met = 0
        self.refuse_when: Callable[[Item], bool] = lambda item: False
        super().__init__(tls=tls)
        self.always(self._rule)

    def key_of(self, item: Item) -> Item:
        """The key attributes of an item of either table."""
        return {name: item[name] for name in KEY_NAMES if name in item}

    def execute(self, exchange: Exchange) -> dict[str, Any]:
        """Do what the request asks, on the real one."""
        if exchange.operation == "BatchWriteItem" and not exchange.operations():
            return {"UnprocessedItems": {}}
        status, body = self._pass_on(exchange)
        assert status == 200, "the real one refused what the test lets through"
        answer: dict[str, Any] = json.loads(body)
        return answer

    def _rule(self, exchange: Exchange) -> Step:
        if exchange.operation != "BatchWriteItem":
            return self._relay
        if any(item is not None and self.refuse_when(item) for _, _, item in exchange.operations()):
            return lambda exchange: exchange.fail(400, "ValidationException", "Item size has exceeded the maximum")
        with self.lock:
            fault = self.faults.popleft() if self.faults else None
            self.faults_met += fault is not None
        return fault or self._relay

    def _relay(self, exchange: Exchange) -> None:
        exchange.reply(*self._pass_on(exchange))

    def _pass_on(self, exchange: Exchange) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._upstream.hostname or "", self._upstream.port, timeout=30)
        try:
            names = ("content-type", "x-amz-target", "x-amz-date", "authorization")
            headers = {name: exchange.headers[name] for name in names}
            connection.request("POST", "/", exchange.body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
