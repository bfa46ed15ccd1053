"""A check that shares the copy's code repeats the copy's mistakes: by what it imports, verification shares none."""

from __future__ import annotations

import grimp
import pytest

CHECKING = (
    "pg2dynamo.migration.verify_table",
    "pg2dynamo.migration.verify_segment",
    "pg2dynamo.migration.look_again",
    "pg2dynamo.migration.secret_comparison",
    "pg2dynamo.postgres.binary",
    "pg2dynamo.postgres.embedded_rows",
    "pg2dynamo.postgres.row_digests",
    "pg2dynamo.mapping.decode",
    "pg2dynamo.mapping.digest",
    "pg2dynamo.mapping.document_digests",
    "pg2dynamo.mapping.item_digests",
    "pg2dynamo.mapping.key_text",
)
COPYING = (
    "pg2dynamo.migration.copy_segment",
    "pg2dynamo.mapping.embedding",
    "pg2dynamo.mapping.encode",
    "pg2dynamo.mapping.arrays",
    "pg2dynamo.mapping.documents",
    "pg2dynamo.mapping.document_text",
    "pg2dynamo.mapping.generated",
    "pg2dynamo.mapping.instants",
    "pg2dynamo.mapping.numbers",
)


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("pg2dynamo")


@pytest.mark.parametrize("checking", CHECKING)
@pytest.mark.parametrize("copying", COPYING)
def test_what_checks_imports_nothing_that_converts_for_copying(
    imports: grimp.ImportGraph, checking: str, copying: str
) -> None:
    assert {checking, copying} <= imports.modules
    assert imports.find_shortest_chain(checking, copying) is None
