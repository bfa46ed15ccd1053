"""The files and the manifest of an export: durable, and refused when anything about them changed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pg2dynamo.errors import ExportDamaged, PlanError
from pg2dynamo.mapping.table import Attribute, IndexMapping, SourceKeyColumn, TableMapping, TableName
from pg2dynamo.mapping.types import ColumnType, Kind
from pg2dynamo.migration.export_files import LineFiles, folder, prove, read_lines, write_durably
from pg2dynamo.migration.export_manifest import (
    NAME,
    ExportedCredentials,
    ExportedTable,
    Manifest,
    manifest_from,
    mapping_from,
    plan_digest,
    require_same_plan,
)
from pg2dynamo.plan.load import parse_plan

TEXT = ColumnType(Kind.TEXT, "text", 25)
WORDS = ColumnType(Kind.ARRAY, "text[]", 1009, element=TEXT)
MAPPING = TableMapping(
    source=TableName("public", 'odd/"name'),
    target="target",
    attributes=(
        Attribute("id", '"id"', TEXT, "id"),
        Attribute("words", '"words"', WORDS, "words"),
        Attribute("on", "(CASE WHEN on THEN '1' END)", TEXT, None, "on", "\"on\" = '1'"),
    ),
    source_key=(SourceKeyColumn("id", TEXT, 0),),
    hash="id",
    range=None,
    indexes=(IndexMapping("by-on", "on", None),),
    key_types=(("id", "S"), ("on", "S")),
)
PLAN = """
name: test
tables:
  - {from: public.a, to: a, key: {hash: id}}
secrets:
  - from: public.c
    name: prefix/{id}
    ciphertext: data
    decrypt: {format: fernet, keys: [env:KEY]}
    newest_by: at
