"""Named points at which a test can kill the process, to prove that a run resumes from there.

A point does nothing unless PG2DYNAMO_KILL_AT names it: `name` or `name:n` (the n-th time it is reached in
this process). The process then ends as by kill -9: nothing is flushed, no handler runs.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

VARIABLE = "PG2DYNAMO_KILL_AT"
_reached: Counter[str] = Counter()


def point(name: str) -> None:
    """Mark a place between two durable steps; see the module's docstring."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    wanted_name, _, nth = wanted.partition(":")
    _reached[name] += 1
    if name == wanted_name and _reached[name] == int(nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)
