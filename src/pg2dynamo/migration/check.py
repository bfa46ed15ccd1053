"""The checklist before a migration: everything that can be known without writing is looked at, and said.

Nothing is created, and no value of a row or a secret is shown: rows and credentials are counted only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pg2dynamo.errors import Pg2DynamoError
from pg2dynamo.migration.check_secrets import check_credentials, check_services
from pg2dynamo.migration.check_source import SourceFindings, check_source, failure
from pg2dynamo.migration.check_target import check_target
from pg2dynamo.migration.progress import Progress, Silent
from pg2dynamo.migration.source import open_source
from pg2dynamo.plan.check import CheckLine, Level
from pg2dynamo.plan.model import Plan

__all__ = ["CheckLine", "CheckReport", "Level", "check"]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The lines of the checklist, the source's first."""

    migration: str
    lines: tuple[CheckLine, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed; warnings do not keep a copy from starting."""
        return not self.count(Level.FAILED)

    def count(self, level: Level) -> int:
        """Return how many lines are of that level."""
        return sum(line.level is level for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        counts = {level.value: self.count(level) for level in Level}
        lines = [line.as_json() for line in self.lines]
        return {"migration": self.migration, "passed": self.ok, "counts": counts, "lines": lines}


def check(plan: Plan, environ: Mapping[str, str], *, progress: Progress | None = None) -> CheckReport:
    """Go through the checklist; every failure is a line, so one run tells them all.

    Reads each table once, to count keys that DynamoDB refuses, and every credential, to prove that it decrypts.
    An unset variable, an unreachable server and a refused permission are lines too.
    """
    progress = progress or Silent()
    progress.say("Looking at PostgreSQL.")
    findings, credentials = _source_lines(plan, environ, progress)
    progress.say("Looking at AWS.")
    target = check_target(plan, environ, findings.mappings)
    services = check_services(plan, environ)
    return CheckReport(plan.name, (*findings.lines, *target, *services, *credentials))


def _source_lines(plan: Plan, environ: Mapping[str, str], progress: Progress) -> tuple[SourceFindings, list[CheckLine]]:
    credentials: list[CheckLine] = []
    try:
        with open_source(plan, environ, application="pg2dynamo check") as conn:
            findings = check_source(conn, plan)
            for secret in plan.secrets:
                if secret.source in findings.readable:
                    progress.say(f"Decrypting the credentials of {secret.source}.")
                    credentials += check_credentials(conn, secret, environ)
    except Pg2DynamoError as error:
        return SourceFindings(lines=[failure("PostgreSQL", error)]), credentials
    return findings, credentials
