"""AWS on this machine: ministack for DynamoDB, Streams and KMS, moto's server for Secrets Manager.

moto has Secrets Manager because ministack loses AWSPREVIOUS when a request token is repeated. What is kept in these
servers is gone when they end.
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pg2dynamo.local import process
from pg2dynamo.local.process import ServerProcess

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
PROBE_SECONDS = 2.0


@dataclass(frozen=True)
class AwsServer:
    """A running stand-in; `url` is its endpoint."""

    name: str
    url: str
    process: ServerProcess

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def stop(self) -> None:
        """End it and wait until it is gone; harmless when it is gone already."""
        self.process.stop()


@dataclass(frozen=True)
class AwsStack:
    """The variables with which any AWS SDK reaches the stand-ins and nothing else."""

    environ: Mapping[str, str]

    @classmethod
    def of(cls, ministack: AwsServer, moto: AwsServer, dynamodb_local: AwsServer | None = None) -> AwsStack:
        """Put the endpoints together; `dynamodb_local` takes the place of ministack's DynamoDB."""
        environ = isolated_environment() | {
            "AWS_ENDPOINT_URL": ministack.url,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": moto.url,
        }
        dynamodb = dynamodb_local.url if dynamodb_local else ministack.url
        return cls(environ | {"AWS_ENDPOINT_URL_DYNAMODB": dynamodb, "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": dynamodb})


def isolated_environment() -> dict[str, str]:
    """Return AWS variables that keep this machine's own configuration, roles and proxies out."""
    past_proxies = ",".join(filter(None, (os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), process.HOST)))
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": past_proxies,
        "no_proxy": past_proxies,
    }


def start_ministack(directory: Path, *, port: int | None = None, keep: bool = False) -> AwsServer:
    """Start ministack; its files and its log go to `directory`. Raises LocalServerError."""
    port = port or process.free_port()
    environ = process.plain_environment(directory) | {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": process.HOST,
        "MINISTACK_HOST": process.HOST,
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
    }
    program = [sys.executable, "-m", "ministack"]
    return _start("ministack", program, environ, directory, port, "/_ministack/health", keep)


def start_moto(directory: Path, *, port: int | None = None, keep: bool = False) -> AwsServer:
    """Start moto's server; its log goes to `directory`. Raises LocalServerError."""
    port = port or process.free_port()
    environ = process.plain_environment(directory) | {"MOTO_ACCOUNT_ID": ACCOUNT_ID}
    program = [sys.executable, "-m", "moto.server", "-H", process.HOST, "-p", str(port)]
    return _start("moto", program, environ, directory, port, "/moto-api/data.json", keep)


def _start(
    name: str, program: list[str], environ: Mapping[str, str], directory: Path, port: int, path: str, keep: bool
) -> AwsServer:
    server = process.start_process(program, directory, log=directory / f"{name}.log", environ=environ, keep=keep)
    process.await_ready(server, name, lambda: answers(port, path))
    return AwsServer(name, f"http://{process.HOST}:{port}", server)


def answers(port: int, path: str, expected: int = 200) -> bool:
    """Tell whether a GET of `path` on 127.0.0.1 is answered with the status expected."""
    connection = http.client.HTTPConnection(process.HOST, port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == expected
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
