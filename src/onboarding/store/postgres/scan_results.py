"""Scan results in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from onboarding.store import paging
from onboarding.store.interface import Changes, Page, PageRequest
from onboarding.store.postgres.records import Records
from onboarding.store.postgres.rows import ACCOUNTS, SCAN_RESULTS, equals, find
from onboarding.store.records import NewScanResult, Receipt, ScanResult

COLUMNS = SCAN_RESULTS.table.c


class ScanResults(Records):
    """See `onboarding.store.interface.Store`, whose promises these calls keep."""

    def create_scan_result(
        self, new: NewScanResult, *, owner: UUID | None = None, receipt: Receipt | None = None
    ) -> ScanResult:
        """See the interface."""

        def derive(connection: Connection) -> Mapping[str, Any]:
            find(connection, ACCOUNTS, new.account_id, owner, lock="against deletion")
            return {}

        return self._create(SCAN_RESULTS, new, receipt, derive)

    def get_scan_result(self, scan_id: str, *, owner: UUID | None = None) -> ScanResult:
        """See the interface."""
        return self._get(SCAN_RESULTS, scan_id, owner)

    def list_scan_results_by_account(
        self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[ScanResult]:
        """See the interface."""
        kept = COLUMNS.account_id == account_id
        return self._list(SCAN_RESULTS, paging.SCAN_RESULTS, page, kept, owner=owner, parent=(ACCOUNTS, account_id))

    def list_scan_results_by_status(self, status: str, page: PageRequest) -> Page[ScanResult]:
        """See the interface."""
        return self._list(SCAN_RESULTS, paging.SCAN_RESULTS, page, equals(COLUMNS.status, status))

    def update_scan_result(
        self, scan_id: str, changes: Changes, *, owner: UUID | None = None, seen: ScanResult | None = None
    ) -> ScanResult:
        """See the interface."""
        return self._update(SCAN_RESULTS, scan_id, changes, owner, seen)
