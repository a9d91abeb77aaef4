"""The station's firmware: what it obeys, refuses, remembers and repeats."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import orjson
import pytest

from devices.orders import Intervals, Trips
from iot.topics import Channel
from simulators.fleet import Fleet, seat_of
from simulators.model import EventKind, FleetEvent, Outgoing, Refusal, StationPlan

T0 = 1_770_000_000_000
STATION = "sim-001"


class Bench:
    """One station with a charge running, its clock, and what came up so far."""

    def __init__(self, *, sockets: int = 6, scenario: str = "healthy", seed: int = 3) -> None:
        """At the first second of the story."""
        self.fleet = Fleet([StationPlan(STATION, sockets)], scenario, seed, T0)
        self.now_ms = T0
        self.up: list[tuple[Channel, dict[str, Any]]] = []
        self._take(self.fleet.step(T0))
        self.station = self.fleet.stage.stations[0]
        self.busy = min(self.station.sessions)
        self.idle = max(set(range(1, sockets + 1)) - set(self.station.sessions))

    def run(self, seconds: float) -> list[tuple[Channel, dict[str, Any]]]:
        """Let time pass; what came up meanwhile."""
        already = len(self.up)
        for _ in range(int(seconds)):
            self.now_ms += 1000
            self._take(self.fleet.step(self.now_ms))
        return self.up[already:]

    def down(self, channel: Channel, **body: Any) -> list[tuple[Channel, dict[str, Any]]]:
        """Deliver one body; what came up at once."""
        already = len(self.up)
        self._take(self.fleet.deliver(STATION, channel, orjson.dumps(body), self.now_ms))
        return self.up[already:]

    def order(
        self, order_id: str, action: str, socket: int | None, *, age_ms: int = 0
    ) -> list[tuple[Channel, dict[str, Any]]]:
        """Give an order that was issued ``age_ms`` ago and lives for 15 s."""
        issued = self.now_ms - age_ms
        return self.down(
            Channel.COMMAND,
            id=order_id,
            issued=issued,
            expires=issued + 15_000,
            action=action,
            socket=socket,
            reason="test",
        )

    def limits(self, version: int, *, locked: Iterable[int] = (), **trips: float) -> None:
        """Deliver a limits document."""
        self.down(
            Channel.LIMITS,
            version=version,
            trips=Trips(**trips).model_dump(),  # type: ignore[arg-type]
            intervals=Intervals().model_dump(),
            locked=list(locked),
        )

    def scan(self, socket: int) -> Refusal | None:
        """A user asks for power at a socket."""
        return self.fleet.stage.scan(seat_of(self.fleet, STATION, socket), self.now_ms)

    def events(self, kind: EventKind) -> list[FleetEvent]:
        """What happened since the story began."""
        return [e for e in self.fleet.events if e.kind is kind and e.at_ms >= T0]

    def _take(self, out: list[Outgoing]) -> None:
        self.up += [(m.channel, orjson.loads(m.payload)) for m in out]


def only(messages: list[tuple[Channel, dict[str, Any]]], channel: Channel) -> list[dict[str, Any]]:
    """The bodies of one channel."""
    return [body for kind, body in messages if kind is channel]


def test_cut_is_answered_and_shown_in_the_same_turn() -> None:
    """A cut opens one relay; reply and a frame that shows no power there leave at once."""
    bench = Bench(seed=8)
    bench.scan(bench.idle)
    bench.run(20)
    others = [s for s in bench.station.sessions if s != bench.busy]
    before = only(bench.up, Channel.TELEMETRY)[-1]
    out = bench.order("c1", "cut", bench.busy)
    assert [channel for channel, _ in out] == [Channel.REPLY, Channel.TELEMETRY]
    assert out[0][1] == {"id": "c1", "result": "done", "detail": "relay open"}
    frame = out[1][1]
    assert before["power_w"][bench.busy - 1] > 50
    assert frame["relay"][bench.busy - 1] == 0
    assert frame["power_w"][bench.busy - 1] == 0.0
    assert all(frame["relay"][s - 1] == 1 for s in others)
    assert frame["ts"] >= bench.now_ms


def test_known_order_is_answered_again_but_not_obeyed_again() -> None:
    """A redelivered cut does not touch a charge that a user started since."""
    bench = Bench()
    first = bench.order("c1", "cut", bench.busy)
    assert bench.scan(bench.busy) is None
    again = bench.order("c1", "cut", bench.busy)
    assert only(again, Channel.REPLY) == only(first, Channel.REPLY)
    assert bench.busy in bench.station.sessions
    assert len(bench.events(EventKind.COMMAND)) == 1


def test_late_order_is_answered_expired_and_not_obeyed() -> None:
    """After ``expires`` nothing is switched; the edge itself is still in time."""
    bench = Bench()
    late = bench.order("c1", "cut", bench.busy, age_ms=15_001)
    assert only(late, Channel.REPLY)[0]["result"] == "expired"
    assert bench.busy in bench.station.sessions
    assert (
        only(bench.order("c2", "cut", bench.busy, age_ms=15_000), Channel.REPLY)[0]["result"]
        == "done"
    )


def test_order_for_a_socket_that_does_not_exist_is_refused() -> None:
    """Socket 7 of 6: refused, and nothing else goes off."""
    bench = Bench()
    out = bench.order("c1", "cut", 7)
    assert only(out, Channel.REPLY)[0]["result"] == "refused"
    assert bench.busy in bench.station.sessions


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"id":"c1"}', b'{"id":"c1","action":"on"}', b"\xff\xfe", b"[" * 5000],
    ids=["empty", "cut short", "incomplete", "unknown action", "no UTF-8", "deep"],
)
def test_malformed_downlink_is_refused_and_the_station_lives(body: bytes) -> None:
    """Bad bytes on ``command`` are told as an event; the next good order is obeyed."""
    bench = Bench()
    assert bench.fleet.deliver(STATION, Channel.COMMAND, body, bench.now_ms) == []
    assert len(bench.events(EventKind.DOWNLINK_REFUSED)) == 1
    assert only(bench.order("c1", "cut", bench.busy), Channel.REPLY)[0]["result"] == "done"


def test_locked_socket_goes_off_and_stays_off_offline_and_over_a_reboot() -> None:
    """``locked`` opens the relay, refuses users, and survives loss of link and of power."""
    bench = Bench()
    bench.limits(1, locked=[bench.busy])
    assert bench.busy not in bench.station.sessions
    assert bench.scan(bench.busy) is Refusal.LOCKED
    stage = bench.fleet.stage
    stage.lose_link(0, bench.now_ms)
    assert bench.scan(bench.busy) is Refusal.LOCKED
    stage.crash(0, bench.now_ms, dark_s=5)
    assert bench.scan(bench.busy) is Refusal.DOWN
    bench.run(10)
    assert bench.scan(bench.busy) is Refusal.LOCKED
    assert [e.detail for e in bench.events(EventKind.START_REFUSED)] == [
        "locked",
        "locked",
        "down",
        "locked",
    ]
    stage.regain_link(0, bench.now_ms)
    bench.limits(2)
    assert bench.scan(bench.busy) is None


def test_older_limits_and_a_cleared_document_unlock_nothing() -> None:
    """A document older than the one in force, or the empty retained body, changes nothing."""
    bench = Bench()
    bench.limits(5, locked=[bench.idle])
    bench.limits(4)
    bench.fleet.deliver(STATION, Channel.LIMITS, b"", bench.now_ms)
    assert bench.scan(bench.idle) is Refusal.LOCKED
    assert len(bench.events(EventKind.LIMITS_REFUSED)) == 1
    assert only(bench.up, Channel.STATUS)[-1]["limits_version"] == 5


def test_release_switches_nothing_on() -> None:
    """Release closes the contactor, but every relay stays open until a user scans."""
    bench = Bench()
    bench.order("c1", "cut_station", None)
    assert bench.scan(bench.busy) is Refusal.STATION_OFF
    bench.order("c2", "release", None)
    frame = bench.run(40)
    assert all(set(f["relay"]) == {0} for f in only(frame, Channel.TELEMETRY))
    assert bench.scan(bench.busy) is None
    assert only(bench.run(30), Channel.TELEMETRY)[-1]["power_w"][bench.busy - 1] > 50


def test_release_of_a_locked_socket_is_refused() -> None:
    """Only the limits document takes a lock off."""
    bench = Bench()
    bench.limits(1, locked=[bench.busy])
    out = bench.order("c1", "release", bench.busy)
    assert only(out, Channel.REPLY)[0]["result"] == "refused"
    assert bench.scan(bench.busy) is Refusal.LOCKED


def test_station_cut_survives_a_reboot() -> None:
    """A contactor that was ordered open is open again after a restart."""
    bench = Bench()
    bench.order("c1", "cut_station", None)
    bench.fleet.stage.crash(0, bench.now_ms, dark_s=5)
    bench.run(10)
    assert bench.scan(bench.busy) is Refusal.STATION_OFF


def test_reboot_draws_a_new_boot_counts_from_the_start_and_powers_nothing() -> None:
    """After a restart: other boot id, seq from near 0, all relays open, an early status."""
    bench = Bench()
    boot = bench.station.boot
    bench.run(60)
    bench.fleet.stage.crash(0, bench.now_ms, dark_s=12)
    assert not bench.fleet.online(STATION)
    silent = bench.run(11)
    assert silent == []
    out = bench.run(10)
    assert out[0][0] is Channel.STATUS
    assert out[0][1]["online"] is True
    assert out[0][1]["boot"] != boot
    frames = only(out, Channel.TELEMETRY)
    assert frames[0]["boot"] == out[0][1]["boot"]
    assert frames[0]["seq"] <= 2
    assert all(set(f["relay"]) == {0} for f in frames)
    assert next(e.detail for e in bench.events(EventKind.SESSION_ENDED)) == "reboot"


def test_seq_grows_by_one_per_message_of_any_channel() -> None:
    """Telemetry, alarm, reply and status share one counter without a hole."""
    bench = Bench(scenario="smoke")
    bench.run(25)
    bench.order("c1", "identify", None)
    bench.limits(1)
    bench.run(30)
    numbered = 0
    expected = None
    for _, body in bench.up:
        if expected is not None:
            expected += 1
        if "seq" in body:
            numbered += 1
            assert expected is None or body["seq"] == expected
            expected = body["seq"]
    assert numbered > 10


def test_alarm_is_repeated_until_its_receipt() -> None:
    """The same alarm id with new numbers, quickly at first, then about every 30 s; then silence."""
    bench = Bench(scenario="smoke")
    bench.run(21)
    alarms = only(bench.run(180), Channel.ALARM)
    assert {a["id"] for a in alarms} == {alarms[0]["id"]}
    assert {(a["kind"], a["active"], a["socket"]) for a in alarms} == {("smoke", True, None)}
    assert len({a["seq"] for a in alarms}) == len(alarms)
    assert len({a["ts"] for a in alarms}) == 1
    sends = bench.up
    assert 7 <= len(only(sends, Channel.ALARM)) <= 13
    first = bench.station.alarms.pending[alarms[0]["id"]]
    assert first.again_ms - bench.now_ms <= 36_000
    bench.down(Channel.RECEIPT, id="somebody-else")
    assert only(bench.run(40), Channel.ALARM) != []
    bench.down(Channel.RECEIPT, id=alarms[0]["id"])
    assert only(bench.run(120), Channel.ALARM) == []


def test_first_repeat_comes_within_three_seconds() -> None:
    """A lost first alarm is there again soon."""
    bench = Bench(scenario="smoke")
    alarms = only(bench.run(23), Channel.ALARM)
    assert len(alarms) >= 2


def test_unreceipted_alarm_survives_a_reboot() -> None:
    """After a restart the alarm is sent again: same id, the new boot."""
    bench = Bench(scenario="smoke")
    alarm = only(bench.run(21), Channel.ALARM)[0]
    bench.fleet.stage.crash(0, bench.now_ms, dark_s=5)
    again = only(bench.run(20), Channel.ALARM)
    assert again[0]["id"] == alarm["id"]
    assert again[0]["boot"] != alarm["boot"]


def test_hot_socket_trips_locally_without_the_backend() -> None:
    """Above the limit: relay open, over_temperature alarm, no restart until released."""
    bench = Bench()
    seat = seat_of(bench.fleet, STATION, bench.busy)
    bench.fleet.stage.plant.degrade(seat, now_c=89.0, towards_c=110.0, tau_s=100)
    out = bench.run(15)
    alarm = only(out, Channel.ALARM)[0]
    assert (alarm["kind"], alarm["socket"], alarm["active"]) == (
        "over_temperature",
        bench.busy,
        True,
    )
    assert alarm["value"] >= 90
    assert only(out, Channel.TELEMETRY)[-1]["power_w"][bench.busy - 1] == 0.0
    assert [e.socket for e in bench.events(EventKind.LOCAL_TRIP)] == [bench.busy]
    bench.run(600)
    ended = only(bench.up, Channel.ALARM)[-1]
    assert bench.scan(bench.busy) is Refusal.TRIPPED
    bench.order("c1", "release", bench.busy)
    assert bench.scan(bench.busy) is None
    assert any(not a["active"] for a in only(bench.up, Channel.ALARM))
    assert ended["socket"] == bench.busy


def test_limits_change_the_local_trips() -> None:
    """A lower current limit sent by the backend is enforced by the station alone."""
    bench = Bench()
    bench.run(5)
    bench.limits(1, socket_a=0.5)
    alarms = only(bench.run(10), Channel.ALARM)
    assert {a["kind"] for a in alarms} == {"over_current"}
    assert bench.busy in {a["socket"] for a in alarms}
    assert bench.busy not in bench.station.sessions


def test_hot_box_opens_every_relay() -> None:
    """The enclosure limit trips the station: one alarm without a socket, nothing charges."""
    bench = Bench()
    bench.fleet.stage.plant.enclosure[0] = 80.0
    alarms = only(bench.run(6), Channel.ALARM)
    assert alarms[0]["kind"] == "over_temperature"
    assert alarms[0]["socket"] is None
    assert bench.station.sessions == {}


def test_session_limit_ends_a_charge() -> None:
    """A session as long as the limit is cut by the station, with a local_cut alarm."""
    bench = Bench()
    bench.limits(1, session_min=60)
    alarms = only(bench.run(3600), Channel.ALARM)
    assert {(a["kind"], a["socket"]) for a in alarms} >= {("local_cut", bench.busy)}


def test_station_opens_its_relays_when_it_was_alone_for_too_long() -> None:
    """29 minutes without the backend: charging; after 30: off, new starts refused, alarm kept."""
    bench = Bench()
    bench.run(5)
    bench.fleet.stage.lose_link(0, bench.now_ms)
    assert bench.run(29 * 60) == []
    assert bench.busy in bench.station.sessions
    assert bench.run(70) == []
    assert bench.station.sessions == {}
    assert bench.scan(bench.busy) is Refusal.OFFLINE
    bench.fleet.stage.regain_link(0, bench.now_ms)
    out = bench.run(1)
    kept = only(out, Channel.ALARM)
    assert kept[0]["kind"] == "local_cut"
    assert kept[0]["value"] == pytest.approx(30, abs=0.2)
    assert bench.scan(bench.busy) is None


def test_frames_of_a_lost_link_come_later_in_order() -> None:
    """What was measured while away is sent after the hello, oldest first."""
    bench = Bench()
    bench.run(5)
    bench.fleet.stage.lose_link(0, bench.now_ms)
    assert bench.run(120) == []
    bench.fleet.stage.regain_link(0, bench.now_ms)
    out = bench.run(10)
    assert out[0][0] is Channel.STATUS
    stamps = [f["ts"] for f in only(out, Channel.TELEMETRY)]
    assert stamps == sorted(stamps)
    assert len(stamps) >= 24
    assert min(stamps) < bench.now_ms - 120_000


def test_orders_wait_for_a_station_that_is_away_and_expire() -> None:
    """An order given to an offline station is answered after its return, and not obeyed late."""
    bench = Bench()
    bench.fleet.stage.lose_link(0, bench.now_ms)
    assert bench.order("c1", "cut", bench.busy) == []
    bench.run(60)
    bench.fleet.stage.regain_link(0, bench.now_ms)
    replies = only(bench.run(2), Channel.REPLY)
    assert [r["result"] for r in replies] == ["expired"]
    assert bench.busy in bench.station.sessions


def test_wrong_clock_makes_a_station_refuse_in_time_orders() -> None:
    """The station judges ``expires`` by its own clock: an hour ahead, every order comes late."""
    bench = Bench()
    bench.station.skew_ms = 3_600_000
    assert only(bench.order("c1", "cut", bench.busy), Channel.REPLY)[0]["result"] == "expired"
    frame = only(bench.run(10), Channel.TELEMETRY)[-1]
    assert frame["ts"] > bench.now_ms + 3_500_000


def test_smoke_blocks_new_starts() -> None:
    """With smoke in the box no user gets power."""
    bench = Bench(scenario="smoke")
    bench.run(25)
    assert bench.scan(bench.idle) is Refusal.SMOKE


def test_hot_socket_does_not_start() -> None:
    """A contact within 20 K of its trip gives no power, though nothing has tripped."""
    bench = Bench()
    seat = seat_of(bench.fleet, STATION, bench.idle)
    bench.fleet.stage.plant.temp[seat] = 75.0
    bench.run(1)
    assert bench.scan(bench.idle) is Refusal.HOT


def test_running_socket_does_not_start_twice_and_unknown_ones_never() -> None:
    """A second scan of a running socket is refused; so is a number the station does not have."""
    bench = Bench()
    assert bench.scan(bench.busy) is Refusal.RUNNING
    assert bench.scan(7) is Refusal.NO_SUCH_SOCKET


def test_self_test_walks_the_alarm_path_to_its_receipt() -> None:
    """The order raises a self_test alarm; the receipt ends it; a blind socket fails the test."""
    bench = Bench()
    out = bench.order("c1", "self_test", None)
    assert only(out, Channel.REPLY)[0]["result"] == "done"
    alarm = only(out, Channel.ALARM)[0]
    assert (alarm["kind"], alarm["active"]) == ("self_test", True)
    ended = only(bench.down(Channel.RECEIPT, id=alarm["id"]), Channel.ALARM)[0]
    assert (ended["kind"], ended["active"]) == ("self_test", False)
    bench.fleet.stage.sensors.lose(seat_of(bench.fleet, STATION, 2))
    failed = only(bench.order("c2", "self_test", None), Channel.REPLY)[0]
    assert failed == {"id": "c2", "result": "failed", "detail": "no temperature at socket 2"}


def test_lost_thermometer_disarms_a_protection_in_the_status() -> None:
    """Without a sensor the station says that it is no longer protected against heat."""
    bench = Bench()
    bench.fleet.stage.sensors.lose(seat_of(bench.fleet, STATION, 2))
    status = only(bench.run(10), Channel.STATUS)[-1]
    assert status["protections"]["over_temperature"] is False


def test_reporting_follows_what_happens() -> None:
    """5 s while charging, every second while a charger starts, 30 s when everything is off."""
    bench = Bench()
    steady = [f["ts"] for f in only(bench.run(120), Channel.TELEMETRY)]
    assert {b - a for a, b in pairwise(steady[2:])} == {5000}
    bench.order("c1", "cut_station", None)
    bench.run(30)
    quiet = [f["ts"] for f in only(bench.run(180), Channel.TELEMETRY)]
    assert {b - a for a, b in pairwise(quiet)} == {30_000}
    bench.order("c2", "release", None)
    bench.scan(bench.busy)
    starting = [f["power_w"][bench.busy - 1] for f in only(bench.run(20), Channel.TELEMETRY)]
    assert len(starting) >= 4


def test_pre_alarm_is_reported_every_second() -> None:
    """A socket within 10 K of its trip is reported each second, although nothing moves fast."""
    bench = Bench()
    seat = seat_of(bench.fleet, STATION, bench.busy)
    bench.fleet.stage.plant.degrade(seat, now_c=83.0, towards_c=84.0, tau_s=600)
    bench.run(3)
    stamps = [f["ts"] for f in only(bench.run(20), Channel.TELEMETRY)]
    assert {b - a for a, b in pairwise(stamps)} == {1000}


def test_limits_set_the_reporting_intervals() -> None:
    """The backend asks for 2 s while charging and gets it."""
    bench = Bench()
    bench.down(
        Channel.LIMITS,
        version=1,
        trips=Trips().model_dump(),
        intervals=Intervals(charging_s=2.0).model_dump(),
        locked=[],
    )
    bench.run(5)
    stamps = [f["ts"] for f in only(bench.run(20), Channel.TELEMETRY)]
    assert {b - a for a, b in pairwise(stamps)} == {2000}
