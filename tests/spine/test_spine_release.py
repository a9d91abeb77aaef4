"""Giving a socket back: over HTTP, through the whole backend, to the limits document and SQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.backend import ApiBackend
from api.http.app import create_app
from devices import credentials
from devices.command_model import Origin, State
from devices.lockouts import Approval
from devices.orders import Action
from devices.records import load_lockouts
from iot.topics import Channel
from tests.spine.conftest import STATION, Stage
from tests.spine.scenes import (
    after_crash,
    all_off,
    commands,
    cut_hot_socket,
    limits,
    locked,
    lockouts,
    off,
    play,
    rules_at_rest,
    sent,
)

URL = "/api/v1/commands"


@dataclass
class Office:
    """Two people with credentials of their own, and the stage they act on."""

    stage: Stage
    admin: httpx.AsyncClient
    second: httpx.AsyncClient
    nobody: httpx.AsyncClient


@asynccontextmanager
async def staffed(stage: Stage, admin_token: str, second_token: str) -> AsyncIterator[Office]:
    """Serve the stage to both people while its committer runs."""
    transport = httpx.ASGITransport(create_app(ApiBackend(stage.backend)))
    async with AsyncExitStack() as stack:
        people = []
        for token in (admin_token, second_token, None):
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            client = httpx.AsyncClient(
                base_url="http://chargeward", transport=transport, headers=headers
            )
            people.append(await stack.enter_async_context(client))
        running = asyncio.create_task(stage.backend.committer.run())
        try:
            yield Office(stage, *people)
        finally:
            stage.backend.committer.close()
            await running


async def second_token(stage: Stage) -> str:
    """The credential of another person."""
    async with stage.backend.database.writing() as connection:
        return await credentials.add(connection, "li-wei", stage.clock.utc_ms())


@pytest.fixture
async def office(stage: Stage) -> AsyncIterator[Office]:
    """Both people, at a stage on which nothing has happened yet."""
    token = stage.backend.first_token
    assert token is not None
    async with staffed(stage, token, await second_token(stage)) as made:
        yield made


async def release(
    person: httpx.AsyncClient, socket: int | None, reason: str | None = "looked at it"
) -> tuple[int, dict[str, Any]]:
    """Ask for a release; status and body of the answer."""
    body: dict[str, Any] = {"action": "release", "station": STATION, "socket": socket}
    if reason is not None:
        body["reason"] = reason
    answer = await person.post(URL, json=body)
    return answer.status_code, answer.json()


def cut_and_prove(stage: Stage) -> None:
    """Socket 3 is hot, cut, off and locked."""
    cut_hot_socket(stage)
    play(stage, 1, 1, **off(3))


def cool(stage: Stage) -> None:
    """The socket is measured well below its clear threshold."""
    play(stage, 2, 1, **off(3, 40.0))


def on_fire(stage: Stage) -> None:
    """The smoke contact closed, and the station is off."""
    stage.send(stage.alarm(id="smoke-1"), Channel.ALARM)
    play(stage, 1, 1, **all_off(smoke=1))


def burnt_out(stage: Stage) -> None:
    """The smoke is gone, by alarm and by contact."""
    stage.send(stage.alarm(id="smoke-1", active=False), Channel.ALARM)
    play(stage, 2, 1, **all_off())


async def approvals(stage: Stage) -> list[tuple[Approval, ...]]:
    """Who had approved what, of all lockouts that ever were."""
    async with stage.backend.database.reading() as connection:
        return [lock.approvals for lock in await load_lockouts(connection, released=True)]


@pytest.mark.parametrize("reason", [None, "", "  \n"])
async def test_a_release_needs_a_reason(office: Office, reason: str | None) -> None:
    """Without one nothing changes, whoever asks."""
    cut_and_prove(office.stage)
    cool(office.stage)
    status, body = await release(office.admin, 3, reason)
    assert (status, body["type"]) == (422, "/problems/reason-missing")
    assert locked(office.stage) == [3]


async def test_a_release_needs_a_credential(office: Office) -> None:
    """Without one, or with a made-up one, nothing changes."""
    cut_and_prove(office.stage)
    cool(office.stage)
    status, body = await release(office.nobody, 3)
    assert (status, body["type"]) == (401, "/problems/unauthenticated")
    office.nobody.headers["Authorization"] = "Bearer cw_made-up"
    status, body = await release(office.nobody, 3)
    assert (status, body["type"]) == (401, "/problems/unauthenticated")
    assert locked(office.stage) == [3]
    assert [lock.released_ms for lock in office.stage.backend.runner.locks] == [None]


async def test_a_hot_socket_is_not_released(office: Office) -> None:
    """409, and the answer names the finding that forbids it."""
    cut_and_prove(office.stage)
    status, body = await release(office.admin, 3)
    assert (status, body["type"]) == (409, "/problems/still-dangerous")
    (blocking,) = body["blocked_by"]
    assert (blocking["rule"], blocking["socket"], blocking["station"]) == ("R02", 3, STATION)
    assert locked(office.stage) == [3]
    assert office.stage.orders() == [("cut", 3)]


async def test_a_station_that_is_silent_is_not_released(office: Office) -> None:
    """It was cool when it was last heard; that is no measurement of now."""
    cut_and_prove(office.stage)
    cool(office.stage)
    office.stage.pass_s(181)
    status, body = await release(office.admin, 3)
    assert (status, body["type"]) == (409, "/problems/still-dangerous")
    assert locked(office.stage) == [3]


async def test_a_cool_socket_is_released(office: Office) -> None:
    """Limits first, then the order; the finding ends, in memory and in SQL; nothing goes on."""
    stage = office.stage
    cut_and_prove(stage)
    cool(stage)
    stage.published.clear()
    status, body = await release(office.admin, 3, "contact renewed")
    stage._collect()
    assert (status, body["outcome"]) == (200, "released")
    assert [(c, b.get("locked"), b.get("action")) for _, c, b in stage.published] == [
        (Channel.LIMITS, [], None),
        (Channel.COMMAND, None, "release"),
    ]
    assert stage.rules() == []
    assert await rules_at_rest(stage) == [("R02", "extreme", 3, False)]
    assert await lockouts(stage) == []
    assert await approvals(stage) == [
        (Approval("admin", "contact renewed", stage.clock.utc_ms()),),
    ]
    assert (await limits(stage)).locked == ()
    cut, order = await commands(stage)
    assert (cut.state, cut.origin, cut.by) == (State.PROVEN, Origin.RULE, None)
    assert (order.action, order.origin, order.by, order.reason) == (
        Action.RELEASE,
        Origin.PERSON,
        "admin",
        "contact renewed",
    )


async def test_a_released_socket_is_watched_as_before(office: Office) -> None:
    """Power on it is no R27 any more; heat on it is a new episode, a new cut, a new lock."""
    stage = office.stage
    cut_and_prove(stage)
    cool(stage)
    assert (await release(office.admin, 3))[0] == 200
    play(stage, 60, 5)
    assert stage.rules() == []
    stage.published.clear()
    cut_hot_socket(stage)
    assert stage.orders() == [("cut", 3)]
    assert locked(stage) == [3]


@pytest.mark.parametrize("socket", [3, None])
async def test_what_is_not_locked_cannot_be_released(office: Office, socket: int | None) -> None:
    """409: neither a socket nor the station, and no order leaves."""
    play(office.stage, 2, 1)
    status, body = await release(office.admin, socket)
    assert (status, body["type"]) == (409, "/problems/not-locked")
    assert office.stage.orders() == []


async def test_after_a_fire_two_people_must_agree(office: Office) -> None:
    """The first word is noted, the same person's second is refused, another's releases."""
    stage = office.stage
    on_fire(stage)
    assert (await release(office.admin, None))[1]["type"] == "/problems/still-dangerous"
    burnt_out(stage)
    status, body = await release(office.admin, None, "I looked")
    assert (status, body["outcome"]) == (202, "needs_second_person")
    assert locked(stage) == list(range(1, 13))
    status, body = await release(office.admin, None, "I looked again")
    assert (status, body["type"]) == (409, "/problems/second-person")
    assert locked(stage) == list(range(1, 13))
    status, body = await release(office.second, None, "so did I")
    assert (status, body["outcome"]) == (200, "released")
    stage._collect()
    assert (locked(stage), stage.rules()) == ([], [])
    assert await rules_at_rest(stage) == [("R07", "main", None, False)]
    now_ms = stage.clock.utc_ms()
    assert await approvals(stage) == [
        (Approval("admin", "I looked", now_ms), Approval("li-wei", "so did I", now_ms))
    ]


async def test_the_first_word_outlives_a_kill(
    office: Office, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After a restart the first person still may not be the second one, and another may."""
    stage, token = office.stage, office.stage.backend.first_token
    assert token is not None
    on_fire(stage)
    burnt_out(stage)
    assert (await release(office.admin, None))[0] == 202
    other = office.second.headers["Authorization"].removeprefix("Bearer ")
    copy: Path = tmp_path_factory.mktemp("kill") / "copy"
    async with after_crash(stage, copy) as again, staffed(again, token, other) as later:
        play(again, 2, 1, **all_off())
        assert (await release(later.admin, None))[0] == 409
        assert (await release(later.second, None))[0] == 200
        again._collect()
        assert locked(again) == []


