"""Keep the credentials of accounts in PostgreSQL, as Fernet tokens: each one is a row, and the newest counts.

The newest is the row with the latest `created_at` and, of several, the highest `credential_id`: the order in which
pg2dynamo makes them versions of a secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, func, insert, select
from sqlalchemy.orm import Session

from onboarding.database.models import Base
from onboarding.storage.encryption import EncryptionService, NotDecryptable, encryption_service
from onboarding.store.errors import NotFound
from onboarding.store.interface import Clock
from onboarding.store.opening import utc_now
from onboarding.store.paging import moment_text
from onboarding.store.rules import check_fields

ACCOUNTS: Final[Table] = Base.metadata.tables["accounts"]
CREDENTIALS: Final[Table] = Base.metadata.tables["account_credentials"]
TOLD = tuple(CREDENTIALS.c[n] for n in ("credential_id", "account_id", "credential_type", "created_at", "expires_at"))


class CredentialStorage:
    """The credentials of accounts, over a caller's session or connection.

    `store` and `delete` commit the session, with all that it holds, unless called with `commit=False`. Nothing
    else ends the caller's transaction. Raises EncryptionError when a key is missing or does not fit.
    """

    def __init__(
        self,
        db: Session | Connection,
        *,
        encryption: EncryptionService = encryption_service,
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._encryption = encryption
        self._clock = clock

    def store(
        self,
        account_id: UUID | str,
        credential_type: str,
        credentials: Mapping[str, Any],
        expires_at: datetime | None = None,
        *,
        commit: bool = True,
    ) -> dict[str, Any]:
        """Store a credential as the account's newest, and return what `describe` returns.

        Raises Invalid for a value that breaks its rule, NotFound for an account that is not there.
        """
        given = {"credential_type": credential_type, "expires_at": expires_at}
        check_fields("credential", {**given, "credentials": credentials})
        token = self._encryption.encrypt(dict(credentials))
        account = self._locked_account(account_id)
        values = {**given, "account_id": account, "encrypted_data": token, **self._times(account)}
        row = self._db.execute(insert(CREDENTIALS).values(values).returning(*TOLD)).one()
        if commit:
            self._db.commit()
        return _told(row)

    def retrieve(self, account_id: UUID | str) -> dict[str, Any]:
        """Return what `describe` returns and `credentials`.

        Raises NotFound when the account has none, NotDecryptable when its newest does not decrypt.
        """
        row = self._newest(account_id, CREDENTIALS.c.encrypted_data)
        return {**_told(row), "credentials": _object(self._encryption.decrypt(row.encrypted_data))}

    def describe(self, account_id: UUID | str) -> dict[str, Any]:
        """Return `credential_id`, `account_id`, `credential_type`, `created_at` and `expires_at` as text or None.

        Decrypts nothing. Raises NotFound when the account has none.
        """
        return _told(self._newest(account_id))

    def delete(self, account_id: UUID | str, *, commit: bool = True) -> None:
        """Delete all credentials of the account. Raises NotFound when it has none."""
        account = self._locked_account(account_id, "credential")
        gone = self._db.execute(delete(CREDENTIALS).where(CREDENTIALS.c.account_id == account).returning(TOLD[0]))
        if not gone.all():
            raise NotFound("credential")
        if commit:
            self._db.commit()

    def _locked_account(self, account_id: UUID | str, kind: str = "account") -> UUID:
        """Hold the account until the transaction ends: two that store at once must not become equally new."""
        account = _identifier(account_id, kind)
        held = select(ACCOUNTS.c.account_id).where(ACCOUNTS.c.account_id == account).with_for_update(key_share=True)
        if self._db.execute(held).one_or_none() is None:
            raise NotFound(kind)
        return account

    def _times(self, account: UUID) -> dict[str, datetime]:
        """Return the time of a new credential: now, but after the newest one, whatever the clock says."""
        latest = select(func.max(CREDENTIALS.c.created_at)).where(CREDENTIALS.c.account_id == account)
        newest: datetime | None = self._db.execute(latest).scalar_one()
        now = self._clock()
        now = now if newest is None else max(now, newest + timedelta(microseconds=1))
        return {"created_at": now, "updated_at": now}

    def _newest(self, account_id: UUID | str, *more: ColumnElement[Any]) -> Row[Any]:
        statement = (
            select(*TOLD, *more)
            .where(CREDENTIALS.c.account_id == _identifier(account_id, "credential"))
            .order_by(CREDENTIALS.c.created_at.desc(), CREDENTIALS.c.credential_id.desc())
            .limit(1)
        )
        row = self._db.execute(statement).one_or_none()
        if row is None:
            raise NotFound("credential")
        return row


def _identifier(account_id: UUID | str, kind: str) -> UUID:
    try:
        return UUID(str(account_id))
    except ValueError:
        raise NotFound(kind) from None


def _object(text: str) -> dict[str, Any]:
    """Return the object that a JSON text is; the error of the parser would hold the text."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise NotDecryptable from None
    if not isinstance(found, dict):
        raise NotDecryptable
    return found


def _told(row: Row[Any]) -> dict[str, Any]:
    return {
        "credential_id": str(row.credential_id),
        "account_id": str(row.account_id),
        "credential_type": row.credential_type,
        "created_at": moment_text(row.created_at),
        "expires_at": None if row.expires_at is None else moment_text(row.expires_at),
    }
