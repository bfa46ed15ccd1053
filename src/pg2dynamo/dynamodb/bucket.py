"""The S3 bucket that ImportTable reads from: whether it may hold rows, and the objects under one prefix of it.

Endpoint, profile and credentials are the AWS SDK's own configuration, as for DynamoDB.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from pg2dynamo.dynamodb.client import ATTEMPTS, CONNECT_TIMEOUT_SECONDS, aws_errors, error_code
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.errors import TargetDenied, TargetMissing, TargetRejected

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READ_TIMEOUT_SECONDS = 60.0
"""S3 answers a PUT when the object is stored in several places: some megabytes take seconds."""
DELETE_KEYS = 1000
"""The most keys of one DeleteObjects."""
_EVERYBODY = (
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
)


def s3_client(settings: TargetSettings) -> S3Client:
    """Return a client with bounded timeouts and retries; errors as `client.dynamodb_client`. Nothing is sent."""
    with aws_errors("configure S3"):
        session = boto3.session.Session(region_name=settings.region)
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            user_agent_extra="pg2dynamo",
        )
        return session.client("s3", region_name=session.region_name or os.environ.get("AWS_REGION"), config=config)


def require_private(client: S3Client, bucket: str) -> bool:
    """Refuse a bucket that everybody can read; return whether that could be told.

    Raises TargetMissing when it is not there, TargetRejected when it is public by its policy or by its list of grants.
    """
    with aws_errors(f"look at the bucket {bucket}", tell=True):
        try:
            client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error_code(error) in ("404", "NoSuchBucket"):
                raise TargetMissing(
                    f"There is no bucket {bucket}.", remedy="Create it, or correct `target: {import: …}` in the plan."
                ) from None
            raise
    try:
        blocked = _blocks(client, bucket)
        public = ("policy" not in blocked and _public_by_policy(client, bucket)) or (
            "grants" not in blocked and _public_by_grants(client, bucket)
        )
    except TargetDenied:
        return False
    if public:
        raise TargetRejected(
            f"The bucket {bucket} is public, and the objects of an import hold rows.",
            remedy="Block public access to it, or name another bucket.",
        )
    return True


def _blocks(client: S3Client, bucket: str) -> set[str]:
    """Return by which of the two means the bucket cannot be public, whatever they say."""
    with aws_errors(f"read the public access block of the bucket {bucket}", tell=True):
        try:
            blocks: Any = client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        except ClientError as error:
            if error_code(error) == "NoSuchPublicAccessBlockConfiguration":
                return set()
            raise
    found = {"policy"} if blocks.get("RestrictPublicBuckets") else set()
    return found | ({"grants"} if blocks.get("IgnorePublicAcls") else set())


def _public_by_policy(client: S3Client, bucket: str) -> bool:
    with aws_errors(f"read the policy status of the bucket {bucket}", tell=True):
        try:
            status: Any = client.get_bucket_policy_status(Bucket=bucket)
        except ClientError as error:
            if error_code(error) == "NoSuchBucketPolicy":
                return False
            raise
    return bool(status.get("PolicyStatus", {}).get("IsPublic", False))


def _public_by_grants(client: S3Client, bucket: str) -> bool:
    with aws_errors(f"read the grants of the bucket {bucket}", tell=True):
        grants: Any = client.get_bucket_acl(Bucket=bucket).get("Grants", [])
    return any(grant.get("Grantee", {}).get("URI") in _EVERYBODY for grant in grants)


def put_object(client: S3Client, bucket: str, name: str, data: bytes | bytearray, kms_key: str | None) -> None:
    """Store an object whole or not at all; S3 refuses it when its SHA-256 is not that of `data`.

    It is encrypted as the bucket says, or with `kms_key`. Idempotent, durable when this returns.
    """
    encryption: Any = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    digest = b64encode(sha256(data).digest()).decode()
    with aws_errors(f"store an object in the bucket {bucket}", tell=True):
        body: Any = data
        client.put_object(Bucket=bucket, Key=name, Body=body, ChecksumSHA256=digest, **encryption)


def get_object(client: S3Client, bucket: str, name: str) -> bytes | None:
    """Return an object's bytes; None when it is not there."""
    with aws_errors(f"read an object of the bucket {bucket}", tell=True):
        try:
            return client.get_object(Bucket=bucket, Key=name)["Body"].read()
        except ClientError as error:
            if error_code(error) in ("NoSuchKey", "404"):
                return None
            raise


def list_objects(client: S3Client, bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
    """Yield name and size of every object under the prefix; of a bucket that is gone, none."""
    with aws_errors(f"list the bucket {bucket}", tell=True):
        try:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for found in page.get("Contents", ()):
                    yield str(found["Key"]), int(found["Size"])
        except ClientError as error:
            if error_code(error) != "NoSuchBucket":
                raise


def remove_objects(client: S3Client, bucket: str, names: list[str]) -> None:
    """Delete objects; those that are not there are ignored. Raises TargetError when one could not be deleted."""
    for start in range(0, len(names), DELETE_KEYS):
        keys: Any = [{"Key": name} for name in names[start : start + DELETE_KEYS]]
        with aws_errors(f"delete objects of the bucket {bucket}", tell=True):
            answer = client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        if errors := answer.get("Errors"):
            raise TargetRejected(f"Could not delete {len(errors)} objects of {bucket}: {errors[0].get('Code')}.")
