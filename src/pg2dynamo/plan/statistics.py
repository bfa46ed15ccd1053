"""What the planner knows of the source's rows, as plain values: read by `postgres.statistics`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pg2dynamo.mapping.table import TableName


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """What ANALYZE found of one column in a sample of the rows.

    `null_fraction` is from 0 to 1, `distinct` an absolute number of different values (0: unknown, as of json).
    `average_bytes` is that of values that are not NULL as they are stored: header included, compressed ones
    counted compressed, ones in TOAST counted as the 18 bytes of their pointer.
    """

    null_fraction: float
    distinct: float
    average_bytes: float


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """What is known of one table; of a partitioned one, of all its leaves.

    `rows` is the planner's estimate for the table's size now, a guess by the size alone when `analysed` is false, and
    -1 when even that is unknown (views, foreign tables). `analysed` tells whether ANALYZE has seen rows, or there are
    none. `heap_bytes` and `toast_bytes` are the sizes of both files, their free space included. `columns` lacks those
    that were never analysed or that the role may not read.
    """

    table: TableName
    rows: int
    analysed: bool
    heap_bytes: int
    toast_bytes: int
    columns: Mapping[str, ColumnStatistics]
