"""Which fields a credential of each type needs to be of use to a scanner. Pure; knows names, tells no value."""

from __future__ import annotations

from collections.abc import Mapping

from onboarding.store.records import Credential

NEEDED: Mapping[str, tuple[str, ...]] = {
    "aws_access_key": ("access_key_id", "secret_access_key"),
    "aws_iam_role": ("role_arn",),
    "azure_service_principal": ("client_id", "client_secret"),
    "gcp_service_account": ("project_id", "private_key"),
    "alicloud_access_key": ("access_key_id", "access_key_secret"),
    "oci_user_principal": ("user_ocid", "fingerprint", "key"),
    "ibm_api_key": ("api_key",),
}


def missing_fields(credential: Credential) -> tuple[str, ...]:
    """Return the names that the credential's type needs and that are absent or empty in it."""
    needed = NEEDED.get(credential.info.credential_type, ())
    return tuple(name for name in needed if not credential.credentials.get(name))
