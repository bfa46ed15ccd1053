"""Scan results of accounts."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from onboarding.store import paging
from onboarding.store.dynamodb.items import ACCOUNT, SCAN_RESULT, can_be_key
from onboarding.store.dynamodb.listings import Listing
from onboarding.store.dynamodb.records import PARENT, Records
from onboarding.store.interface import Changes, Page, PageRequest
from onboarding.store.records import NewScanResult, Receipt, ScanResult
from onboarding.store.rules import check_changes


class ScanResults(Records):
    """The calls for scan results."""

    def create_scan_result(
        self, new: NewScanResult, *, owner: UUID | None = None, receipt: Receipt | None = None
    ) -> ScanResult:
        """See the interface."""
        account = self._parent(ACCOUNT, new.account_id, owner, PARENT)
        return cast(ScanResult, self._create(SCAN_RESULT, self._new(SCAN_RESULT, new), receipt, account))

    def get_scan_result(self, scan_id: str, *, owner: UUID | None = None) -> ScanResult:
        """See the interface."""
        return cast(ScanResult, self._get(SCAN_RESULT, scan_id, owner))

    def list_scan_results_by_account(
        self, account_id: UUID, page: PageRequest, *, owner: UUID | None = None
    ) -> Page[ScanResult]:
        """See the interface."""
        paging.SCAN_RESULTS.check(page)
        if owner is not None:
            self._get(ACCOUNT, account_id, owner)
        return self._list_scan_results("account-scans-index", "account_id", str(account_id), page)

    def list_scan_results_by_status(self, status: str, page: PageRequest) -> Page[ScanResult]:
        """See the interface."""
        return self._list_scan_results("status-scans-index", "status", status, page)

    def _list_scan_results(self, index: str, hash_: str, value: str, page: PageRequest) -> Page[ScanResult]:
        paging.SCAN_RESULTS.check(page)
        if not can_be_key(value):
            return Page((), None)
        table = self._names.scan_results
        return Listing(SCAN_RESULT, table, index, hash_, value, paging.SCAN_RESULTS).page(self._client, page)

    def update_scan_result(
        self, scan_id: str, changes: Changes, *, owner: UUID | None = None, seen: ScanResult | None = None
    ) -> ScanResult:
        """See the interface."""
        check_changes("scan_result", changes)
        if owner is not None and changes:
            self._get(SCAN_RESULT, scan_id, owner)
        return cast(ScanResult, self._update(SCAN_RESULT, scan_id, changes, owner, seen))
