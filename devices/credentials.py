"""Named bearer tokens: 256 random bits, kept only as their SHA-256.

A random token of that size needs no slow hash: there is nothing to guess. Names are never
used twice, so that the record of who did what stays unambiguous.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from devices.errors import CredentialError
from devices.tables import credential

FIRST_NAME: Final = "admin"
PREFIX: Final = "cw_"
"""So that a leaked token is recognised by secret scanners, and by people."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}[a-z0-9]")
_MAX_TOKEN = 200


@dataclass(frozen=True, slots=True)
class Credential:
    """What may be shown of a credential; ``created_ms`` is when its token was made, UTC ms."""

    name: str
    created_ms: int
    revoked_ms: int | None


def fresh_token() -> str:
    """A new bearer token with 256 bits from the operating system."""
    return PREFIX + secrets.token_urlsafe(32)


async def ensure_first(
    connection: AsyncConnection, now_ms: int, new_token: Callable[[], str] = fresh_token
) -> str | None:
    """Make ``admin`` if no credential was ever made; its token, this once, or None."""
    count = (await connection.execute(select(func.count()).select_from(credential))).scalar_one()
    return None if count else await add(connection, FIRST_NAME, now_ms, new_token)


async def add(
    connection: AsyncConnection,
    name: str,
    now_ms: int,
    new_token: Callable[[], str] = fresh_token,
) -> str:
    """Make a credential; its token, which is shown now and never again.

    Raises:
        CredentialError: the name is not well-formed, or was used before.

    """
    if _NAME.fullmatch(name) is None:
        msg = f"{name[:80]!r} is no credential name: 2 to 64 of a-z, 0-9, '.', '_', '-'"
        raise CredentialError(msg)
    taken = select(credential.c.name).where(credential.c.name == name)
    if (await connection.execute(taken)).first() is not None:
        msg = f"the credential name {name!r} was used before; names are never used twice"
        raise CredentialError(msg)
    token = new_token()
    row = {"name": name, "token_sha256": _digest(token), "created_ms": now_ms}
    await connection.execute(insert(credential).values(row))
    return token


async def rotate(
    connection: AsyncConnection,
    name: str,
    now_ms: int,
    new_token: Callable[[], str] = fresh_token,
) -> str:
    """Give a live credential a new token, for when the old one was lost; the old one ends.

    Raises:
        CredentialError: no live credential has this name.

    """
    token = new_token()
    live = (credential.c.name == name) & credential.c.revoked_ms.is_(None)
    values = {"token_sha256": _digest(token), "created_ms": now_ms}
    if (await connection.execute(update(credential).where(live).values(values))).rowcount == 0:
        msg = f"there is no live credential {name[:80]!r}"
        raise CredentialError(msg)
    return token


async def revoke(connection: AsyncConnection, name: str, now_ms: int) -> bool:
    """End a credential at once; whether it was live."""
    live = (credential.c.name == name) & credential.c.revoked_ms.is_(None)
    result = await connection.execute(update(credential).where(live).values(revoked_ms=now_ms))
    return bool(result.rowcount)


async def verify(connection: AsyncConnection, token: str) -> str | None:
    """The name whose live token this is, or None."""
    if not (token.startswith(PREFIX) and token.isascii() and len(token) <= _MAX_TOKEN):
        return None
    digest = _digest(token)
    query = select(credential).where(
        credential.c.token_sha256 == digest, credential.c.revoked_ms.is_(None)
    )
    row = (await connection.execute(query)).first()
    # The index look-up compares hashes of the token, so its timing tells nothing of use; the
    # comparison that decides takes constant time all the same.
    if row is None or not hmac.compare_digest(row.token_sha256, digest):
        return None
    return str(row.name)


async def list_credentials(connection: AsyncConnection) -> list[Credential]:
    """All credentials ever made, by name; never a token."""
    rows = await connection.execute(select(credential).order_by(credential.c.name))
    return [Credential(row.name, row.created_ms, row.revoked_ms) for row in rows]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
