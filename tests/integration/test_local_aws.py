"""AWS on this machine: what answers, and as whom."""

from __future__ import annotations

import boto3

from pg2dynamo.local.aws import ACCOUNT_ID


def test_every_service_answers_for_one_account(aws_environ: dict[str, str], unique: str) -> None:
    assert boto3.client("sts").get_caller_identity()["Account"] == ACCOUNT_ID
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    secret = boto3.client("secretsmanager").create_secret(Name=unique, SecretString="s")["ARN"]
    assert f":{ACCOUNT_ID}:" in key
    assert f":{ACCOUNT_ID}:" in secret
