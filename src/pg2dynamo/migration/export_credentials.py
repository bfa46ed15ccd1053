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
from typing import Any

import orjson

from pg2dynamo.mapping.limits import secret_name_fault
from pg2dynamo.migration.credentials import CredentialGroup, CredentialRow, json_text
from pg2dynamo.migration.export_files import read_lines
from pg2dynamo.migration.export_manifest import ExportedCredentials
from pg2dynamo.plan.model import SecretPlan


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
    lines = (orjson.loads(line) for record in exported.files for line in read_lines(directory, record))
    return _groups(plan, lines)


def _groups(plan: SecretPlan, lines: Iterable[dict[str, Any]]) -> Iterator[CredentialGroup]:
    for (suffix, fault), members in groupby(lines, key=lambda line: (line["Name"], line["NameFault"])):
        name = plan.name_prefix + suffix
        yield CredentialGroup(name, tuple(_row(plan, line) for line in members), fault or secret_name_fault(name))


def _row(plan: SecretPlan, line: dict[str, Any]) -> CredentialRow:
    item, fault = line["Item"], line["Fault"]
    ciphertext = b"" if fault else b64decode(item[plan.ciphertext]["B"])
    fields = {} if fault else {name: json_text(item[name]) if name in item else "null" for name in plan.fields}
    return CredentialRow(line["Key"], fields, ciphertext, fault)
