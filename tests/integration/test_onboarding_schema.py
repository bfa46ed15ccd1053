"""The onboarding database on real servers: its schema is the guide's, its rows are those that are reported."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest

import onboarding
from onboarding.database.schema import create_schema
from onboarding.seed import CredentialKeys, NotEmpty, fill, rows
from onboarding.seed.population import Population
from onboarding.storage.encryption import EncryptionError, EncryptionService
from pg2dynamo.migration.source import compile_plan
from pg2dynamo.plan.load import load_plan
from tests.conftest import Database

KEYS = CredentialKeys(
    current="Y3VycmVudCBrZXkgb2YgdGhlIHRlc3RzLCAzMiBieXQ=", old="b2xkIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzLi4="
)
PLAN = Path(onboarding.__file__).parent / "plan.yaml"

# The guide's database as the server must describe it: column, type, `?` when nullable, `=` and its default.
COLUMNS = {
    "tenants": """
        tenant_id uuid=gen_random_uuid(), tenant_name varchar(255), description text?,
        status varchar(50)='active', created_at timestamp=now(), updated_at timestamp=now()""",
    "providers": """
        provider_id uuid=gen_random_uuid(), tenant_id uuid, provider_type varchar(50), status varchar(50)='active',
        created_at timestamp=now(), updated_at timestamp=now()""",
    "accounts": """
        account_id uuid=gen_random_uuid(), provider_id uuid, tenant_id uuid, account_name varchar(255),
        account_number varchar(255)?, status varchar(50)='pending', onboarding_status varchar(50)='pending',
        onboarding_id uuid?, created_at timestamp=now(), updated_at timestamp=now(), last_validated_at timestamp?""",
    "account_credentials": """
        credential_id uuid=gen_random_uuid(), account_id uuid, credential_type varchar(50), encrypted_data bytea,
        encryption_key_id varchar(255)?, created_at timestamp=now(), updated_at timestamp=now(),
        expires_at timestamp?, last_used_at timestamp?""",
    "schedules": """
        schedule_id uuid=gen_random_uuid(), tenant_id uuid, account_id uuid, name varchar(255), description text?,
        schedule_type varchar(50), cron_expression varchar(255)?, interval_seconds integer?,
        timezone varchar(50)='UTC', provider_type varchar(50), regions text[]?, services text[]?,
        exclude_services text[]?, status varchar(50)='active', enabled boolean=true, last_run_at timestamp?,
        next_run_at timestamp?, run_count integer=0, success_count integer=0, failure_count integer=0,
        notify_on_success boolean=false, notify_on_failure boolean=true, notification_channels jsonb?,
        created_at timestamp=now(), updated_at timestamp=now(), created_by uuid?""",
    "schedule_executions": """
        execution_id uuid=gen_random_uuid(), schedule_id uuid, account_id uuid, started_at timestamp,
        completed_at timestamp?, status varchar(50), scan_id varchar(255)?, total_checks integer?,
        passed_checks integer?, failed_checks integer?, error_message text?, triggered_by varchar(50)?,
        execution_time_seconds integer?, created_at timestamp=now()""",
    "scan_results": """
        scan_id varchar(255), account_id uuid, provider_type varchar(50), scan_type varchar(50)?,
        started_at timestamp, completed_at timestamp?, status varchar(50), total_checks integer?,
        passed_checks integer?, failed_checks integer?, error_checks integer?, result_storage_path text?,
        metadata jsonb?, created_at timestamp=now()""",
}

READ_COLUMNS = """
    SELECT a.attname || ' '
        || replace(replace(format_type(a.atttypid, a.atttypmod), 'character varying', 'varchar'),
                   'timestamp without time zone', 'timestamp')
        || CASE WHEN a.attnotnull THEN '' ELSE '?' END
        || coalesce('=' || regexp_replace(pg_get_expr(d.adbin, d.adrelid), '::[a-z ]+$', ''), '')
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""

READ_FOREIGN_KEYS = """
    SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
    WHERE contype = 'f' AND confdeltype = 'c' AND connamespace = 'public'::regnamespace"""

