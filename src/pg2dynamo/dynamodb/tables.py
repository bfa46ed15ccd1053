"""Tables of DynamoDB: the shape that a mapping wants, the shape that is there, and how the two differ.

Creating is here, changing is not: a table of another shape is reported, never altered.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pg2dynamo.dynamodb.client import aws_errors, error_code
from pg2dynamo.errors import TargetError, TargetMissing, TargetShapeDiffers
from pg2dynamo.mapping.limits import GLOBAL_INDEXES, LOCAL_INDEXES, key_attribute_name_fault, table_name_fault
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.mapping.types import key_form

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ON_DEMAND = "PAY_PER_REQUEST"
NEW_TABLE_WRITE_UNITS, NEW_TABLE_READ_UNITS = 4_000, 12_000
"""What a new on-demand table takes a second, and the least warm throughput ("Warm throughput" of the guide)."""

WAIT_SECONDS = 900.0
"""How long a table may stay in creation or change: tables take seconds, an index over many items minutes."""

FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.1, 5.0
"""DescribeTable is free but limited in rate; the pause between two looks grows from the first to the second."""

PASSING_STATES = frozenset({"CREATING", "UPDATING", "DELETING", "ARCHIVING", "REPLICATION_NOT_AUTHORIZED"})
"""The states of tables and indexes that end by themselves."""


@dataclass(frozen=True, slots=True)
class IndexShape:
    """A secondary index: its key, what it projects, and whether it is local."""

    name: str
    hash: str
    range: str | None
    projection: str = "ALL"
    local: bool = False


@dataclass(frozen=True, slots=True)
class TableShape:
    """The key, the types of key attributes (`S`, `N`, `B`), the indexes and the billing of a table."""

    hash: str
    range: str | None
    types: tuple[tuple[str, str], ...]
    indexes: tuple[IndexShape, ...] = ()
    billing: str = ON_DEMAND

    def type_of(self, attribute: str) -> str | None:
        """Return the type of a key attribute."""
        return dict(self.types).get(attribute)


@dataclass(frozen=True, slots=True)
class DescribedTable:
    """A table as it is.

    `table_id` names this very table: one deleted and created anew under the same name has another.
    `item_estimate` is DynamoDB's, some six hours old. `protected` is its deletion protection.
    """

    name: str
    arn: str
    table_id: str
    status: str
    shape: TableShape
    index_states: tuple[tuple[str, str], ...]
    item_estimate: int
    protected: bool

    @property
    def active(self) -> bool:
        """Whether the table and each of its indexes can be used."""
        return self.status == "ACTIVE" and all(state == "ACTIVE" for _, state in self.index_states)


def table_shape(mapping: TableMapping) -> TableShape:
    """Return the shape that a mapping's table must have."""
    indexes = tuple(IndexShape(i.name, i.hash, i.range, local=i.local) for i in mapping.indexes)
    return TableShape(mapping.hash, mapping.range, mapping.key_types, indexes)


def describe_table(client: DynamoDBClient, name: str) -> DescribedTable | None:
    """Return the table as it is now, or None when there is none."""
    with aws_errors(f"describe the table {name}", tell=True):
        try:
            answer = client.describe_table(TableName=name)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise
    return _described(answer["Table"])


def is_empty(client: DynamoDBClient, name: str) -> bool:
    """Return whether the table holds no item, by a consistent read."""
    with aws_errors(f"read the table {name}", tell=True):
        pages = client.get_paginator("scan").paginate(
            TableName=name, ConsistentRead=True, Select="COUNT", PaginationConfig={"PageSize": 1, "MaxItems": 1}
        )
        return not any(page["Count"] for page in pages)


def _described(table: Mapping[str, Any]) -> DescribedTable:
    created = table.get("CreationDateTime")
    indexes = [*table.get("GlobalSecondaryIndexes", ()), *table.get("LocalSecondaryIndexes", ())]
    arn = str(table.get("TableArn", ""))
    return DescribedTable(
        name=str(table["TableName"]),
        arn=arn,
        table_id=str(table.get("TableId") or f"{arn}@{created.isoformat() if created else ''}"),
        status=str(table.get("TableStatus", "")),
        shape=_shape(table, indexes),
        index_states=tuple((str(i["IndexName"]), str(i.get("IndexStatus", "ACTIVE"))) for i in indexes),
        item_estimate=int(table.get("ItemCount", 0)),
        protected=bool(table.get("DeletionProtectionEnabled", False)),
    )


