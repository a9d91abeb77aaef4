"""Commands and lockouts: cut, release, identify; and what became of them."""

from typing import Annotated, Final

from fastapi import APIRouter, Body, Depends, Query, Response

from api.errors import NoSuchThingError, ReleaseRefusedError, Thing
from api.http import examples, kept, records
from api.http.answers import answer
from api.http.documented import documented, shown
from api.http.gate import Gate
from api.http.ports import Backend, Subject
from api.http.queries import (
    CommandsQuery,
    LockoutsQuery,
    Order,
    RecordId,
    Release,
    json_only,
    no_query,
)
from api.http.sites import check_socket, find_station
from devices.lockouts import Outcome
from devices.orders import Action
from devices.records import CommandFilter

ORDERED: Final = "ordered"
_POST: Final = documented(kept.Ordered, examples.ordered, 400, 404, 409, 413, 415, status=202)
_POST["responses"][200] = {
    "description": "The lockout is released",
    "model": kept.Ordered,
    **shown(examples.released),
}


def routes(backend: Backend, gate: Gate) -> APIRouter:
    """The routes under ``/commands`` and ``/lockouts``."""
    router = APIRouter(prefix="/api/v1", tags=["commands"])
    reading = [Depends(gate.reader)]

    @router.get("/commands", dependencies=reading, **documented(kept.Commands, examples.commands))
    async def list_commands(query: Annotated[CommandsQuery, Query()]) -> Response:
        """Commands, newest first."""
        where = CommandFilter(
            stations=None if query.station is None else frozenset({query.station}),
            socket=query.socket,
            states=None if query.state is None else frozenset({query.state}),
        )
        page = await backend.commands(where, query.cursor, query.limit)
        return answer(kept.Commands(tuple(map(records.command, page.items)), page.next))

    @router.get(
        "/commands/{command}",
        dependencies=[*reading, Depends(no_query)],
        **documented(kept.Command, examples.command, 404),
    )
    async def get_command(command: RecordId) -> Response:
        """One command: only ``proven`` means that the power is off."""
        found = await backend.command(command)
        if found is None:
            raise NoSuchThingError(Thing.COMMAND, command)
        return answer(records.command(found))

    @router.post(
        "/commands",
        dependencies=[Depends(gate.caller), Depends(json_only), Depends(no_query)],
        **_POST,
    )
    async def post_command(
        caller: Annotated[str, Depends(gate.caller)],
        order: Annotated[Order, Body(openapi_examples=examples.ORDERS)],
    ) -> Response:
        """Order a cut, a station cut or an identify, or release a lockout.

        A cut is always allowed. A release needs a reason and, after a fire alarm, a second
        person; it is refused while the danger stands, and it never switches power on. 202
        means that the order is on its way (or that the second person is awaited), 200 that
        the lockout is released.
        """
        if isinstance(order, Release):
            return await _release(order, caller)
        station = find_station(backend, order.station)
        socket = getattr(order, "socket", None)
        check_socket(station, socket)
        subject = Subject(order.station, socket, order.reason, caller)
        command = records.command(await backend.order(Action(order.action), subject))
        response = answer(kept.Ordered(ORDERED, command, ()), status=202)
        response.headers["Location"] = f"/api/v1/commands/{command.id}"
        return response

    async def _release(order: Release, caller: str) -> Response:
        check_socket(find_station(backend, order.station), order.socket)
        subject = Subject(order.station, order.socket, order.reason, caller)
        released = await backend.release(subject)
        outcome = released.outcome
        if outcome not in {Outcome.RELEASED, Outcome.NEEDS_SECOND_PERSON}:
            blocking = tuple(records.standing(finding) for finding in released.findings)
            raise ReleaseRefusedError(outcome, blocking)
        standing = backend.locks.active(order.station, order.socket)
        status = 200 if outcome.released else 202
        return answer(kept.Ordered(outcome.value, None, standing), status)

    @router.get("/lockouts", dependencies=reading, **documented(kept.Lockouts, examples.lockouts))
    async def list_lockouts(query: Annotated[LockoutsQuery, Query()]) -> Response:
        """The lockouts in force, oldest first."""
        locks = backend.locks if query.station is None else backend.locks.of_station(query.station)
        return answer(kept.Lockouts(tuple(sorted(locks, key=lambda lock: lock.since_ms))))

    return router
