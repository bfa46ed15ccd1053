"""The fast encoders on what a server writes of every type and of hostile values: the reference's bytes, or left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pg2dynamo.errors import RowRefused
from pg2dynamo.mapping.encode import Encoder
from pg2dynamo.mapping.table import TableMapping
from tests.conftest import Database
from tests.fast_encoders import NAMES, fast_encoder, require_equal
from tests.integration.reading import copied_lines, mapping_of, session
from tests.integration.zoo_table import ZOO, fill_zoo, make_zoo


def zoo_lines(database: Database, *, as_text: bool) -> tuple[TableMapping, list[bytes]]:
    """A table with a column of every type, and a line for each hostile value."""
    with database.connect() as writer:
        names = make_zoo(writer)
        fill_zoo(writer, names)
    attributes: Mapping[str, Any] = {name: {"as": "text"} for name in names} if as_text else {}
    with session(database) as reader:
        mapping = mapping_of(reader, ZOO, attributes=attributes)
        return mapping, copied_lines(reader, mapping)


def is_refused(reference: Encoder, line: bytes) -> bool:
    try:
        reference.encode(line)
    except RowRefused:
        return True
    return False


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("as_text", [False, True], ids=["as it is", "as text"])
def test_every_type_is_written_as_the_reference_writes_it_or_left(database: Database, name: str, as_text: bool) -> None:
    mapping, lines = zoo_lines(database, as_text=as_text)
    assert len(lines) > 600
    left = require_equal(mapping, fast_encoder(name, mapping), lines)
    assert left < len(lines) / (5 if name == "native" else 3)


def test_the_native_encoder_leaves_nothing_that_the_reference_writes(
    database: Database,
) -> None:
    mapping, lines = zoo_lines(database, as_text=False)
    fast, reference = fast_encoder("native", mapping), Encoder(mapping)
    left = fast.encode(lines)[2]
    assert [lines[n][:200] for n in left if not is_refused(reference, lines[n])] == []
