"""What the control table holds of an import from S3 that was begun and is not done, and its form there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

from pg2dynamo.dynamodb.records import part

ImportStage: TypeAlias = Literal["uploading", "importing", "failed"]
Item: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class ImportRecord:
    """An import of a table from S3 that was begun and is not done; `source` is the plan's name for the entry.

    All objects are under `prefix` of `bucket`, and of no other import. `manifest` is the SHA-256 of the object that
    tells what was sent, empty while that goes on. `arn` and `table_id` are empty until DynamoDB has taken the job;
    `table_id` names the table that it makes.
    """

    source: str
    target: str
    mapping_digest: str
    state: ImportStage
    bucket: str
    prefix: str
    started_at: str
    manifest: str = ""
    arn: str = ""
    table_id: str = ""

    @property
    def data_prefix(self) -> str:
        """What the names of the objects to import begin with."""
        return f"{self.prefix}/data/"

    @property
    def manifest_name(self) -> str:
        """The name of the object that tells what was sent."""
        return f"{self.prefix}/manifest.json"

    @property
    def token(self) -> str:
        """The client token, the same whenever the import is asked for."""
        return hashlib.sha256(f"{self.bucket}/{self.prefix}".encode()).hexdigest()[:32]


_NAMES = tuple(each.name for each in fields(ImportRecord))


def import_entry(source: str) -> str:
    """Return the name of the entry of a table's import."""
    return f"import#{part(source)}"


def import_values(record: ImportRecord) -> Item:
    """Return the attributes of an import's entry."""
    return {name: getattr(record, name) for name in _NAMES}


def import_from(values: Item) -> ImportRecord:
    """Return the import that an entry's attributes give."""
    return ImportRecord(**{name: values[name] for name in _NAMES})
