"""The ids of the examples in the OpenAPI document: constant, so that a document, a test and a reader mean the same."""

from __future__ import annotations

from collections.abc import Mapping

TENANT = "5c0f5f8e-7a1d-4c7e-9d55-0c1a7f3b1a01"
PROVIDER = "5c0f5f8e-7a1d-4c7e-9d55-0c1a7f3b1a02"
ACCOUNT = "5c0f5f8e-7a1d-4c7e-9d55-0c1a7f3b1a03"
SCHEDULE = "5c0f5f8e-7a1d-4c7e-9d55-0c1a7f3b1a04"
EXECUTION = "5c0f5f8e-7a1d-4c7e-9d55-0c1a7f3b1a05"
SCAN = "scan-2024-01-02.0001"

BY_NAME: Mapping[str, str] = {
    "tenant_id": TENANT,
    "provider_id": PROVIDER,
    "account_id": ACCOUNT,
    "schedule_id": SCHEDULE,
    "execution_id": EXECUTION,
    "scan_id": SCAN,
}
