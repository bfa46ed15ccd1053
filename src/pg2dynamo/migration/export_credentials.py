"""Credentials in an export: one row a line, its columns as DynamoDB JSON, the ciphertext as it was.

Nothing here decrypts. A line also holds what groups rows into secrets: the secret's name after the prefix that
the plan of the importing side gives.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from pg2dynamo.errors import SourceError
from pg2dynamo.mapping.decode import Decoder
from pg2dynamo.mapping.digest import Buckets, digest_key, digest_row
from pg2dynamo.mapping.limits import secret_name_fault
from pg2dynamo.mapping.values import Value
from pg2dynamo.migration.binary_credentials import Credential, CredentialsOfName
from pg2dynamo.migration.credentials import CredentialGroup, CredentialRow, CredentialTable, json_text
from pg2dynamo.migration.export_files import read_lines
from pg2dynamo.migration.export_manifest import ExportedCredentials
from pg2dynamo.plan.model import SecretPlan
from pg2dynamo.secrets.names import canonical_key


def credential_lines(plan: SecretPlan, group: CredentialGroup) -> Iterator[bytes]:
    """Yield the lines of one secret's credentials, oldest first."""
    for row in group.rows:
        item = {
            name: _attribute(json.loads(text, parse_int=_Number, parse_float=_Number))
            for name, text in row.fields.items()
        }
        item = {name: value for name, value in item.items() if value != {"NULL": True}}
        if row.fault is None:
            item[plan.ciphertext] = {"B": b64encode(row.ciphertext).decode()}
        line = {
            "Item": {**{name: {"S": text} for name, text in row.key.items()}, **item},
            "Key": row.key,
            "Name": group.name.removeprefix(plan.name_prefix),
            "NameFault": None if group.fault == secret_name_fault(group.name) else group.fault,
            "Fault": row.fault,
        }
        yield orjson.dumps(line)


class _Number(str):
    """A number of JSON, digit for digit."""

    __slots__ = ()


def _attribute(value: Any) -> dict[str, Any]:
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, _Number):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, list):
        return {"L": [_attribute(entry) for entry in value]}
    return {"M": {name: _attribute(entry) for name, entry in value.items()}}


def exported_credentials(directory: Path, exported: ExportedCredentials, plan: SecretPlan) -> Iterator[CredentialGroup]:
    """Yield the credentials of an export as `credentials.read_credentials` does, one name's in memory.

    Names begin as `plan` says, which may differ from the plan of the exporting side in that.
    """
    for name, fault, lines in _by_name(directory, exported, plan):
        yield CredentialGroup(name, tuple(_row(plan, line) for line in lines), fault)


def compared_credentials(
    directory: Path, exported: ExportedCredentials, plan: SecretPlan
) -> tuple[CredentialTable, Iterator[CredentialsOfName]]:
    """Return the credentials of an export as `binary_credentials.read_by_name` does, for their comparison.

    That they are what it reads was proved when they were exported (`require_same_credentials`).
    """
    table = CredentialTable(plan, exported.mapping, exported.ciphertext_is_text)
    decoder = Decoder(exported.mapping)
    groups = (
        CredentialsOfName(name, tuple(_compared(plan, decoder, line) for line in lines), fault is None)
        for name, fault, lines in _by_name(directory, exported, plan)
    )
    return table, groups


def require_same_credentials(
    table: CredentialTable, written: Iterable[CredentialsOfName], read: Iterable[CredentialsOfName]
) -> None:
    """Raise SourceError unless the credentials written to an export are those that the other path reads."""
    faulty: set[str] = set()
    ours = _buckets(written, faulty, collect=True)
    if ours.differing(_buckets(read, faulty, collect=False)):
        raise SourceError(
            f"The credentials of {table.plan.source} were read twice under one snapshot and differ.",
            remedy="Report this; nothing was exported.",
        )


def _buckets(groups: Iterable[CredentialsOfName], faulty: set[str], *, collect: bool) -> Buckets:
    """Sum up credentials; of a row that the export could not take (`faulty`) only the key counts."""
    buckets = Buckets()
    for group in groups:
        for row in group.rows:
            if collect and row.ciphertext is None:
                faulty.add(row.key)
            pairs: list[tuple[str, Value]] = [("key", row.key)]
            if row.key not in faulty:
                pairs += [("name", group.name), ("ciphertext", row.ciphertext), ("fields", _encoded(row))]
            buckets.add(digest_key(pairs[:1]), digest_row(pairs))
    return buckets


def _encoded(row: Credential) -> bytes:
    return digest_row(row.fields)


Lines: TypeAlias = Iterator[dict[str, Any]]


def _by_name(
    directory: Path, exported: ExportedCredentials, plan: SecretPlan
) -> Iterator[tuple[str, str | None, Lines]]:
    lines = (orjson.loads(line) for record in exported.files for line in read_lines(directory, record))
    for (suffix, fault), members in groupby(lines, key=lambda line: (line["Name"], line["NameFault"])):
        name = plan.name_prefix + suffix
        yield name, fault or secret_name_fault(name), members


def _compared(plan: SecretPlan, decoder: Decoder, line: dict[str, Any]) -> Credential:
    item, key = line["Item"], canonical_key(line["Key"])
    if line["Fault"] is not None:
        return Credential((), key, None, ())
    values = decoder.decode({name: item[name] for name in plan.fields if name in item})
    fields = tuple((name, values.get(name)) for name in plan.fields)
    return Credential((), key, b64decode(item[plan.ciphertext]["B"]), fields)


def _row(plan: SecretPlan, line: dict[str, Any]) -> CredentialRow:
    item, fault = line["Item"], line["Fault"]
    ciphertext = b"" if fault else b64decode(item[plan.ciphertext]["B"])
    fields = {} if fault else {name: json_text(item[name]) if name in item else "null" for name in plan.fields}
    return CredentialRow(line["Key"], fields, ciphertext, fault)