READ_INDEXES = "SELECT regexp_replace(indexdef, '^.* USING ', '') FROM pg_indexes WHERE schemaname = 'public'"


@pytest.fixture
def empty(database: Database) -> Database:
    create_schema(database.dsn)
    return database


@pytest.mark.parametrize("table", sorted(COLUMNS))
def test_the_columns_are_the_guides_in_order_with_type_null_and_default(empty: Database, table: str) -> None:
    with empty.connect() as connection:
        found = [row[0] for row in connection.execute(READ_COLUMNS, (table,))]
    assert found == [
        " ".join(column.split()) for column in COLUMNS[table].split(",\n") for column in column.split(", ")
    ]


def test_every_foreign_key_cascades(empty: Database) -> None:
    with empty.connect() as connection:
        found = sorted(connection.execute(READ_FOREIGN_KEYS).fetchall())
    assert found == [
        ("account_credentials", "accounts"),
        ("accounts", "providers"),
        ("accounts", "tenants"),
        ("providers", "tenants"),
        ("scan_results", "accounts"),
        ("schedule_executions", "accounts"),
        ("schedule_executions", "schedules"),
        ("schedules", "accounts"),
        ("schedules", "tenants"),
    ]


def test_the_indexes_are_the_guides(empty: Database) -> None:
    with empty.connect() as connection:
        found = sorted(row[0] for row in connection.execute(READ_INDEXES))
    assert found == sorted(
        [
            *("btree (tenant_id)", "btree (provider_id)", "btree (account_id)", "btree (credential_id)"),
            *("btree (schedule_id)", "btree (execution_id)", "btree (scan_id)"),
            *("btree (tenant_name)", "btree (tenant_id, provider_type)"),
            *("btree (status)", "btree (status)", "btree (started_at)"),
            "btree (next_run_at) WHERE (enabled AND ((status)::text = 'active'::text))",
        ]
    )


def test_creating_the_schema_again_changes_nothing_and_keeps_the_rows(empty: Database) -> None:
    with empty.connect() as connection:
        connection.execute("INSERT INTO tenants (tenant_name) VALUES ('a')")
        create_schema(empty.dsn)
        assert connection.execute("SELECT count(*) FROM tenants").fetchone() == (1,)


def test_a_value_outside_an_enumeration_is_refused(empty: Database) -> None:
    with empty.connect() as connection:
        tenant = _insert_tenant(connection)
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(
                "INSERT INTO providers (tenant_id, provider_type) VALUES (%s, 'digitalocean')", (tenant,)
            )


@pytest.mark.parametrize("table", ["tenants", "providers", "accounts", "account_credentials", "schedules"])
def test_an_update_moves_updated_at(database: Database, table: str) -> None:
    fill(database.dsn, KEYS, accounts=20)
    with database.connect() as connection:
        connection.execute(f"UPDATE {table} SET created_at = created_at")
        stale = connection.execute(f"SELECT count(*) FROM {table} WHERE updated_at < now() - interval '1 hour'")
        assert stale.fetchone() == (0,)


def test_deleting_a_tenant_deletes_all_that_is_below_it(database: Database) -> None:
    fill(database.dsn, KEYS, accounts=50)
    with database.connect() as connection:
        connection.execute("DELETE FROM tenants")
        for table in COLUMNS:
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_the_report_counts_what_is_there(database: Database) -> None:
    report = fill(database.dsn, KEYS, accounts=300)
    with database.connect() as connection:
        for table, count in report.tables.items():
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (count,)
    assert list(report.tables) == [f"public.{name}" for name in COLUMNS]
    secrets = report.secrets
    assert secrets.rows == report.tables["public.account_credentials"]
    assert secrets.rows == secrets.current + secrets.older + secrets.refused
    assert secrets.refused == len(report.refused) == 7


def test_a_database_that_holds_rows_is_not_filled_again(database: Database) -> None:
    fill(database.dsn, KEYS, accounts=5)
    with pytest.raises(NotEmpty):
        fill(database.dsn, KEYS, accounts=5)


