"""A process that takes a lease and does what is written to its standard input, a word a line; used by test_lease.

It prints one line for the lease (`held EPOCH` or `refused`) and one for each word: `check`, `journal`, `end`.
"""

from __future__ import annotations

import json
import sys

from pg2dynamo.dynamodb.client import dynamodb_client
from pg2dynamo.dynamodb.journal import Journal, SegmentRecord
from pg2dynamo.dynamodb.lease import Lease
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.errors import RunnerActive, StageError

SEGMENT = SegmentRecord(leaf="public.a", number=0, blocks=1, filenode=1, as_of=1, rows=1, quarantined=0)


def tell(line: str) -> None:
    print(line, flush=True)


def obey(journal: Journal, lease: Lease, word: str) -> str:
    try:
        if word == "check":
            lease.check()
        if word == "journal":
            journal.put_segment("public.a", SEGMENT)
    except StageError:
        return "lost"
    return "done"


def main() -> None:
    given = json.loads(sys.argv[1])
    journal = Journal(dynamodb_client(TargetSettings()), given.pop("table"), "m")
    try:
        with journal.lease("copy", **given) as lease:
            tell(f"held {lease.epoch}")
            for line in sys.stdin:
                if line.strip() == "end":
                    break
                tell(obey(journal, lease, line.strip()))
    except RunnerActive:
        tell("refused")
        return
    tell("ended")


if __name__ == "__main__":
    main()
