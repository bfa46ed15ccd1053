"""The servers that `onboarding demo --keep` left running: how commands find them when nothing else is configured."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from pg2dynamo.local.stack import ENVIRONMENT_FILE

NO_CONFIGURATION = ("AWS_CA_BUNDLE", "AWS_PAGER")
"""Variables of AWS that say nothing of which account or servers are meant."""


def use_kept_demo() -> None:
    """Have the kept servers' variables in this process.

    Does nothing when DATABASE_URL, CREDENTIAL_KEY or AWS_* is set, or no servers are kept.
    """
    from onboarding.demo import default_directory

    own = [name for name in os.environ if _configures(name)]
    file = default_directory() / ENVIRONMENT_FILE
    if own or not _is_our_own(file):
        return
    print(f"Using the servers of `onboarding demo --keep` ({file}).", file=sys.stderr)  # noqa: T201
    for line in file.read_text().splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            os.environ.setdefault(name, value)


def _configures(name: str) -> bool:
    aws = name.startswith("AWS_") and name not in NO_CONFIGURATION
    return aws or name in ("DATABASE_URL", "CREDENTIAL_KEY")


def _is_our_own(file: Path) -> bool:
    """Whether to believe a file: its directory is in one that everybody can write."""
    return file.is_file() and not file.is_symlink() and file.stat().st_uid == os.geteuid()
