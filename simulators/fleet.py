"""A whole fleet behind the wire: feed it the time, it gives messages; feed it orders, it obeys.

    fleet = Fleet([StationPlan("sim-001", 12)], "overheating", seed=7, start_ms=now_ms)
    for message in fleet.step(now_ms): ...           # due up messages, in order
    for message in fleet.deliver("sim-001", Channel.COMMAND, body, now_ms): ...

Pure: no clock, no I/O, chance only from the seed. The same calls give the same bytes. What is
published for a station that is not online (``link-loss``, ``reboot``) is kept in the station
and comes out of ``step`` when its link is back; orders for it wait, as a broker's persistent
session lets them. The last will is the broker's affair: whoever plays broker publishes
``will(station)`` when ``online(station)`` turns false.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from iot.topics import Channel
from simulators.climate import MILD, Climate
from simulators.firmware import Firmware
from simulators.model import FleetEvent, Outgoing, Seat, StationPlan
from simulators.scenarios import Script
from simulators.scenarios import find as find_scenario
from simulators.stage import Stage
from simulators.telemetry import FrameWriter
from simulators.users import Users
from simulators.watch import Trip

STEP_MS: Final = 1000
PRE_ROLL_MS: Final = 30 * 60 * 1000
"""The first users come this long before the story, so that currents flow in its first second."""
_HOUSEKEEPING_EVERY: Final = 5


class Fleet:
    """All stations of a story, from ``start_ms`` (UTC ms) on."""

    def __init__(
        self,
        stations: Sequence[StationPlan],
        scenario: str,
        seed: int,
        start_ms: int,
        *,
        climate: Climate = MILD,
    ) -> None:
        """Cast the story and let the half hour before it pass (no message of it is sent)."""
        story = find_scenario(scenario)
        self.scenario: Final = story
        self.start_ms: Final = start_ms
        self.sent: Counter[Channel] = Counter()
        stage = Stage(stations, seed=seed, start_ms=start_ms - PRE_ROLL_MS, climate=climate)
        self.stage: Final = stage
        self._rows = stage.rows
        self._writer = FrameWriter(stage.plant, stage.sensors, stage.stations)
        self._inbox: list[list[tuple[Channel, bytes]]] = [[] for _ in stage.plans]
        self._next_ms = start_ms
        self._ticks = 0
        users = Users(stage)
        story.script(Script(stage, users, start_ms))
        self._pre_roll(users)

    @property
    def stations(self) -> tuple[StationPlan, ...]:
        """The stations in the order they were given."""
        return self.stage.plans

    @property
    def events(self) -> list[FleetEvent]:
        """What has happened, oldest first (with the half hour before the story)."""
        return self.stage.events

    def listen(self, listener: Callable[[FleetEvent], None]) -> None:
        """Call ``listener`` with each event from now on, when it happens."""
        self.stage.listeners.append(listener)

    def step(self, now_ms: int) -> list[Outgoing]:
        """Advance to ``now_ms`` in steps of one second; the messages due, in order."""
        while self._next_ms <= now_ms:
            self._tick(self._next_ms)
            self._next_ms += STEP_MS
        return self._collect()

    def deliver(
        self, station: str, channel: Channel | str, payload: bytes, now_ms: int
    ) -> list[Outgoing]:
        """Hand one downlink body to a station; its immediate answers, in order.

        Waits in the (broker's) queue when the station is not online. An unknown station is a
        ``KeyError``.
        """
        row = self._rows[station]
        at_ms = max(now_ms, self._next_ms - STEP_MS)
        if not self.stage.online(row):
            self._inbox[row].append((Channel(channel), payload))
            return []
        self._receive(row, Channel(channel), payload, at_ms)
        return self._collect()

    def linked(self, station: str, now_ms: int, *, up: bool) -> list[Outgoing]:
        """Tell a station that its broker connection came or went (real runs); its hello."""
        self.stage.set_transport(self._rows[station], now_ms, up=up)
        return self._collect()

    def online(self, station: str) -> bool:
        """Whether the station has power and network: its link should be up."""
        return self.stage.online(self._rows[station])

    def will(self, station: str) -> bytes:
        """The status body the broker publishes, retained, when the link breaks."""
        return self._firmware(station).status(online=False)

    def _firmware(self, station: str) -> Firmware:
        return self.stage.stations[self._rows[station]]

    def _pre_roll(self, users: Users) -> None:
        """Half an hour of physics and users, without a message: nobody listens yet."""
        stage = self.stage
        first_ms = self.start_ms - PRE_ROLL_MS
        for row in range(len(stage.plans)):
            stage.boot(row, first_ms)
        users.open(first_ms, self.start_ms)
        for now_ms in range(first_ms, self.start_ms, STEP_MS):
            stage.play(now_ms)
            stage.plant.step(now_ms)
        stage.sensors.look()
        stage.out.clear()
        for row, station in enumerate(stage.stations):
            station.say_hello()
            stage.watch.at_once(row)

    def _tick(self, now_ms: int) -> None:
        stage = self.stage
        stage.play(now_ms)
        stage.plant.step(now_ms)
        for trip in stage.watch.look():
            self._trip(trip, now_ms)
        self._ticks += 1
        slow = self._ticks % _HOUSEKEEPING_EVERY == 0
        for row, station in enumerate(stage.stations):
            if station.alarms.pending:
                station.alarms.tick(now_ms)
            if slow and station.running:
                self._keep_house(row, station, now_ms)
        for row, waiting in enumerate(self._inbox):
            if waiting and stage.online(row):
                self._inbox[row] = []
                for channel, payload in waiting:
                    self._receive(row, channel, payload, now_ms)
        self._report(stage.watch.due(now_ms), now_ms)

    def _trip(self, trip: Trip, now_ms: int) -> None:
        station = self.stage.stations[trip.row]
        socket = None if trip.seat is None else trip.seat.socket
        if not station.running or station.alarms.standing(trip.kind, socket):
            return
        if socket is None:
            station.trip_station(now_ms, trip.kind, trip.value)
        else:
            station.trip_socket(socket, now_ms, trip.kind, trip.value)

    def _keep_house(self, row: int, station: Firmware, now_ms: int) -> None:
        station.tick(now_ms)
        for kind, socket in station.alarms.all_standing():
            value = self.stage.watch.recovered(row, kind, socket)
            if value is not None:
                station.alarms.end_alarm(kind, socket, value, now_ms)

    def _receive(self, row: int, channel: Channel, payload: bytes, at_ms: int) -> None:
        self.stage.stations[row].receive(channel, payload, at_ms)
        if self.stage.watch.urgent(row):
            self._report(np.array([row], dtype=np.intp), at_ms)

    def _report(self, rows: np.ndarray[tuple[int], np.dtype[np.intp]], now_ms: int) -> None:
        stage = self.stage
        if not rows.size:
            return
        if not all(station.running for station in stage.stations):
            running = np.array([station.running for station in stage.stations])
            rows = rows[running[rows]]
        self._writer.write(rows, now_ms)
        stage.watch.reported(rows, now_ms)

    def _collect(self) -> list[Outgoing]:
        out = self.stage.out
        if not out:
            return []
        self.stage.out = []
        self.sent.update(message.channel for message in out)
        return out


def seat_of(fleet: Fleet, station: str, socket: int) -> Seat:
    """Where a socket is in the fleet's arrays, for tests that look at the physics."""
    return Seat(fleet.stage.rows[station], socket - 1)
