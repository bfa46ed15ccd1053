"""Who may do what: one table of roles and permissions. A route declares the one permission that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """What a token's bearer is. The first two are of the service itself and belong to no tenant."""

    PLATFORM = "platform"
    SCHEDULER = "scheduler"
    ADMIN = "admin"
    OPERATOR = "operator"
    READER = "reader"


PLATFORM_ROLES = frozenset({Role.PLATFORM, Role.SCHEDULER})


class Permission(StrEnum):
    """What a route lets its caller do."""

    TENANTS_LIST = "tenants:list"
    TENANTS_CREATE = "tenants:create"
    TENANTS_READ = "tenants:read"
    TENANTS_UPDATE = "tenants:update"
    TENANTS_DELETE = "tenants:delete"
    PROVIDERS_READ = "providers:read"
    PROVIDERS_CREATE = "providers:create"
    PROVIDERS_UPDATE = "providers:update"
    PROVIDERS_DELETE = "providers:delete"
    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_CREATE = "accounts:create"
    ACCOUNTS_UPDATE = "accounts:update"
    ACCOUNTS_DELETE = "accounts:delete"
    CREDENTIALS_READ = "credentials:read"
    CREDENTIALS_WRITE = "credentials:write"
    CREDENTIALS_DELETE = "credentials:delete"
    SCHEDULES_READ = "schedules:read"
    SCHEDULES_CREATE = "schedules:create"
    SCHEDULES_UPDATE = "schedules:update"
    SCHEDULES_DELETE = "schedules:delete"
    EXECUTIONS_READ = "executions:read"
    EXECUTIONS_CREATE = "executions:create"
    EXECUTIONS_UPDATE = "executions:update"
    SCAN_RESULTS_READ = "scan-results:read"
    SCAN_RESULTS_CREATE = "scan-results:create"
    SCAN_RESULTS_UPDATE = "scan-results:update"


_RUN = frozenset(
    {
        Permission.EXECUTIONS_CREATE,
        Permission.EXECUTIONS_UPDATE,
        Permission.SCAN_RESULTS_CREATE,
        Permission.SCAN_RESULTS_UPDATE,
    }
)
_READ = frozenset(
    {
        Permission.TENANTS_READ,
        Permission.PROVIDERS_READ,
        Permission.ACCOUNTS_READ,
        Permission.SCHEDULES_READ,
        Permission.EXECUTIONS_READ,
        Permission.SCAN_RESULTS_READ,
    }
)
_OF_THE_PLATFORM = frozenset({Permission.TENANTS_LIST, Permission.TENANTS_CREATE, Permission.TENANTS_DELETE})

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.PLATFORM: frozenset(Permission),
    Role.SCHEDULER: _RUN | {Permission.SCHEDULES_READ, Permission.ACCOUNTS_READ},
    Role.ADMIN: frozenset(Permission) - _OF_THE_PLATFORM,
    Role.OPERATOR: _READ
    | _RUN
    | {Permission.SCHEDULES_CREATE, Permission.SCHEDULES_UPDATE, Permission.ACCOUNTS_UPDATE},
    Role.READER: _READ,
}
