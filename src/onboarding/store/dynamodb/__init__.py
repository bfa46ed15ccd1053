"""The store on DynamoDB and Secrets Manager: the contract is `onboarding.store.interface`.

**Calls** to DynamoDB, where nobody else writes the same; a check of an owner by way of an account is one more:

- by id, receipts: 1 GetItem. Tenant by name, provider by tenant and type: 2 GetItem. With an owner, an execution or
  a scan result: 2 GetItem.
- create: 1 TransactWriteItems; an execution 1 GetItem before it.
- update: 1 UpdateItem; of an execution or a scan result with an owner 2 GetItem before it. A tenant's name, an
  execution's status: 1 GetItem and 1 TransactWriteItems.
- listings: 1 Query up to 1 MB; more for what is beyond, for a run of equal sort keys and for schedules that are due but
  paused. With an owner that has to be checked, 1 GetItem before. `list_tenants`: 1 Scan for each MB of all tenants.
- delete: 1 TransactWriteItems (a tenant or provider 1 GetItem before it), then for each thing with children 1 Query
  for each kind of child, 1 TransactWriteItems for 20 children that have children, 1 BatchWriteItem for 25 others.
- credentials: 1 GetItem and 1 call to Secrets Manager (put: 2 and 2, delete: 1 and 2, read: 2 every half a minute).

**Order of children.** A creation requires the direct parents, by a condition on each, in its transaction: an execution
its schedule and account, not the tenant, which all of a tenant's executions would contend for.

**Time.** `updated_at` is the clock's of whoever changes a record, so it goes back where clocks differ.
"""

from __future__ import annotations

from collections.abc import Mapping

from onboarding.aws import aws_client, told
from onboarding.database.dynamodb_tables import TableNames, create_tables
from onboarding.storage.secrets_manager_storage import SecretsManagerStorage
from onboarding.store.dynamodb.deletions import Deletions
from onboarding.store.dynamodb.executions import Executions
from onboarding.store.dynamodb.scan_results import ScanResults
from onboarding.store.dynamodb.schedules import Schedules
from onboarding.store.interface import Clock

__all__ = ["DynamoDBStore", "open_dynamodb_store"]


class DynamoDBStore(Deletions, Schedules, Executions, ScanResults):
    """See the package and `onboarding.store.interface.Store`."""

    name = "dynamodb"

    def check(self) -> None:
        """See the interface."""
        self._item(self._names.service_state, {"scope": {"S": "check"}, "entry": {"S": "check"}})
        self._secrets.check()

    def prepare(self) -> None:
        """See the interface. Creates every table that is missing; `pg2dynamo prepare` may have made the plan's."""
        create_tables(self._client, self._names)

    def close(self) -> None:
        """See the interface."""
        with told("DynamoDB"):
            self._client.close()
        self._secrets.close()


def open_dynamodb_store(environ: Mapping[str, str], *, clock: Clock) -> DynamoDBStore:
    """Return the store that `environ` configures (DYNAMODB_…_TABLE, SECRETS_MANAGER_…, AWS_…); nothing is sent yet.

    Raises KeyError naming AWS_REGION when no region is known.
    """
    fixed = dict(environ)
    secrets = SecretsManagerStorage(fixed, clock=clock)
    return DynamoDBStore(aws_client("dynamodb", fixed), TableNames.from_environ(fixed), secrets, clock)
