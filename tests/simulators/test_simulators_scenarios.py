"""Each story shows its fault and nothing else; the healthy day holds no reason for a finding."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pytest

from iot.topics import Channel
from simulators.fleet import Fleet
from simulators.model import EventKind, FleetEvent, Outgoing, StationPlan
from simulators.scenarios import SCENARIOS
from simulators.texts import LANGUAGES, event, title

T0 = 1_770_000_000_000
SOCKETS = 12
Place = tuple[str, int]
Frame = dict[str, Any]


@dataclass
class Theatre:
    """A fleet, a minimal backend that receipts alarms, and whoever watches the frames."""

    fleet: Fleet
    second: int = 0
    watcher: Callable[[str, Frame, int], None] | None = None
    alarms: list[tuple[str, dict[str, Any], int]] = field(default_factory=list)
    frames: dict[str, list[Frame]] = field(default_factory=lambda: defaultdict(list))
    keep: bool = True

    def run(self, seconds: int) -> None:
        """Play so many more seconds; alarms get their receipt in the same second."""
        for _ in range(seconds):
            self._take(self.fleet.step(self.now_ms))
            self.second += 1

    @property
    def now_ms(self) -> int:
        """The present second."""
        return T0 + self.second * 1000

    def order(self, station: str, action: str, socket: int | None, reason: str) -> None:
        """Give an order that lives for 15 s."""
        body = {
            "id": f"{reason}-{self.now_ms}-{socket}",
            "issued": self.now_ms,
            "expires": self.now_ms + 15_000,
            "action": action,
            "socket": socket,
            "reason": reason,
        }
        self._take(self.fleet.deliver(station, "command", orjson.dumps(body), self.now_ms))

    def lock(self, station: str, socket: int) -> None:
        """Send a limits document that locks one socket."""
        body = {"version": 1, "trips": {}, "intervals": {}, "locked": [socket]}
        self._take(self.fleet.deliver(station, "limits", orjson.dumps(body), self.now_ms))

    def events(self, kind: EventKind) -> list[FleetEvent]:
        """What happened since the story began."""
        return [e for e in self.fleet.events if e.kind is kind and e.at_ms >= T0]

    def _take(self, messages: list[Outgoing]) -> None:
        for message in messages:
            if message.channel is Channel.TELEMETRY:
                frame = orjson.loads(message.payload)
                if self.keep:
                    self.frames[message.station].append(frame)
                if self.watcher is not None:
                    self.watcher(message.station, frame, self.now_ms)
            elif message.channel is Channel.ALARM:
                alarm = orjson.loads(message.payload)
                self.alarms.append((message.station, alarm, self.second))
                receipt = orjson.dumps({"id": alarm["id"]})
                self.fleet.deliver(message.station, Channel.RECEIPT, receipt, self.now_ms)


def theatre(scenario: str, seed: int, stations: int = 4, **options: Any) -> Theatre:
    """A story at its first second."""
    plans = [StationPlan(f"sim-{number:03d}", SOCKETS) for number in range(1, stations + 1)]
    return Theatre(Fleet(plans, scenario, seed, T0), **options)


@dataclass
class EndOfCharge:
    """The backend's two normal ends: no load for 10 min, nearly full for 60 min."""

    stage: Theatre
    low: dict[Place, int] = field(default_factory=dict)
    full: dict[Place, int] = field(default_factory=dict)
    peak: dict[Place, float] = field(default_factory=dict)
    closed: dict[Place, int] = field(default_factory=dict)
    longest_ms: int = 0
    cuts: Counter[str] = field(default_factory=Counter)

    def __call__(self, station: str, frame: Frame, now_ms: int) -> None:
        """Look at one frame and cut what has ended."""
        for column, (relay, power) in enumerate(zip(frame["relay"], frame["power_w"], strict=True)):
            place = (station, column + 1)
            if not relay:
                for memory in (self.low, self.full, self.peak, self.closed):
                    memory.pop(place, None)
                continue
            self.closed.setdefault(place, now_ms)
            self.longest_ms = max(self.longest_ms, now_ms - self.closed[place])
            self.peak[place] = max(self.peak.get(place, 0.0), power)
            nearly = self.peak[place] > 30 and power <= max(20.0, 0.2 * self.peak[place])
            for memory, true, hold_ms, rule in (
                (self.low, power < 3, 600_000, "R21"),
                (self.full, nearly, 3_600_000, "R20"),
            ):
                if not true:
                    memory.pop(place, None)
                elif now_ms - memory.setdefault(place, now_ms) >= hold_ms:
                    memory[place] = now_ms
                    self.cuts[rule] += 1
                    self.stage.order(station, "cut", place[1], rule)


