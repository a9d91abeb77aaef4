"""Timelines: what a station sends at which second, and every finding that must follow.

A test compares the whole list of events, so a finding that nobody expected fails it too.
Seconds count from ``T0_MS``; an event reads ``30 raised R02.sustained 1 socket_hot``, where the
subject is a socket number, ``box`` for the station, or the name of a site.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import numpy as np

from iot.frames import STATION_CHANNELS, FrameBatch
from rules.catalogue import Catalogue
from rules.engine import Engine, EngineState, StationProfile
from rules.model import Act, Change, Fact, Finding, Transition
from rules.texts import MISSING, Lang, placeholders, text, title

T0_MS = 1_760_000_000_000
STATION = "pile-01"
SITE = "garden-01"
IDLE_S = 30.0

Channel: TypeAlias = "float | Mapping[int, Channel] | Callable[[float], Channel] | None"
"""One value for all sockets, values by socket number, or either as a function of the second."""

CALM: dict[str, Channel] = {
    "relay": 0,
    "current_a": 0.0,
    "power_w": 0.0,
    "temp_c": 25.0,
    "energy_wh": 0.0,
    "ambient_c": 20.0,
    "enclosure_c": 25.0,
    "voltage_v": 225.0,
    "leakage_ma": 3.0,
    "smoke": 0,
    "water": 0,
    "door": 0,
}


def ms(second: float) -> int:
    """UTC milliseconds of a second of the timeline."""
    return T0_MS + round(second * 1000)


def profile(  # noqa: PLR0913 - one default each
    station: str = STATION,
    *,
    site: str = SITE,
    sockets: int = 2,
    overrides: Mapping[str, object] | None = None,
    idle_s: float = IDLE_S,
    catalogue: Catalogue | None = None,
) -> StationProfile:
    """A station's profile with the default catalogue and what differs from it."""
    base = catalogue or Catalogue.default()
    return StationProfile(station, site, sockets, base.with_overrides(overrides or {}), idle_s)


def _value(name: str, channels: Mapping[str, Channel], second: float, socket: int) -> float:
    channel = channels.get(name, CALM[name])
    while callable(channel) or isinstance(channel, Mapping):
        if isinstance(channel, Mapping):
            channel = channel[socket] if socket in channel else CALM[name]
        else:
            channel = channel(second)
    return np.nan if channel is None else float(channel)


def frame(
    second: float,
    *,
    station: str = STATION,
    sockets: int = 2,
    live: bool = True,
    received_s: float | None = None,
    **channels: Channel,
) -> FrameBatch:
    """A batch of one frame; channels not given are calm, and a socket not named reads calm."""
    return _frame(second, channels, station, sockets, live=live, received_s=received_s)


def _frame(  # noqa: PLR0913 - one default each
    second: float,
    channels: Mapping[str, Channel],
    station: str,
    sockets: int,
    *,
    live: bool = True,
    received_s: float | None = None,
) -> FrameBatch:
    assert not set(channels) - set(CALM), sorted(set(channels) - set(CALM))

    def value(name: str, socket: int) -> float:
        return _value(name, channels, second, socket)

    planes = [
        [value(name, socket) for socket in range(1, sockets + 1)]
        for name in ("relay", "current_a", "power_w", "temp_c", "energy_wh")
    ]
    names = np.empty(1, np.object_)
    names[0] = station
    at = np.array([ms(second)], np.int64)
    return FrameBatch(
        station=names,
        boot=np.zeros(1, np.uint32),
        seq=np.array([round(second * 1000)], np.int64),
        ts_ms=at,
        received_ms=np.array([ms(second if received_s is None else received_s)], np.int64),
        event_ms=at,
        live=np.array([live]),
        sockets=np.array([sockets], np.uint8),
        station_values=np.array([[value(n, 0) for n in STATION_CHANNELS]], np.float32),
        socket_values=np.array([planes], np.float32),
    )


def subject(finding: Finding) -> str:
    """The socket number, ``box``, or the site of a finding that belongs to no station."""
    if finding.key.station == SITE:
        return SITE
    return "box" if finding.key.socket is None else str(finding.key.socket)


def told(transition: Transition) -> str:
    """One event as a line."""
    f = transition.finding
    second = (transition.at_ms - T0_MS) / 1000
    return f"{second:g} {transition.change.value} {f.key.rule}.{f.key.tier} {subject(f)} {f.reason}"


class Timeline:
    """One station and its engine; ``events`` is everything that was told so far."""

    def __init__(
        self,
        *,
        sockets: int = 2,
        overrides: Mapping[str, object] | None = None,
        state: EngineState | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        """A station that has not sent anything yet."""
        self.sockets = sockets
        self.engine = Engine([profile(sockets=sockets, overrides=overrides, idle_s=idle_s)], state)
        self.engine.begin(T0_MS)
        self.transitions: list[Transition] = []

    @property
    def events(self) -> list[str]:
        """Every event as a line, in the order in which it was told."""
        return [told(t) for t in self.transitions]

    @property
    def last(self) -> Finding:
        """The finding of the newest event."""
        return self.transitions[-1].finding

    def finding_of(self, rule: str, tier: str = "main") -> Finding:
        """The finding of a rule's tier that stands."""
        return next(
            f for f in self.engine.active(STATION) if (f.key.rule, f.key.tier) == (rule, tier)
        )

    def new(self) -> list[str]:
        """The events since the last call."""
        fresh, self.transitions = self.transitions, []
        return [told(t) for t in fresh]

    def at(self, second: float, **channels: Channel) -> "Timeline":
        """A frame at this second."""
        return self._take(
            self.engine.step(_frame(second, channels, STATION, self.sockets), (), ms(second))
        )

    def every(self, step_s: float, start_s: float, end_s: float, **channels: Channel) -> "Timeline":
        """Frames from ``start_s`` up to and including ``end_s``."""
        for second in np.arange(start_s, end_s + step_s / 2, step_s):
            self.at(float(second), **channels)
        return self

    def facts(self, *facts: Fact, at_s: float) -> "Timeline":
        """Facts taken in at this second."""
        return self._take(self.engine.step(None, facts, ms(at_s)))

    def tick(self, *seconds: float) -> "Timeline":
        """The clock passes these seconds."""
        for second in seconds:
            self._take(self.engine.tick(ms(second)))
        return self

    def _take(self, transitions: Iterable[Transition]) -> "Timeline":
        for transition in transitions:
            check(transition)
            self.transitions.append(transition)
        return self


def check(transition: Transition) -> None:
    """What holds for every finding, whatever the rule."""
    finding = transition.finding
    for lang in Lang:
        assert title(finding.key.rule, lang)
        sentence = text(finding.reason, lang, finding.evidence)
        named = placeholders(finding.reason, lang)
        assert named <= set(finding.evidence), (finding.reason, named - set(finding.evidence))
        assert MISSING not in sentence, sentence
    for value in finding.evidence.values():
        assert not (isinstance(value, float) and not np.isfinite(value)), finding.evidence
    assert not (finding.shadow and (finding.latched or finding.act is not Act.NONE))
    assert not (finding.fire and not finding.latched and not finding.shadow)
    if transition.change is Change.RAISED:
        assert finding.key.episode_ms <= transition.at_ms
        assert finding.raised_ms == transition.at_ms
