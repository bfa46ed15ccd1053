"""Credentials in PostgreSQL: the newest counts, keys rotate, and no value shows itself."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from onboarding.database.connection import engine_for
from onboarding.storage.credential_storage import CredentialStorage
from onboarding.storage.encryption import EncryptionError, EncryptionService
from onboarding.store.errors import Invalid, NotFound, Unreadable
from tests.conftest import Database
from tests.integration.onboarding.postgres_stores import KEY, OTHER_KEY, at_once, new_account, store_on

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678)
ENCRYPTION = EncryptionService({"CREDENTIAL_KEY": KEY})


@pytest.fixture
def account_id(any_database: Database) -> UUID:
    """An account, without credentials."""
    with store_on(any_database.dsn) as store:
        return new_account(store)


@pytest.fixture
def engine(any_database: Database) -> Iterator[Engine]:
    """Connections to the database."""
    engine = engine_for(any_database.dsn)
    yield engine
    engine.dispose()


@pytest.fixture
def db(engine: Engine, account_id: UUID) -> Iterator[Session]:
    """A session as a request has it."""
    with Session(engine) as session:
        yield session


def storage(db: Session, clock: datetime = MOMENT, encryption: EncryptionService = ENCRYPTION) -> CredentialStorage:
    """Return the storage over a session, at a time."""
    return CredentialStorage(db, encryption=encryption, clock=lambda: clock)


def test_the_guides_call_stores_with_nothing_to_be_done_afterwards(
    db: Session, engine: Engine, account_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIAL_KEY", KEY)
    credential_storage = CredentialStorage(db)
    credential_type, credentials = "aws_access_key", {"access_key_id": "a", "secret_access_key": "b"}
    credential_storage.store(account_id, credential_type, credentials)
    with Session(engine) as another:
        assert storage(another).retrieve(account_id)["credentials"] == credentials


def test_what_is_told_of_a_credential_is_text(db: Session, account_id: UUID) -> None:
    stored = storage(db).store(account_id, "ibm_api_key", {"api_key": "x"}, MOMENT + timedelta(days=1))
    assert stored == {
        "credential_id": stored["credential_id"],
        "account_id": str(account_id),
        "credential_type": "ibm_api_key",
        "created_at": "2026-01-02T03:04:05.000678",
        "expires_at": "2026-01-03T03:04:05.000678",
    }
    assert storage(db).describe(str(account_id)) == stored
    assert storage(db).retrieve(account_id) == {**stored, "credentials": {"api_key": "x"}}


def test_the_row_is_a_fernet_token_over_utf8_json(db: Session, account_id: UUID) -> None:
    storage(db).store(account_id, "ibm_api_key", {"api_key": "ü"})
    token = db.execute(text("SELECT encrypted_data FROM account_credentials")).scalar_one()
    assert Fernet(KEY).decrypt(token) == '{"api_key": "ü"}'.encode()


def test_the_caller_may_commit_itself(db: Session, engine: Engine, account_id: UUID) -> None:
    storage(db).store(account_id, "ibm_api_key", {"api_key": "x"}, commit=False)
    with Session(engine) as another, pytest.raises(NotFound):
        storage(another).describe(account_id)
    db.rollback()
    with pytest.raises(NotFound):
        storage(db).describe(account_id)


@pytest.mark.parametrize("back", [timedelta(), timedelta(hours=1)])
def test_a_new_credential_is_the_newest_though_the_clock_stands_or_goes_back(
    db: Session, account_id: UUID, back: timedelta
) -> None:
    storage(db).store(account_id, "ibm_api_key", {"api_key": "first"})
    second = storage(db, MOMENT - back).store(account_id, "ibm_api_key", {"api_key": "second"})
    assert second["created_at"] == "2026-01-02T03:04:05.000679"
    assert storage(db).retrieve(account_id)["credentials"] == {"api_key": "second"}


def test_of_rows_of_one_moment_the_highest_id_counts(db: Session, account_id: UUID) -> None:
    storage(db).store(account_id, "ibm_api_key", {"api_key": "low"})
    storage(db).store(account_id, "ibm_api_key", {"api_key": "high"})
    storage(db).store(account_id, "ibm_api_key", {"api_key": "middle"})
    ids = db.execute(text("SELECT credential_id FROM account_credentials ORDER BY created_at")).scalars().all()
    for found, digit in zip(ids, "1f8", strict=True):
        renamed = {"id": f"{digit * 8}-0000-4000-8000-000000000000", "found": found, "moment": MOMENT}
        db.execute(
            text(
                "UPDATE account_credentials SET credential_id = :id, created_at = :moment WHERE credential_id = :found"
            ),
            renamed,
        )
    db.commit()
    assert storage(db).retrieve(account_id)["credentials"] == {"api_key": "high"}


def test_credentials_stored_at_once_have_times_of_their_own(engine: Engine, account_id: UUID) -> None:
    def store() -> str:
        with Session(engine) as session:
            return str(storage(session).store(account_id, "ibm_api_key", {"api_key": "x"})["created_at"])

    assert len(set(at_once([store] * 6))) == 6


def test_after_a_rotation_the_old_key_still_reads_what_it_wrote(db: Session, account_id: UUID) -> None:
    storage(db).store(account_id, "ibm_api_key", {"api_key": "x"})
    rotated = EncryptionService({"CREDENTIAL_KEY": OTHER_KEY, "CREDENTIAL_KEY_OLD": KEY})
    assert storage(db, encryption=rotated).retrieve(account_id)["credentials"] == {"api_key": "x"}
    storage(db, encryption=rotated).store(account_id, "ibm_api_key", {"api_key": "y"})
    assert storage(db, encryption=rotated).retrieve(account_id)["credentials"] == {"api_key": "y"}
    with pytest.raises(EncryptionError):
        storage(db).retrieve(account_id)


def test_telling_of_a_credential_needs_no_key(db: Session, account_id: UUID) -> None:
    stored = storage(db).store(account_id, "ibm_api_key", {"api_key": "x"})
    assert storage(db, encryption=EncryptionService({})).describe(account_id) == stored


def test_deletion_removes_all_of_the_account_and_nothing_else(db: Session, any_database: Database) -> None:
    with store_on(any_database.dsn) as store:
        one, other = new_account(store, "one"), new_account(store, "other")
    for account in (one, one, other):
        storage(db).store(account, "ibm_api_key", {"api_key": "x"})
    storage(db).delete(one)
    assert db.execute(text("SELECT account_id FROM account_credentials")).scalars().all() == [other]
    with pytest.raises(NotFound):
        storage(db).delete(one)


@pytest.mark.parametrize("unknown", [UUID(int=1), "00000000-0000-0000-0000-000000000001", "no id at all"])
def test_an_unknown_account_is_not_found(db: Session, unknown: UUID | str) -> None:
    with pytest.raises(NotFound) as refusal:
        storage(db).store(unknown, "ibm_api_key", {"api_key": "x"})
    assert refusal.value.kind == "account"
    for call in (storage(db).retrieve, storage(db).describe, storage(db).delete):
        with pytest.raises(NotFound) as refusal:
            call(unknown)
        assert refusal.value.kind == "credential"


def test_a_value_shows_itself_in_no_log_repr_or_error(
    db: Session, account_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    db.get_bind().echo = True  # type: ignore[union-attr]
    storing = storage(db)
    errors: list[BaseException] = []
    storing.store(account_id, "ibm_api_key", {"api_key": "marker-1"})
    token = bytes(db.execute(text("SELECT encrypted_data FROM account_credentials")).scalar_one()).decode()
    for credentials in ({"api_key": object(), "other": "marker-2"}, {"api_key": "marker-3" * 10_000}):
        with pytest.raises(Invalid) as refusal:
            storing.store(account_id, "ibm_api_key", credentials)
        errors.append(refusal.value)
    with pytest.raises(EncryptionError) as failure:
        storage(db, encryption=EncryptionService({"CREDENTIAL_KEY": OTHER_KEY})).retrieve(account_id)
    errors.append(failure.value)
    said = caplog.text + repr(storing) + "".join(f"{error}{error!r}{error.__cause__!r}" for error in errors)
    assert caplog.text
    for secret in ("marker", token[:30], KEY, OTHER_KEY):
        assert secret not in said


OTHER = EncryptionService({"CREDENTIAL_KEY": OTHER_KEY})


@pytest.mark.parametrize(
    "token",
    [OTHER.encrypt({"api_key": "marker"}), ENCRYPTION.encrypt("marker"), ENCRYPTION.encrypt('["marker"]'), b"marker"],
    ids=["another key", "no JSON", "no object", "no token"],
)
def test_a_credential_that_cannot_be_read_is_told_as_that_and_shows_nothing_of_itself(
    any_database: Database, account_id: UUID, db: Session, token: bytes
) -> None:
    storage(db).store(account_id, "ibm_api_key", {"api_key": "x"})
    db.execute(text("UPDATE account_credentials SET encrypted_data = :token"), {"token": token})
    db.commit()
    with store_on(any_database.dsn) as store:
        with pytest.raises(Unreadable) as refusal:
            store.read_credential(account_id)
        assert "marker" not in "".join(traceback.format_exception(refusal.value))
        assert store.get_credential_info(account_id).credential_type == "ibm_api_key"