def _shape(table: Mapping[str, Any], indexes: list[Mapping[str, Any]]) -> TableShape:
    types = {str(a["AttributeName"]): str(a["AttributeType"]) for a in table.get("AttributeDefinitions", ())}
    hash_name, range_name = _key(table["KeySchema"])
    return TableShape(
        hash=hash_name,
        range=range_name,
        types=tuple(sorted(types.items())),
        indexes=tuple(_index(index, local=index in table.get("LocalSecondaryIndexes", ())) for index in indexes),
        billing=str(table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")),
    )


def _index(index: Mapping[str, Any], *, local: bool) -> IndexShape:
    projection = str(index.get("Projection", {}).get("ProjectionType", ""))
    return IndexShape(str(index["IndexName"]), *_key(index["KeySchema"]), projection, local)


def _key(schema: list[Mapping[str, Any]]) -> tuple[str, str | None]:
    """Return hash and range; several of a kind (multi-attribute index keys) are joined, as no plan names them."""
    by_kind = {kind: [str(k["AttributeName"]) for k in schema if k["KeyType"] == kind] for kind in ("HASH", "RANGE")}
    return " + ".join(by_kind["HASH"]), " + ".join(by_kind["RANGE"]) or None


def shape_differences(wanted: TableShape, actual: TableShape) -> list[str]:
    """Return what makes `actual` unfit for the plan, a sentence each; empty when it fits."""
    found = []
    if (wanted.hash, wanted.range) != (actual.hash, actual.range):
        found.append(f"its key is {_words(actual)}, the plan's is {_words(wanted)}")
    found += _index_differences(wanted, actual)
    for name, kind in wanted.types:
        there = actual.type_of(name)
        if there is not None and there != kind:
            found.append(f"the key attribute {name} is of type {there}, the plan's is {kind}")
    return found


def _index_differences(wanted: TableShape, actual: TableShape) -> list[str]:
    there = {index.name: index for index in actual.indexes}
    found = []
    for index in wanted.indexes:
        other = there.get(index.name)
        if other is None:
            found.append(f"it lacks the index {index.name} ({_words(index)})")
        elif (index.hash, index.range) != (other.hash, other.range):
            found.append(f"the key of its index {index.name} is {_words(other)}, the plan's is {_words(index)}")
        elif index.local != other.local:
            found.append(f"its index {index.name} is {_scope(other)}, the plan's is {_scope(index)}")
        elif index.projection != other.projection:
            found.append(f"its index {index.name} projects {other.projection}, the plan's projects {index.projection}")
    return found


def _scope(index: IndexShape) -> str:
    return "local" if index.local else "global"


def unwritable(mapping: TableMapping, actual: TableShape) -> list[str]:
    """Return which attributes of the plan an index that the plan does not know would refuse, a sentence each.

    DynamoDB refuses a whole item when the key attribute of any index has another type.
    """
    forms = {attribute.name: key_form(attribute.type) for attribute in mapping.attributes if not attribute.path}
    forms |= dict.fromkeys((derived.name for derived in mapping.derived), "S")
    planned = dict(mapping.key_types)
    return [
        f"an index of it needs the attribute {name} as {kind}, the plan writes it as {forms[name] or 'no key type'}"
        for name, kind in actual.types
        if name in forms and name not in planned and forms[name] != kind
    ]


def shape_faults(name: str, shape: TableShape) -> list[str]:
    """Return why DynamoDB cannot have a table of this name and shape, in words; empty when it can."""
    names = [index.name for index in shape.indexes]
    found = [f"{n}: {fault}" for n in (name, *names) if (fault := table_name_fault(n))]
    found += [f"the key attribute {a}: {fault}" for a, _ in shape.types if (fault := key_attribute_name_fault(a))]
    found += [f"the index {n} stands twice" for n in dict.fromkeys(names) if names.count(n) > 1]
    found += [f"the index {i.name} has the same hash and range" for i in shape.indexes if i.hash == i.range]
    for local, most in ((False, GLOBAL_INDEXES), (True, LOCAL_INDEXES)):
        count = sum(index.local == local for index in shape.indexes)
        if count > most:
            found.append(f"{count} {'local ' if local else ''}indexes, and a table can have {most}")
    for index in shape.indexes:
        if index.local and (shape.range is None or index.hash != shape.hash or index.range is None):
            found.append(f"the index {index.name} is local: it and the table need a range, and the same hash")
    return found


def shape_notes(wanted: TableShape, actual: TableShape) -> list[str]:
    """Return what differs without harm, a sentence each."""
    known = {index.name for index in wanted.indexes}
    notes = [f"it has an index that the plan does not name: {i.name}" for i in actual.indexes if i.name not in known]
    if actual.billing != wanted.billing:
        notes.append(f"its billing is {actual.billing}, so its write capacity bounds the copy")
    return notes


def require_shape(name: str, differences: list[str]) -> None:
    """Raise TargetShapeDiffers naming the differences, if there are any."""
    if differences:
        raise TargetShapeDiffers(
            f"The table {name} exists with another shape: {'; '.join(differences)}.",
            remedy="Name another table in the plan, correct the plan, or change or delete the table yourself.",
        )


def _words(key: TableShape | IndexShape) -> str:
    return key.hash if key.range is None else f"{key.hash}, {key.range}"


def create_request(
    name: str, shape: TableShape, *, protected: bool = False, warm_write_units: int | None = None
) -> dict[str, Any]:
    """Return the arguments of CreateTable for a table of this shape.

    `warm_write_units` a second are taken at once by the table and each of its global indexes, where a new one takes
    4,000 and twice its earlier peak after that.
    """
    request: dict[str, Any] = {
        "TableName": name,
        "KeySchema": _key_schema(shape),
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in shape.types],
        "BillingMode": shape.billing,
        "DeletionProtectionEnabled": protected,
    }
    for kind, local in (("GlobalSecondaryIndexes", False), ("LocalSecondaryIndexes", True)):
        if indexes := [_index_request(index) for index in shape.indexes if index.local == local]:
            request[kind] = indexes
    if warm_write_units is not None:
        for warmed in (request, *request.get("GlobalSecondaryIndexes", ())):
            warmed["WarmThroughput"] = {
                "ReadUnitsPerSecond": NEW_TABLE_READ_UNITS,
                "WriteUnitsPerSecond": max(NEW_TABLE_WRITE_UNITS, warm_write_units),
            }
    return request


