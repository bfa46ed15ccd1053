"""The manifest of an export directory: what it holds, proved by size and digest, and what an import needs to know.

Plain values and their JSON. The manifest is written last, so that a directory with one is whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from pydantic import TypeAdapter

from pg2dynamo.errors import ExportDamaged, PlanError
from pg2dynamo.mapping.table import TableMapping
from pg2dynamo.plan.model import Plan
from pg2dynamo.plan.table import TablePlan

FORMAT = "pg2dynamo-export"
VERSION = 3
"""Raise it when an older import could misread a newer export."""

NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file: its path below the directory, its size in bytes, its SHA-256, and how many lines it holds."""

    path: str
    bytes: int
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """One table: `rows` = `items` + `quarantined` + `skipped`; see `copy_report.TableCounts` for what these are.

    `data` holds the items as ImportTable takes them, `digests` the digest of each row as verification reads
    it, `refused` the rows that no item can hold.
    """

    mapping: TableMapping
    rows: int
    items: int
    quarantined: int
    data: tuple[FileRecord, ...]
    digests: tuple[FileRecord, ...]
    refused: tuple[FileRecord, ...]
    accepted: int = 0
    skipped: int = 0
    nulled: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """The counts by name."""
        names = ("rows", "items", "quarantined", "accepted", "skipped", "nulled")
        return {name: getattr(self, name) for name in names}

    @property
    def files(self) -> tuple[FileRecord, ...]:
        """All its files."""
        return (*self.data, *self.digests, *self.refused)


@dataclass(frozen=True, slots=True)
class ExportedCredentials:
    """The credentials of one table, encrypted as they were; `mapping` gives the types of their fields."""

    mapping: TableMapping
    ciphertext_is_text: bool
    rows: int
    files: tuple[FileRecord, ...]

    @property
    def source(self) -> str:
        """The source table."""
        return str(self.mapping.source)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export directory holds, and of which state of which database."""

    migration: str
    plan_digest: str
    snapshot: Mapping[str, Any]
    created_at: str
    tables: tuple[ExportedTable, ...] = ()
    credentials: tuple[ExportedCredentials, ...] = field(default=())

    @property
    def files(self) -> list[FileRecord]:
        """Every file but the manifest itself."""
        tables = [file for table in self.tables for file in table.files]
        return tables + [file for credentials in self.credentials for file in credentials.files]

    @property
    def export_id(self) -> str:
        """Identify this export: another one has another id."""
        return _digest(self._content())[:32]

    def to_bytes(self) -> bytes:
        """Return the manifest as JSON, with a digest of itself."""
        content = self._content()
        return json.dumps(content | {"sha256": _digest(content)}, indent=1).encode() + b"\n"

    def _content(self) -> dict[str, Any]:
        return {"format": FORMAT, "version": VERSION, **json.loads(json.dumps(asdict(self)))}


def manifest_from(data: bytes) -> Manifest:
    """Return what `to_bytes` wrote.

    Raises ExportDamaged when it was altered or is no manifest, or when a newer pg2dynamo wrote it.
    """
    try:
        content = json.loads(data)
        given = content.pop("sha256")
        if content["format"] != FORMAT:
            raise ValueError
        if content["version"] != VERSION:
            raise ExportDamaged(
                f"The export has format version {content['version']}; this pg2dynamo knows {VERSION}.",
                remedy="Import it with the pg2dynamo that exported it.",
            )
        manifest = _manifest(content)
        if given != _digest(content) or data != manifest.to_bytes():
            raise ValueError
        return manifest
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ExportDamaged(f"{NAME} is damaged or is no manifest.", remedy="Export again.") from None


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _manifest(content: Mapping[str, Any]) -> Manifest:
    return Manifest(
        migration=content["migration"],
        plan_digest=content["plan_digest"],
        snapshot=content["snapshot"],
        created_at=content["created_at"],
        tables=tuple(map(_table, content["tables"])),
        credentials=tuple(
            ExportedCredentials(
                mapping_from(entry["mapping"]), entry["ciphertext_is_text"], entry["rows"], _files(entry["files"])
            )
            for entry in content["credentials"]
        ),
    )


def _table(entry: Mapping[str, Any]) -> ExportedTable:
    return ExportedTable(
        mapping=mapping_from(entry["mapping"]),
        rows=entry["rows"],
        items=entry["items"],
        quarantined=entry["quarantined"],
        data=_files(entry["data"]),
        digests=_files(entry["digests"]),
        refused=_files(entry["refused"]),
        accepted=entry["accepted"],
        skipped=entry["skipped"],
        nulled=entry["nulled"],
    )


def _files(entries: Iterable[Mapping[str, Any]]) -> tuple[FileRecord, ...]:
    files = tuple(FileRecord(**entry) for entry in entries)
    for file in files:
        parts = PurePosixPath(file.path).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise ValueError("a path that leaves the directory")
    return files


_MAPPING = TypeAdapter(TableMapping)


def mapping_from(entry: Mapping[str, Any]) -> TableMapping:
    """Return the mapping whose `dataclasses.asdict` went through JSON."""
    return _MAPPING.validate_python(entry)


def plan_digest(plan: Plan) -> str:
    """Return a digest of what export and import must agree on.

    All but where things are: the source's address, the target's region and tables, the KMS key, the literal
    text that secret names begin with, and the keys that decrypt.
    """
    content = {
        "name": plan.name,
        "policy": [plan.unfit, plan.nulls],
        "tables": [_table_content(table) for table in plan.tables],
        "secrets": [
            secret.model_dump(mode="json", exclude={"kms_key", "name", "decrypt"})
            | {"name": secret.name.removeprefix(secret.name_prefix), "format": secret.decrypt.format}
            for secret in plan.secrets
        ],
    }
    return _digest(content)


def _table_content(table: TablePlan) -> dict[str, Any]:
    # A key that the plan does not use is not in its digest, so that a new key of plans voids no export.
    silent = set() if table.named else {"name"}
    return table.model_dump(mode="json", exclude={"to", *silent}, exclude_defaults=True)


def require_same_plan(manifest: Manifest, plan: Plan) -> None:
    """Raise PlanError unless the export was made with this plan, names and addresses aside."""
    if manifest.migration != plan.name or manifest.plan_digest != plan_digest(plan):
        raise PlanError(
            f"The export was made with another plan than {plan.name}.",
            remedy="Use the plan of the export; only names of tables, secrets and keys may differ.",
        )
