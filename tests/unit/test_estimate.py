"""The arithmetic of estimates, and the price list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pg2dynamo.errors import PlanError
from pg2dynamo.mapping.table import (
    Attribute,
    Derived,
    Embedded,
    IndexMapping,
    Link,
    SourceKeyColumn,
    TableMapping,
    TableName,
)
from pg2dynamo.mapping.templates import Placeholder, Template
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.plan.estimate import (
    Amounts,
    EntryEstimate,
    PlanEstimate,
    SecretsEstimate,
    cost,
    estimate_entry,
    expected_units,
    size_notes,
)
from pg2dynamo.plan.prices import GB, Prices, load_prices
from pg2dynamo.plan.sizes import Known, Size, item_size, value_size
from pg2dynamo.plan.statistics import ColumnStatistics, TableStatistics

TEXT = ColumnType(Kind.TEXT, "text", 25)
INTEGER = ColumnType(Kind.INTEGER, "integer", 23)
BOOLEAN = ColumnType(Kind.BOOLEAN, "boolean", 16)
T = TableName("public", "t")
CHILD = TableName("public", "child")
PRICES = Prices("USD", 0.625, 0.125, 0.25, 0.15, 0.10, 0.40, 0.05, 0.005)


def text(name: str) -> Attribute:
    return Attribute(name, f'"{name}"', TEXT, name)


def width(content: int, null_fraction: float = 0.0) -> ColumnStatistics:
    """Statistics of texts of that length."""
    return ColumnStatistics(null_fraction, 100.0, content + (1 if content < 126 else 4))


def mapping_of(*attributes: Attribute, indexes: tuple[IndexMapping, ...] = ()) -> TableMapping:
    return TableMapping(
        source=T,
        target="items",
        attributes=attributes,
        source_key=(SourceKeyColumn("id", TEXT, 0),),
        hash="id",
        range=None,
        indexes=indexes,
        key_types=(("id", "S"),),
    )


def statistics_of(
    rows: int, columns: Mapping[str, ColumnStatistics], *, analysed: bool = True, toast_bytes: int = 0
) -> TableStatistics:
    return TableStatistics(T, rows, analysed, heap_bytes=8192, toast_bytes=toast_bytes, columns=columns)


def mean_of(mapping: TableMapping, statistics: TableStatistics, known: Known | None = None) -> float:
    return item_size(mapping, statistics, known or Known()).size.mean


def test_names_count_and_an_attribute_that_half_of_the_rows_lack_counts_half() -> None:
    statistics = statistics_of(10, {"id": width(7), "note": width(20, null_fraction=0.5)})
    assert mean_of(mapping_of(text("id"), text("note")), statistics) == pytest.approx(2 + 7 + (4 + 20) / 2)


def test_null_that_is_written_counts_its_name_and_a_byte() -> None:
    statistics = statistics_of(10, {"id": width(7), "note": width(20, null_fraction=0.5)})
    mapping = mapping_of(text("id"), replace(text("note"), nulls=True))
    assert mean_of(mapping, statistics) == pytest.approx(2 + 7 + (4 + 20) / 2 + (4 + 1) / 2)


def test_a_map_counts_three_bytes_and_one_for_each_entry() -> None:
    statistics = statistics_of(10, {"id": width(7), "a": width(5), "b": width(6)})
    inner = [replace(text(name), name=f"outer.{name}", path=("outer", name)) for name in ("a", "b")]
    assert mean_of(mapping_of(text("id"), *inner), statistics) == pytest.approx(9 + 5 + 3 + (1 + 1 + 5) + (1 + 1 + 6))


def test_a_template_has_the_text_of_its_parts_and_is_absent_when_one_is() -> None:
    template = Template(("T#", Placeholder("id", TEXT), "#", Placeholder("note", TEXT)))
    mapping = replace(mapping_of(text("id"), text("note")), derived=(Derived("pk", template),))
    statistics = statistics_of(10, {"id": width(7), "note": width(20, null_fraction=0.5)})
    found = item_size(mapping, statistics, Known())
    assert found.present["pk"] == 0.5
    assert found.size.mean == pytest.approx(9 + 12 + (2 + 2 + 7 + 1 + 20) / 2)


def test_embedded_rows_count_as_many_times_as_there_are_to_a_row() -> None:
    embed = Embedded(CHILD, (Link("parent", "id", TEXT),), (text("line"),), ('"line"',))
    lines = Attribute("lines", "", TEXT, None, embed=embed)
    children = TableStatistics(CHILD, 30, analysed=True, heap_bytes=0, toast_bytes=0, columns={"line": width(10)})
    known = Known(tables={CHILD: children})
    statistics = statistics_of(10, {"id": width(7)})
    each = 1 + 3 + 1 + 4 + 10
    assert mean_of(mapping_of(text("id"), lines), statistics, known) == pytest.approx(9 + 5 + 3 + 3 * each)


def test_what_is_in_toast_counts_where_an_attribute_may_hold_it() -> None:
    statistics = statistics_of(10, {"id": width(7)}, toast_bytes=50_000)
    assert mean_of(mapping_of(text("id")), statistics) == pytest.approx(9 + 5_000)
    assert mean_of(mapping_of(Attribute("id", '"id"', INTEGER, "id")), statistics) < 20


@pytest.mark.parametrize(
    ("column_type", "statistics", "size"),
    [
        (BOOLEAN, None, 1),
        (ColumnType(Kind.UUID, "uuid", 2950), ColumnStatistics(0, 9, 16), 36),
        (ColumnType(Kind.TIMESTAMPTZ, "timestamp with time zone", 1184), None, 27),
        (INTEGER, ColumnStatistics(0, 1_000_000, 4), 5),
        (INTEGER, ColumnStatistics(0, 3, 4), 2),
        (TEXT, ColumnStatistics(0, 9, 101), 100),
        (TEXT, ColumnStatistics(0, 9, 1004), 1000),
        (ColumnType(Kind.TEXT, "public.mood", 16_500), ColumnStatistics(0, 3, 4), 8),
        (ColumnType(Kind.BYTEA, "bytea", 17), ColumnStatistics(0, 9, 17), 16),
        (ColumnType(Kind.ARRAY, "integer[]", 1007, INTEGER), ColumnStatistics(0, 9, 24), 3),
    ],
    ids=lambda value: value.name if isinstance(value, ColumnType) else "",
)
def test_the_size_of_a_value_follows_from_its_width(
    column_type: ColumnType, statistics: ColumnStatistics | None, size: int
) -> None:
    assert value_size(column_type, statistics).mean == size


def test_units_are_rounded_up_and_at_least_one() -> None:
    assert [expected_units(Size(mean, 0, 0)) for mean in (0, 1, 1024, 1025, 2048, 2049)] == [1, 1, 1, 2, 2, 3]
    assert expected_units(Size(1_000_000, 0, 0)) == pytest.approx(1_000_000 / 1024, rel=0.01)


def test_items_that_differ_in_size_are_not_all_rounded_alike() -> None:
    assert 1 < expected_units(Size(900, 200**2, 0)) < 1.5
    assert 1.5 < expected_units(Size(1100, 200**2, 0)) < 2


def test_an_index_counts_for_the_rows_that_have_its_key_attributes() -> None:
    indexes = (
        IndexMapping("by-note", "note", None),
        IndexMapping("by-both", "note", "other"),
        IndexMapping("of-another-entry", "nowhere", None),
    )
    columns = {"id": width(7), "note": width(20, null_fraction=0.5), "other": width(3, null_fraction=0.2)}
    mapping = mapping_of(text("id"), text("note"), text("other"), indexes=indexes)
    amounts = estimate_entry(mapping, statistics_of(1000, columns), Known()).amounts
    assert amounts.index_entries == 500 + 400
    assert amounts.write_units == 1900
    average = amounts.average_item_bytes
    assert amounts.storage_bytes == pytest.approx(1900 * (average + 100), rel=0.001)


def test_what_is_not_known_is_said_with_what_to_do() -> None:
    mapping = mapping_of(text("id"), text("secret"))
    never = estimate_entry(mapping, statistics_of(10, {}, analysed=False), Known())
    assert not never.trusted
    assert never.amounts.item_bytes > 0
    assert "Run ANALYZE" in never.notes[0]
    some = estimate_entry(mapping, statistics_of(10, {"id": width(7)}), Known())
    assert "no statistics of secret" in some.notes[0]


def test_items_near_and_over_400_kilobytes_are_named() -> None:
    assert list(size_notes(Size(1_000, 0, 0))) == []
    assert "some may be over 400 KB" in next(iter(size_notes(Size(110_000, 100, 0))))
    assert "about 50.0% of the items" in next(iter(size_notes(Size(409_600, 100, 0))))


def entry(name: str, target: str, amounts: Amounts, *, importable: bool = True) -> EntryEstimate:
    return EntryEstimate(name, name, target, amounts, importable)


def test_money_is_that_of_the_prices() -> None:
    amounts = Amounts(write_units=2_000_000, item_bytes=8 * GB, storage_bytes=4 * GB, import_bytes=10 * GB)
    costs = cost(amounts, PRICES)
    assert (costs.writes, costs.storage_month) == (1.25, 1.0)
    files, objects, check = 10 * 0.15, 160 * 0.005 / 1000, 8 * GB / 4096 * 0.125 / 10**6
    assert costs.import_ == pytest.approx(files + objects + check)


def test_the_cheaper_way_is_that_of_the_whole_table_and_import_makes_no_local_index() -> None:
    small = Amounts(items=10**6, write_units=10**6, import_bytes=GB)
    large = Amounts(items=1, write_units=1_000, import_bytes=20 * GB)
    entries = (
        entry("alone", "a", small),
        entry("with local index", "b", small, importable=False),
        entry("shares with large", "c", small),
        entry("large", "c", large),
    )
    report = PlanEstimate("m", "us-east-1", PRICES, False, 4_000, entries)
    assert [report.cheaper(each) for each in entries] == ["import", "writes", "writes", "writes"]
    assert report.as_json()["tables"]["with local index"]["cost"]["import"] is None
    assert report.total.items == 3 * 10**6 + 1


def test_time_is_units_by_rate_and_secrets_cost_by_month_and_call() -> None:
    report = PlanEstimate("m", "us-east-1", PRICES, False, 4_000, (), SecretsEstimate(100, 250))
    amounts = Amounts(write_units=80_000)
    assert (report.seconds(amounts), report.seconds(amounts, 40_000)) == (20, 2)
    assert report.secrets_month == pytest.approx(40)
    assert report.secret_calls == pytest.approx((400 + 1000) * 0.05 / 10_000)


def test_the_packaged_prices_are_those_of_us_east_1() -> None:
    assert load_prices(None, "us-east-1") == PRICES


LIST = """
here: {currency: EUR, write_units_million: 1, read_units_million: 1, storage_gb_month: 1, import_gb: 1, export_gb: 1,
       secret_month: 1, secret_calls_10000: %s, s3_puts_1000: 1}
"""


def test_a_price_list_of_ones_own_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(LIST % "0.5")
    assert load_prices(file, "here") == Prices("EUR", 1, 1, 1, 1, 1, 1, 0.5, 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("- 1", "a mapping of regions"),
        ("here: {", "not YAML"),
        ("there: {}", "no prices of the region here; it has there"),
        ("here: {currency: EUR, extra: 1}", "lacks export_gb.*has extra"),
        (LIST % "-1", "secret_calls_10000 is no price"),
        (LIST % ".nan", "secret_calls_10000 is no price"),
        (LIST % "free", "secret_calls_10000 is no price"),
    ],
    ids=["list", "broken", "region", "keys", "negative", "nan", "word"],
)
def test_a_price_list_that_is_none_is_refused(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(content)
    with pytest.raises(PlanError, match=words):
        load_prices(file, "here")


def test_a_price_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        load_prices(tmp_path / "none.yaml", "here")