async def test_a_new_fire_voids_the_first_word(office: Office) -> None:
    """What was approved was another danger."""
    stage = office.stage
    on_fire(stage)
    burnt_out(stage)
    assert (await release(office.admin, None))[0] == 202
    play(stage, 6, 5, **all_off(enclosure_c=70.0))
    assert ("R04", None) in stage.rules()
    play(stage, 160, 5, **all_off(enclosure_c=30.0))  # R05 looks back two minutes, and waits ten
    status, body = await release(office.second, None)
    assert (status, body["outcome"]) == (202, "needs_second_person")
    assert (await release(office.admin, None))[0] == 200


async def test_a_station_release_leaves_a_socket_locked(office: Office) -> None:
    """After a welded relay: the contactor may close, the socket that failed may not."""
    stage = office.stage
    cut_hot_socket(stage)
    play(stage, 10, 1, temp_c=[31.0, 31.0, 97.0, *[31.0] * 9])
    play(stage, 2, 1, **all_off())
    assert [(o["action"], o["socket"]) for o in sent(stage, Channel.COMMAND)][-1] == (
        "cut_station",
        None,
    )
    assert locked(stage) == list(range(1, 13))
    assert (await release(office.admin, None))[0] == 200
    stage._collect()
    assert locked(stage) == [3]
    assert (await release(office.admin, 3))[0] == 200
    stage._collect()
    assert (locked(stage), stage.rules()) == ([], [])


async def test_a_person_s_cut_locks_and_is_released(office: Office) -> None:
    """Ordered by a person: published, proven by measurement, locked by name, given back."""
    stage = office.stage
    play(stage, 2, 1)
    order = {"action": "cut", "station": STATION, "socket": 5, "reason": "smells odd"}
    answer = await office.second.post(URL, json=order)
    stage._collect()
    assert answer.status_code == 202
    assert (stage.orders(), locked(stage)) == ([("cut", 5)], [5])
    play(stage, 1, 1, **off(5, 31.0))
    ((lock, by),) = [(lock.rule, lock.socket) for lock in stage.backend.runner.locks]
    assert (lock, by) == ("person", 5)
    assert (await release(office.admin, 5))[0] == 200
    cut, back = await commands(stage)
    assert (cut.state, cut.by, cut.lock, cut.reason) == (
        State.PROVEN,
        "li-wei",
        True,
        "smells odd",
    )
    assert (back.action, back.by) == (Action.RELEASE, "admin")
    assert await rules_at_rest(stage) == []
