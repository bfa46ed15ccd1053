"""`copy --via import`: rows by way of S3 and ImportTable, checked item for item, and gone on with as any copy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from pg2dynamo.errors import ImportFailed, PlanError, StageError, TargetMissing, TargetRejected, TargetUnreachable
from pg2dynamo.migration.copy import CopyOptions, copy
from pg2dynamo.migration.prepare import prepare
from pg2dynamo.migration.progress import Silent
from pg2dynamo.migration.status import status
from pg2dynamo.migration.verify import verify
from pg2dynamo.plan.model import ImportPlan
from pg2dynamo.plan.ways import Via
from tests.bulk_case import BulkCase, MeddlingEndpoint, make_bulk_case, rewrite_objects
from tests.conftest import Database
from tests.integration.test_type_zoo import zoo_plan
from tests.integration.zoo_table import ZOO

PEOPLE, VISITS = 0, 1


@pytest.fixture
def case(any_database: Database, any_aws_environ: dict[str, str], unique: str) -> BulkCase:
    """A filled source, a bucket, and no tables yet."""
    return make_bulk_case(any_database, any_aws_environ, unique)


def is_equal(case: BulkCase, directory: Path) -> bool:
    return verify(case.plan, case.environ, processes=0, report=directory / "report.jsonl").equal


@contextmanager
def meddled(case: BulkCase, before: Any = lambda *_: None, after: Any = lambda *_: None) -> Iterator[BulkCase]:
    """The case with an endpoint between it and DynamoDB."""
    with (
        MeddlingEndpoint(case.environ["AWS_ENDPOINT_URL"], before, after) as endpoint,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint.url)
        # What is done between, on a busy machine, must not make the client ask again.
        patient = case.plan_text.replace("request_timeout_seconds: 1", "request_timeout_seconds: 30")
        yield case.with_environment(AWS_ENDPOINT_URL_DYNAMODB=endpoint.url).with_plan(patient)


@contextmanager
def losing(case: BulkCase, change: Any, *, counts: int | None = None) -> Iterator[BulkCase]:
    """A case whose DynamoDB imports other items than were sent, and may count them as if nothing were wrong."""

    def before(operation: str, request: dict[str, Any]) -> None:
        if operation == "ImportTable":
            rewrite_objects(case.bucket, change, request["S3BucketSource"]["S3KeyPrefix"])

    def after(operation: str, answer: dict[str, Any]) -> dict[str, Any] | None:
        description = answer.get("ImportTableDescription", {})
        if counts is None or operation != "DescribeImport" or description["ImportStatus"] != "COMPLETED":
            return None
        description |= {"ProcessedItemCount": counts, "ImportedItemCount": counts, "ErrorCount": 0}
        return answer

    with meddled(case, before, after) as wrong:
        yield wrong


def merged(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many items, but one under the key of another."""
    return [*items[:-1], items[-1] | {"id": items[0]["id"]}] if "id" in items[0] else items


