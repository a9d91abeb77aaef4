"""Whatever a fleet sends fits the wire contract, and the seed alone decides what it sends."""

from collections import Counter

import orjson
import pytest
from pydantic import ValidationError

from iot.contract import Receipt, Status, Telemetry
from iot.topics import DELIVERY, Channel
from simulators.fleet import Fleet
from simulators.model import Outgoing, StationPlan
from simulators.scenarios import SCENARIOS, UnknownScenarioError

T0 = 1_770_000_000_000
PLANS = [StationPlan("sim-001", 12), StationPlan("sim-002", 12), StationPlan("sim-003", 4)]


def play(scenario: str, seed: int, seconds: int, *, stride: int = 1) -> list[Outgoing]:
    """All that comes up when nobody answers."""
    fleet = Fleet(PLANS, scenario, seed, T0)
    out: list[Outgoing] = []
    for second in range(0, seconds + 1, stride):
        out += fleet.step(T0 + second * 1000)
    return out


@pytest.mark.parametrize("scenario", sorted(set(SCENARIOS) - {"sensor-nan"}))
def test_every_message_fits_the_contract(scenario: str) -> None:
    """An hour of each story: every body validates, status alone is retained, order is by seq."""
    seen: Counter[Channel] = Counter()
    last: dict[tuple[str, str], int] = {}
    for message in play(scenario, 11, 3600):
        body = DELIVERY[message.channel].model.model_validate_json(message.payload)
        seen[message.channel] += 1
        assert message.retain == (message.channel is Channel.STATUS)
        if isinstance(body, Telemetry):
            sockets = next(p.sockets for p in PLANS if p.station == message.station)
            assert len(body.relay) == sockets
            assert body.seq > last.get((message.station, body.boot), -1)
            last[message.station, body.boot] = body.seq
    assert seen[Channel.TELEMETRY] > 500
    assert {station for station, _ in last} == {plan.station for plan in PLANS}


def test_nan_frames_are_no_json_and_others_are_good() -> None:
    """One station's frames carry a bare NaN, which the contract refuses; later they are good."""
    bad: list[Outgoing] = []
    after: list[Outgoing] = []
    for message in play("sensor-nan", 11, 900):
        try:
            DELIVERY[message.channel].model.model_validate_json(message.payload)
        except ValidationError:
            bad.append(message)
        else:
            if bad and message.station == bad[0].station:
                after.append(message)
    assert len({message.station for message in bad}) == 1
    assert len(bad) > 50
    for message in bad:
        assert b"NaN" in message.payload
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(message.payload)
        patched = orjson.loads(message.payload.replace(b"NaN", b"null"))
        Telemetry.model_validate_json(orjson.dumps(patched))
    assert len(after) > 10


def test_will_is_an_offline_status_of_the_running_boot() -> None:
    """The last will fits the contract and names the boot it speaks for."""
    fleet = Fleet(PLANS, "healthy", 1, T0)
    hello = [m for m in fleet.step(T0) if m.channel is Channel.STATUS]
    online = {m.station: Status.model_validate_json(m.payload) for m in hello}
    for plan in PLANS:
        will = Status.model_validate_json(fleet.will(plan.station))
        assert will == online[plan.station].model_copy(update={"online": False})
        assert will.sockets == plan.sockets


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_same_seed_gives_the_same_bytes(scenario: str) -> None:
    """Twice the same story is the same, byte by byte, however often the fleet is stepped."""
    first = play(scenario, 4, 300)
    assert play(scenario, 4, 300, stride=10) == first


def test_another_seed_gives_another_day() -> None:
    """Seeds differ from the first frame on."""
    assert play("healthy", 1, 10) != play("healthy", 2, 10)


def test_first_second_shows_every_station_and_currents() -> None:
    """At once: one status and one frame per station, and charges that already run."""
    out = play("healthy", 5, 0)
    frames = [orjson.loads(m.payload) for m in out if m.channel is Channel.TELEMETRY]
    assert Counter(m.channel for m in out) == {
        Channel.STATUS: len(PLANS),
        Channel.TELEMETRY: len(PLANS),
    }
    assert all(max(frame["power_w"]) > 50 for frame in frames)
    assert {frame["ts"] for frame in frames} == {T0}


def test_sent_counts_what_left() -> None:
    """``sent`` is the number of messages per channel that came out."""
    fleet = Fleet(PLANS, "smoke", 1, T0)
    out = [m for second in range(60) for m in fleet.step(T0 + second * 1000)]
    assert fleet.sent == Counter(m.channel for m in out)
    assert fleet.sent[Channel.ALARM] > 0


def test_unknown_scenario_names_the_known_ones() -> None:
    """A wrong name is an error that lists what there is."""
    with pytest.raises(UnknownScenarioError, match="overheating"):
        Fleet(PLANS, "no-such-story", 1, T0)


def test_unknown_station_is_a_key_error() -> None:
    """Nothing is delivered to a station that is not of the fleet."""
    fleet = Fleet(PLANS, "healthy", 1, T0)
    body = Receipt(id="a").model_dump_json().encode()
    with pytest.raises(KeyError):
        fleet.deliver("sim-999", Channel.RECEIPT, body, T0)
