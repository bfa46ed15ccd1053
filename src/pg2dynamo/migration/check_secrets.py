"""The lines of the checklist that are about credentials, KMS and Secrets Manager."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psycopg

from pg2dynamo.errors import Pg2DynamoError, SecretRefused, SecretUndecryptable
from pg2dynamo.migration.check_source import failure
from pg2dynamo.migration.credentials import CredentialGroup, CredentialRow, read_credentials
from pg2dynamo.migration.target import target_settings
from pg2dynamo.plan.check import CheckLine, failed, ok, warning
from pg2dynamo.plan.model import Plan, SecretPlan
from pg2dynamo.secrets.client import secrets_client
from pg2dynamo.secrets.decrypt import Decryptor, build_decryptor
from pg2dynamo.secrets.kms import key_state, kms_client
from pg2dynamo.secrets.value import compose_object, compose_text
from pg2dynamo.secrets.vault import value_fault

ATTEMPTS = 2
"""Of one call: a checklist is to say soon that nothing answers."""

_NOBODYS_NAME = "pg2dynamo/check"


@dataclass
class _Tally:
    """The credentials of one table, counted."""

    good: int = 0
    undecryptable: int = 0
    newest_undecryptable: int = 0
    refused: int = 0
    unnameable: int = 0
    secrets: int = 0


def check_services(plan: Plan, environ: Mapping[str, str]) -> list[CheckLine]:
    """Look at Secrets Manager and at every KMS key that the plan names; creates nothing."""
    if not plan.secrets:
        return []
    return [*_secrets_manager(plan, environ), *_keys(plan, environ)]


def _secrets_manager(plan: Plan, environ: Mapping[str, str]) -> Iterator[CheckLine]:
    prefix = plan.secrets[0].name_prefix
    try:
        client = secrets_client(target_settings(plan, environ).region, attempts=ATTEMPTS)
        client.describe(f"{prefix}{_NOBODYS_NAME}")
    except Pg2DynamoError as error:
        yield failure("Secrets Manager", error)
    else:
        yield ok("Secrets Manager", f"reachable; secrets below {prefix} may be described")


def _keys(plan: Plan, environ: Mapping[str, str]) -> Iterator[CheckLine]:
    for name in dict.fromkeys(secret.kms_key for secret in plan.secrets if secret.kms_key):
        subject = f"KMS key {name}"
        try:
            state = key_state(kms_client(target_settings(plan, environ).region), name)
        except Pg2DynamoError as error:
            yield failure(subject, error)
            continue
        if state is None:
            yield failed(subject, "it is not there", "Run `pg2dynamo prepare --create-kms-key`, or name another.")
        elif state.fault:
            yield failed(subject, state.fault, "Enable it, or name another.")
        else:
            yield ok(subject, "there and enabled")


def check_credentials(conn: psycopg.Connection, plan: SecretPlan, environ: Mapping[str, str]) -> list[CheckLine]:
    """Decrypt every credential of one table in memory, and count; nothing of any is shown or kept."""
    subject = f"secrets {plan.source}"
    try:
        decryptor = build_decryptor(plan.decrypt, environ)
        tally = _Tally()
        for group in read_credentials(conn, plan):
            _count(tally, decryptor, plan, group)
    except Pg2DynamoError as error:
        return [failure(subject, error)]
    return list(_lines(subject, tally))


def _count(tally: _Tally, decryptor: Decryptor, plan: SecretPlan, group: CredentialGroup) -> None:
    if group.fault:
        tally.unnameable += len(group.rows)
        return
    good_before = tally.good
    for row in group.rows:
        try:
            _judge(decryptor, plan, row)
            tally.good += 1
        except SecretUndecryptable:
            tally.undecryptable += 1
            tally.newest_undecryptable += row is group.rows[-1]
        except SecretRefused:
            tally.refused += 1
    tally.secrets += tally.good > good_before


def _judge(decryptor: Decryptor, plan: SecretPlan, row: CredentialRow) -> None:
    """Make the secret's value as the copy would, and let go of it. Raises SecretUndecryptable, SecretRefused."""
    if row.fault:
        raise SecretRefused(row.fault)
    plaintext = decryptor.decrypt(row.ciphertext)
    value = compose_object(row.fields, plan.plaintext, plaintext) if plan.plaintext else compose_text(plaintext)
    fault = value_fault(value)
    if fault:
        raise SecretRefused(fault)


def _lines(subject: str, tally: _Tally) -> Iterator[CheckLine]:
    if tally.undecryptable and not tally.good:
        yield failed(
            subject,
            f"no key decrypts any of {tally.undecryptable:,} credentials",
            "Set the variables that `decrypt.keys` names to the keys that the application encrypts with.",
        )
        return
    if tally.undecryptable:
        yield warning(
            subject,
            f"{tally.undecryptable:,} credentials do not decrypt, {tally.newest_undecryptable:,} of them the newest of "
            "their name; the copy refuses and counts them",
            "Add the key that they were encrypted with to `decrypt.keys`, or accept the loss.",
        )
    if tally.refused:
        yield warning(subject, f"{tally.refused:,} credentials cannot be a secret; the copy refuses and lists them")
    if tally.unnameable:
        yield warning(
            subject,
            f"{tally.unnameable:,} credentials have no valid secret name; the copy refuses and lists them",
            "A name has 1 to 512 of the characters A-Z a-z 0-9 / _ + = . @ - and no NULL column, "
            "and is made of the same columns in each row.",
        )
    yield ok(subject, f"{tally.good:,} credentials decrypt, for {tally.secrets:,} secrets")
