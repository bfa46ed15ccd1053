"""Sessions of the AWS SDK that share its descriptions of services: some 10 MB a process, read once."""

from __future__ import annotations

from functools import cache

import botocore.session
from botocore.loaders import Loader, create_loader


def sdk_session(profile: str | None = None) -> botocore.session.Session:
    """Return a session with the SDK's own configuration; `profile` replaces the one that it names."""
    session = botocore.session.Session(profile=profile)
    session.lazy_register_component("data_loader", lambda: _descriptions(session.get_config_variable("data_path")))
    return session


@cache
def _descriptions(data_path: str | None) -> Loader:
    return create_loader(data_path)
