"""The users' day: who comes when, with which bike, for how long.

Arrivals follow the hours of a residential compound. A user plugs in, scans, goes away, and
comes back some time after the battery is full, or earlier. Most stop the session on the phone
and unplug; some just pull the plug. Nobody charges for eight hours.
"""

from functools import partial
from typing import Final

from simulators import chargers
from simulators.chargers import Charge, ChargerKind
from simulators.climate import local_hour
from simulators.model import EventKind, FleetEvent, Seat
from simulators.stage import Stage

_PER_HOUR: Final = (
    # 0     1     2     3     4     5     6     7     8     9    10    11
    *(0.02, 0.01, 0.01, 0.01, 0.01, 0.02, 0.04, 0.06, 0.08, 0.06, 0.05, 0.06),
    # 12   13    14    15    16    17    18    19    20    21    22    23
    *(0.08, 0.06, 0.04, 0.04, 0.05, 0.08, 0.12, 0.12, 0.09, 0.06, 0.04, 0.03),
)
"""Arrivals per socket and hour of the day."""
LONGEST_STAY_S: Final = 7.6 * 3600
_SHORTEST_CONSTANT_S: Final = 20 * 60
_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS


class Users:
    """People at the stations of a stage. They come by themselves once ``open`` was called."""

    def __init__(self, stage: Stage) -> None:
        """Nobody is there yet."""
        self._stage = stage
        self._rng = stage.rng
        stage.listeners.append(self._notice)

    def open(self, now_ms: int, story_ms: int) -> None:
        """Bring the first users before the story begins at ``story_ms``, then the day's."""
        for row, plan in enumerate(self._stage.plans):
            for _ in range(max(1, round(plan.sockets * self._rng.uniform(0.2, 0.4)))):
                at_ms = int(self._rng.integers(now_ms, story_ms - 3 * _MINUTE_MS))
                self._stage.at(at_ms, partial(self._arrive, row, long=True))
        self._next_hour(story_ms)

    def bring(self, seat: Seat, kind: ChargerKind, now_ms: int, *, constant_s: float) -> Charge:
        """One certain user at a certain socket, who leaves the bike there for the night."""
        charge = chargers.draw(
            self._rng, kind, constant_s=constant_s, ambient_c=self._stage.plant.ambient
        )
        self._stage.plug(seat, charge, now_ms)
        self._stage.scan(seat, now_ms)
        return charge

    def _next_hour(self, now_ms: int) -> None:
        """Draw the arrivals of the coming hour, then wait for the next."""
        weight = _PER_HOUR[int(local_hour(now_ms))]
        for row, plan in enumerate(self._stage.plans):
            for _ in range(int(self._rng.poisson(weight * plan.sockets))):
                at_ms = now_ms + int(self._rng.integers(0, _HOUR_MS))
                self._stage.at(at_ms, partial(self._arrive, row))
        self._stage.at(now_ms + _HOUR_MS, self._next_hour)

    def _arrive(self, row: int, now_ms: int, *, long: bool = False) -> None:
        seats = self._stage.free_seats(row)
        if not seats:
            return
        seat = seats[int(self._rng.integers(len(seats)))]
        shortest = 90 * 60 if long else _SHORTEST_CONSTANT_S
        charge = chargers.draw(
            self._rng,
            chargers.draw_kind(self._rng),
            constant_s=float(self._rng.uniform(shortest, chargers.LONGEST_CONSTANT_CURRENT_S)),
            ambient_c=self._stage.plant.ambient,
        )
        self._stage.plug(seat, charge, now_ms)
        scan_ms = now_ms + int(self._rng.integers(5_000, 25_000))
        self._stage.at(scan_ms, partial(self._scan, seat, charge))

    def _scan(self, seat: Seat, charge: Charge, now_ms: int) -> None:
        if self._stage.scan(seat, now_ms) is not None:
            self._stage.at(now_ms + 30_000, partial(self._stage.unplug, seat))
            return
        stay_s = charge.full_after_s + float(self._rng.exponential(45 * 60))
        if self._rng.uniform() < 0.15:  # noqa: PLR2004 - the share of users who leave early
            stay_s = charge.full_after_s * float(self._rng.uniform(0.3, 0.9))
        leave_ms = now_ms + int(min(stay_s, LONGEST_STAY_S) * 1000)
        forgets = bool(self._rng.uniform() < 0.2)  # noqa: PLR2004 - who just pulls the plug
        self._stage.at(leave_ms, partial(self._leave, seat, forgets=forgets))

    def _leave(self, seat: Seat, now_ms: int, *, forgets: bool) -> None:
        if not forgets:
            self._stage.stop(seat, now_ms)
        self._stage.unplug(seat, now_ms)

    def _notice(self, event: FleetEvent) -> None:
        """A charge that a restart or a lost link broke off: half of the users scan again."""
        seat = self._stage.event_seat(event)
        if seat is None or event.kind is not EventKind.SESSION_ENDED:
            return
        if event.detail in {"reboot", "offline_min"} and self._rng.uniform() < 0.5:  # noqa: PLR2004
            wait_ms = int(self._rng.integers(2, 15)) * _MINUTE_MS
            self._stage.at(event.at_ms + wait_ms, partial(self._scan_again, seat))

    def _scan_again(self, seat: Seat, now_ms: int) -> None:
        if self._stage.plant.plugged[seat]:
            self._stage.scan(seat, now_ms)