def create_table(
    client: DynamoDBClient,
    name: str,
    shape: TableShape,
    *,
    protected: bool = False,
    warm_write_units: int | None = None,
) -> bool:
    """Begin to create a table as `create_request` says; see `wait_until_active`.

    Return False when it is there already, in any state.

    Raises the TargetError branch; a table that another creates at the same moment is no error.
    """
    with aws_errors(f"create the table {name}", tell=True):
        try:
            request = create_request(name, shape, protected=protected, warm_write_units=warm_write_units)
            client.create_table(**request)
        except ClientError as error:
            if error_code(error) == "ResourceInUseException":
                return False
            raise
    return True


def _index_request(index: IndexShape) -> dict[str, Any]:
    return {
        "IndexName": index.name,
        "KeySchema": _key_schema(index),
        "Projection": {"ProjectionType": index.projection},
    }


def _key_schema(key: TableShape | IndexShape) -> list[dict[str, str]]:
    schema = [{"AttributeName": key.hash, "KeyType": "HASH"}]
    return schema if key.range is None else [*schema, {"AttributeName": key.range, "KeyType": "RANGE"}]


def settle(client: DynamoDBClient, name: str, *, wait_seconds: float = WAIT_SECONDS) -> DescribedTable | None:
    """Wait until a table that is being created, changed or deleted is usable or gone; return it, or None.

    Looks at the real state, of the table and of each index. Raises TargetError when it is in a state that
    does not end by itself, or did not end in `wait_seconds`.
    """
    deadline = time.monotonic() + wait_seconds
    pause = FIRST_POLL_SECONDS
    while True:
        table = describe_table(client, name)
        if table is None or table.active:
            return table
        _require_passing(table)
        if time.monotonic() + pause > deadline:
            raise TargetError(
                f"The table {name} did not become usable in {wait_seconds:g} seconds: {_states(table)}.",
                remedy="Run the command again when it is ACTIVE.",
            )
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)


def wait_until_active(client: DynamoDBClient, name: str, *, wait_seconds: float = WAIT_SECONDS) -> DescribedTable:
    """Wait until the table and its indexes are ACTIVE and return it.

    Raises TargetMissing when it is gone, else as `settle`.
    """
    table = settle(client, name, wait_seconds=wait_seconds)
    if table is None:
        raise TargetMissing(f"The table {name} is not there.", remedy="Run `pg2dynamo prepare`.")
    return table


def _require_passing(table: DescribedTable) -> None:
    states = [table.status, *(state for _, state in table.index_states)]
    stuck = [state for state in states if state != "ACTIVE" and state not in PASSING_STATES]
    if stuck:
        raise TargetError(f"The table {table.name} cannot be used: it is {stuck[0]}.", remedy="Bring it back first.")


def _states(table: DescribedTable) -> str:
    indexes = [f"index {name} {state}" for name, state in table.index_states if state != "ACTIVE"]
    return ", ".join([f"table {table.status}", *indexes])
