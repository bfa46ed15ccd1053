"""Bearer tokens: JSON Web Tokens (RFC 7519) signed with HS256, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt

from onboarding.api.keys import TokenKeys
from onboarding.api.permissions import PERMISSIONS, PLATFORM_ROLES, Permission, Role

ALGORITHM = "HS256"
ISSUER = "onboarding"
AUDIENCE = "onboarding-api"
CLOCK_SKEW = timedelta(seconds=60)
"""How far ahead the clock of the issuer may be. An expired token gets no such grace."""
LONGEST_SUBJECT = 255
LONGEST_TOKEN = 4_096
_REQUIRED = ("iss", "aud", "sub", "role", "iat", "exp")
_CHECKS = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require": list(_REQUIRED)}


class InvalidToken(Exception):
    """The token is not one of ours, or no longer; the message says why and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: `tenant` is None exactly for the roles of the platform."""

    subject: str
    role: Role
    tenant: UUID | None

    def __post_init__(self) -> None:
        if (self.tenant is None) != (self.role in PLATFORM_ROLES):
            needs = "belongs to no tenant" if self.role in PLATFORM_ROLES else "needs a tenant"
            raise ValueError(f"The role {self.role} {needs}.")
        if not 0 < len(self.subject) <= LONGEST_SUBJECT:
            raise ValueError(f"The subject must be of 1 to {LONGEST_SUBJECT} characters.")

    def may(self, permission: Permission) -> bool:
        """Whether the role has the permission."""
        return permission in PERMISSIONS[self.role]


def issue_token(keys: TokenKeys, identity: Identity, now: datetime, lifetime: timedelta) -> str:
    """Return a token for `identity`, valid from `now` (UTC without zone) for `lifetime`."""
    issued = _seconds(now)
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": identity.subject,
        "role": identity.role.value,
        "iat": issued,
        "exp": issued + int(lifetime.total_seconds()),
    }
    if identity.tenant is not None:
        claims["tenant"] = str(identity.tenant)
    return jwt.encode(claims, keys.newest, algorithm=ALGORITHM)


def read_token(keys: TokenKeys, token: str, now: datetime) -> Identity:
    """Return who a token stands for at `now` (UTC without zone). Raises InvalidToken.

    The algorithm is the constant above whatever the token's header says.
    """
    if len(token) > LONGEST_TOKEN:
        raise InvalidToken("The token is too long.")
    claims = _verified(keys, token)
    _check_times(claims, _seconds(now))
    return _identity(claims)


def _verified(keys: TokenKeys, token: str) -> Mapping[str, Any]:
    for key in keys.keys:
        try:
            return jwt.decode(token, key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=_CHECKS)  # type: ignore[arg-type]
        except jwt.InvalidSignatureError:
            continue
        # Its own text may repeat pieces of the token.
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError):
            break
    raise InvalidToken("The token is not valid here.")


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    times = {name: claims[name] for name in ("iat", "exp", "nbf") if name in claims}
    if any(type(value) is not int for value in times.values()):
        raise InvalidToken("The token's times are no integers.")
    if times["exp"] <= now:
        raise InvalidToken("The token has expired: get a new one.")
    if max(times["iat"], times.get("nbf", times["iat"])) > now + CLOCK_SKEW.total_seconds():
        raise InvalidToken("The token is not valid yet.")


def _identity(claims: Mapping[str, Any]) -> Identity:
    tenant, subject = claims.get("tenant"), claims["sub"]
    try:
        if tenant is not None and str(UUID(tenant)) != tenant:
            raise ValueError
        return Identity(subject, Role(claims["role"]), None if tenant is None else UUID(tenant))
    except (ValueError, TypeError, AttributeError):
        raise InvalidToken("The token's subject, role or tenant does not fit.") from None


def _seconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp())