"""


@pytest.mark.parametrize("name", ["public.a", "..", ".", "a/b", "/etc", "%2E", "é" * 127, "x" * 300, "tenant-names"])
def test_any_name_gives_one_folder_directly_below_its_kind(name: str) -> None:
    kind, _, own = folder("tables", name).partition("/")
    assert (kind, Path(folder("tables", name)).name) == ("tables", own)
    assert own.strip(".")
    assert 0 < len(own) <= 255


def test_no_two_names_give_one_folder() -> None:
    names = [".", "%2E", "a/b", "a%2Fb", "é" * 127, "é" * 126 + "e", "é" * 126, "x" * 244, "x" * 245, "x" * 246]
    names.append(folder("", "x" * 245)[1:])
    assert len({folder("tables", name) for name in names}) == len(names)


def test_the_folder_of_a_table_is_named_after_it() -> None:
    assert folder("tables", "public.accounts") == "tables/public.accounts"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write_export(tmp_path / "export", [b'{"Item":{"n":{"N":"%d"}}}' % n for n in range(100)])


def write_export(directory: Path, lines: list[bytes]) -> Path:
    directory.mkdir()
    where = folder("tables", MAPPING.name)
    with (
        LineFiles(directory, f"{where}/data", roll_bytes=500) as data,
        LineFiles(directory, f"{where}/digests") as digests,
    ):
        data.add(lines)
        digests.add(lines)
    table = ExportedTable(MAPPING, len(lines), len(lines), 0, tuple(data.records), tuple(digests.records), ())
    with LineFiles(directory, "credentials/c/credentials") as credentials:
        credentials.add([b"{}"])
    secrets = ExportedCredentials(MAPPING, False, 1, tuple(credentials.records))
    manifest = Manifest("test", "digest", {"snapshot": "1:1:"}, "2024-01-01T00:00:00", (table,), (secrets,))
    write_durably(directory / NAME, manifest.to_bytes())
    return directory


def test_a_mapping_comes_back_from_json_as_it_was() -> None:
    assert mapping_from(json.loads(json.dumps(asdict(MAPPING)))) == MAPPING


def test_an_export_as_it_was_written_is_proved(directory: Path) -> None:
    manifest = prove(directory)
    assert manifest.tables[0].mapping == MAPPING
    assert sum(file.rows for file in manifest.tables[0].data) == 100


def test_lines_are_rolled_into_files_of_bounded_size_and_come_back_in_order(directory: Path) -> None:
    files = prove(directory).tables[0].data
    assert len(files) > 3
    lines = [line for file in files for line in read_lines(directory, file)]
    assert lines == [b'{"Item":{"n":{"N":"%d"}}}' % n for n in range(100)]


def test_files_are_for_their_owner_alone(directory: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in directory.rglob("*") if path.is_file()} == {0o600}


def test_no_line_makes_no_file(tmp_path: Path) -> None:
    with LineFiles(tmp_path, "a/data") as files:
        files.add([])
    assert files.records == []
    assert list(tmp_path.iterdir()) == []


def test_the_same_lines_make_the_same_bytes(tmp_path: Path) -> None:
    one, other = (write_export(tmp_path / name, [b"a", b"b"]) for name in ("one", "other"))
    assert prove(one).export_id == prove(other).export_id


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def recompress(path: Path) -> None:
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [flip, truncate, lengthen, Path.unlink, make_directory]


@pytest.mark.parametrize("damage", DAMAGES)
def test_any_damage_to_any_file_is_found_and_named(directory: Path, damage: Callable[[Path], None]) -> None:
    whole = {path: path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}
    for path, data in whole.items():
        damage(path)
        with pytest.raises(ExportDamaged) as caught:
            prove(directory)
        name = path.relative_to(directory).as_posix()
        assert name.rpartition("/")[2] in str(caught.value)
        if path.is_dir():
            path.rmdir()
        path.write_bytes(data)
    prove(directory)


def test_a_file_that_is_not_the_exports_own_is_refused(directory: Path) -> None:
    (directory / "tables" / "notes.txt").write_text("hello")
    with pytest.raises(ExportDamaged, match=r"tables/notes\.txt does not belong"):
        prove(directory)


def test_every_byte_of_the_manifest_counts(directory: Path) -> None:
    path = directory / NAME
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[position] = ord("7") if damaged[position] != ord("7") else ord("8")
        with pytest.raises(ExportDamaged):
            manifest_from(bytes(damaged))


def test_counts_that_do_not_add_up_are_refused(directory: Path) -> None:
    manifest = prove(directory)
    table = replace(manifest.tables[0], rows=99, quarantined=-1)
    write_durably(directory / NAME, replace(manifest, tables=(table,)).to_bytes())
    with pytest.raises(ExportDamaged, match="do not add up"):
        prove(directory)


def test_a_manifest_that_names_files_elsewhere_is_refused(directory: Path) -> None:
    manifest = prove(directory)
    table = manifest.tables[0]
    outside = replace(table, data=(replace(table.data[0], path="../outside"), *table.data[1:]))
    with pytest.raises(ExportDamaged):
        manifest_from(replace(manifest, tables=(outside,)).to_bytes())


def test_an_export_of_a_newer_format_is_refused_with_its_version(directory: Path) -> None:
    content = json.loads((directory / NAME).read_text())
    with pytest.raises(ExportDamaged, match="format version 4"):
        manifest_from(json.dumps(content | {"version": 4}).encode())


def test_a_file_that_changed_after_it_was_proved_is_found_when_it_is_read(directory: Path) -> None:
    file = prove(directory).tables[0].data[0]
    for damage in (truncate, recompress):
        whole = (directory / file.path).read_bytes()
        damage(directory / file.path)
        with pytest.raises(ExportDamaged):
            list(read_lines(directory, file))
        (directory / file.path).write_bytes(whole)


def test_where_things_are_may_differ_between_the_sides_and_nothing_else() -> None:
    ours = parse_plan(PLAN, {})
    manifest = Manifest("test", plan_digest(ours), {}, "")
    elsewhere = PLAN.replace("to: a", "to: b").replace("prefix/", "other/").replace("env:KEY", "env:KEY2")
    require_same_plan(manifest, parse_plan(elsewhere, {}))
    for other in (
        PLAN.replace("hash: id", "hash: other"),
        PLAN.replace("prefix/{id}", "prefix/{other}"),
        PLAN.replace("newest_by: at", "newest_by: then"),
        PLAN.replace("name: test", "name: other"),
    ):
        with pytest.raises(PlanError, match="another plan"):
            require_same_plan(manifest, parse_plan(other, {}))
