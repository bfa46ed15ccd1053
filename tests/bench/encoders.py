"""Measure the encoders on lines of COPY text: `python -m tests.bench.encoders [--json]`.

Each encodes the same lines in this process, in batches as copying reads them: small rows (13 columns, three in ten
values NULL, items of about 430 bytes) and large ones (2 KB, with nested jsonb and arrays). Rounds are interleaved, and
the median of the CPU time is shown. What an encoder leaves is encoded by the reference, as copying does, and counts.
Without the native encoder the other two are measured, and the first line says why.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.generated import GeneratedEncoder
from pg2dynamo.mapping.native import in_use, native_encoder
from pg2dynamo.mapping.row_program import FastEncoder, row_program
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.types import Kind
from tests.copy_lines import copy_field, jsonb_text
from tests.mappings import column, mapping_of

BATCH = 500
WORDS = ("active", "tenant", "the", "cloud", "scan", "of", "a", "account", "région", "paused", "result", "credential")

Encode = Callable[[list[bytes]], int]


def small_rows(rows: int, chance: random.Random) -> tuple[TableMapping, list[bytes]]:
    """Return a mapping of 13 columns and lines of it."""
    mapping = mapping_of(
        column("id", Kind.UUID),
        column("tenant_id", Kind.UUID),
        column("account_name", Kind.TEXT),
        column("status", Kind.TEXT),
        column("priority", Kind.INTEGER),
        column("score", Kind.NUMERIC),
        column("enabled", Kind.BOOLEAN),
        column("created_at", Kind.TIMESTAMPTZ),
        column("updated_at", Kind.TIMESTAMP),
        column("valid_from", Kind.DATE),
        column("description", Kind.TEXT),
        column("digest", Kind.BYTEA),
        column("owner_id", Kind.UUID),
    )
    return mapping, [_line(_small_row(chance), chance) for _ in range(rows)]


def _small_row(chance: random.Random) -> list[str]:
    return [
        _uuid(chance),
        _uuid(chance),
        _words(chance, 3),
        chance.choice(WORDS),
        str(chance.randrange(10**6)),
        f"{chance.random() * 1000:.2f}",
        chance.choice("tf"),
        f"2024-0{chance.randint(1, 9)}-11 0{chance.randint(0, 9)}:04:05.{chance.randrange(10**6):06d}+00",
        f"2024-0{chance.randint(1, 9)}-11 0{chance.randint(0, 9)}:04:05",
        f"2024-0{chance.randint(1, 9)}-11",
        _words(chance, 18),
        "\\x" + chance.randbytes(8).hex(),
        _uuid(chance),
    ]


def large_rows(rows: int, chance: random.Random) -> tuple[TableMapping, list[bytes]]:
    """Return a mapping with documents and arrays, and lines of it."""
    mapping = mapping_of(
        column("id", Kind.UUID),
        column("name", Kind.TEXT),
        column("created_at", Kind.TIMESTAMPTZ),
        column("settings", Kind.JSONB),
        column("history", Kind.JSONB),
        column("tags", Kind.ARRAY, Kind.TEXT),
        column("counts", Kind.ARRAY, Kind.INTEGER),
        column("notes", Kind.TEXT),
    )
    return mapping, ["\t".join(map(copy_field, _large_row(chance))).encode() for _ in range(rows)]


def _large_row(chance: random.Random) -> list[str]:
    settings = {
        "region": chance.choice(WORDS),
        "limits": {"cpu": chance.randrange(64), "memory": chance.randrange(2**16) / 8, "burst": None},
        "enabled": chance.random() < 0.5,
        "rules": [
            {"id": n, "name": _words(chance, 2), "weight": chance.randrange(10_000) / 100, "on": True} for n in range(6)
        ],
    }
    history = [
        {"at": f"2024-02-0{n % 9 + 1}T01:02:03Z", "by": _uuid(chance), "note": _words(chance, 4) + ' "quoted"'}
        for n in range(5)
    ]
    return [
        _uuid(chance),
        _words(chance, 3),
        "2024-03-11 03:04:05.678901+00",
        jsonb_text(settings),
        jsonb_text(history),
        "{" + ",".join(chance.choice(WORDS) for _ in range(8)) + ',"two words"}',
        "{" + ",".join(str(chance.randrange(10**5)) for _ in range(12)) + "}",
        _words(chance, 40),
    ]


def _line(fields: list[str], chance: random.Random) -> bytes:
    kept = [field if not n or chance.random() > 0.3 else None for n, field in enumerate(fields)]
    return "\t".join("\\N" if field is None else copy_field(field) for field in kept).encode()


def _uuid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128)))


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(count))


def encoders(mapping: TableMapping) -> dict[str, Encode]:
    """Return what encodes a batch and says how many bytes its items have, by name."""
    reference, program = Encoder(mapping), row_program(mapping)
    assert program is not None
    converters = [convert for _, convert in reference._columns]

    def alone(lines: list[bytes]) -> int:
        return sum(len(reference.encode(line).item) for line in lines)

    def fast(encoder: FastEncoder) -> Encode:
        def whole(lines: list[bytes]) -> int:
            _, items, left = encoder.encode(lines)
            return sum(map(len, items)) + sum(len(reference.encode(lines[n]).item) for n in left)

        return whole

    made = {"reference": alone, "generated": fast(GeneratedEncoder(program, converters))}
    native = native_encoder(program, converters)
    return made | ({"native": fast(native)} if native else {})


def measure(rows: int, rounds: int) -> dict[str, Any]:
    """Return for each kind of rows and each encoder its median rate."""
    chance = random.Random(1)
    result: dict[str, Any] = {"rounds": rounds, "encoder_in_use": in_use(), "rows": {}}
    for kind, (mapping, lines) in {"small": small_rows(rows, chance), "large": large_rows(rows, chance)}.items():
        batches = [lines[n : n + BATCH] for n in range(0, len(lines), BATCH)]
        able = encoders(mapping)
        seconds: dict[str, list[float]] = {name: [] for name in able}
        item_bytes = {name: sum(map(encode, batches)) for name, encode in able.items()}
        assert len(set(item_bytes.values())) == 1
        for _ in range(rounds):
            for name, encode in able.items():
                started = time.process_time()
                for batch in batches:
                    encode(batch)
                seconds[name].append(time.process_time() - started)
        result["rows"][kind] = {
            "line_bytes": round(sum(map(len, lines)) / len(lines)),
            "item_bytes": round(item_bytes["reference"] / len(lines)),
            "encoders": {name: _rates(statistics.median(times), rows) for name, times in seconds.items()},
        }
    return result


def _rates(seconds: float, rows: int) -> dict[str, float]:
    return {"rows_per_second": round(rows / seconds), "microseconds_per_row": round(seconds / rows * 1e6, 2)}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rows", type=int, default=10_000, help="rows of each kind in each round")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    result = measure(arguments.rows, arguments.rounds)
    if arguments.json:
        print(json.dumps(result))
        return 0
    print(
        f"{arguments.rows} rows of each kind, median of {result['rounds']} rounds; in use: {result['encoder_in_use']}"
    )
    for kind, measured in result["rows"].items():
        print(f"{kind} rows: {measured['line_bytes']} bytes of COPY text, {measured['item_bytes']} of DynamoDB JSON")
        for name, rates in measured["encoders"].items():
            print(f"  {name:10} {rates['microseconds_per_row']:8.2f} µs a row {rates['rows_per_second']:12,} rows/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
