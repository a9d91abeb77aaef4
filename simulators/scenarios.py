"""Stories a fleet can play. Each is the healthy day plus declared faults; chance is the seed's.

A script runs once, before the first user comes: it casts its places and puts its faults on the
stage's time table. ``story_ms`` is the instant the story begins for the audience.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from simulators.chargers import KINDS, ChargerKind
from simulators.model import EventKind, FleetEvent, Seat
from simulators.stage import Stage
from simulators.texts import title
from simulators.users import Users

_SECOND: Final = 1000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE

HOT_FROM_C: Final = 79.75
HOT_TOWARDS_C: Final = 87.0
HOT_TAU_S: Final = 160.0
"""2.7 K/min and slowing: never 6 K in 120 s, and it stays below the local trip of 90 C."""
BURNS_FROM_C: Final = 58.0
RESCANS_AFTER_MS: Final = tuple(
    int(minutes * _MINUTE) for minutes in (5 / 60, 5, 13, 60, 180, 480, 1200)
)


class UnknownScenarioError(ValueError):
    """No story of that name."""


@dataclass(frozen=True, slots=True)
class Script:
    """What a scenario may use: the stage, the users, and when the audience arrives."""

    stage: Stage
    users: Users
    story_ms: int

    def cast_rows(self, count: int) -> list[int]:
        """``count`` different stations, or all when there are fewer."""
        rows = len(self.stage.plans)
        chosen = self.stage.rng.choice(rows, size=min(count, rows), replace=False)
        return [int(row) for row in chosen]

    def cast_seat(self) -> Seat:
        """One socket of the fleet."""
        row = self.cast_rows(1)[0]
        return Seat(row, int(self.stage.rng.integers(self.stage.plans[row].sockets)))

    def charging(self, seat: Seat, kind: ChargerKind, *, constant_s: float, since_s: float) -> None:
        """A bike that has been charging at this socket for ``since_s`` when the story begins."""
        at_ms = self.story_ms - int(since_s * _SECOND)
        self.stage.at(at_ms, partial(self._bring, seat, kind, constant_s))

    def after(self, seconds: float, act: Callable[[int], None]) -> None:
        """Let ``act`` happen ``seconds`` into the story."""
        self.stage.at(self.story_ms + int(seconds * _SECOND), act)

    def _bring(self, seat: Seat, kind: ChargerKind, constant_s: float, at_ms: int) -> None:
        self.users.bring(seat, kind, at_ms, constant_s=constant_s)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story: its name on the command line, its titles, and its script."""

    name: str
    title_zh: str
    title_en: str
    script: Callable[[Script], None]


def _healthy(script: Script) -> None:
    """Nothing breaks."""
    del script


def _overheating(script: Script) -> None:
    """One contact is near 80 C at the first frame and rises; after the cut its user scans again."""
    seat = _hot_contact(script)
    _rescan_when_off(script, seat)


def _welded_relay(script: Script) -> None:
    """The same, but the relay's contact stays closed whatever its coil is told."""
    seat = _hot_contact(script)

    def weld(at_ms: int) -> None:
        script.stage.plant.weld(seat)
        script.stage.fault(seat, at_ms, "relay welded")

    script.after(0, weld)


def _hot_contact(script: Script) -> Seat:
    seat = script.cast_seat()
    script.charging(seat, KINDS["li-60v-20ah"], constant_s=5 * 3600, since_s=25 * 60)

    def degrade(at_ms: int) -> None:
        script.stage.plant.degrade(seat, now_c=HOT_FROM_C, towards_c=HOT_TOWARDS_C, tau_s=HOT_TAU_S)
        script.stage.fault(seat, at_ms, "contact degraded")

    script.after(0, degrade)
    return seat


def _rescan_when_off(script: Script, seat: Seat) -> None:
    """The user sees the socket go off and tries again: at once, and over the day."""
    stage = script.stage
    seen: list[FleetEvent] = []

    def notice(event: FleetEvent) -> None:
        here = stage.event_seat(event) == seat
        if event.kind is EventKind.RELAY_OPENED and here and not seen:
            seen.append(event)
            for wait_ms in RESCANS_AFTER_MS:
                stage.at(event.at_ms + wait_ms, partial(_scan, stage, seat))

    stage.listeners.append(notice)


def _scan(stage: Stage, seat: Seat, at_ms: int) -> None:
    stage.scan(seat, at_ms)


def _never_ends(script: Script) -> None:
    """A charge whose taper begins now stays at 35 % of peak until somebody cuts it."""
    seat = script.cast_seat()
    script.charging(seat, KINDS["lead-acid-48v"], constant_s=30 * 60, since_s=29 * 60)

    def hold(at_ms: int) -> None:
        script.stage.plant.hold_taper(seat, 0.35)
        script.stage.fault(seat, at_ms, "charger never ends")

    script.after(0, hold)


