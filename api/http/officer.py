"""The officer's pages of one incident: arrive, cut, report, photograph, call.

Every form carries the proof of its session, every result is a redirect, and doing again what
is done changes nothing, so that a second press and the back button are harmless.
"""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData, UploadFile
from starlette.responses import RedirectResponse

from alerts.incidents.links import Session
from alerts.incidents.model import Act, Cause, Doing, Incident, State
from api.http import pages
from api.http.cases import PhotoRefusal, PhotoRefusedError
from api.http.moments import Line, Mark
from api.http.office import Number, Office, Shown
from api.http.pages import path_of
from api.http.ports import Subject
from api.http.sheet import zone_of
from api.http.told import PageRoute, Told, ToldError
from api.texts import Words
from devices.model import Station
from devices.orders import Action

MAX_NOTE: Final = 500
"""Characters of a report's note."""
REFRESH_S: Final = 20
WATCHING_S: Final = 5
"""Seconds until the page comes again by itself; the shorter while a cut is not measured yet."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")
_GOOD_ENDS: Final = frozenset(
    {"acknowledged", "arrived", "cut_station", "cut_zone", "reported", "photo", "link_sent"}
)


@dataclass(frozen=True, slots=True)
class Buttons:
    """Which of them make sense now."""

    next: str  # acknowledge, arrive; empty = neither
    report: str  # the text of the button
    report_next: bool  # whether reporting is what comes next
    cut_station: bool
    cut_zone: bool


@dataclass(frozen=True, slots=True)
class ZoneRow:
    """A station as the confirmation names it."""

    id: str
    name: str
    sockets: int
    charging: int


def routes(office: Office) -> APIRouter:  # noqa: C901 - one entry per page, nothing decided here
    """The pages under ``/incident``."""
    router = APIRouter(prefix="/incident/{number}", include_in_schema=False, route_class=PageRoute)
    acting = _Acting(office)

    @router.get("")
    async def incident(
        request: Request, number: Number, done: str = "", wait: str = ""
    ) -> Response:
        """The incident as it is now."""
        session = await office.session(request, number)
        shown = await office.shown(request, await office.case(number), session.person_id)
        return _incident(shown, session, _notice(shown.say, done, wait))

    @router.post("/acknowledge")
    async def acknowledge(request: Request, number: Number) -> Response:
        """Acknowledge again, after it began again."""
        async with office.form(request, number) as (session, _):
            await acting.act(session, Act.ACKNOWLEDGE)
        return _done(number, "acknowledged")

    @router.post("/arrive")
    async def arrive(request: Request, number: Number) -> Response:
        """I am on site."""
        async with office.form(request, number) as (session, _):
            await acting.act(session, Act.ARRIVE)
        return _done(number, "arrived")

    @router.post("/cut")
    async def cut(request: Request, number: Number) -> Response:
        """Cut the station of the incident."""
        async with office.form(request, number) as (session, _):
            case = await office.case(number)
            await acting.cut(session, acting.own_station(case.incident))
        return _done(number, "cut_station")

    @router.get("/zone")
    async def ask_zone(request: Request, number: Number) -> Response:
        """Name every station that would be cut."""
        session = await office.session(request, number)
        shown = await office.shown(request, await office.case(number), session.person_id)
        return acting.zone_page(shown, session)

    @router.post("/zone")
    async def cut_zone(request: Request, number: Number) -> Response:
        """Cut every station of the area."""
        async with office.form(request, number) as (session, _):
            case = await office.case(number)
            await acting.cut(session, zone_of(case.incident, office.site_of(case)))
        return _done(number, "cut_zone")

    @router.get("/report")
    async def ask_report(request: Request, number: Number) -> Response:
        """The form of the report."""
        session = await office.session(request, number)
        shown = await office.shown(request, await office.case(number), session.person_id)
        return _report(shown, session)

    @router.post("/report")
    async def report(request: Request, number: Number) -> Response:
        """The report; without a cause the page comes again with what was written."""
        async with office.form(request, number) as (session, form):
            cause, note = _cause(form), _note(form)
            if cause is None:
                case = await office.case(number)
                shown = await office.shown(request, case, session.person_id)
                return _report(shown, session, note=note, missing=True)
            await acting.act(session, Act.REPORT, note=note, cause=cause)
        return _done(number, "reported")

    @router.post("/photo")
    async def photo(request: Request, number: Number) -> Response:
        """A photo; one that cannot be kept takes nothing else with it."""
        async with office.form(request, number) as (session, form):
            return _done(number, await acting.photo(session, form))

    @router.post("/link")
    async def link(request: Request, number: Number) -> Response:
        """Another link to the same phone."""
        async with office.form(request, number) as (session, _):
            cases = office.backend.cases
            wait_ms = await cases.send_link(session.incident_id, session.person_id, session.phone)
        wait_s = -(-wait_ms // 1000)
        return _done(number, f"link_later&wait={wait_s}" if wait_s else "link_sent")

    return router


class _Acting:
    """Does what was pressed."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._backend = office.backend

    async def act(
        self, session: Session, act: Act, *, note: str = "", cause: Cause | None = None
    ) -> None:
        """Perform the act as the session's person."""
        doing = Doing(act, session.person_id, self._backend.now_ms(), note=note, cause=cause)
        await self._backend.cases.perform(session.incident_id, doing, via="link")

    async def cut(self, session: Session, stations: Iterable[Station]) -> None:
        """Order all cuts at once; they have left before any record is waited for."""
        wanted = tuple(stations)
        reason = f"{session.number}: ordered on the phone page"
        subjects = [Subject(station.id, None, reason, session.person_id) for station in wanted]
        await asyncio.gather(*(self._backend.order(Action.CUT_STATION, s) for s in subjects))
        if wanted:
            person = await self._backend.cases.person(session.person_id)
            say = pages.words_for(None if person is None else person.lang)
            named = say("note.cut_station", stations=", ".join(s.id for s in wanted))
            await self.act(session, Act.COMMENT, note=named[:MAX_NOTE])

    def own_station(self, incident: Incident) -> tuple[Station, ...]:
        """The registered station of the incident, if it has one."""
        found = (site.station(incident.station or "") for site in self._backend.sites())
        return tuple(station for station in found if station is not None)

    async def photo(self, session: Session, form: FormData) -> str:
        """What became of it, as a word of ``done``."""
        sent = form.get("photo")
        if not isinstance(sent, UploadFile):
            return f"photo_{PhotoRefusal.NO_IMAGE}"
        try:
            await self._backend.cases.add_photo(
                session.incident_id, await sent.read(), session.person_id
            )
        except PhotoRefusedError as error:
            return f"photo_{error.refusal}"
        return "photo"

    def zone_page(self, shown: Shown, session: Session) -> Response:
        """The confirmation that names every station."""
        incident, site = shown.case.incident, shown.site
        stations = zone_of(incident, site)
        area = next((a for a in site.areas if a.id == incident.area), None) if site else None
        if not stations or area is None:
            raise ToldError(Told("stale", HTTPStatus.NOT_FOUND, back=path_of(incident.number)))
        rows = [
            ZoneRow(
                station.id,
                shown.reader.name(station.name),
                station.sockets,
                self._backend.detection.station_view(station.id).charging,
            )
            for station in stations
        ]
        return pages.page(
            "officer_zone.html",
            shown.say,
            base=path_of(incident.number),
            proof=session.proof,
            area=shown.reader.name(area.name),
            stations=rows,
        )