@dataclass
class Extremes:
    """The largest values of a day, for the limits of the rules."""

    then: EndOfCharge
    window: dict[str, deque[tuple[int, list[float]]]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    rise_k: float = 0.0
    temp_c: float = -40.0
    amperes: float = 0.0
    watts: float = 0.0
    same_ms: int = 0
    same: dict[Place, tuple[float, int]] = field(default_factory=dict)

    def __call__(self, station: str, frame: Frame, now_ms: int) -> None:
        """Look at one frame, then let the ends of charge look at it."""
        temps = [*frame["temp_c"], frame["enclosure_c"]]
        window = self.window[station]
        window.append((now_ms, temps))
        while window[0][0] < now_ms - 120_000:
            window.popleft()
        lowest = np.min([values for _, values in window], axis=0)
        self.rise_k = max(self.rise_k, float(np.max(temps - lowest)))
        self.temp_c = max(self.temp_c, *temps)
        self.amperes = max(self.amperes, *frame["current_a"])
        self.watts = max(self.watts, *frame["power_w"])
        for column, temp in enumerate(frame["temp_c"]):
            value, since_ms = self.same.get((station, column), (None, now_ms))
            if value != temp:
                self.same[station, column] = (temp, now_ms)
            else:
                self.same_ms = max(self.same_ms, now_ms - since_ms)
        self.then(station, frame, now_ms)


def test_healthy_day_starts_tapers_and_ends_without_any_reason_for_a_finding() -> None:
    """24 h of users: charges end normally and every value stays far from the rules' limits.

    Nobody charges for eight hours, and no sensor seems stuck.
    """
    stage = theatre("healthy", 1, stations=2, keep=False)
    ends = EndOfCharge(stage)
    day = Extremes(ends)
    stage.watcher = day
    stage.run(24 * 3600)
    assert day.rise_k < 2.0
    assert day.temp_c < 50
    assert day.amperes < 4
    assert day.watts < 600
    assert day.same_ms < 2 * 3_600_000
    assert ends.longest_ms < 8 * 3_600_000
    assert set(ends.cuts) == {"R20", "R21"}
    assert stage.alarms == []
    assert stage.events(EventKind.LOCAL_TRIP) == []
    started = Counter(e.station for e in stage.events(EventKind.STARTED))
    assert set(started) == {"sim-001", "sim-002"}
    assert min(started.values()) >= 5
    ended = Counter(e.detail for e in stage.events(EventKind.SESSION_ENDED))
    assert set(ended) == {"user", "cut"}


def hot_places(frame: Frame) -> list[int]:
    """Sockets (from 1) at 80 C or more."""
    return [i + 1 for i, t in enumerate(frame["temp_c"]) if t is not None and t >= 80]


@pytest.mark.parametrize("seed", [1, 3, 7, 20])
def test_overheating_passes_80_within_8_s_and_no_rate_rule_would_fire(seed: int) -> None:
    """One socket, at about 79 C, above 80 C for good within 8 s, never 6 K in 120 s, below 90 C."""
    stage = theatre("overheating", seed, stations=16)
    stage.run(300)
    hot = {(s, p) for s, frames in stage.frames.items() for f in frames for p in hot_places(f)}
    assert len(hot) == 1
    station, socket = next(iter(hot))
    stamps = [(f["ts"] - T0) / 1000 for f in stage.frames[station]]
    temps = [f["temp_c"][socket - 1] for f in stage.frames[station]]
    assert 79 <= temps[0] < 80
    cool = [at for at, temp in zip(stamps, temps, strict=True) if temp < 80]
    assert max(cool) <= 8
    assert max(b - a for a, b in pairwise(stamps)) <= 5
    for at, temp in zip(stamps, temps, strict=True):
        earlier = [t for a, t in zip(stamps, temps, strict=True) if at - 120 <= a <= at]
        assert temp - min(earlier) < 6
    assert 83 < max(temps) < 90
    others = [
        t
        for s, frames in stage.frames.items()
        for f in frames
        for i, t in enumerate(f["temp_c"])
        if (s, i + 1) != (station, socket)
    ]
    assert max(others) < 45


def cut_when_hot(stage: Theatre, *, hold_s: int = 30) -> Callable[[str, Frame, int], None]:
    """A backend that cuts and locks a socket that was at 80 C for ``hold_s``."""
    since: dict[Place, int] = {}
    done: set[Place] = set()

    def look(station: str, frame: Frame, now_ms: int) -> None:
        for socket in hot_places(frame):
            place = (station, socket)
            if now_ms - since.setdefault(place, now_ms) >= hold_s * 1000 and place not in done:
                done.add(place)
                stage.order(station, "cut", socket, "R02")
                stage.lock(station, socket)

    return look


def test_overheating_socket_cools_after_the_cut_and_its_user_is_refused() -> None:
    """After the cut: power gone at once, cooling, the user's scans refused because it is locked."""
    stage = theatre("overheating", 7, stations=16)
    stage.watcher = cut_when_hot(stage)
    stage.run(3600)
    refused = stage.events(EventKind.START_REFUSED)
    assert [e.detail for e in refused] == ["locked"] * len(refused)
    off = next(e for e in stage.events(EventKind.RELAY_OPENED) if e.detail == "cut")
    assert 30_000 <= off.at_ms - T0 <= 45_000
    assert {(e.station, e.socket) for e in refused} == {(off.station, off.socket)}
    assert 5_000 <= refused[0].at_ms - off.at_ms <= 6_000
    assert len(refused) >= 3
    assert off.socket is not None
    after = [f for f in stage.frames[off.station] if f["ts"] > off.at_ms]
    assert all(f["power_w"][off.socket - 1] == 0.0 for f in after)
    assert after[-1]["temp_c"][off.socket - 1] < 45


def test_overheating_without_a_backend_is_not_restarted_while_hot() -> None:
    """A cut without a lock: five seconds later the contact is still too hot for a start."""
    stage = theatre("overheating", 7, stations=2)
    stage.run(40)
    station, frames = next((s, f) for s, f in stage.frames.items() if hot_places(f[-1]))
    socket = hot_places(frames[-1])[0]
    stage.order(station, "cut", socket, "R02")
    stage.run(10)
    assert [e.detail for e in stage.events(EventKind.START_REFUSED)] == ["hot"]


def test_welded_relay_ignores_the_cut_and_the_contactor_works() -> None:
    """The station says "done" and shows an open relay, but the power flows until cut_station."""
    stage = theatre("welded-relay", 3, stations=16)
    stage.watcher = cut_when_hot(stage)
    stage.run(50)
    off = next(e for e in stage.events(EventKind.RELAY_OPENED) if e.detail == "cut")
    assert off.socket is not None
    last = stage.frames[off.station][-1]
    assert last["relay"][off.socket - 1] == 0
    assert last["power_w"][off.socket - 1] > 150
    stage.order(off.station, "cut_station", None, "R40")
    assert set(stage.frames[off.station][-1]["power_w"]) == {0.0}
    stage.run(60)
    assert set(stage.frames[off.station][-1]["power_w"]) == {0.0}
    assert [e.station for e in stage.events(EventKind.CONTACTOR_OPENED)] == [off.station]


def fault_place(stage: Theatre) -> Place:
    """Where the story broke something."""
    first = stage.events(EventKind.FAULT)[0]
    assert first.socket is not None
    return first.station, first.socket


def channel(stage: Theatre, place: Place, name: str) -> list[Any]:
    """One socket's values of one channel, in order."""
    return [frame[name][place[1] - 1] for frame in stage.frames[place[0]]]


def test_charger_that_never_ends_stays_between_20_and_60_percent_for_hours() -> None:
    """Ten hours on, the relay is still closed and the power at a third of peak."""
    stage = theatre("never-ends", 2, stations=1)
    stage.run(10 * 3600)
    power = channel(stage, fault_place(stage), "power_w")
    assert 0.3 <= power[-1] / max(power) <= 0.4
    assert min(power) > 30
    assert power[len(power) // 2] == pytest.approx(power[-1], rel=0.05)


def test_power_rises_again_by_more_than_a_quarter_of_peak() -> None:
    """More than ten minutes below 60 % of peak, then at least 25 % of peak above the lowest."""
    stage = theatre("power-rerise", 2, stations=1)
    stage.run(9000)
    stamps = [(f["ts"] - T0) / 1000 for f in next(iter(stage.frames.values()))]
    power = channel(stage, fault_place(stage), "power_w")
    peak = max(power)
    bottom = power.index(min(power))
    below = next(at for at, p in zip(stamps, power, strict=True) if p < 0.6 * peak)
    assert below + 600 < stamps[bottom]
    assert max(power[bottom:]) > power[bottom] + 0.25 * peak


def test_smoke_is_in_frames_and_alarm_and_ends() -> None:
    """One station: contact in the next frame, one alarm with receipt, and its end 20 min later."""
    stage = theatre("smoke", 2)
    stage.run(1300)
    assert [(a["kind"], a["active"]) for _, a, _ in stage.alarms] == [
        ("smoke", True),
        ("smoke", False),
    ]
    station, _, raised_s = stage.alarms[0]
    assert raised_s == 20
    smoky = {s for s, frames in stage.frames.items() if any(f["smoke"] for f in frames)}
    assert smoky == {station}
    first = next(f for f in stage.frames[station] if f["smoke"])
    assert first["ts"] == T0 + 20_000


def test_stuck_sensor_shows_one_value_while_its_neighbours_move() -> None:
    """Six hours of exactly one temperature; every other socket shows many."""
    stage = theatre("sensor-stuck", 2, stations=2)
    stage.run(6 * 3600)
    station, socket = fault_place(stage)
    later = [f for f in stage.frames[station] if f["ts"] > T0 + 10_000]
    assert len({f["temp_c"][socket - 1] for f in later}) == 1
    for column in set(range(SOCKETS)) - {socket - 1}:
        assert len({f["temp_c"][column] for f in later}) > 10


def test_absent_sensor_is_null_while_its_socket_charges() -> None:
    """From ten seconds on: null, power on, and no other null anywhere."""
    stage = theatre("sensor-absent", 2)
    stage.run(60)
    station, socket = fault_place(stage)
    values = channel(stage, (station, socket), "temp_c")
    assert values[0] is not None
    assert values[-1] is None
    assert channel(stage, (station, socket), "power_w")[-1] > 200
    nulls = sum(t is None for f in stage.frames.values() for t in f[-1]["temp_c"])
    assert nulls == 1


def test_link_loss_takes_two_stations_away_and_brings_them_back() -> None:
    """One for 4 minutes; one for 45, which opens its relays after 30 and keeps the alarm."""
    stage = theatre("link-loss", 2)
    stage.run(100)
    away = [p.station for p in stage.fleet.stations if not stage.fleet.online(p.station)]
    assert len(away) == 2
    stage.run(2900)
    assert all(stage.fleet.online(p.station) for p in stage.fleet.stations)
    lost = {e.station: e.at_ms for e in stage.events(EventKind.LINK_LOST)}
    back = {e.station: e.at_ms for e in stage.events(EventKind.LINK_BACK)}
    assert sorted(back[s] - lost[s] for s in lost) == [240_000, 2_700_000]
    assert {a["kind"] for _, a, _ in stage.alarms} == {"local_cut"}
    assert all(at >= 2760 for _, _, at in stage.alarms)


def test_clock_skew_makes_three_clocks_wrong_and_mends_one() -> None:
    """12 s fast, 10 min slow, an hour ahead for ten minutes; frames stay numbered in order."""
    stage = theatre("clock-skew", 2)
    offsets: dict[str, set[int]] = defaultdict(set)

    def look(station: str, frame: Frame, now_ms: int) -> None:
        offsets[station].add((frame["ts"] - now_ms) // 1000)

    stage.watcher = look
    stage.run(800)
    assert sorted(map(sorted, offsets.values())) == [[-600, 0], [0], [0, 3600], [12]]


def test_reboots_change_the_boot_and_end_the_charges() -> None:
    """One station restarts once, one three times; others keep their boot."""
    stage = theatre("reboot", 2)
    stage.run(400)
    boots = {s: len({f["boot"] for f in frames}) for s, frames in stage.frames.items()}
    assert sorted(boots.values()) == [1, 1, 2, 4]
    assert Counter(e.detail for e in stage.events(EventKind.CRASHED)) == {"dark for 12 s": 4}


def test_every_story_and_event_has_words_in_both_languages() -> None:
    """Nothing a person sees is without a text, and the two languages differ."""
    for name, story in SCENARIOS.items():
        assert (story.title_zh, story.title_en) == (title(name, "zh"), title(name, "en"))
        assert story.title_zh != story.title_en
    for kind in EventKind:
        assert len({event(kind, language) for language in LANGUAGES}) == 2
