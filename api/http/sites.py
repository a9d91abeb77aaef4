"""Sites and stations: how everything is now, and how it was."""

from operator import itemgetter
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from api.errors import BadQueryError, NoSuchThingError, Thing, Why
from api.http import examples, kept, records, status, views
from api.http.answers import answer, tagged
from api.http.board import Board
from api.http.documented import documented
from api.http.gate import Gate
from api.http.ports import Backend
from api.http.queries import (
    DAY_MS,
    MAX_RANGE_DAYS,
    Id,
    PathSocket,
    StationsQuery,
    TelemetryQuery,
    no_query,
)
from devices.errors import CursorError
from devices.model import Site, Station
from iot.frames import SOCKET_CHANNELS
from iot.store import RangeQuery


def routes(backend: Backend, gate: Gate) -> APIRouter:
    """The routes under ``/sites`` and ``/stations``."""
    board = Board(backend)
    router = APIRouter(prefix="/api/v1", tags=["sites"], dependencies=[Depends(gate.reader)])

    @router.get(
        "/sites",
        dependencies=[Depends(no_query)],
        **documented(views.Sites, examples.sites, tagged=True),
    )
    async def list_sites(request: Request) -> Response:
        """All sites, by id, each with what it has now."""
        view = views.Sites(tuple(status.site(backend, s) for s in _sites(backend)))
        return tagged(request, view, view)

    @router.get(
        "/sites/{site}",
        dependencies=[Depends(no_query)],
        **documented(views.Site, examples.site, 404, tagged=True),
    )
    async def get_site(request: Request, site: Id) -> Response:
        """One site."""
        for registered in backend.sites():
            if registered.id == site:
                view = status.site(backend, registered)
                return tagged(request, view, view)
        raise NoSuchThingError(Thing.SITE, site)

    @router.get("/stations", **documented(views.Stations, examples.stations, tagged=True))
    async def list_stations(request: Request, query: Annotated[StationsQuery, Query()]) -> Response:
        """Stations by id, live: enough to draw the plan. ``next`` continues after this page."""
        rows, cursor = _page(backend, board, query)
        items = [orjson.Fragment(row) for row in rows]
        view = {"items": items, "next": cursor, "now_ms": backend.now_ms()}
        return tagged(request, view, [*items, cursor])

    @router.get(
        "/stations/{station}",
        dependencies=[Depends(no_query)],
        **documented(views.StationDetail, examples.station, 404),
    )
    async def get_station(station: Id) -> Response:
        """Everything known about one station: twin, sensor truth, sessions, findings, lockouts."""
        return answer(status.detail(backend, *_find(backend, station)))

    @router.get(
        "/stations/{station}/sockets",
        dependencies=[Depends(no_query)],
        **documented(views.Sockets, examples.sockets, 404),
    )
    async def list_sockets(station: Id) -> Response:
        """All sockets of one station."""
        return answer(views.Sockets(status.sockets(backend, _find(backend, station)[1])))

    @router.get(
        "/stations/{station}/sockets/{socket}",
        dependencies=[Depends(no_query)],
        **documented(views.SocketDetail, examples.socket, 404),
    )
    async def get_socket(station: Id, socket: PathSocket) -> Response:
        """One socket, numbered from 1."""
        found = _find(backend, station)[1]
        check_socket(found, socket)
        return answer(status.sockets(backend, found)[socket - 1])

    @router.get(
        "/stations/{station}/telemetry",
        **documented(kept.TelemetryRange, examples.telemetry, 404, 503),
    )
    async def get_telemetry(station: Id, query: Annotated[TelemetryQuery, Query()]) -> Response:
        """One channel over time: minimum, maximum and mean per window."""
        wanted = _range(backend, _find(backend, station)[1], query)
        return answer(records.telemetry(wanted, await backend.telemetry.range(wanted)))

    return router


def _sites(backend: Backend) -> list[Site]:
    return sorted(backend.sites(), key=lambda site: site.id)


def _find(backend: Backend, station: str) -> tuple[Site, Station]:
    for site in backend.sites():
        found = site.station(station)
        if found is not None:
            return site, found
    raise NoSuchThingError(Thing.STATION, station)


def find_station(backend: Backend, station: str) -> Station:
    """The registered station. Raises NoSuchThingError."""
    return _find(backend, station)[1]


def check_socket(station: Station, socket: int | None) -> None:
    """Raises NoSuchThingError for a socket the station does not have."""
    if socket is not None and socket > station.sockets:
        raise NoSuchThingError(Thing.SOCKET, f"{station.id}/{socket}")


def _page(backend: Backend, board: Board, query: StationsQuery) -> tuple[list[bytes], str | None]:
    """Encoded rows and the cursor of the next page: of the list's shape, ``views.Stations``."""
    after = "" if query.cursor is None else _after(query.cursor)
    wanted = sorted(
        (
            (station.id, site, station)
            for site in backend.sites()
            for station in site.stations
            if query.site in {None, site.id}
            and query.area in {None, station.area}
            and station.id > after
        ),
        key=itemgetter(0),
    )
    rows: list[bytes] = []
    last = ""
    for _, site, station in wanted:
        if len(rows) == query.limit:
            return rows, f"s.{last}"
        row = board.row(site, station)
        if query.online in {None, row.online}:
            rows.append(row.json)
            last = station.id
    return rows, None


def _after(cursor: str) -> str:
    kind, dot, station = cursor.partition(".")
    if kind != "s" or not dot or not station:
        raise CursorError(cursor)
    return station


def _range(backend: Backend, station: Station, query: TelemetryQuery) -> RangeQuery:
    of_socket = query.channel in SOCKET_CHANNELS
    if of_socket and query.socket is None:
        raise BadQueryError(field="socket", why=Why.SOCKET_NEEDED)
    if query.socket is not None and not of_socket:
        raise BadQueryError(field="socket", why=Why.NO_SOCKET)
    check_socket(station, query.socket)
    end_ms = backend.now_ms() if query.end is None else query.end
    start_ms = end_ms - DAY_MS if query.start is None else query.start
    if start_ms >= end_ms:
        raise BadQueryError(field="start", why=Why.START_AFTER_END)
    if end_ms - start_ms > MAX_RANGE_DAYS * DAY_MS:
        raise BadQueryError(field="start", why=Why.RANGE_TOO_LONG, days=MAX_RANGE_DAYS)
    return RangeQuery(station.id, query.socket, query.channel, start_ms, end_ms, query.points)
