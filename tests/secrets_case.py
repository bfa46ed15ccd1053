"""A small table of credentials for tests, the plan that makes secrets of it, and the secrets as AWS has them."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from cryptography.fernet import Fernet

from pg2dynamo.migration.copy_secrets import SecretsReport, copy_secrets
from pg2dynamo.migration.credentials import read_credentials
from pg2dynamo.migration.progress import Silent
from pg2dynamo.migration.source import open_source
from pg2dynamo.plan.load import parse_plan
from pg2dynamo.plan.model import Plan, SecretPlan
from pg2dynamo.secrets.client import SecretsClient, secrets_client
from pg2dynamo.secrets.names import NamesSeen
from tests.conftest import Database

SCHEMA = """
CREATE TABLE credentials (
  credential_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), account_id uuid, credential_type varchar(50),
  encrypted_data bytea, priority integer, created_at timestamp, expires_at timestamp
);
"""

PLAN = """
name: {unique}
source: {{dsn: env:DATABASE_URL}}
secrets:
  - from: public.credentials
    name: {unique}/account/{{account_id}}
    ciphertext: encrypted_data
    decrypt: {{format: fernet, keys: [env:CREDENTIAL_KEY, optional-env:CREDENTIAL_KEY_OLD]}}
    newest_by: created_at
    fields: [credential_type, account_id, priority, created_at, expires_at]
    plaintext: credentials
"""


@dataclass
class SecretsCase:
    """A source with credentials, and what its plan makes of them."""

    database: Database
    plan: Plan
    environ: dict[str, str]
    key: Fernet = field(repr=False)
    old_key: Fernet = field(repr=False)

    @property
    def secret_plan(self) -> SecretPlan:
        """The plan's only table of credentials."""
        return self.plan.secrets[0]

    @property
    def client(self) -> SecretsClient:
        """A client that gives up soon."""
        return secrets_client(attempts=2)

    def add(
        self, account: str | None, day: int | None, credentials: Any, *, key: Fernet | None = None, **more: Any
    ) -> str:
        """Add a credential of that day of January 2024 (None: no time at all); return its id."""
        token = (key or self.key).encrypt(json.dumps(credentials).encode())
        row = {
            "credential_id": str(uuid.uuid4()),
            "account_id": account,
            "credential_type": "aws_access_key",
            "encrypted_data": token,
            "created_at": None if day is None else f"2024-01-{day:02d} 03:04:05.678",
        } | more
        columns = ", ".join(row)
        with self.database.connect() as conn:
            values = ", ".join(["%s"] * len(row))
            conn.execute(f"INSERT INTO public.credentials ({columns}) VALUES ({values})".encode(), list(row.values()))
        return str(row["credential_id"])

    def execute(self, statement: str) -> None:
        """Run SQL on the source."""
        with self.database.connect() as conn:
            conn.execute(statement.encode())

    def copy(self, *, seen: NamesSeen | None = None) -> SecretsReport:
        """Copy the credentials in this process."""
        seen = NamesSeen() if seen is None else seen
        with open_source(self.plan, self.environ) as conn:
            credentials = read_credentials(conn, self.secret_plan)
            return copy_secrets(
                self.plan.name, self.secret_plan, credentials, self.environ, self.client, seen, Silent()
            )

    def name(self, account: str) -> str:
        """Return the name of an account's secret."""
        return f"{self.plan.name}/account/{account}"


class Stored:
    """What AWS has, read with boto3 alone."""

    def __init__(self) -> None:
        self.api = boto3.client("secretsmanager")

    def current(self, name: str) -> Any:
        """Return the document that AWSCURRENT is on."""
        return json.loads(self.api.get_secret_value(SecretId=name)["SecretString"])

    def versions(self, name: str) -> dict[str, list[str]]:
        """Return the staging labels of each version, oldest first."""
        listed = self.api.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]
        return {version["VersionId"]: version["VersionStages"] for version in listed}

    def documents(self, name: str) -> list[Any]:
        """Return the documents of all versions, in the order in which they came."""
        values = [self.api.get_secret_value(SecretId=name, VersionId=version) for version in self.versions(name)]
        return [json.loads(value["SecretString"]) for value in values]

    def names(self, prefix: str) -> list[str]:
        """Return the names under a prefix, those waiting for deletion left out."""
        pages: Iterator[Mapping[str, Any]] = iter(self.api.get_paginator("list_secrets").paginate())
        return [s["Name"] for page in pages for s in page["SecretList"] if s["Name"].startswith(prefix)]


def make_secrets_case(
    database: Database, aws_environ: Mapping[str, str], unique: str, text: str = PLAN, schema: str = SCHEMA
) -> SecretsCase:
    """Make the table, empty, and keys; the environment holds the new key and the old one."""
    with database.connect() as conn:
        conn.execute(schema.encode())
    key, old = Fernet.generate_key(), Fernet.generate_key()
    environ = dict(aws_environ) | {
        "DATABASE_URL": database.dsn,
        "CREDENTIAL_KEY": key.decode(),
        "CREDENTIAL_KEY_OLD": old.decode(),
        "PATH": os.environ["PATH"],
    }
    return SecretsCase(database, parse_plan(text.format(unique=unique), environ), environ, Fernet(key), Fernet(old))
