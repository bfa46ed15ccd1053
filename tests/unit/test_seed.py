"""The generator of the onboarding database, without a server."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from random import Random
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from psycopg.types.json import Jsonb

from onboarding.cli import main
from onboarding.seed import CredentialKeys, rows
from onboarding.seed.credentials import FAULTS, TYPES, plaintext, token
from onboarding.seed.population import Population

KEYS = CredentialKeys(
    current="Y3VycmVudCBrZXkgb2YgdGhlIHRlc3RzLCAzMiBieXQ=", old="b2xkIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzLi4="
)
STREAMS = (rows.tenants, rows.providers, rows.accounts, rows.schedules, rows.executions, rows.scan_results)


def credentials(people: Population) -> Iterator[rows.Credential]:
    for shape in people.shapes():
        yield from rows.credentials(people, shape, KEYS)


def everything(accounts: int, seed: int) -> list[Any]:
    people = Population(accounts, seed)
    found = [[_plain(value) for value in row] for stream in STREAMS for row in stream(people)]
    return [*found, *(list(credential.row) for credential in credentials(people))]


def _plain(value: Any) -> Any:
    return json.dumps(value.obj) if isinstance(value, Jsonb) else value


def movable(data: bytes) -> bool:
    try:
        text = MultiFernet([Fernet(KEYS.current), Fernet(KEYS.old)]).decrypt(data).decode("utf-8")
        return isinstance(json.loads(text), dict)
    except (InvalidToken, ValueError):
        return False


def test_the_same_seed_gives_the_same_rows_byte_by_byte() -> None:
    assert everything(60, 7) == everything(60, 7)


def test_another_seed_gives_other_rows() -> None:
    assert everything(60, 7) != everything(60, 8)


def test_the_rows_do_not_depend_on_the_time_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    before = everything(20, 7)
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert everything(20, 7) == before
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_token_is_one_that_the_library_decrypts() -> None:
    made = token(KEYS.old, b'{"a": 1}', datetime(2024, 5, 6), Random(1))
    assert Fernet(KEYS.old).decrypt(made) == b'{"a": 1}'
    assert Fernet(KEYS.old).extract_timestamp(made) == 1_714_953_600


@pytest.mark.parametrize("kind", sorted({kind for kinds in TYPES.values() for kind in kinds}))
def test_every_type_of_credential_is_an_object_of_texts(kind: str) -> None:
    assert len(plaintext(kind, Random(1))) >= 3


@pytest.mark.parametrize("accounts", [7, 8, 100, 1000])
def test_exactly_the_credentials_that_are_said_to_be_faulty_cannot_be_moved(accounts: int) -> None:
    made = list(credentials(Population(accounts, 7)))
    assert sum(credential.refused for credential in made) == len(FAULTS)
    assert [credential.refused for credential in made] == [not movable(credential.row[3]) for credential in made]


def test_a_faulty_credential_is_the_newest_of_its_account_an_older_one_or_the_only_one() -> None:
    people = Population(100, 7)
    for shape in people.shapes():
        if shape.fault is None:
            continue
        made = [credential.refused for credential in rows.credentials(people, shape, KEYS)]
        assert made.index(True) == {"newest": len(made) - 1, "older": 0, "only": 0}[shape.fault.place]
        assert (len(made) == 1) == (shape.fault.place == "only")


def test_fewer_accounts_than_faults_are_possible() -> None:
    assert sum(credential.refused for credential in credentials(Population(3, 7))) == 3


def test_both_keys_are_in_use() -> None:
    made = [credential.row[3] for credential in credentials(Population(100, 7)) if not credential.refused]
    by_current = sum(_decrypts(Fernet(KEYS.current), data) for data in made)
    assert 0 < by_current < len(made)


def _decrypts(fernet: Fernet, data: bytes) -> bool:
    try:
        fernet.decrypt(data)
    except InvalidToken:
        return False
    return True


def test_tenants_are_of_very_different_sizes_and_some_have_nothing() -> None:
    people = Population(1000, 7)
    sizes = Counter(shape.tenant for shape in people.shapes())
    assert sum(sizes.values()) == 1000
    assert max(sizes.values()) > 30 * min(sizes.values())
    assert people.tenants - 2 not in sizes
    assert people.providers(people.tenants - 1) == ()


def test_every_reference_finds_its_row() -> None:
    people = Population(200, 7)
    tenants = {row[0] for row in rows.tenants(people)}
    providers = {(row[0], row[1]) for row in rows.providers(people)}
    accounts = {row[0] for row in rows.accounts(people)}
    schedules = {(row[0], row[2]) for row in rows.schedules(people)}
    scans = {row[0] for row in rows.scan_results(people)}
    assert {tenant for _, tenant in providers} <= tenants
    assert {(row[1], row[2]) for row in rows.accounts(people)} <= providers
    assert {credential.row[1] for credential in credentials(people)} <= accounts
    assert {(row[1], row[2]) for row in rows.executions(people)} <= schedules
    assert {row[6] for row in rows.executions(people) if row[6]} <= scans


def test_the_rows_hold_what_breaks_careless_tools() -> None:
    values = [value for row in everything(300, 7) for value in row]
    texts = "".join(value for value in values if isinstance(value, str))
    assert None in values
    assert "" in values
    for piece in ("\n", "\t", "\\", "'", '"', "\u0301", "\u200f", "👩🏽‍💻", "\U0010ffff"):
        assert piece in texts
    arrays = [value for value in values if isinstance(value, list)]
    assert [] in arrays
    assert [""] in arrays
    assert ["a", None, "b"] in arrays
    assert any(isinstance(value, datetime) and value.microsecond % 1000 for value in values)


def test_some_schedules_have_no_next_run_and_some_are_not_enabled() -> None:
    made = list(rows.schedules(Population(200, 7)))
    assert any(row[16] is None for row in made)
    assert any(row[16] is not None for row in made)
    assert {row[14] for row in made} == {True, False}


def test_the_keys_do_not_show() -> None:
    assert KEYS.current not in repr(KEYS)


def test_a_connection_string_that_is_none_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CREDENTIAL_KEY", KEYS.current)
    monkeypatch.setenv("CREDENTIAL_KEY_OLD", KEYS.old)
    for dsn in ("hunter2 is the password", "postgresql://u:p@hunter2@127.0.0.1:1/x"):
        monkeypatch.setattr("sys.argv", ["onboarding", "seed", "--dsn", dsn])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 1
        output = capsys.readouterr()
        assert "DATABASE_URL" in output.err
        assert "hunter2" not in output.err + output.out
