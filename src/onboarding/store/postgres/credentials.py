"""Credentials of accounts in PostgreSQL, kept by `onboarding.storage.credential_storage`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from onboarding.storage.credential_storage import CredentialStorage
from onboarding.storage.encryption import EncryptionError, EncryptionService, NotDecryptable
from onboarding.store.errors import StoreError, Unreadable
from onboarding.store.interface import Clock
from onboarding.store.postgres.records import Records
from onboarding.store.postgres.rows import ACCOUNTS, Lock, find
from onboarding.store.postgres.transactions import Transactions
from onboarding.store.records import Credential, CredentialInfo, NewCredential

Answer = TypeVar("Answer")


class Credentials(Records):
    """See `onboarding.store.interface.Store`, whose promises these calls keep."""

    def __init__(self, transactions: Transactions, clock: Clock, encryption: EncryptionService) -> None:
        super().__init__(transactions, clock)
        self._encryption = encryption

    def put_credential(self, account_id: UUID, new: NewCredential, *, owner: UUID | None = None) -> CredentialInfo:
        """See the interface."""

        def put(storage: CredentialStorage) -> CredentialInfo:
            return _info(storage.store(account_id, new.credential_type, new.credentials, new.expires_at, commit=False))

        return self._with_account(account_id, owner, put, "against change")

    def get_credential_info(self, account_id: UUID, *, owner: UUID | None = None) -> CredentialInfo:
        """See the interface."""
        return self._with_account(account_id, owner, lambda storage: _info(storage.describe(account_id)))

    def read_credential(self, account_id: UUID, *, owner: UUID | None = None) -> Credential:
        """See the interface."""

        def read(storage: CredentialStorage) -> Credential:
            try:
                kept = storage.retrieve(account_id)
            except NotDecryptable:
                raise Unreadable("credential") from None
            return Credential(info=_info(kept), credentials=kept["credentials"])

        return self._with_account(account_id, owner, read)

    def delete_credential(self, account_id: UUID, *, owner: UUID | None = None) -> None:
        """See the interface."""
        self._with_account(
            account_id, owner, lambda storage: storage.delete(account_id, commit=False), "against change"
        )

    def _with_account(
        self,
        account_id: UUID,
        owner: UUID | None,
        work: Callable[[CredentialStorage], Answer],
        lock: Lock | None = None,
    ) -> Answer:
        def run(connection: Connection) -> Answer:
            find(connection, ACCOUNTS, account_id, owner, lock=lock)
            return work(CredentialStorage(connection, encryption=self._encryption, clock=self._clock))

        try:
            return self._transactions.run(run)
        except EncryptionError as error:
            raise StoreError(str(error)) from None


def _info(told: dict[str, Any]) -> CredentialInfo:
    return CredentialInfo(
        account_id=UUID(told["account_id"]),
        credential_type=told["credential_type"],
        created_at=datetime.fromisoformat(told["created_at"]),
        expires_at=None if told["expires_at"] is None else datetime.fromisoformat(told["expires_at"]),
    )
