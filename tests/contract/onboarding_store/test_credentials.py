"""The contract of every store: of an account's credentials the newest counts, and none shows itself."""

from __future__ import annotations

import uuid

import pytest

from onboarding.store.errors import NotFound
from onboarding.store.interface import Store
from onboarding.store.records import (
    NewCredential,
)
from tests.contract.onboarding_store.conftest import Clock, Making
from tests.contract.onboarding_store.test_records import ALLOWANCE, HOSTILE, MOMENT


def test_the_newest_credential_counts_and_deletion_removes_all(store: Store, make: Making) -> None:
    account = make.account()
    with pytest.raises(NotFound) as refusal:
        store.get_credential_info(account.account_id)
    assert refusal.value.kind == "credential"
    first, second = {"api_key": HOSTILE}, {"api_key": "second", "deep": {"list": [1, None, True]}}
    store.put_credential(account.account_id, NewCredential(credential_type="ibm_api_key", credentials=first))
    for credentials in (second, first):  # back to an earlier value
        new = NewCredential(credential_type="ibm_api_key", credentials=credentials, expires_at=MOMENT)
        info = store.put_credential(account.account_id, new)
        assert store.get_credential_info(account.account_id) == info
        read = store.read_credential(account.account_id)
        assert (read.info, read.credentials) == (info, credentials)
        assert (info.expires_at, info.credential_type) == (MOMENT, "ibm_api_key")
        assert abs(info.created_at - Clock()()) < ALLOWANCE
    store.delete_credential(account.account_id)
    for call in (store.get_credential_info, store.read_credential, store.delete_credential):
        with pytest.raises(NotFound):
            call(account.account_id)
    store.put_credential(account.account_id, NewCredential(credential_type="aws_iam_role", credentials=second))
    assert store.read_credential(account.account_id).credentials == second


def test_a_credential_shows_itself_nowhere(store: Store, make: Making) -> None:
    account = make.account()
    marker = f"marker-{uuid.uuid4()}"
    new = NewCredential(credential_type="ibm_api_key", credentials={"api_key": marker})
    info = store.put_credential(account.account_id, new)
    read = store.read_credential(account.account_id)
    assert marker not in f"{new!r}{info!r}{read!r}{read}{store!r}"
