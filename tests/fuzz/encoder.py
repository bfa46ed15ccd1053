"""Random lines, encoded by the native encoder and by the reference: `python -m tests.fuzz.encoder`.

Started by `sanitized`, on a build that ends at the first read or write out of bounds. What differs from the reference
is shown with the seed of its round; `--seed N --rounds 1` makes the same again.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from dataclasses import dataclass, replace

from pg2dynamo.errors import Pg2DynamoError
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.native import in_use, native_encoder
from pg2dynamo.mapping.row_program import FastEncoder, row_program
from pg2dynamo.mapping.table import IndexMapping, TableMapping
from pg2dynamo.mapping.types import Kind
from tests.fuzz.material import VALUES, Value, random_line
from tests.mappings import column, mapping_of

LINES = 60
"""In each round, of one mapping."""


@dataclass(frozen=True)
class Subject:
    """A mapping, its encoders, and what makes the fields of its lines."""

    mapping: TableMapping
    reference: Encoder
    native: FastEncoder
    values: tuple[Value, ...]


@dataclass
class Count:
    """What came of the lines."""

    written: int = 0
    left: int = 0
    refused: int = 0


def subject(mapping: TableMapping) -> Subject:
    """Make the encoders of a mapping."""
    program = row_program(mapping)
    assert program is not None
    reference = Encoder(mapping)
    native = native_encoder(program, [convert for _, convert in reference._columns])
    if native is None:
        raise SystemExit(f"The native encoder is not used: {in_use()}")
    types = [attribute.type for attribute in mapping.attributes]
    values = tuple(VALUES[kind.kind, kind.element.kind if kind.element else None] for kind in types)
    return Subject(mapping, reference, native, values)


def subjects() -> list[Subject]:
    """One of each form alone, some side by side, and keys of two attributes with an index."""
    columns = [column(f'{kind} of {element} ☃"', kind, element) for kind, element in VALUES]
    kept = [replace(one, nulls=True) for one in columns]
    key = (column("b", Kind.BYTEA), column("a", Kind.NUMERIC), column("c", Kind.TEXT))
    return [
        *(subject(mapping_of(one)) for one in columns),
        *(subject(mapping_of(*columns[n::6])) for n in range(6)),
        *(subject(mapping_of(*kept[n : n + 4])) for n in range(0, len(kept), 4)),
        subject(mapping_of(*key, hash="a", range="b", indexes=[IndexMapping("by_c", "c", None)])),
    ]


def compare(subject: Subject, lines: list[bytes], count: Count) -> str | None:
    """Encode the lines both ways; return what differs, None when nothing does."""
    keys, items, left = subject.native.encode(lines)
    others = set(left)
    if len(keys) != len(items) or len(keys) + len(left) != len(lines) or list(left) != sorted(others):
        return f"{len(lines)} lines became {len(keys)} keys and {len(items)} items, and {len(left)} are left"
    written = iter(zip(keys, items, strict=True))
    for number, line in enumerate(lines):
        try:
            expected = subject.reference.encode(line)
        except Pg2DynamoError:
            count.refused += 1
            if number not in others:
                return f"the reference refuses {line!r}, the native encoder made {next(written)}"
            continue
        if number in others:
            count.left += 1
            continue
        count.written += 1
        made = next(written)
        if made != (expected.key, expected.item) or expected.nulled:
            return f"of {line!r}\nthe reference makes {expected.key!r} {expected.item!r}\nthe native encoder {made}"
    return None


def main() -> int:
    """Run until the time or the rounds are over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, when --rounds is not given")
    parser.add_argument("--rounds", type=int, help=f"how many times {LINES} lines of each mapping")
    parser.add_argument("--seed", type=int, default=0, help="of the first round; each has the next")
    arguments = parser.parse_args()
    ends = time.monotonic() + arguments.seconds
    every, count = subjects(), Count()
    rounds = itertools.count() if arguments.rounds is None else range(arguments.rounds)
    for number in rounds:
        if arguments.rounds is None and time.monotonic() >= ends:
            break
        chance = random.Random(arguments.seed + number)
        for one in every:
            fault = compare(one, [random_line(chance, one.values) for _ in range(LINES)], count)
            if fault:
                print(f"Seed {arguments.seed + number}, {one.mapping.select_list}:\n{fault}")
                return 1
    print(f"{count.written} lines equal, {count.left} left, {count.refused} refused by both; nothing differs.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
