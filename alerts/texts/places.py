"""Where it is, as long as it fits: the site goes first, then the area, the shed, the socket.

The station's id, which is written on the box, stands in for the shed's name before the socket is
given up; at the very end stands a part of the id.
"""

from collections.abc import Iterator
from typing import Final

from alerts.incidents.model import Kind
from alerts.outbox.model import Facts
from alerts.texts.carriers import clean, head, tail
from alerts.texts.segments import units
from alerts.texts.words import form
from rules.texts import Lang

LIMIT: Final = 35
"""Characters of a template variable."""
SHORTEST: Final = 3
"""As much of an id or name as is always said."""
_PARTS: Final = (24, 16, 12, 9, 7, 6, 5, 4, SHORTEST)


def places(facts: Facts, lang: Lang) -> Iterator[str]:
    """The place in every form, the fullest first; none is empty or longer than ``LIMIT``."""
    found = False
    for place in _forms(facts, lang):
        cleaned = clean(place)
        if cleaned and units(cleaned) <= LIMIT:
            found = True
            yield cleaned
    if not found:
        yield form(lang, "nowhere")


def _forms(facts: Facts, lang: Lang) -> Iterator[str]:
    """A text about several stations (STORM) says where they all are."""
    site, area, shed = (clean(name) for name in _names(facts, lang))
    station = clean(facts.station)
    socket = form(lang, "socket", socket=facts.socket) if facts.socket is not None else ""
    if facts.kind is Kind.STORM or not (shed or station):
        yield _joined(lang, site, area)
        yield site
        yield from (head(site or area, limit) for limit in _PARTS)
        return
    yield _joined(lang, site, area, shed or station, socket)
    yield _joined(lang, area, shed or station, socket)
    yield _joined(lang, shed or station, socket)
    if station and facts.socket is not None:
        yield form(lang, "box", station=station, socket=facts.socket)
    yield station
    yield from (tail(station, limit) or head(shed, limit) for limit in _PARTS)


def _names(facts: Facts, lang: Lang) -> tuple[str, str, str]:
    if lang is Lang.ZH:
        return facts.site_zh, facts.area_zh, facts.station_zh
    return facts.site_en, facts.area_en, facts.station_en


def _joined(lang: Lang, *parts: str) -> str:
    joined = ""
    for part in filter(None, parts):
        apart = joined[-1:].isascii() and part[0].isascii() and not form(lang, "join")
        between = " " if joined and apart else form(lang, "join")  # A07 and 5号座 are not A075号座
        joined = f"{joined}{between}{part}" if joined else part
    return joined
