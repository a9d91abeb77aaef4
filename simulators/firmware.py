"""One station's firmware: sessions, relays, orders, limits, locks, restarts.

It obeys ``locked`` even offline and after a reboot, refuses what comes too late, answers an
order it already knows with the same words, and never closes a relay by itself: only a user
standing at the socket does. Times ending in ``_ms`` are true UTC ms unless they say ``own``:
the station itself only knows its own clock, which may be wrong.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import orjson

from iot.contract import AlarmKind, Limits
from iot.topics import DELIVERY, Channel
from simulators.alarms import AlarmDesk
from simulators.flash import Flash
from simulators.model import EventKind, Log, Outgoing, Refusal, Seat, StationPlan
from simulators.orders import OrderDesk
from simulators.physics import Plant
from simulators.sensors import Sensors
from simulators.watch import Watch

FIRMWARE: Final = "sim-1.0.0"
HARDWARE: Final = "sim-ac"
START_MARGIN_K: Final = 20.0
"""A socket this close to its trip temperature does not start a charge."""


class Firmware:
    """The controller of one station."""

    def __init__(  # noqa: PLR0913 - the wiring of one controller
        self,
        plan: StationPlan,
        row: int,
        *,
        plant: Plant,
        sensors: Sensors,
        watch: Watch,
        rng: np.random.Generator,
        log: Log,
        send: Callable[[Outgoing], None],
    ) -> None:
        """A station that has no power yet; ``boot_up`` starts it."""
        self.plan = plan
        self.row = row
        self._plant = plant
        self._sensors = sensors
        self._watch = watch
        self._rng = rng
        self._log = log
        self._send = send
        self.flash = Flash()
        self.boot = "00000000"
        self.running = False
        self.linked = False
        self.skew_ms = 0
        self.sessions: dict[int, int] = {}  # socket -> true start, ms
        self.alarms = AlarmDesk(self, rng, log)
        self._seq = -1
        self._silent_since_ms = 0
        self._offline_tripped = False
        self._orders = OrderDesk(self, log)
        self._protections = self.protections()

    # --- life -----------------------------------------------------------------------------

    def boot_up(self, now_ms: int) -> None:
        """Power came (back): a new boot id, relays open, the flash's limits and locks in force.

        The station says hello when its link comes up.
        """
        self.boot = f"{int(self._rng.integers(2**32)):08x}"
        self._seq = -1
        self.running = True
        self._silent_since_ms = now_ms
        self._offline_tripped = False
        self._orders.forget()
        self._plant.set_contactor(self.row, closed=not self.flash.contactor_open)
        self._watch.apply(self.row, self.flash.limits.trips, self.flash.limits.intervals)
        self._protections = self.protections()

    def crash(self, now_ms: int) -> None:
        """The controller loses its supply: every relay falls open, what is in RAM is gone."""
        self.running = False
        for socket in list(self.sessions):
            self.stop(socket, now_ms, "reboot")

    def link(self, now_ms: int, *, up: bool) -> None:
        """The connection to the broker came or went."""
        if up == self.linked:
            return
        self.linked = up
        self._silent_since_ms = now_ms
        self._offline_tripped = False
        if up and self.running:
            self.say_hello()
            self.alarms.resume(now_ms)

    def tick(self, now_ms: int) -> None:
        """The slow housekeeping, every few seconds: session length, silence, protections."""
        longest_ms = self.flash.limits.trips.session_min * 60_000
        for socket, since_ms in list(self.sessions.items()):
            if now_ms - since_ms >= longest_ms:
                self._trip(socket, now_ms, AlarmKind.LOCAL_CUT, longest_ms / 60_000, "session_min")
        silent_ms = 0 if self.linked else now_ms - self._silent_since_ms
        if silent_ms >= self.flash.limits.trips.offline_min * 60_000 and not self._offline_tripped:
            self._offline_tripped = True
            self._trip(None, now_ms, AlarmKind.LOCAL_CUT, silent_ms / 60_000, "offline_min")
        if self.protections() != self._protections:
            self._protections = self.protections()
            self.say_hello()

    # --- sockets --------------------------------------------------------------------------

    def start(self, socket: int, now_ms: int) -> Refusal | None:
        """A user at the socket asks for power; None means that the relay closed."""
        refusal = self._refusal(socket)
        if refusal is not None:
            self._log(EventKind.START_REFUSED, socket, now_ms, refusal.value)
            return refusal
        self.sessions[socket] = now_ms
        self._plant.set_relay(self._seat(socket), closed=True)
        self._log(EventKind.STARTED, socket, now_ms, "")
        self._log(EventKind.RELAY_CLOSED, socket, now_ms, "user")
        self._watch.at_once(self.row)
        return None

    def stop(self, socket: int, now_ms: int, why: str) -> None:
        """Open a socket's relay and end its session; harmless when it is open already."""
        seat = self._seat(socket)
        was_closed = bool(self._plant.relay[seat])
        self._plant.set_relay(seat, closed=False)
        if self.sessions.pop(socket, None) is not None:
            self._log(EventKind.SESSION_ENDED, socket, now_ms, why)
        if was_closed:
            self._log(EventKind.RELAY_OPENED, socket, now_ms, why)
        if self.running:
            self._watch.at_once(self.row)

    def trip_socket(self, socket: int, now_ms: int, kind: AlarmKind, value: float) -> None:
        """A local limit was passed: open, hold off until released, and raise the alarm."""
        self.flash.tripped.add(socket)
        self._trip(socket, now_ms, kind, value, kind.value)

    def trip_station(self, now_ms: int, kind: AlarmKind, value: float) -> None:
        """The box itself is too hot: every relay opens."""
        self.flash.tripped.update(range(1, self.plan.sockets + 1))
        self._trip(None, now_ms, kind, value, kind.value)

    def _trip(
        self, socket: int | None, now_ms: int, kind: AlarmKind, value: float, why: str
    ) -> None:
        self._log(EventKind.LOCAL_TRIP, socket, now_ms, why)
        for one in [socket] if socket is not None else list(self.sessions):
            self.stop(one, now_ms, why)
        self.alarms.raise_alarm(kind, socket, round(value, 1), now_ms)

    def contact(self, kind: AlarmKind, now_ms: int, *, active: bool) -> None:
        """A contact of the box (smoke, water, door) closed or opened."""
        if active:
            self.alarms.raise_alarm(kind, None, 1.0, now_ms)
        else:
            self.alarms.end_alarm(kind, None, 0.0, now_ms)
        self._watch.at_once(self.row)

    def _refusal(self, socket: int) -> Refusal | None:  # noqa: PLR0911 - one line per reason
        if not 1 <= socket <= self.plan.sockets:
            return Refusal.NO_SUCH_SOCKET
        if not self.running:
            return Refusal.DOWN
        if self.is_locked(socket):
            return Refusal.LOCKED
        if socket in self.flash.tripped:
            return Refusal.TRIPPED
        if self.flash.contactor_open:
            return Refusal.STATION_OFF
        if self._sensors.smoke[self.row]:
            return Refusal.SMOKE
        if self._offline_tripped:
            return Refusal.OFFLINE
        if socket in self.sessions:
            return Refusal.RUNNING
        hot_c = self.flash.limits.trips.socket_c - START_MARGIN_K
        if self._sensors.seen[self._seat(socket)] >= hot_c:
            return Refusal.HOT
        return None

    # --- holds ----------------------------------------------------------------------------

    def cut_station(self, now_ms: int, why: str) -> None:
        """Open every relay and the contactor that feeds them; it stays open over a reboot."""
        for socket in list(self.sessions):
            self.stop(socket, now_ms, why)
        if not self.flash.contactor_open:
            self.flash.contactor_open = True
            self._plant.set_contactor(self.row, closed=False)
            self._log(EventKind.CONTACTOR_OPENED, None, now_ms, why)
        self._watch.at_once(self.row)

    def is_locked(self, socket: int) -> bool:
        """Whether the limits document forbids this socket."""
        return socket in self.flash.limits.locked

    def release_socket(self, socket: int) -> None:
        """Lift a local hold. No relay closes: a user has to start again."""
        self.flash.tripped.discard(socket)

    def release_station(self, now_ms: int) -> None:
        """Lift all local holds and close the contactor; the relays behind it stay open."""
        self.flash.tripped.clear()
        if self.flash.contactor_open:
            self.flash.contactor_open = False
            self._plant.set_contactor(self.row, closed=True)
            self._log(EventKind.CONTACTOR_CLOSED, None, now_ms, "release")
            self._watch.at_once(self.row)

    def apply_limits(self, limits: Limits, now_ms: int) -> None:
        """Enforce a limits document from now on, over reboots; a locked socket goes off."""
        if limits.version < self.flash.limits.version:
            detail = f"version {limits.version} is older than {self.flash.limits.version}"
            self._log(EventKind.LIMITS_REFUSED, None, now_ms, detail)
            return
        changed = limits != self.flash.limits
        self.flash.limits = limits
        self._watch.apply(self.row, limits.trips, limits.intervals)
        for socket in limits.locked:
            if socket <= self.plan.sockets and self._plant.relay[self._seat(socket)]:
                self.stop(socket, now_ms, "locked")
        if changed:
            detail = f"version {limits.version}, locked {limits.locked}"
            self._log(EventKind.LIMITS_APPLIED, None, now_ms, detail)
            self.say_hello()

    def receive(self, channel: Channel, payload: bytes, now_ms: int) -> None:
        """Obey one downlink body; what does not fit the contract is refused and told."""
        self._orders.receive(channel, payload, now_ms)

    def report_now(self) -> None:
        """Send a frame without waiting for the interval."""
        self._watch.at_once(self.row)

    def blind_sockets(self) -> list[int]:
        """Sockets (from 1) without a thermometer."""
        absent = self._sensors.absent[self.row, : self.plan.sockets]
        return [int(column) + 1 for column in np.flatnonzero(absent)]

    # --- what goes up ---------------------------------------------------------------------

    def own_ms(self, now_ms: int) -> int:
        """What the station believes the time is."""
        return now_ms + self.skew_ms

    def next_seq(self) -> int:
        """The number of the next up message of this boot."""
        self._seq += 1
        return self._seq

    def send(self, channel: Channel, payload: bytes) -> None:
        """Hand a body without a number of its own to the link; it takes a number all the same."""
        self.next_seq()
        self.send_numbered(channel, payload)

    def send_numbered(self, channel: Channel, payload: bytes) -> None:
        """Hand a body that already carries its ``seq`` to the link."""
        retain = DELIVERY[channel].retained
        self._send(Outgoing(self.plan.station, channel, payload, retain))

    def say_hello(self) -> None:
        """Publish the retained status."""
        if self.running:
            self.send(Channel.STATUS, self.status(online=True))

    def status(self, *, online: bool) -> bytes:
        """The status body; with ``online`` false it is the last will."""
        return orjson.dumps(
            {
                "online": online,
                "boot": self.boot,
                "firmware": FIRMWARE,
                "hardware": HARDWARE,
                "sockets": self.plan.sockets,
                "interval_s": self.flash.limits.intervals.idle_s,
                "limits_version": self.flash.limits.version,
                "protections": self._protections,
            }
        )

    def protections(self) -> dict[str, bool]:
        """What is really armed: a socket without a thermometer is not protected against heat."""
        return {
            "over_temperature": not self.blind_sockets(),
            "over_current": True,
            "smoke_sensor": True,
            "leakage_trip": True,
            "relay_feedback": False,
            "offline_trip": True,
        }

    def _seat(self, socket: int) -> Seat:
        return Seat(self.row, socket - 1)