def _power_rerise(script: Script) -> None:
    """Full power for a minute, a taper for 75, then 1.5 % of peak more every minute."""
    seat = script.cast_seat()
    script.charging(seat, KINDS["lead-acid-48v"], constant_s=30 * 60, since_s=29 * 60)

    def run_away(at_ms: int) -> None:
        script.stage.plant.run_away(seat, share_per_min=0.015, top=0.95)
        script.stage.fault(seat, at_ms, "battery draws more again")

    script.after(76 * 60, run_away)


def _smoke(script: Script) -> None:
    """The smoke contact of one box closes after 20 s and opens 20 min later."""
    row = script.cast_rows(1)[0]
    script.after(20, partial(script.stage.smoke, row, active=True))
    script.after(20 * 60, partial(script.stage.smoke, row, active=False))


def _fire(script: Script) -> None:
    """A charging socket burns from 20 s on: the box smells smoke, the contact rises fast."""
    seat = script.cast_seat()
    script.charging(seat, KINDS["li-60v-20ah"], constant_s=5 * 3600, since_s=25 * 60)

    def ignite(at_ms: int) -> None:
        script.stage.smoke(seat.row, at_ms, active=True)
        script.stage.plant.degrade(seat, now_c=BURNS_FROM_C, towards_c=400.0, tau_s=90.0)
        script.stage.fault(seat, at_ms, "contact burns")

    script.after(20, ignite)


def _sensor_stuck(script: Script) -> None:
    """One socket shows the same temperature for ever while its neighbours follow the day."""
    seat = script.cast_seat()

    def stick(at_ms: int) -> None:
        script.stage.sensors.stick(seat)
        script.stage.fault(seat, at_ms, "temperature sensor stuck")

    script.after(10, stick)


def _sensor_absent(script: Script) -> None:
    """A charging socket's thermometer lead breaks after 10 s."""
    seat = script.cast_seat()
    script.charging(seat, KINDS["li-72v-20ah"], constant_s=3 * 3600, since_s=20 * 60)

    def lose(at_ms: int) -> None:
        script.stage.sensors.lose(seat)
        script.stage.fault(seat, at_ms, "temperature sensor absent")

    script.after(10, lose)


def _sensor_nan(script: Script) -> None:
    """One station's firmware prints NaN for a socket from 10 s to 10 min."""
    seat = script.cast_seat()

    def garble(at_ms: int, *, on: bool) -> None:
        script.stage.sensors.garble(seat, on=on)
        script.stage.fault(seat, at_ms, "frames carry NaN" if on else "frames are whole again")

    script.after(10, partial(garble, on=True))
    script.after(600, partial(garble, on=False))


def _link_loss(script: Script) -> None:
    """One station is away for 4 min, another for 45 min: longer than it may charge alone."""
    stage = script.stage
    for row, from_s, for_s in zip(script.cast_rows(2), (20, 60), (240, 2700), strict=False):
        script.after(from_s, partial(stage.lose_link, row))
        script.after(from_s + for_s, partial(stage.regain_link, row))


def _clock_skew(script: Script) -> None:
    """One clock is 12 s fast, one 10 min slow, one jumps an hour ahead for ten minutes."""

    def skew(row: int, ms: int, at_ms: int) -> None:
        script.stage.stations[row].skew_ms = ms
        script.stage.fault(row, at_ms, f"clock off by {ms / 1000:g} s")

    plan = ((0, 12 * _SECOND, None), (30, -10 * _MINUTE, None), (60, _HOUR, 600))
    for row, (at_s, ms, back_s) in zip(script.cast_rows(3), plan, strict=False):
        script.after(at_s, partial(skew, row, ms))
        if back_s is not None:
            script.after(at_s + back_s, partial(skew, row, 0))


def _reboot(script: Script) -> None:
    """One station restarts once, another three times within five minutes."""
    for row, times in zip(script.cast_rows(2), ((20,), (40, 120, 240)), strict=False):
        for at_s in times:
            script.after(at_s, partial(script.stage.crash, row, dark_s=12))


_SCRIPTS: Final[dict[str, Callable[[Script], None]]] = {
    "healthy": _healthy,
    "overheating": _overheating,
    "welded-relay": _welded_relay,
    "never-ends": _never_ends,
    "power-rerise": _power_rerise,
    "smoke": _smoke,
    "fire": _fire,
    "sensor-stuck": _sensor_stuck,
    "sensor-absent": _sensor_absent,
    "sensor-nan": _sensor_nan,
    "link-loss": _link_loss,
    "clock-skew": _clock_skew,
    "reboot": _reboot,
}


SCENARIOS: Final = {
    name: Scenario(name, title(name, "zh"), title(name, "en"), script)
    for name, script in _SCRIPTS.items()
}
"""Every story by its name."""


def find(name: str) -> Scenario:
    """The story of that name, or ``UnknownScenarioError`` that lists the names."""
    found = SCENARIOS.get(name)
    if found is None:
        msg = f"no scenario {name!r}; there are {', '.join(SCENARIOS)}"
        raise UnknownScenarioError(msg)
    return found