def _incident(shown: Shown, session: Session, notice: Line | None) -> Response:
    base = path_of(session.number)
    return pages.page(
        "officer_incident.html",
        shown.say,
        refresh_s=WATCHING_S if shown.watching else REFRESH_S,
        refresh_to=base,
        base=base,
        proof=session.proof,
        sheet=shown.sheet,
        notice=notice,
        until=shown.reader.clock(session.until_ms),
        acts=_buttons(shown),
    )


def _buttons(shown: Shown) -> Buttons:
    incident, site = shown.case.incident, shown.site
    following = {State.OPEN: "acknowledge", State.ACKNOWLEDGED: "arrive"}
    reported = incident.state.rank >= State.REPORTED.rank
    return Buttons(
        next=following.get(incident.state, ""),
        report="button.report_again" if reported else "button.report",
        report_next=incident.state is State.ON_SITE,
        cut_station=incident.station is not None
        and site is not None
        and site.station(incident.station) is not None,
        cut_zone=bool(zone_of(incident, site)),
    )


def _report(shown: Shown, session: Session, *, note: str = "", missing: bool = False) -> Response:
    say, case = shown.say, shown.case
    return pages.page(
        "officer_report.html",
        say,
        HTTPStatus.UNPROCESSABLE_ENTITY if missing else HTTPStatus.OK,
        base=path_of(session.number),
        number=session.number,
        proof=session.proof,
        notice=Line(Mark.ALARM, say("report.cause_needed")) if missing else None,
        causes=[cause.value for cause in Cause],
        chosen="" if case.incident.cause is None else case.incident.cause.value,
        note=note,
        limit=MAX_NOTE,
        photos=sum(1 for one in case.attachments if one.kind == "photo"),
    )


def _done(number: str, word: str) -> Response:
    return RedirectResponse(f"{path_of(number)}?done={word}", HTTPStatus.SEE_OTHER)


def _notice(say: Words, done: str, wait: str) -> Line | None:
    """What the redirect says; anything else in the address says nothing."""
    if not say.has(f"done.{done}"):
        return None
    seconds = wait if wait.isascii() and wait.isdecimal() and len(wait) < len("00000") else "60"
    mark = Mark.GOOD if done in _GOOD_ENDS else Mark.WARN
    return Line(mark, say(f"done.{done}", seconds=seconds))


def _cause(form: FormData) -> Cause | None:
    sent = form.get("cause")
    return next((cause for cause in Cause if cause.value == sent), None)


def _note(form: FormData) -> str:
    sent = form.get("note")
    text = sent if isinstance(sent, str) else ""
    return _UNPRINTABLE.sub(" ", text).strip()[:MAX_NOTE]
