"""Silences: for a while people are not told of something they know. Never of a danger.

A silence mutes messages, never actuation and never the record, and it always ends by itself.
``muted`` is the one place that decides; a finding of family ``alarm`` is never muted, whatever
stands in SQL.

::

    SilenceRefusedError    it may not be; ``refusal`` says why
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts import audit
from alerts.incidents.tables import silence
from devices.pages import MAX_PAGE, Cursor, Page, page_of
from rules.catalogue import Catalogue
from rules.model import Family

MAX_MS: Final = 7 * 86_400_000
"""The longest silence; who needs more must decide again."""


class SilenceRefusal(StrEnum):
    """Why there is no such silence."""

    DANGER = "danger"  # the rule tells of dangers only
    OVER = "over"  # it would have ended already
    TOO_LONG = "too_long"


class SilenceRefusedError(Exception):
    """The silence may not be; nothing was changed."""

    def __init__(self, refusal: SilenceRefusal) -> None:
        """With its reason."""
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be silent until when (UTC ms), and why. None = every station, every rule."""

    site: str
    station: str | None
    rule: str | None
    until_ms: int
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence as recorded. Times are UTC ms; ``ended_ms`` = a person ended it early."""

    id: int
    site: str
    station: str | None
    rule: str | None
    from_ms: int
    until_ms: int
    reason: str
    by: str
    ended_ms: int | None = None

    def in_force(self, now_ms: int) -> bool:
        """Whether it mutes at ``now_ms``."""
        until_ms = self.until_ms if self.ended_ms is None else min(self.until_ms, self.ended_ms)
        return self.from_ms <= now_ms < until_ms

    def covers(self, *, site: str, station: str | None, rule: str) -> bool:
        """Whether it is about this rule at this place; ``station`` None = the site itself."""
        return (
            self.site == site
            and self.station in {None, station}
            and (self.rule is None or self.rule == rule)
        )


@dataclass(frozen=True, slots=True)
class SilenceFilter:
    """Which silences to list; None = any. ``at_ms``: only those in force then, UTC ms."""

    site: str | None = None
    station: str | None = None
    at_ms: int | None = None


def muted(  # noqa: PLR0913 - everything that decides, by name
    silences: Iterable[Silence],
    *,
    site: str,
    station: str | None,
    rule: str,
    family: Family,
    now_ms: int,
) -> Silence | None:
    """The silence for which people are not told of such a finding; None = they are told."""
    if family is Family.ALARM:
        return None
    about = (one for one in silences if one.covers(site=site, station=station, rule=rule))
    return next((one for one in about if one.in_force(now_ms)), None)


async def add(connection: AsyncConnection, wanted: Wanted, now_ms: int) -> Silence:
    """Begin a silence now.

    Raises:
        SilenceRefusedError: it may not be.

    """
    refusal = _refusal(wanted, now_ms)
    if refusal is not None:
        raise SilenceRefusedError(refusal)
    row = {
        "site_id": wanted.site,
        "station_id": wanted.station,
        "rule": wanted.rule,
        "from_ms": now_ms,
        "until_ms": wanted.until_ms,
        "reason": wanted.reason,
        "by": wanted.by,
    }
    written = await connection.execute(insert(silence).values(row).returning(silence))
    made = _silence(written.one())
    await _audit(connection, made, "silence.begin", wanted.by, now_ms)
    return made


async def end(connection: AsyncConnection, silence_id: int, by: str, now_ms: int) -> Silence | None:
    """End a silence early; None when there is none of that number. Twice is harmless."""
    c = silence.c
    running = and_(c.id == silence_id, c.ended_ms.is_(None), c.until_ms > now_ms)
    ending = update(silence).where(running).values(ended_ms=now_ms)
    ended = bool((await connection.execute(ending)).rowcount)
    row = (await connection.execute(select(silence).where(c.id == silence_id))).first()
    if row is None:
        return None
    found = _silence(row)
    if ended:
        await _audit(connection, found, "silence.end", by, now_ms)
    return found


async def in_force(connection: AsyncConnection, now_ms: int) -> list[Silence]:
    """All silences in force, oldest first: what ``muted`` is asked with."""
    c = silence.c
    running = and_(c.from_ms <= now_ms, c.until_ms > now_ms, c.ended_ms.is_(None))
    query = select(silence).where(running).order_by(c.id)
    return [_silence(row) for row in await connection.execute(query)]


async def list_silences(
    connection: AsyncConnection,
    where: SilenceFilter,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Silence]:
    """One page, newest first; ``limit`` is held between 1 and ``MAX_PAGE``.

    Raises:
        CursorError: ``cursor`` was not given out by this list.

    """
    limit = max(1, min(limit, MAX_PAGE))
    c = silence.c
    query = select(silence).order_by(c.from_ms.desc(), c.id.desc()).limit(limit + 1)
    if where.site is not None:
        query = query.where(c.site_id == where.site)
    if where.station is not None:
        query = query.where(c.station_id == where.station)
    if where.at_ms is not None:
        early = or_(c.ended_ms.is_(None), c.ended_ms > where.at_ms)
        query = query.where(c.from_ms <= where.at_ms, c.until_ms > where.at_ms, early)
    if cursor is not None:
        last = Cursor.parse(cursor)
        older = and_(c.from_ms == last.at_ms, c.id < last.number)
        query = query.where(or_(c.from_ms < last.at_ms, older))
    rows = [_silence(row) for row in await connection.execute(query)]
    return page_of([(Cursor(one.from_ms, str(one.id)), one) for one in rows], limit)


async def _audit(
    connection: AsyncConnection, about: Silence, action: str, by: str, now_ms: int
) -> None:
    await audit.append(
        connection,
        actor=by,
        action=action,
        subject=f"{about.site}/{about.station or '*'}",
        detail={
            "silence": about.id,
            "rule": about.rule,
            "until_ms": about.until_ms,
            "reason": about.reason,
        },
        at_ms=now_ms,
    )


def _refusal(wanted: Wanted, now_ms: int) -> SilenceRefusal | None:
    if wanted.rule is not None and _only_danger(wanted.rule):
        return SilenceRefusal.DANGER
    if wanted.until_ms <= now_ms:
        return SilenceRefusal.OVER
    return SilenceRefusal.TOO_LONG if wanted.until_ms > now_ms + MAX_MS else None


def _only_danger(rule: str) -> bool:
    """Whether all that the rule can find is of family ``alarm``."""
    known = Catalogue.default().rules.get(rule)
    return known is not None and all(t.family is Family.ALARM for _, t in known.tiers())


def _silence(row: Row[Any]) -> Silence:
    return Silence(
        id=row.id,
        site=row.site_id,
        station=row.station_id,
        rule=row.rule,
        from_ms=row.from_ms,
        until_ms=row.until_ms,
        reason=row.reason,
        by=row.by,
        ended_ms=row.ended_ms,
    )
