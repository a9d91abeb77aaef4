"""The canary: a synthetic station that raises an alarm again and again, through everything.

What it publishes goes over the real broker into the safety lane, through admission, rules and
SQL to an incident and a message. Nobody lists it: it is no station of the registry. A run has
passed when its message was accepted within ten seconds.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final
from zlib import crc32

from alerts.watch import canary_runs
from alerts.watch.canary_runs import Outcome, Run
from devices.database import Database
from devices.model import Name, Position, Site, Station
from devices.names import CANARY_PREFIX
from iot.codec import encode
from iot.contract import Alarm, AlarmKind
from iot.topics import Channel, topic

_MAX_ID: Final = 32
_NAME: Final = Name(zh="自检桩", en="Canary")

Publish = Callable[[str, bytes], bool]
"""(topic, body) -> whether it left."""


def canary_id(site: str) -> str:
    """The synthetic station of a site; a long site id is shortened and keeps a checksum."""
    whole = CANARY_PREFIX + site
    if len(whole) <= _MAX_ID:
        return whole
    return f"{whole[: _MAX_ID - 9]}-{crc32(site.encode()):08x}"


def canary_sites(sites: Iterable[Site]) -> list[Site]:
    """Each site with its synthetic station as the only one: where a canary incident is."""
    return [
        site.model_copy(update={"stations": (_station(site),), "cameras": ()}) for site in sites
    ]


def _station(site: Site) -> Station:
    return Station(
        id=canary_id(site.id),
        name=_NAME,
        area=site.areas[0].id,
        grid=1,
        position=Position(x=0.0, y=0.0),
        sockets=1,
        feeder_limit_w=1_000.0,
    )


class Voice:
    """The station side: what the canary says on the wire."""

    def __init__(self, publish: Publish, boot: str) -> None:
        """``boot``: 8 hex digits, new in each process, as a station's."""
        self._publish = publish
        self._boot = boot
        self._seq = 0

    def say(self, station: str, alarm_id: str, ts_ms: int, *, active: bool) -> bool:
        """Raise or end a self-test alarm at ``ts_ms``; whether it left."""
        self._seq += 1
        body = Alarm(
            boot=self._boot,
            seq=self._seq,
            ts=ts_ms,
            id=alarm_id,
            kind=AlarmKind.SELF_TEST.value,
            socket=None,
            active=active,
            value=None,
        )
        return self._publish(topic(station, Channel.ALARM), encode(body))


class Canary:
    """Begins runs, one site after the other, and sees what became of them."""

    def __init__(
        self, database: Database, sites: Sequence[str], voice: Voice, *, period_s: int
    ) -> None:
        """``sites`` take turns; ``period_s`` is from one run to the next."""
        self._database = database
        self._stations = [canary_id(site) for site in sites]
        self._voice = voice
        self._period_ms = period_s * 1000
        self._turn = 0
        self._known: set[str] = set()

    async def begin(self, now_ms: int) -> Run | None:
        """Begin a run; None when another process has begun one just now.

        Raises:
            DatabaseUnavailable: there is no run without its record.

        """
        station = self._stations[self._turn % len(self._stations)]
        async with self._database.writing() as connection:
            run = await canary_runs.begin(connection, station, now_ms, self._period_ms)
        if run is None:
            return None
        self._turn += 1
        if station not in self._known:  # an earlier process may have left its alarm standing
            self._voice.say(station, f"{run.alarm}-before", now_ms - 1, active=False)
            self._known.add(station)
        if not self._voice.say(station, run.alarm, now_ms, active=True):
            async with self._database.writing() as connection:
                await canary_runs.end(connection, run, Outcome.FAILED, why="no connection")
        return run

    async def look(self, now_ms: int) -> list[Run]:
        """Judge the runs that are under way and end the alarms of those that are over."""
        async with self._database.reading() as connection:
            if not await canary_runs.under_way(connection):
                return []
        async with self._database.writing() as connection:
            ended = await canary_runs.judge(connection, now_ms)
        for run in ended:
            self._voice.say(run.station, run.alarm, max(now_ms, run.started_ms + 1), active=False)
        return ended

    async def standing(self, now_ms: int) -> canary_runs.Standing:
        """How the alarm path has done in the last 24 hours."""
        async with self._database.reading() as connection:
            return await canary_runs.standing(connection, now_ms, self._period_ms)
