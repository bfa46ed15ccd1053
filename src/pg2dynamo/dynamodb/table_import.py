"""ImportTable: asking DynamoDB to make a table from objects in S3, once however often it is asked, and how that stands.

A request is made under a token, which AWS remembers for 8 hours; a job that was asked for before is found by it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pg2dynamo.dynamodb.client import aws_errors, error_code
from pg2dynamo.dynamodb.protection import UNKNOWN_OPERATIONS
from pg2dynamo.dynamodb.tables import TableShape, create_request, describe_table
from pg2dynamo.errors import TargetRejected

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_OBJECTS = 50_000
"""The objects of one import ("Import format quotas and validation")."""
MOST_JOBS = 50
"""Imports of one account at a time (the same page)."""
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.2, 15.0
_UNDER_WAY = ("IN_PROGRESS", "CANCELLING")
_KEYS = ("TableName", "KeySchema", "AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes")
"""What of CreateTable's arguments ImportTable takes too; protection is switched on afterwards."""


@dataclass(frozen=True, slots=True)
class ImportSource:
    """The objects to import: every one under the prefix, lines of DynamoDB JSON in gzip."""

    bucket: str
    prefix: str
    token: str


@dataclass(frozen=True, slots=True)
class ImportState:
    """How a job stands, by DescribeImport. `failure` is the service's code, empty when there is none."""

    arn: str
    table_id: str
    status: str
    processed: int
    imported: int
    errors: int
    failure: str

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status not in _UNDER_WAY


def request_import(client: DynamoDBClient, table: str, shape: TableShape, source: ImportSource) -> ImportState:
    """Ask for the import, unless it was asked for under this token before; return the job either way.

    Raises TargetRejected when the table is there and no import under this token has made it, TargetThrottled when
    there are too many jobs, and TargetRejected where the endpoint has no imports.
    """
    creation = {name: value for name, value in create_request(table, shape).items() if name in _KEYS}
    request: dict[str, Any] = {
        "ClientToken": source.token,
        "S3BucketSource": {"S3Bucket": source.bucket, "S3KeyPrefix": source.prefix},
        "InputFormat": "DYNAMODB_JSON",
        "InputCompressionType": "GZIP",
        "TableCreationParameters": creation,
    }
    with aws_errors(f"import the table {table}", tell=True):
        try:
            return _state(client.import_table(**request)["ImportTableDescription"])
        except ClientError as error:
            code = error_code(error)
            if code in UNKNOWN_OPERATIONS:
                raise TargetRejected("This endpoint has no ImportTable.", remedy="Use --via batch.") from None
            if code not in ("ResourceInUseException", "ImportConflictException"):
                raise
    found = _find_import(client, table, source.token)
    if found is None:
        raise TargetRejected(
            f"The table {table} is there already, and was not made by this import.",
            remedy="Use --via batch, or delete the table if it is not needed and run again.",
        )
    return found


def _find_import(client: DynamoDBClient, table: str, token: str) -> ImportState | None:
    """Return the job of this token that made the table, if there is one."""
    there = describe_table(client, table)
    if there is None:
        return None
    request: dict[str, Any] = {"TableArn": there.arn}
    while True:
        with aws_errors(f"list the imports of the table {table}", tell=True):
            page = client.list_imports(**request)
            for summary in page.get("ImportSummaryList", ()):
                found = client.describe_import(ImportArn=summary["ImportArn"])["ImportTableDescription"]
                if found.get("ClientToken") == token:
                    return _state(found)
        if not page.get("NextToken"):
            return None
        request["NextToken"] = page["NextToken"]


def await_import(client: DynamoDBClient, arn: str, look: Callable[[ImportState], None]) -> ImportState:
    """Wait until the job has ended and return how; `look` gets its state between, and may raise to stop waiting."""
    pause = FIRST_POLL_SECONDS
    while True:
        with aws_errors(f"look at the import {arn}", tell=True):
            state = _state(client.describe_import(ImportArn=arn)["ImportTableDescription"])
        look(state)
        if state.ended:
            return state
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)


def _state(description: Mapping[str, Any]) -> ImportState:
    return ImportState(
        arn=str(description["ImportArn"]),
        table_id=str(description.get("TableId", "")),
        status=str(description.get("ImportStatus", "")),
        processed=int(description.get("ProcessedItemCount", 0)),
        imported=int(description.get("ImportedItemCount", 0)),
        errors=int(description.get("ErrorCount", 0)),
        failure=str(description.get("FailureCode", "")),
    )
