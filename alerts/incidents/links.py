"""One-time links, and the sessions they are exchanged for: an officer acts without an account.

A link is a secret of 50 random bits that lives for ten minutes and is used once; what it is
exchanged for is a session, bound to the same incident and the same phone. Only digests are
kept. Looking at a link does not use it up, because SMS apps and scanners open what they see.

::

    LinkRefusedError    the link opens nothing (any more); ``refusal`` says why
"""

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.incidents import tables
from alerts.incidents.model import State

LINK_MS: Final = 600_000
"""A link can be used for this long."""
SESSION_MS: Final = 3_600_000
"""A session ends after this long, whatever happens."""
KNOWN_MS: Final = 86_400_000
"""A link older than this is as unknown as one that never was."""
AGAIN_MS: Final = 60_000
"""Between two links to one phone that were asked for."""
HOUR_MS: Final = 3_600_000
PER_HOUR: Final = 10
"""Links of one incident to one phone in an hour beyond which none is given for the asking."""
TOKEN_LENGTH: Final = 10
ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base32: nothing that is read wrongly from a small screen."""

_TOKEN = re.compile(f"[{ALPHABET}]{{{TOKEN_LENGTH}}}")
_READ_WRONGLY = str.maketrans({"i": "1", "l": "1", "o": "0", "-": None})
_MAX_LOOKED_AT = 100
"""Characters of a token or cookie that are looked at."""


class Refusal(StrEnum):
    """Why a link opens nothing."""

    UNKNOWN = "unknown"
    USED = "used"
    EXPIRED = "expired"


class LinkRefusedError(Exception):
    """The link opens nothing (any more); nothing was changed."""

    def __init__(self, refusal: Refusal) -> None:
        """With its reason."""
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link that exists or existed lately. Times are UTC ms."""

    incident_id: int
    number: str
    person_id: str
    phone: str
    expires_ms: int
    refusal: Refusal | None
    """Why it cannot be used; None = it can."""
    opened: str | None
    """Digest of the session it was exchanged for."""

    def opened_by(self, cookie: str | None) -> bool:
        """Whether it was exchanged for this very session."""
        return cookie is not None and self.opened is not None and _digest(cookie) == self.opened


@dataclass(frozen=True, slots=True)
class Session:
    """Who may act on which incident, from where, until when (UTC ms).

    ``closed``: the incident is; then nothing can be done and nothing more is shown.
    """

    cookie: str
    incident_id: int
    number: str
    person_id: str
    phone: str
    until_ms: int
    closed: bool

    @property
    def proof(self) -> str:
        """What a form must carry to be of this session; the cookie cannot be told from it."""
        return hashlib.sha256(b"form:" + self.cookie.encode()).hexdigest()[:32]


def fresh_token() -> str:
    """A new link: 50 bits from the operating system."""
    return "".join(secrets.choice(ALPHABET) for _ in range(TOKEN_LENGTH))


def fresh_session() -> str:
    """A new session's cookie: 256 bits from the operating system."""
    return secrets.token_urlsafe(32)


async def mint(  # noqa: PLR0913 - what a link is bound to, by name
    connection: AsyncConnection,
    *,
    incident_id: int,
    person_id: str,
    phone: str,
    now_ms: int,
    new_token: Callable[[], str] = fresh_token,
) -> str:
    """Make a link; its token, which exists in the message alone from now on."""
    token = new_token()
    row = {
        "token_sha256": _digest(token),
        "incident_id": incident_id,
        "person_id": person_id,
        "phone": phone,
        "created_ms": now_ms,
        "expires_ms": now_ms + LINK_MS,
    }
    await connection.execute(insert(tables.link).values(row))
    return token


async def look(connection: AsyncConnection, token: str, now_ms: int) -> LinkView | None:
    """What the link leads to, without using it; None for one that is not known."""
    plain = _plain(token)
    if plain is None:
        return None
    c = tables.link.c
    query = _with_incident().where(
        c.token_sha256 == _digest(plain), c.created_ms > now_ms - KNOWN_MS
    )
    row = (await connection.execute(query)).first()
    return None if row is None else _view(row, now_ms)


async def redeem(
    connection: AsyncConnection,
    token: str,
    now_ms: int,
    new_session: Callable[[], str] = fresh_session,
) -> Session:
    """Use the link up; of any number at once exactly one gets the session.

    Raises:
        LinkRefusedError: it is unknown, used or expired.

    """
    c = tables.link.c
    cookie = new_session()
    usable = (c.token_sha256 == _digest(_plain(token) or "")) & c.used_ms.is_(None)
    values = {
        "used_ms": now_ms,
        "session_sha256": _digest(cookie),
        "session_until_ms": now_ms + SESSION_MS,
    }
    using = update(tables.link).where(usable, c.expires_ms > now_ms).values(values)
    if (await connection.execute(using)).rowcount == 0:
        seen = await look(connection, token, now_ms)
        raise LinkRefusedError(Refusal.UNKNOWN if seen is None else seen.refusal or Refusal.USED)
    opened = _with_incident().where(c.session_sha256 == _digest(cookie))
    return _session((await connection.execute(opened)).one(), cookie)


async def session(connection: AsyncConnection, cookie: str, now_ms: int) -> Session | None:
    """Whose session the cookie is, or None: there never was one, or it has ended."""
    if not cookie.isascii() or len(cookie) > _MAX_LOOKED_AT:
        return None
    c = tables.link.c
    query = _with_incident().where(c.session_sha256 == _digest(cookie), c.session_until_ms > now_ms)
    row = (await connection.execute(query)).first()
    return None if row is None else _session(row, cookie)


async def pause_ms(
    connection: AsyncConnection, *, incident_id: int, phone: str, now_ms: int
) -> int:
    """How long this phone must wait until it may ask for another link; 0 = not at all.

    Links that went out with messages count too: whoever has just got one needs no other.
    """
    c = tables.link.c
    query = select(func.count(), func.min(c.created_ms), func.max(c.created_ms)).where(
        c.incident_id == incident_id, c.phone == phone, c.created_ms > now_ms - HOUR_MS
    )
    count, oldest_ms, newest_ms = (await connection.execute(query)).one()
    if count == 0:
        return 0
    until_ms = oldest_ms + HOUR_MS if count >= PER_HOUR else newest_ms + AGAIN_MS
    return max(0, int(until_ms) - now_ms)


def _with_incident() -> Select[Any]:
    number, state = tables.incident.c.number, tables.incident.c.state
    return select(tables.link, number, state).join_from(tables.link, tables.incident)


def _view(row: Row[Any], now_ms: int) -> LinkView:
    refusal = None
    if row.used_ms is not None:
        refusal = Refusal.USED
    elif row.expires_ms <= now_ms:
        refusal = Refusal.EXPIRED
    return LinkView(
        incident_id=row.incident_id,
        number=row.number,
        person_id=row.person_id,
        phone=row.phone,
        expires_ms=row.expires_ms,
        refusal=refusal,
        opened=row.session_sha256,
    )


def _session(row: Row[Any], cookie: str) -> Session:
    return Session(
        cookie=cookie,
        incident_id=row.incident_id,
        number=row.number,
        person_id=row.person_id,
        phone=row.phone,
        until_ms=row.session_until_ms,
        closed=row.state == State.CLOSED.value,
    )


def _plain(token: str) -> str | None:
    """The token as it was made, from what a person may have typed; None when it is none."""
    plain = token[:_MAX_LOOKED_AT].lower().translate(_READ_WRONGLY)
    return plain if _TOKEN.fullmatch(plain) else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