def changed(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [items[0] | {"balance": {"N": "0.5"}}, *items[1:]] if "id" in items[0] else items


def swapped_type(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [items[0] | {"balance": {"S": items[0]["balance"]["N"]}}, *items[1:]] if "id" in items[0] else items


def test_an_imported_table_is_verified_and_later_copies_bring_it_up_to_date(case: BulkCase, tmp_path: Path) -> None:
    report = case.copy(via=Via.IMPORT)
    assert {name: (c.rows, c.items, c.written) for name, c in report.tables.items()} == {
        "public.people": (300, 300, 300),
        "public.visits": (200, 200, 200),
    }
    assert {way["via"] for way in report.as_json()["tables"].values()} == {"import"}
    assert is_equal(case, tmp_path)
    assert case.objects() == []
    assert case.journal().imports() == {}
    again = case.copy(via=Via.IMPORT)
    assert again.resumed
    assert {c.written for c in again.tables.values()} == {0}
    case.execute("UPDATE people SET name = 'renamed' WHERE id = 5; DELETE FROM visits WHERE person = 7")
    later = case.copy()
    assert (later.tables["public.people"].written, later.tables["public.visits"].deleted) == (1, 1)
    assert is_equal(case, tmp_path)


def test_the_table_is_as_prepare_would_have_made_it(case: BulkCase) -> None:
    assert prepare(case.plan, case.environ, via=Via.IMPORT).as_json()["lines"][-1]["detail"].startswith("left to")
    case.copy(via=Via.IMPORT)
    client = boto3.client("dynamodb")
    for table in case.plan.tables:
        described = client.describe_table(TableName=table.to)["Table"]
        assert described["DeletionProtectionEnabled"]
        assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        backups = client.describe_continuous_backups(TableName=table.to)["ContinuousBackupsDescription"]
        assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    [index] = client.describe_table(TableName=case.plan.tables[PEOPLE].to)["Table"]["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "town-index"
    town = client.query(
        TableName=case.plan.tables[PEOPLE].to,
        IndexName="town-index",
        KeyConditionExpression="town = :t",
        ExpressionAttributeValues={":t": {"S": "town 1"}},
    )
    assert town["Count"] == 29
    assert not prepare(case.plan, case.environ, via=Via.IMPORT).changed


def test_rows_that_dynamodb_cannot_hold_are_in_quarantine_as_after_any_copy(case: BulkCase, tmp_path: Path) -> None:
    case.execute("UPDATE people SET town = '' WHERE id IN (3, 4)")
    report = case.copy(via=Via.IMPORT)
    counts = report.tables["public.people"]
    assert (counts.rows, counts.items, counts.quarantined, report.ok) == (300, 298, 2, False)
    assert {row.key["id"] for row in case.journal().quarantined()} == {"3", "4"}
    assert sum(record.quarantined for record in case.journal().segments("public.people")) == 2
    case.execute("UPDATE people SET town = 'mended' WHERE id IN (3, 4)")
    assert case.copy().ok
    assert is_equal(case, tmp_path)


def test_a_quarantine_of_a_run_that_was_cut_short_does_not_outlive_its_rows(case: BulkCase) -> None:
    case.execute("UPDATE people SET town = '' WHERE id = 3")
    with pytest.raises(ImportFailed), losing(case, lambda items: items[1:]) as wrong:
        wrong.copy(via=Via.IMPORT)
    case.execute("UPDATE people SET town = 'mended' WHERE id = 3")
    for table in case.plan.tables:
        boto3.client("dynamodb").delete_table(TableName=table.to)
    report = case.copy(via=Via.IMPORT)
    assert report.ok
    assert list(case.journal().quarantined()) == []


def test_an_empty_table_is_made_without_an_import(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    case = make_bulk_case(any_database, any_aws_environ, unique, people=0)
    report = case.copy(via=Via.IMPORT)
    assert {counts.rows for counts in report.tables.values()} == {0}
    assert is_equal(case, tmp_path)
    assert case.journal().imports() == {}
    assert not prepare(case.plan, case.environ).changed


@pytest.mark.parametrize("change", [merged, changed, swapped_type])
def test_items_that_were_merged_or_changed_are_found_though_the_counts_are_right(case: BulkCase, change: Any) -> None:
    with losing(case, change) as wrong, pytest.raises(ImportFailed, match="people") as failure:
        wrong.copy(via=Via.IMPORT)
    assert "name 1" not in str(failure.value)
    assert case.journal().imports()["public.people"].state == "failed"
    assert "public.people" not in case.journal().tables()
    assert any("/data/" in name for name in case.objects())


def test_items_that_were_lost_are_found_though_they_are_counted(case: BulkCase) -> None:
    with (
        losing(case, lambda items: items[1:] if "id" in items[0] else items, counts=300) as wrong,
        pytest.raises(ImportFailed, match="of 300 items sent the table holds 299, and at least 1 keys"),
    ):
        wrong.copy(via=Via.IMPORT)


def test_items_that_were_lost_are_found_by_the_counts(case: BulkCase) -> None:
    with (
        losing(case, lambda items: items[1:]) as wrong,
        pytest.raises(ImportFailed, match=r"of 300 items sent .* counts 299 processed and 299 imported"),
    ):
        wrong.copy(via=Via.IMPORT)


def test_an_import_that_fails_says_so_and_its_table_is_for_the_user_to_delete(case: BulkCase, tmp_path: Path) -> None:
    with (
        losing(case, lambda items: [*items[1:], {"wrong": {"S": "no key"}}]) as wrong,
        pytest.raises(ImportFailed, match=r"ended as FAILED \(ItemValidationError\), with 1 errors"),
    ):
        wrong.copy(via=Via.IMPORT)
    people = case.plan.tables[PEOPLE].to
    assert {table.state for table in status(case.plan, case.environ).tables} == {"import failed"}
    with pytest.raises(ImportFailed, match=f"The table {people} was left by an import of public.people that failed"):
        case.copy()
    for table in case.plan.tables:
        boto3.client("dynamodb").delete_table(TableName=table.to)
    report = case.copy(via=Via.IMPORT)
    assert {counts.written for counts in report.tables.values()} == {300, 200}
    assert is_equal(case, tmp_path)
    assert case.objects() == []


def test_a_table_that_was_replaced_after_a_failed_import_is_not_touched(case: BulkCase) -> None:
    with losing(case, merged) as wrong, pytest.raises(ImportFailed):
        wrong.copy(via=Via.IMPORT)
    client = boto3.client("dynamodb")
    client.delete_table(TableName=case.plan.tables[PEOPLE].to)
    prepare(case.plan, case.environ, via=Via.BATCH)
    with pytest.raises(StageError, match=r"public.people cannot be imported: the table .* is there already"):
        case.copy(via=Via.IMPORT)
    assert case.copy(via=Via.BATCH).tables["public.people"].written == 300


def test_what_cannot_be_imported_is_refused_before_anything_is_written(case: BulkCase) -> None:
    local = case.plan_text.replace("hash: town, range: name}", "hash: id, range: name, local: true}").replace(
        "key: {hash: id}", "key: {hash: id, range: town}"
    )
    bucketless = case.plan_text.replace(f", import: {{bucket: {case.bucket}, prefix: moves}}", "")
    for text, words in ((local, "local indexes"), (bucketless, "names no bucket")):
        other = case.with_plan(text)
        for command in (
            lambda other=other: other.copy(via=Via.IMPORT),
            lambda other=other: prepare(other.plan, other.environ, via=Via.IMPORT),
        ):
            with pytest.raises(PlanError, match=words):
                command()
    prepare(case.plan, case.environ, via=Via.BATCH)
    with pytest.raises(StageError, match="ImportTable makes its own"):
        case.copy(via=Via.IMPORT)
    assert (case.objects(), case.journal().tables(), case.journal().imports()) == ([], {}, {})


def test_a_bucket_that_is_public_or_not_there_is_refused(case: BulkCase) -> None:
    s3 = boto3.client("s3")
    s3.put_bucket_ownership_controls(
        Bucket=case.bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )
    s3.put_bucket_acl(Bucket=case.bucket, ACL="public-read")
    with pytest.raises(TargetRejected, match="is public, and the objects of an import hold rows"):
        case.copy(via=Via.IMPORT)
    s3.put_public_access_block(
        Bucket=case.bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    assert case.copy(via=Via.IMPORT).ok
    other = case.plan_text.replace(f"bucket: {case.bucket}", "bucket: not-there").replace("-people", "-folk")
    with pytest.raises(TargetMissing, match="There is no bucket"):
        case.with_plan(other).copy(via=Via.IMPORT)


def test_without_a_choice_small_tables_are_written_and_large_ones_imported(case: BulkCase) -> None:
    case.execute("ANALYZE; UPDATE pg_class SET reltuples = 1e7, relpages = 1 WHERE relname = 'people'")
    said: list[str] = []

    class Told(Silent):
        def say(self, message: str) -> None:
            said.append(message)

    report = copy(case.plan, case.environ, CopyOptions(processes=0), Told())
    ways = report.as_json()["tables"]
    assert (ways["public.people"]["via"], ways["public.visits"]["via"]) == ("import", "batch")
    assert "public.visits: written in batches: it is too little for an import" in "\n".join(said)
    assert any(line.startswith("public.people: imported from S3: writing costs about") for line in said)
    assert {counts.written for counts in report.tables.values()} == {300, 200}


def test_every_type_with_hostile_values_is_imported_as_it_would_be_written(
    any_database: Database, any_aws_environ: dict[str, str], unique: str, tmp_path: Path
) -> None:
    environ = any_aws_environ | {"DATABASE_URL": any_database.dsn, "PATH": os.environ["PATH"]}
    plan, names = zoo_plan(any_database, unique, environ)
    boto3.client("s3").create_bucket(Bucket=unique)
    target = plan.target.model_copy(update={"import_": ImportPlan(bucket=unique)})
    plan = plan.model_copy(update={"target": target})
    prepare(plan, environ, via=Via.IMPORT)
    counts = copy(plan, environ, CopyOptions(processes=2, via=Via.IMPORT)).tables[ZOO]
    compared = verify(plan, environ, processes=0, report=tmp_path / "report.jsonl").total
    assert (compared.missing, compared.different, compared.extra) == (counts.quarantined, 0, 0)
    assert counts.items > 3 * len(names)


def test_what_readers_of_lines_may_take_for_the_end_of_one_is_imported_as_it_is(case: BulkCase, tmp_path: Path) -> None:
    case.execute("UPDATE people SET name = E'a\\u0085b\\u2028c\\u2029d\\n\\r\\x0c\\x1e' WHERE id = 3")
    case.copy(via=Via.IMPORT)
    assert is_equal(case, tmp_path)


def test_an_import_under_way_is_not_gone_on_with_when_the_plan_has_changed(case: BulkCase, tmp_path: Path) -> None:
    def stop(operation: str, answer: dict[str, Any]) -> None:
        if operation == "DescribeImport":
            raise ConnectionError

    with meddled(case, after=stop) as interrupted, pytest.raises(TargetUnreachable):
        interrupted.copy(via=Via.IMPORT)
    assert {table.state for table in status(case.plan, case.environ).tables} == {"importing"}
    other = case.with_plan(case.plan_text.replace("key: {hash: id}", "key: {hash: id}\n    leave_out: [data]"))
    with pytest.raises(ImportFailed, match=r"an import of public.people that another plan began"):
        other.copy()
    assert "public.people" not in case.journal().tables()
    boto3.client("dynamodb").delete_table(TableName=case.plan.tables[PEOPLE].to)
    assert other.copy(via=Via.IMPORT).tables["public.people"].written == 300
    assert is_equal(other, tmp_path)


def test_objects_that_were_taken_away_before_the_check_leave_an_import_that_failed(case: BulkCase) -> None:
    def stop(operation: str, answer: dict[str, Any]) -> None:
        if operation == "DescribeImport":
            raise ConnectionError

    with meddled(case, after=stop) as interrupted, pytest.raises(TargetUnreachable):
        interrupted.copy(via=Via.IMPORT)
    for name in case.objects():
        boto3.client("s3").delete_object(Bucket=case.bucket, Key=name)
    with pytest.raises(ImportFailed, match=r"so that the table .* cannot be checked"):
        case.copy()
    assert {record.state for record in case.journal().imports().values()} == {"failed"}


def test_a_table_that_another_makes_meanwhile_is_not_taken_for_the_imports(case: BulkCase) -> None:
    def make_it(operation: str, request: dict[str, Any]) -> None:
        if operation == "ImportTable" and request["TableCreationParameters"]["TableName"].endswith("-people"):
            prepare(case.plan, case.environ, via=Via.BATCH)

    with (
        meddled(case, before=make_it) as raced,
        pytest.raises(TargetRejected, match="is there already, and was not made by this import"),
    ):
        raced.copy(via=Via.IMPORT)
    assert case.items(PEOPLE) == {}
    assert (case.objects(), case.journal().imports()) == ([], {})


def test_what_dynamodb_has_not_taken_is_given_up_when_all_is_to_be_written(case: BulkCase, tmp_path: Path) -> None:
    def lose(operation: str, request: dict[str, Any]) -> None:
        if operation == "ImportTable":
            raise ConnectionError

    with meddled(case, before=lose) as interrupted, pytest.raises(TargetUnreachable):
        interrupted.copy(via=Via.IMPORT)
    assert case.objects() != []
    prepare(case.plan.model_copy(update={"tables": case.plan.tables[VISITS:]}), case.environ, via=Via.BATCH)
    with pytest.raises(TargetMissing):
        case.copy(via=Via.BATCH)
    assert case.objects() == []
    prepare(case.plan, case.environ, via=Via.BATCH)
    assert {counts.written for counts in case.copy(via=Via.BATCH).tables.values()} == {300, 200}
    assert is_equal(case, tmp_path)


def test_an_endpoint_without_imports_is_said_to_be_one_and_nothing_is_left(case: BulkCase) -> None:
    def unknown(operation: str, request: dict[str, Any]) -> None:
        if operation == "ImportTable":
            raise LookupError

    with (
        meddled(case, before=unknown) as other,
        pytest.raises(TargetRejected, match=r"no ImportTable\. Use --via batch"),
    ):
        other.copy(via=Via.IMPORT)
    assert (case.objects(), case.journal().imports()) == ([], {})


def test_a_view_is_imported_once_and_written_whole_by_later_runs(case: BulkCase, tmp_path: Path) -> None:
    case.execute("CREATE VIEW named AS SELECT id, name FROM people")
    people = case.plan.tables[PEOPLE].to
    head = case.plan_text.partition("tables:")[0]
    text = f"{head}tables:\n  - {{from: named, to: {people}, key: {{hash: id}}, identity: [id]}}\n"
    view = case.with_plan(text)
    with meddled(view) as counted:
        assert counted.copy(via=Via.IMPORT).tables["public.named"].written == 300
    assert is_equal(view, tmp_path)
    assert view.copy().tables["public.named"].written == 300


def test_entries_that_share_a_table_are_written(
    any_database: Database, any_aws_environ: dict[str, str], unique: str
) -> None:
    case = make_bulk_case(any_database, any_aws_environ, unique)
    shared = SHARED.format(unique=unique)
    other = case.with_plan(f"{case.plan_text.partition('tables:')[0]}{shared}")
    with pytest.raises(PlanError, match="other entries share its table"):
        other.copy(via=Via.IMPORT)
    case.execute("ANALYZE; UPDATE pg_class SET reltuples = 1e7, relpages = 1 WHERE relname IN ('people', 'visits')")
    report = other.copy()
    assert {way.via for way in report.ways.values()} == {"batch"}
    assert {counts.written for counts in report.tables.values()} == {300, 200}


SHARED = """\
tables:
  - from: public.people
    to: {unique}-all
    key: {{hash: pk, range: sk}}
    attributes: {{pk: {{template: "P#{{id}}"}}, sk: {{template: "P"}}}}
  - from: public.visits
    to: {unique}-all
    key: {{hash: pk, range: sk}}
    attributes: {{pk: {{template: "P#{{person}}"}}, sk: {{template: "V#{{place}}"}}}}
"""
