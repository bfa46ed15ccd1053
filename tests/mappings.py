"""Mappings for tests, without a catalog."""

from __future__ import annotations

from collections.abc import Sequence

from pg2dynamo.mapping.table import Attribute, IndexMapping, SourceKeyColumn, TableMapping, TableName
from pg2dynamo.mapping.types import ColumnType, Kind, key_form


def type_of(kind: Kind, element: Kind | ColumnType | None = None, delimiter: str = ",") -> ColumnType:
    """The type of a kind, or of arrays of a kind."""
    inner = ColumnType(element, element.value, 0) if isinstance(element, Kind) else element
    return ColumnType(kind, kind.value, 0, inner, delimiter)


def column(name: str, kind: Kind, element: Kind | ColumnType | None = None, delimiter: str = ",") -> Attribute:
    """A column that becomes an attribute as it is."""
    return Attribute(name, f'"{name}"', type_of(kind, element, delimiter), name)


def mapping_of(
    *attributes: Attribute,
    hash: str = "id",
    range: str | None = None,
    indexes: Sequence[IndexMapping] = (),
    source_key: Sequence[SourceKeyColumn] | None = None,
) -> TableMapping:
    """A mapping of these columns; without a column `id` it gets one of text."""
    if hash == "id" and all(attribute.name != "id" for attribute in attributes):
        attributes = (column("id", Kind.TEXT), *attributes)
    types = {attribute.name: attribute.type for attribute in attributes}
    names = {hash, range, *(index.hash for index in indexes), *(index.range for index in indexes)} - {None}
    forms = tuple(sorted((name, key_form(types[name]) or "") for name in names if name is not None))
    position = next(n for n, attribute in enumerate(attributes) if attribute.name == hash)
    keys = (SourceKeyColumn(hash, types[hash], position),) if source_key is None else tuple(source_key)
    table = TableName("public", "things")
    return TableMapping(table, "things", tuple(attributes), keys, hash, range, tuple(indexes), forms)
