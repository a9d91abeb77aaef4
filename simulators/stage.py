"""Where a story plays: the plant, the stations, the users' and the faults' time table.

Scenarios and users act through the verbs of ``Stage``; they never touch the firmware's
decisions. What happens is told to ``events`` and to whoever listens.
"""

import heapq
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np

from iot.contract import AlarmKind
from simulators.backlog import Backlog
from simulators.chargers import Charge
from simulators.climate import Climate
from simulators.firmware import Firmware
from simulators.model import EventKind, FleetEvent, Outgoing, Refusal, Seat, StationPlan
from simulators.physics import Plant
from simulators.sensors import Sensors
from simulators.watch import Watch

Act = Callable[[int], None]
"""Something that happens at its time; the argument is that time, true UTC ms."""


class Stage:
    """A fleet's world. Chance comes from streams of the seed, one per purpose."""

    def __init__(
        self, stations: Sequence[StationPlan], *, seed: int, start_ms: int, climate: Climate
    ) -> None:
        """Everything off at ``start_ms``; ``start_ms`` may be before the story begins."""
        self.plans: Final = tuple(stations)
        self.rows: Final = {plan.station: row for row, plan in enumerate(self.plans)}
        self.rng: Final = np.random.default_rng([seed, 1])  # users and scenarios
        self.now_ms = start_ms
        self.events: list[FleetEvent] = []
        self.listeners: list[Callable[[FleetEvent], None]] = []
        self.out: list[Outgoing] = []
        sockets = [plan.sockets for plan in self.plans]
        self.plant = Plant(sockets, np.random.default_rng([seed, 2]), climate, start_ms)
        self.sensors = Sensors(self.plant, np.random.default_rng([seed, 3]))
        self.watch = Watch(self.plant, self.sensors, np.random.default_rng([seed, 4]))
        self.stations = [self._build(row, seed) for row in range(len(self.plans))]
        self.radio = [True] * len(self.plans)
        self.transport = [True] * len(self.plans)
        self.backlogs = [Backlog() for _ in self.plans]
        self._table: list[tuple[int, int, Act]] = []
        self._order = 0

    def _build(self, row: int, seed: int) -> Firmware:
        plan = self.plans[row]

        def log(kind: EventKind, socket: int | None, at_ms: int, detail: str) -> None:
            self.tell(FleetEvent(kind, plan.station, socket, at_ms, detail))

        def send(message: Outgoing) -> None:
            if self.online(row):
                self.out.append(message)
            else:
                self.backlogs[row].put(message)

        return Firmware(
            plan,
            row,
            plant=self.plant,
            sensors=self.sensors,
            watch=self.watch,
            rng=np.random.default_rng([seed, 5, row]),
            log=log,
            send=send,
        )

    # --- the story ------------------------------------------------------------------------

    def at(self, when_ms: int, act: Act) -> None:
        """Let ``act`` happen at a time; equal times keep their order."""
        self._order += 1
        heapq.heappush(self._table, (when_ms, self._order, act))

    def play(self, now_ms: int) -> None:
        """Let happen what is due."""
        self.now_ms = now_ms
        while self._table and self._table[0][0] <= now_ms:
            when_ms, _, act = heapq.heappop(self._table)
            act(max(when_ms, now_ms))

    def tell(self, event: FleetEvent) -> None:
        """Add to the story and let the listeners react."""
        self.events.append(event)
        for listener in self.listeners:
            listener(event)

    def fault(self, seat: Seat | int, at_ms: int, detail: str) -> None:
        """Tell that the scenario broke something."""
        row, socket = (seat, None) if isinstance(seat, int) else (seat.row, seat.socket)
        self.tell(FleetEvent(EventKind.FAULT, self.plans[row].station, socket, at_ms, detail))

    def event_seat(self, event: FleetEvent) -> Seat | None:
        """The place an event speaks of."""
        if event.socket is None:
            return None
        return Seat(self.rows[event.station], event.socket - 1)

    # --- what users do --------------------------------------------------------------------

    def free_seats(self, row: int) -> list[Seat]:
        """Sockets of a station that no bike stands at and whose light is not "busy"."""
        taken = self.plant.plugged[row] | self.plant.relay[row]
        return [Seat(row, c) for c in range(self.plans[row].sockets) if not taken[c]]

    def plug(self, seat: Seat, charge: Charge, now_ms: int) -> None:
        """A user puts a plug in."""
        self.plant.plug(seat, charge)
        self._tell(EventKind.PLUGGED, seat, now_ms, charge.kind)

    def scan(self, seat: Seat, now_ms: int) -> Refusal | None:
        """A user asks for power; None means that the station gave it."""
        return self.stations[seat.row].start(seat.socket, now_ms)

    def stop(self, seat: Seat, now_ms: int) -> None:
        """A user ends the session on the phone."""
        if seat.socket in self.stations[seat.row].sessions:
            self.stations[seat.row].stop(seat.socket, now_ms, "user")

    def unplug(self, seat: Seat, now_ms: int) -> None:
        """A user takes the plug out, power or not."""
        self.plant.unplug(seat)
        self._tell(EventKind.UNPLUGGED, seat, now_ms, "")

    # --- what fails -----------------------------------------------------------------------

    def online(self, row: int) -> bool:
        """Whether the station could talk: it has power and its radio has a network."""
        return self.radio[row] and self.stations[row].running

    def lose_link(self, row: int, now_ms: int) -> None:
        """The network of one station goes away."""
        if self.radio[row]:
            self.radio[row] = False
            self._link_changed(row, now_ms)
            self._tell_station(EventKind.LINK_LOST, row, now_ms, "radio")

    def regain_link(self, row: int, now_ms: int) -> None:
        """It is back: the station says hello, then sends what it kept, in order."""
        if not self.radio[row]:
            self.radio[row] = True
            self._tell_station(EventKind.LINK_BACK, row, now_ms, f"{len(self.backlogs[row])} kept")
            self._link_changed(row, now_ms)

    def set_transport(self, row: int, now_ms: int, *, up: bool) -> None:
        """The broker connection under the radio came or went (real runs only)."""
        self.transport[row] = up
        self._link_changed(row, now_ms)

    def crash(self, row: int, now_ms: int, *, dark_s: float) -> None:
        """One controller loses its supply and boots again after ``dark_s`` seconds."""
        self.stations[row].crash(now_ms)
        self.backlogs[row].clear()
        self._link_changed(row, now_ms)
        self._tell_station(EventKind.CRASHED, row, now_ms, f"dark for {dark_s:g} s")
        self.at(now_ms + int(dark_s * 1000), partial(self.boot, row))

    def boot(self, row: int, now_ms: int) -> None:
        """A controller starts (again)."""
        station = self.stations[row]
        station.boot_up(now_ms)
        self._tell_station(EventKind.REBOOTED, row, now_ms, station.boot)
        self._link_changed(row, now_ms)

    def smoke(self, row: int, now_ms: int, *, active: bool) -> None:
        """The smoke contact of a box closes or opens."""
        self.sensors.smoke[row] = int(active)
        self.stations[row].contact(AlarmKind.SMOKE, now_ms, active=active)

    def _link_changed(self, row: int, now_ms: int) -> None:
        station = self.stations[row]
        station.link(now_ms, up=self.online(row) and self.transport[row])
        if self.online(row) and len(self.backlogs[row]):
            self.out += self.backlogs[row].drain()

    def _tell(self, kind: EventKind, seat: Seat, at_ms: int, detail: str) -> None:
        self.tell(FleetEvent(kind, self.plans[seat.row].station, seat.socket, at_ms, detail))

    def _tell_station(self, kind: EventKind, row: int, at_ms: int, detail: str) -> None:
        self.tell(FleetEvent(kind, self.plans[row].station, None, at_ms, detail))
