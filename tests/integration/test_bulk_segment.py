"""Objects of an import: of bounded size, whole, and no more of them than were said."""

from __future__ import annotations

import gzip
from hashlib import sha256
from typing import Any

import boto3
import pytest

from pg2dynamo.dynamodb.bucket import get_object, list_objects, put_object, remove_objects, s3_client
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.errors import TargetRejected
from pg2dynamo.migration.bulk_segment import Objects, UploadJob, UploadTask
from pg2dynamo.migration.copy_segment import CopyJob
from tests.mappings import mapping_of

SETTINGS = TargetSettings(region="us-east-1", request_timeout_seconds=1)


@pytest.fixture
def bucket(any_aws_environ: dict[str, str], unique: str) -> str:
    boto3.client("s3").create_bucket(Bucket=unique)
    return unique


def task(bucket: str) -> UploadTask:
    copying = CopyJob("m", "control", "env:DATABASE_URL", "1-1", "label", mapping_of(), SETTINGS)
    return UploadTask(UploadJob(copying, bucket, "some/data/", None), 7, ())


def lines_of(bucket: str, name: str) -> list[bytes]:
    data = get_object(s3_client(SETTINGS), bucket, name)
    assert data is not None
    return gzip.decompress(data).splitlines()


def test_items_are_spread_over_objects_of_bounded_size_in_their_order(bucket: str) -> None:
    objects = Objects(task(bucket), object_bytes=20_000)
    items = [b'{"id":{"S":"%b"}}' % sha256(b"%d" % n).hexdigest().encode() for n in range(3_000)]
    for start in range(0, len(items), 300):
        objects.add(items[start : start + 300])
    objects.add([])
    objects.finish()
    objects.finish()
    names = [name for name, _ in objects.stored]
    assert names[:2] == ["some/data/00007-00001.json.gz", "some/data/00007-00002.json.gz"]
    assert objects.stored == list(list_objects(s3_client(SETTINGS), bucket, "some/"))
    lines = [line for name in names for line in lines_of(bucket, name)]
    assert lines == [b'{"Item":' + item + b"}" for item in items]


def test_nothing_is_stored_when_there_is_no_item(bucket: str) -> None:
    objects = Objects(task(bucket))
    objects.add([])
    objects.finish()
    assert objects.stored == list(list_objects(s3_client(SETTINGS), bucket, "")) == []


def test_an_object_that_arrives_otherwise_than_it_was_sent_is_refused_by_s3(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = s3_client(SETTINGS)

    def damage(request: Any, **_: Any) -> None:
        request.body = b"Some data"

    client.meta.events.register("before-send.s3.PutObject", damage)
    with pytest.raises(TargetRejected, match="BadDigest"):
        put_object(client, bucket, "a", b"some data", None)
    assert get_object(client, bucket, "a") is None


def test_objects_are_encrypted_with_the_key_of_the_plan(bucket: str) -> None:
    client = s3_client(SETTINGS)
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    put_object(client, bucket, "a", b"data", key)
    found = client.head_object(Bucket=bucket, Key="a")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", key)


def test_more_objects_than_one_request_takes_are_removed(bucket: str) -> None:
    client = s3_client(SETTINGS)
    names = [f"x/{n}" for n in range(3)]
    for name in names:
        put_object(client, bucket, name, b"", None)
    remove_objects(client, bucket, [*names, *(f"gone/{n}" for n in range(1_100))])
    assert list(list_objects(client, bucket, "")) == []


def test_a_bucket_that_is_gone_has_no_objects(any_aws_environ: dict[str, str]) -> None:
    assert list(list_objects(s3_client(SETTINGS), "not-there-at-all", "x/")) == []
