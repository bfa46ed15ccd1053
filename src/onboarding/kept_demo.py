"""The servers that `onboarding demo --keep` left running: how commands find them when nothing else is configured."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from contextlib import suppress
from pathlib import Path

from pg2dynamo.local.stack import ENVIRONMENT_FILE

TOKEN_KEY_FILE = "token.key"  # noqa: S105 - the name of a file


def use_kept_demo() -> Path | None:
    """Have the kept servers' variables in this process, and return their directory.

    Does nothing, and returns None, when DATABASE_URL, CREDENTIAL_KEY or AWS_* is set, or no servers are kept.
    """
    from onboarding.demo import default_directory

    own = [name for name in os.environ if name in ("DATABASE_URL", "CREDENTIAL_KEY") or name.startswith("AWS_")]
    file = default_directory() / ENVIRONMENT_FILE
    if own or not _is_our_own(file):
        return None
    print(f"Using the servers of `onboarding demo --keep` ({file}).", file=sys.stderr)  # noqa: T201
    for line in file.read_text().splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            os.environ.setdefault(name, value)
    return file.parent


def kept_token_key(directory: Path) -> str:
    """Return the token key of the kept servers, made when it is first asked for: all commands get the same.

    Raises ValueError when the file there is not this user's own.
    """
    file = directory / TOKEN_KEY_FILE
    if not (file.is_symlink() or file.exists()):
        _write_once(file, secrets.token_urlsafe(48))
    if not _is_our_own(file):
        raise ValueError(f"{file} is not a file of your own: remove it.")
    return file.read_text().strip()


def _is_our_own(file: Path) -> bool:
    """Whether to believe a file: its directory is in one that everybody can write."""
    return file.is_file() and not file.is_symlink() and file.stat().st_uid == os.geteuid()


def _write_once(file: Path, text: str) -> None:
    """Write a file that only its owner can read, unless another process was first."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(f"{text}\n")
    with suppress(FileExistsError):
        file.hardlink_to(partial)
    partial.unlink()
