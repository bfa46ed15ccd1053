"""Where DynamoDB is and who asks: the AWS SDK's own configuration, resolved once and shared by threads.

Owns address, region, trust and credentials; knows nothing of HTTP or of operations.
"""

from __future__ import annotations

import os
import ssl
import threading
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import botocore.session
from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from pg2dynamo.dynamodb.sdk import sdk_session
from pg2dynamo.dynamodb.settings import TargetSettings
from pg2dynamo.dynamodb.signing import SigningCredentials, SigningScope
from pg2dynamo.errors import TargetDenied, TargetError
from pg2dynamo.secret import Secret

NO_CREDENTIALS = "No AWS credentials are found."
NO_CREDENTIALS_REMEDY = "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run with a role."


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; `authorization` is the value of its Basic header."""

    host: str
    port: int
    authorization: Secret[str] | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address to connect to, what to sign for it, and whom to trust there (`tls` is None for plain HTTP)."""

    host: str
    port: int
    scope: SigningScope
    credentials: CredentialSource = field(repr=False)
    tls: ssl.SSLContext | None = None
    proxy: Proxy | None = None

    @property
    def url(self) -> str:
        """The address for messages; it never holds a user or password."""
        return f"{'https' if self.tls else 'http'}://{self.scope.host}"


class CredentialSource:
    """Give the current credentials to any thread; refreshed by botocore before they run out."""

    def __init__(self, session: botocore.session.Session) -> None:
        self._profile: str | None = session.profile
        self._credentials: Any = _translate(session.get_credentials)
        self._lock = threading.Lock()
        self._last: tuple[Any, SigningCredentials] | None = None
        if self._credentials is None:
            raise TargetDenied(NO_CREDENTIALS, remedy=NO_CREDENTIALS_REMEDY)

    def current(self) -> SigningCredentials:
        """Return credentials that are good now: the same object while they are the same.

        Raises TargetDenied when none can be had.
        """
        frozen = _translate(self._credentials.get_frozen_credentials)
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise TargetDenied(NO_CREDENTIALS, remedy=NO_CREDENTIALS_REMEDY)
        last = self._last
        if last is not None and last[0] == frozen:
            return last[1]
        token = Secret(frozen.token) if frozen.token else None
        current = SigningCredentials(frozen.access_key, Secret(frozen.secret_key), token)
        self._last = (frozen, current)
        return current

    def renew(self, refused: SigningCredentials) -> bool:
        """Find credentials anew after the service called `refused` expired; return whether there are others.

        Several threads may ask at once: one of them looks, the rest find it done.
        """
        with self._lock:
            if not _same(self.current(), refused):
                return True
            found = _translate(sdk_session(self._profile).get_credentials)
            if found is None:
                return False
            self._credentials = found
            return not _same(self.current(), refused)


def resolve_endpoint(settings: TargetSettings) -> Endpoint:
    """Resolve endpoint, region, credentials, trust and proxy as boto3 does.

    Honours AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_DYNAMODB, profiles, AWS_CA_BUNDLE, HTTP(S)_PROXY and NO_PROXY.
    Raises TargetDenied without credentials and TargetError when the configuration cannot be followed.
    """
    session = sdk_session()
    region = _translate(lambda: settings.region or session.get_config_variable("region"))
    region = region or os.environ.get("AWS_REGION")
    if not region:
        raise TargetError("No AWS region is set.", remedy="Set AWS_REGION, or target.region in the plan.")
    credentials = CredentialSource(session)
    url = _endpoint_url(session, region)
    secure = url.scheme == "https"
    return Endpoint(
        host=url.hostname or "",
        port=url.port or (443 if secure else 80),
        scope=SigningScope(url.netloc.rpartition("@")[2], url.path or "/", region),
        credentials=credentials,
        tls=_trust(session) if secure else None,
        proxy=_proxy(url),
    )


def _endpoint_url(session: botocore.session.Session, region: str) -> SplitResult:
    client = _translate(lambda: session.create_client("dynamodb", region_name=region))
    url = urlsplit(str(client.meta.endpoint_url))
    client.close()
    if url.scheme not in ("http", "https") or not url.hostname or url.username or url.query:
        raise TargetError(
            "The endpoint of DynamoDB is not an address like https://host:port.", remedy="Correct AWS_ENDPOINT_URL."
        )
    return url


def _trust(session: botocore.session.Session) -> ssl.SSLContext:
    bundle = session.get_config_variable("ca_bundle") or get_cert_path(True)
    try:
        context = ssl.create_default_context(cafile=bundle)
    except (OSError, ssl.SSLError):
        raise TargetError(
            f"The certificates in {bundle} cannot be read.", remedy="Correct AWS_CA_BUNDLE: a file in PEM form."
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _proxy(url: SplitResult) -> Proxy | None:
    """Return the proxy that the environment asks for, None when NO_PROXY exempts the host."""
    text = get_environ_proxies(url.geturl()).get(url.scheme)
    if not text:
        return None
    proxy = urlsplit(text if "://" in text else f"http://{text}")
    variable = f"{url.scheme.upper()}_PROXY"
    if proxy.scheme != "http" or not proxy.hostname:
        raise TargetError(
            f"{variable} names a proxy of a kind that is not supported ({proxy.scheme}).",
            remedy="Use a proxy that is reached by http://, or exempt DynamoDB's endpoint in NO_PROXY.",
        )
    return Proxy(proxy.hostname, proxy.port or 80, _basic(proxy))


def _basic(proxy: SplitResult) -> Secret[str] | None:
    if not proxy.username:
        return None
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return Secret("Basic " + b64encode(pair.encode()).decode())


def _same(one: SigningCredentials, other: SigningCredentials) -> bool:
    def shown(credentials: SigningCredentials) -> tuple[str, str, str]:
        token = credentials.token.reveal() if credentials.token else ""
        return credentials.access_key, credentials.secret_key.reveal(), token

    return shown(one) == shown(other)


def _translate(act: Any) -> Any:
    """Call botocore; its errors name files, profiles and providers, never a key."""
    try:
        return act()
    except BotoCoreError as error:
        raise TargetDenied(f"The AWS configuration gives no access: {error}", remedy=NO_CREDENTIALS_REMEDY) from None
    except ValueError as error:
        raise TargetError(f"The AWS configuration is wrong: {error}", remedy="Correct AWS_ENDPOINT_URL.") from None
