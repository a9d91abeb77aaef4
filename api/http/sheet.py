"""What an officer's phone shows of an incident: words and marks, ready to be laid out.

Pure: a case, the orders given for it and what the station measures now go in, lines come out.
Every line has a mark besides its words, and the mark a shape besides its colour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from alerts.findings import StoredFinding
from alerts.incidents import grading
from alerts.incidents.model import Incident, State, Urgency
from api.http import lines
from api.http.cases import Case
from api.http.moments import Line, Mark, Reader
from api.texts import Words
from devices.command_model import CommandRecord
from devices.model import Site, Station
from rules.views import SocketView, StationView

_URGENCY_MARKS: Final = {
    Urgency.FIRE: Mark.ALARM,
    Urgency.DANGER: Mark.ALARM,
    Urgency.FAULT: Mark.WARN,
    Urgency.NOTICE: Mark.INFO,
}
_STATE_MARKS: Final = {
    State.OPEN: Mark.ALARM,
    State.ACKNOWLEDGED: Mark.WARN,
    State.ON_SITE: Mark.INFO,
    State.REPORTED: Mark.GOOD,
    State.CLOSED: Mark.QUIET,
}
_MOST_OTHERS: Final = 6
_MOST_DOTS: Final = 60
"""Stations drawn on the plan; a page must load where the network hardly does."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A station on the drawn plan: metres from its upper left corner."""

    x: int
    y: int
    here: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """The plan of the site, metres, with the stations the incident is about marked."""

    width: int
    height: int
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything the page shows but its buttons."""

    number: str
    drill: bool
    urgency: Line
    state: Line
    title: str
    sentence: str
    since: str
    place: tuple[str, ...]
    cuts: tuple[Line, ...]
    now: tuple[Line, ...]
    others: tuple[Line, ...]
    told: tuple[Line, ...]
    assignee: str
    deadlines: tuple[Line, ...]
    events: tuple[Line, ...]
    drawing: Drawing | None


@dataclass(frozen=True, slots=True)
class Around:
    """What else is known when the page is made: the registry, the orders, the measurements."""

    site: Site | None
    orders: Sequence[CommandRecord]  # newest first
    box: StationView | None = None
    sockets: Sequence[SocketView] = ()


def reader_of(case: Case, site: Site | None, say: Words, now_ms: int) -> Reader:
    """The reader of a page about the case: at the site's local time."""
    return Reader(say, ZoneInfo(site.timezone if site else "UTC"), now_ms, case.people)


def sheet(case: Case, around: Around, reader: Reader) -> Sheet:
    """The page's content."""
    incident = case.incident
    standing = [stored for stored in case.findings if stored.cleared_ms is None]
    main = _worst(standing or case.findings)
    say = reader.say
    here = stations_of(case)
    return Sheet(
        number=incident.number,
        drill=incident.drill,
        urgency=Line(_URGENCY_MARKS[incident.urgency], say(f"urgency.{incident.urgency}")),
        state=Line(_STATE_MARKS[incident.state], say(f"state.{incident.state}")),
        title=_title(incident, main, reader),
        sentence="" if main is None else reader.reason(main.finding),
        since=_since(incident, main, reader),
        place=tuple(_place(incident, main, around.site, reader)),
        cuts=tuple(lines.cuts(reader, around.orders, here)),
        now=_now(main, around, reader),
        others=tuple(_others(case.findings, main, reader)),
        told=tuple(lines.told(reader, incident, case.messages)),
        assignee="" if incident.assignee is None else reader.who(incident.assignee),
        deadlines=tuple(lines.deadlines(reader, incident, case.deadlines)),
        events=tuple(lines.events(reader, case.events)),
        drawing=None if around.site is None else _drawing(around.site, here),
    )


def stations_of(case: Case) -> frozenset[str]:
    """The stations an incident is about."""
    found = {stored.finding.key.station for stored in case.findings}
    if case.incident.station is not None:
        found.add(case.incident.station)
    return frozenset(found)


def zone_of(incident: Incident, site: Site | None) -> tuple[Station, ...]:
    """All stations of the incident's area, by id; none where it has no area."""
    if site is None or incident.area is None:
        return ()
    inside = (station for station in site.stations if station.area == incident.area)
    return tuple(sorted(inside, key=lambda station: station.id))


def _worst(findings: Sequence[StoredFinding]) -> StoredFinding | None:
    worst = grading.worst(stored.finding for stored in findings)
    return next((stored for stored in findings if stored.finding is worst), None)


def _title(incident: Incident, main: StoredFinding | None, reader: Reader) -> str:
    if main is not None:
        return reader.rule(main.finding.key.rule)
    key = "page.drill" if incident.drill else f"urgency.{incident.urgency}"
    return reader.say(key)


def _since(incident: Incident, main: StoredFinding | None, reader: Reader) -> str:
    since_ms = incident.first_ms if main is None else main.finding.key.episode_ms
    ago = reader.span(reader.now_ms - since_ms)
    return reader.say("page.since", time=reader.clock(since_ms), span=ago)


def _place(
    incident: Incident, main: StoredFinding | None, site: Site | None, reader: Reader
) -> list[str]:
    """From the largest to the smallest: compound and area, shed, station and socket."""
    if site is None:
        return [part for part in (incident.site, incident.station) if part]
    area = next((area for area in site.areas if area.id == incident.area), None)
    first = reader.name(site.name) + ("" if area is None else f" · {reader.name(area.name)}")
    station = None if incident.station is None else site.station(incident.station)
    if incident.station is None or station is None:
        return [first, incident.station or reader.say("page.whole_site")]
    named = reader.say("page.station", id=station.id)
    socket = reader.socket(None if main is None else main.finding.key.socket)
    return [first, reader.name(station.name), f"{named} · {socket}"]


def _now(main: StoredFinding | None, around: Around, reader: Reader) -> tuple[Line, ...]:
    if around.box is None:
        return ()
    number = None if main is None else main.finding.key.socket
    socket = next((seen for seen in around.sockets if seen.socket == number), None)
    return tuple(lines.now(reader, around.box, socket))


def _others(
    findings: Sequence[StoredFinding], main: StoredFinding | None, reader: Reader
) -> list[Line]:
    """The findings beside the main one: those that stand first, the newest first."""
    rest = [stored for stored in findings if stored is not main]
    rest.sort(key=lambda stored: (stored.cleared_ms is not None, -stored.finding.raised_ms))
    return [
        Line(
            Mark.ALARM if stored.cleared_ms is None else Mark.GOOD,
            reader.say(
                "page.pair",
                a=reader.socket(stored.finding.key.socket),
                b=reader.reason(stored.finding),
            ),
            reader.clock(stored.cleared_ms or stored.finding.raised_ms),
        )
        for stored in rest[:_MOST_OTHERS]
    ]


def _drawing(site: Site, here: frozenset[str]) -> Drawing:
    marked = [station for station in site.stations if station.id in here]
    around = [station for station in site.stations if station.id not in here]
    shown = [*around[:_MOST_DOTS], *marked[:_MOST_DOTS]]  # drawn last, so on top
    dots = tuple(
        Dot(
            round(station.position.x),
            round(site.plan.height - station.position.y),
            station.id in here,
        )
        for station in shown
    )
    return Drawing(round(site.plan.width), round(site.plan.height), dots)
