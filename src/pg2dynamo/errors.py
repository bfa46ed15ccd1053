"""The errors of pg2dynamo: one root, and a branch for each party that must act.

An error's docstring is its message when none is given, and says what to do. No message ever holds a value
of a row or of a secret: tables, columns, key digests, segments, limits and positions only.
"""

from __future__ import annotations

from typing import Any


class Pg2DynamoError(Exception):
    """Something failed that pg2dynamo has no better name for; the cause is chained to this error."""

    def __init__(self, message: str | None = None, *, remedy: str | None = None) -> None:
        self.message = message or " ".join((type(self).__doc__ or "").split())
        self.remedy = remedy
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), dict(self.__dict__))


def _rebuild(kind: type[Pg2DynamoError], state: dict[str, Any]) -> Pg2DynamoError:
    error = kind.__new__(kind)
    error.__dict__.update(state)
    error.args = (error.message,)
    return error


class PlanError(Pg2DynamoError):
    """The plan is wrong: correct the plan file and run `pg2dynamo check`."""


class SourceError(Pg2DynamoError):
    """PostgreSQL cannot be read as the plan asks: whoever owns the source database must act."""


class SourceUnreachable(SourceError):
    """PostgreSQL does not answer: check the address, the network and that the server runs."""


class SourceDenied(SourceError):
    """PostgreSQL refuses the role: grant what `pg2dynamo check` names."""


class SourceBusy(SourceError):
    """A lock on the source could not be had in time: end the blocking session or try again later."""


class SourceChanged(SourceError):
    """The source no longer fits the plan: run `pg2dynamo check`, correct the plan, and run again."""


class SourceUnsupported(SourceError):
    """The source holds something that pg2dynamo does not migrate: leave it out or change it."""


class ExportDamaged(SourceError):
    """The export directory is incomplete or altered: export again; nothing was written to the target."""


class TargetError(Pg2DynamoError):
    """DynamoDB cannot take the data: whoever owns the AWS account must act."""


class TargetUnreachable(TargetError):
    """AWS does not answer: check the endpoint, the region and the network, and run the command again."""


class TargetDenied(TargetError):
    """AWS refuses the credentials or the permission: see docs/how-to/aws.md for the policy that is needed."""


class TargetMissing(TargetError):
    """A table is not there: run `pg2dynamo prepare`."""


class TargetShapeDiffers(TargetError):
    """A table exists with another shape than the plan's: rename it in the plan, or delete the table."""


class TargetThrottled(TargetError):
    """DynamoDB throttled every attempt for too long: raise the table's limits or slow the copy, and run again."""


class TargetRejected(TargetError):
    """DynamoDB rejected a request that can never succeed."""


class ImportFailed(TargetError):
    """DynamoDB's import did not store every item as it was sent: delete its table, and run `copy --via batch`."""


class MassDeletion(TargetError):
    """More items would be deleted than is allowed in one run: make sure that the rows are really gone."""


class SecretError(Pg2DynamoError):
    """A credential cannot be moved: whoever owns the credential keys or Secrets Manager must act."""


class SecretUndecryptable(SecretError):
    """A credential does not decrypt with any of the plan's keys: add the key that it was encrypted with."""


class SecretRefused(SecretError):
    """Secrets Manager cannot take this secret."""


class SecretDenied(SecretError):
    """AWS refuses access to Secrets Manager or KMS: see docs/how-to/aws.md for the policy that is needed."""


class VerificationError(Pg2DynamoError):
    """The comparison could not be finished: what was not compared is not equal."""


class StageError(Pg2DynamoError):
    """The migration is in another state than this command needs: run `pg2dynamo status`."""


class RunnerActive(StageError):
    """Another pg2dynamo works on this migration: wait until it ends, or stop it."""


class RowRefused(Pg2DynamoError):
    """A row that DynamoDB cannot hold as the plan maps it; it goes to quarantine.

    `attribute` names the attribute at fault (empty when it is the whole item), `reason` says why in words
    that hold no value. `accepted`: the plan says that such rows may stay in quarantine.
    """

    def __init__(self, attribute: str, reason: str, *, accepted: bool = False) -> None:
        self.attribute = attribute
        self.reason = reason
        self.accepted = accepted
        super().__init__(f"attribute {attribute}: {reason}" if attribute else reason)


class RowSkipped(RowRefused):
    """A row that the plan leaves out, as DynamoDB cannot hold a value of it: no item, and no quarantine.

    `key` is the JSON object of the key attributes under which an earlier run may have written the row, None when no
    item can have it.
    """

    def __init__(self, attribute: str, reason: str, key: bytes | None = None) -> None:
        super().__init__(attribute, reason)
        self.key = key
