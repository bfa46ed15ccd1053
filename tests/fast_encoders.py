"""The encoders that must write the reference's bytes, by name, and how that is told."""

from __future__ import annotations

from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.generated import GeneratedEncoder
from pg2dynamo.mapping.native import in_use, native_encoder
from pg2dynamo.mapping.row_program import FastEncoder, row_program
from pg2dynamo.mapping.table import TableMapping
from tests.conftest import lacking

NAMES = ("generated", "native")


def fast_encoder(name: str, mapping: TableMapping) -> FastEncoder:
    """Make the encoder of that name; skip the test where this machine has it not."""
    program = row_program(mapping)
    assert program is not None
    converters = [convert for _, convert in Encoder(mapping)._columns]
    if name == "generated":
        return GeneratedEncoder(program, converters)
    native = native_encoder(program, converters)
    return native or lacking(f"the native encoder is not used: {in_use()}")


def require_equal(mapping: TableMapping, fast: FastEncoder, rows: list[bytes]) -> int:
    """Compare with the reference, line by line; return how many lines are left."""
    reference = Encoder(mapping)
    keys, items, left = fast.encode(rows)
    others = set(left)
    assert list(left) == sorted(others)
    assert len(keys) == len(items) == len(rows) - len(left)
    encoded = [reference.encode(row) for number, row in enumerate(rows) if number not in others]
    assert [one.key for one in encoded] == keys
    assert [one.item for one in encoded] == items
    assert not any(one.nulled for one in encoded)
    return len(left)
