"""What all of the officer's pages share: whose session it is, which form, and the case shown."""

import hmac
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Path
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from alerts.incidents.links import SESSION_MS, Session
from alerts.incidents.model import State
from api.http import pages
from api.http.cases import Case
from api.http.moments import Mark, Reader
from api.http.pages import path_of
from api.http.ports import Backend
from api.http.sheet import Around, Sheet, reader_of, sheet, stations_of, zone_of
from api.http.told import Told, ToldError
from api.texts import Words
from devices.command_model import CUTS
from devices.model import Site
from devices.records import CommandFilter

SESSION_COOKIE: Final = "cw_session"
ORDERS_BEFORE_MS: Final = 60_000
"""An order this much older than the incident belongs to it: event times and ours differ."""
_MOST_ORDERS: Final = 200
_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}")

Number = Annotated[str, Path(pattern=r"^[A-Z]\d{1,12}$")]
"""What people call an incident by: F0012."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A case as one reader sees it."""

    case: Case
    site: Site | None
    reader: Reader
    sheet: Sheet
    watching: bool
    """Whether a cut is not measured yet."""

    @property
    def say(self) -> Words:
        """The reader's words."""
        return self.reader.say


class Office:
    """Over one backend; ``secure``: cookies go over HTTPS alone."""

    def __init__(self, backend: Backend, *, secure: bool) -> None:
        """``secure`` is set where the pages are served over HTTPS."""
        self.backend = backend
        self._secure = secure

    def secure(self, request: Request) -> bool:
        """Whether cookies of this answer may only come back over HTTPS."""
        return self._secure or request.url.scheme == "https"

    def keep(self, request: Request, response: Response, name: str, value: str, path: str) -> None:
        """Set a cookie that scripts and other sites never see, for ``path`` alone."""
        response.set_cookie(
            name,
            value,
            max_age=SESSION_MS // 1000,
            path=path,
            secure=self.secure(request),
            httponly=True,
            samesite="strict",
        )

    async def session(self, request: Request, number: str) -> Session:
        """Whose session it is; it is of this incident, which is not closed.

        Raises:
            ToldError: there is none, it has ended, or the incident is closed.

        """
        cookie = secret_of(request, SESSION_COOKIE)
        found = None if cookie is None else await self.backend.cases.session(cookie)
        if found is None or found.number != number:
            raise ToldError(Told("gone", HTTPStatus.FORBIDDEN, call=True))
        if found.closed:
            raise await self.closed(number)
        return found

    async def closed(self, number: str, preferred: str | None = None) -> ToldError:
        """The answer for an incident with which nothing can be done any more."""
        case = await self.backend.cases.case(number)
        merged = case is not None and case.incident.merged_into is not None
        word = "closed_merged" if merged else "closed"
        told = Told(
            word,
            HTTPStatus.GONE,
            Mark.WARN if merged else Mark.GOOD,
            values={"number": number},
            preferred=preferred,
            title="told.closed_title",
        )
        return ToldError(told)

    @asynccontextmanager
    async def form(self, request: Request, number: str) -> AsyncIterator[tuple[Session, FormData]]:
        """The session and what its form says; nothing is read before the session is known.

        Raises:
            ToldError: no session, or the form is not of it.

        """
        session = await self.session(request, number)
        async with request.form(max_files=1, max_fields=8) as form:
            proof = form.get("proof")
            if not (isinstance(proof, str) and hmac.compare_digest(_ascii(proof), session.proof)):
                raise ToldError(Told("stale", HTTPStatus.FORBIDDEN, back=path_of(number)))
            yield session, form

    async def case(self, number: str) -> Case:
        """The case; raises ToldError when there is none (any more)."""
        case = await self.backend.cases.case(number)
        if case is None:
            raise ToldError(Told("gone", HTTPStatus.NOT_FOUND))
        if case.incident.state is State.CLOSED:
            raise await self.closed(number)
        return case

    async def shown(self, request: Request, case: Case, person: str) -> Shown:
        """The case for this person, now."""
        known = case.people.get(person)
        say = pages.words(request, None if known is None else known.lang)
        site = self.site_of(case)
        reader = reader_of(case, site, say, self.backend.now_ms())
        around = await self._around(case, site)
        made = sheet(case, around, reader)
        waiting = any(not order.state.ended for order in around.orders)
        return Shown(case, site, reader, made, waiting)

    def site_of(self, case: Case) -> Site | None:
        """The registered site of the incident."""
        sites = self.backend.sites()
        return next((site for site in sites if site.id == case.incident.site), None)

    async def _around(self, case: Case, site: Site | None) -> Around:
        incident = case.incident
        stations = stations_of(case) | {station.id for station in zone_of(incident, site)}
        where = CommandFilter(stations=stations, since_ms=incident.first_ms - ORDERS_BEFORE_MS)
        listed = await self.backend.commands(where, None, _MOST_ORDERS)
        orders = tuple(order for order in listed.items if order.action in CUTS)
        station = incident.station
        if site is None or station is None or site.station(station) is None:
            return Around(site, orders)
        detection = self.backend.detection
        box, sockets = detection.station_view(station), detection.socket_view(station)
        return Around(site, orders, box, sockets)


def secret_of(request: Request, name: str) -> str | None:
    """The cookie of that name, if it can be one of ours."""
    value = request.cookies.get(name, "")
    return value if _COOKIE.fullmatch(value) else None


def _ascii(text: str) -> str:
    """``hmac.compare_digest`` takes nothing else; what is not ASCII is no proof anyway."""
    return text if text.isascii() else ""