def test_what_a_role_sets_for_its_sessions_does_not_change_the_rows(database: Database) -> None:
    settings = {
        "DateStyle": "'German'",
        "TimeZone": "'Asia/Kolkata'",
        "search_path": "pg_catalog",
        "statement_timeout": "1",
    }
    with database.connect() as connection:
        for name, value in settings.items():
            connection.execute(f"ALTER DATABASE {database.name} SET {name} = {value}")
    fill(database.dsn, KEYS, accounts=5)
    with database.connect(options="-c search_path=public -c datestyle=ISO -c statement_timeout=0") as connection:
        found = connection.execute("SELECT tenant_id, created_at FROM tenants").fetchall()
    assert sorted(found) == sorted((row[0], row[4]) for row in rows.tenants(Population(5, 7)))


def test_the_default_size_is_written_within_seconds(any_database: Database) -> None:
    begin = time.monotonic()
    report = fill(any_database.dsn, KEYS)
    assert time.monotonic() - begin < 60  # about 5 s on an idle machine
    assert 45_000 < sum(report.tables.values()) < 55_000


def test_the_plan_fits_the_database(empty: Database) -> None:
    plan = load_plan(PLAN, {})
    with empty.connect() as connection:
        mappings = compile_plan(connection, plan)
    assert {mapping.name: mapping.target for mapping in mappings} == {
        "public.tenants": "threat-engine-tenants",
        "tenant-names": "threat-engine-tenant-names",
        "public.providers": "threat-engine-providers",
        "tenant-providers": "threat-engine-tenant-providers",
        "public.accounts": "threat-engine-accounts",
        "public.schedules": "threat-engine-schedules",
        "public.schedule_executions": "threat-engine-executions",
        "public.scan_results": "threat-engine-scan-results",
    }
    assert {form for mapping in mappings for _, form in mapping.key_types} == {"S"}
    enabled = next(a for m in mappings for a in m.attributes if (m.name, a.name) == ("public.schedules", "enabled"))
    assert (enabled.restores, enabled.back) == ("enabled", "enabled = 'true'")


def test_every_table_and_secret_name_of_the_plan_can_be_overridden() -> None:
    entities = (
        *("TENANTS", "TENANT_NAMES", "PROVIDERS", "TENANT_PROVIDERS"),
        *("ACCOUNTS", "SCHEDULES", "EXECUTIONS", "SCAN_RESULTS"),
    )
    environ = {f"DYNAMODB_{entity}_TABLE": f"my-{entity}" for entity in entities}
    plan = load_plan(PLAN, environ | {"SECRETS_MANAGER_PREFIX": "my", "SECRETS_MANAGER_KMS_KEY_ID": "alias/my"})
    assert [table.to for table in plan.tables] == [f"my-{entity}" for entity in entities]
    assert plan.secrets[0].name == "my/account/{account_id}"
    assert plan.secrets[0].kms_key == "alias/my"


def test_the_service_decrypts_what_it_encrypted_before_and_after_a_rotation() -> None:
    before = EncryptionService({"CREDENTIAL_KEY": KEYS.old}).encrypt({"api_key": "ü"})
    after = EncryptionService({"CREDENTIAL_KEY": KEYS.current, "CREDENTIAL_KEY_OLD": KEYS.old})
    assert after.decrypt(before) == '{"api_key": "ü"}'
    assert after.decrypt(after.encrypt("[]")) == "[]"
    with pytest.raises(EncryptionError) as caught:
        EncryptionService({"CREDENTIAL_KEY": KEYS.current}).decrypt(before)
    assert "ü" not in str(caught.value)


def test_a_service_without_a_key_says_so() -> None:
    with pytest.raises(EncryptionError, match="CREDENTIAL_KEY is not set"):
        EncryptionService({}).encrypt("x")


def _insert_tenant(connection: psycopg.Connection[tuple[object, ...]]) -> object:
    row = connection.execute("INSERT INTO tenants (tenant_name) VALUES ('t') RETURNING tenant_id").fetchone()
    assert row is not None
    return row[0]
