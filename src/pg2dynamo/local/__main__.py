"""Start and end local servers by hand, and fetch DynamoDB Local: `python -m pg2dynamo.local --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pg2dynamo.local.dynamodb_local import default_cache, ensure_dynamodb_local, why_unavailable
from pg2dynamo.local.process import LocalServerError
from pg2dynamo.local.stack import start_stack, stop_stack


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; return 0 done, 1 failed."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "start":
            return _start(options.directory, options.dynamodb_local)
        if options.command == "stop":
            return _say(f"Ended {stop_stack(options.directory)} servers.")
        return _fetch()
    except LocalServerError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pg2dynamo.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start", help="start PostgreSQL and the AWS stand-ins, and leave them running")
    start.add_argument("directory", type=Path, nargs="?", help="for their files (default: a new temporary one)")
    start.add_argument("--dynamodb-local", action="store_true", help="use Amazon's DynamoDB Local for DynamoDB")
    stop = commands.add_parser("stop", help="end the servers of a directory and remove their files")
    stop.add_argument("directory", type=Path)
    commands.add_parser("fetch", help="fetch DynamoDB Local by Maven, unless it is there")
    return parser


def _start(directory: Path | None, dynamodb_local: bool) -> int:
    stack = start_stack(directory, keep=True, with_dynamodb_local=dynamodb_local)
    return _say(f"source {stack.environment_file}\n{stack.stop_command}")


def _fetch() -> int:
    cache = default_cache()
    libraries = ensure_dynamodb_local(cache)
    if libraries is None:
        raise LocalServerError(f"{why_unavailable(cache)}.")
    return _say(str(libraries))


def _say(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
