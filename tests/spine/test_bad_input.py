"""Every bad input of frames and alarms: refused, counted, kept, and the watch goes on."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from iot.topics import Channel, topic
from tests.spine.conftest import STATION, Stage

Spoil = Callable[[dict[str, Any]], bytes]


def put(**values: Any) -> Spoil:
    """Replace fields."""
    return lambda body: orjson.dumps(body | values)


def first(channel: str, text: str) -> Spoil:
    """Write ``text`` literally as the first value of an array channel."""

    def spoil(body: dict[str, Any]) -> bytes:
        marked = body | {channel: ["@", *body[channel][1:]]}
        return orjson.dumps(marked).replace(b'"@"', text.encode())

    return spoil


def without(key: str) -> Spoil:
    """Leave a field out."""
    return lambda body: orjson.dumps({k: v for k, v in body.items() if k != key})


def bytes_of(data: bytes) -> Spoil:
    """Something else altogether."""
    return lambda _: data


def twice(body: dict[str, Any]) -> bytes:
    """A key twice: the second value would win, and 97 C would read 20."""
    return orjson.dumps(body)[:-1] + b',"enclosure_c":20}'


FRAMES: dict[str, Spoil] = {
    "NaN": first("temp_c", "NaN"),
    "Infinity": first("temp_c", "Infinity"),
    "1e400": first("temp_c", "1e400"),
    "true for a number": first("temp_c", "true"),
    "text for a number": first("temp_c", '"71"'),
    "object for a number": first("temp_c", "{}"),
    "a value that is missing": put(temp_c=[31.0] * 11),
    "a channel that is missing": without("temp_c"),
    "null for an array": put(temp_c=None),
    "temperature above its bound": first("temp_c", "201"),
    "temperature below its bound": first("temp_c", "-40.1"),
    "current above its bound": first("current_a", "40.1"),
    "negative power": first("power_w", "-1"),
    "999 sockets": put(**{c: [0] * 999 for c in ("relay", "current_a", "power_w", "temp_c")}),
    "more sockets than registered": put(
        **{c: [0] * 13 for c in ("relay", "current_a", "power_w", "temp_c", "energy_wh")}
    ),
    "a relay that is 2": put(relay=[2] * 12),
    "smoke that is false": put(smoke=False),
    "empty": bytes_of(b""),
    "truncated": lambda body: orjson.dumps(body)[:-7],
    "not JSON": bytes_of(b"temperature is fine"),
    "invalid UTF-8": lambda body: orjson.dumps(body).replace(b"0a1b2c3d", b"0a1b2c\xff\xfe"),
    "a NUL byte": lambda body: orjson.dumps(body) + b"\x00",
    "129 KiB": bytes_of(b"[" + b"0," * 66_000 + b"0]"),
    "100k deep": bytes_of(b"[" * 100_000),
    "a 5,000-digit integer": put(seq="@"),
    "an integer above 64 bits": lambda b: orjson.dumps(b | {"seq": "@"}).replace(
        b'"@"', str(2**70).encode()
    ),
    "duplicate keys": twice,
    "an unknown key": put(comment="hello"),
    "a station in the body": put(station="cmrj-02"),
    "an array for the object": bytes_of(b"[]"),
    "a number for the object": bytes_of(b"7"),
    "1970": put(ts=0),
    "2099": put(ts=4_070_908_800_000),
    "seconds for milliseconds": lambda body: orjson.dumps(body | {"ts": body["ts"] // 1000}),
    "sequence 2^63": put(seq=2**63),
    "a negative sequence": put(seq=-1),
    "upper-case boot": put(boot="0A1B2C3D"),
}
FRAMES["a 5,000-digit integer"] = lambda body: orjson.dumps(body | {"seq": "@"}).replace(
    b'"@"', b"9" * 5_000
)

ALARMS: dict[str, Spoil] = {
    "text for active": put(active="true"),
    "1 for active": put(active=1),
    "NaN as value": lambda body: orjson.dumps(body | {"value": "@"}).replace(b'"@"', b"NaN"),
    "an id with spaces": put(id="a b"),
    "line-protocol characters in the kind": put(kind="smoke,a=1 b"),
    "socket 0": put(socket=0),
    "an unknown key": put(note="x"),
    "duplicate keys": lambda body: orjson.dumps(body)[:-1] + b',"active":false}',
    "truncated": lambda body: orjson.dumps(body)[:-1],
    "empty": bytes_of(b""),
    "100k deep": bytes_of(b"[" * 100_000),
    "invalid UTF-8": bytes_of(b"\xff\xfe"),
    "a missing kind": without("kind"),
}

TOPICS = [
    "chargeward/v1/cmrj-01/telemetry/more",
    "chargeward/v1/CMRJ-01/telemetry",
    "chargeward/v1/cm rj,a=b/telemetry",
    "chargeward/v1//telemetry",
    "chargeward/v2/cmrj-01/telemetry",
    "chargeward/v1/+/telemetry",
    "chargeward/v1/" + "a" * 60_000 + "/telemetry",
    "chargeward/v1/nobody-here/telemetry",
    "chargeward/v1/cmrj-01/limits",
]


async def refused(stage: Stage) -> list[str]:
    """Reasons in the quarantine, oldest first, once everything is committed."""
    await stage.backend.committer.flush()
    return [r.reason for r in reversed(stage.backend.quarantine.recent(1000))]


async def assert_still_watching(stage: Stage) -> None:
    """The next good frames are evaluated: a hot socket is cut."""
    for _ in range(3):
        stage.clock.now_ms += 1000
        stage.telemetry(temp_c=[31.0, 97.0, *[31.0] * 10])
    assert ("cut", 2) in stage.orders() or ("cut_station", None) in stage.orders()
    await stage.backend.committer.flush()
    assert await stage.backend.drain.pump() == 3


@pytest.mark.parametrize("name", FRAMES)
async def test_a_bad_frame_is_refused_and_the_next_good_one_is_processed(
    stage: Stage, name: str
) -> None:
    """Refused with one reason, its raw bytes kept, counted; then the watch goes on."""
    payload = FRAMES[name](stage.frame())
    stage.raw(topic(STATION, Channel.TELEMETRY), payload)
    reasons = await refused(stage)
    assert len(reasons) == 1
    kept = stage.backend.quarantine.recent(1)[0]
    assert (kept.payload, kept.topic) == (
        payload[: 64 * 1024],
        topic(STATION, Channel.TELEMETRY),
    )
    counted = stage.backend.metrics.render(stage.backend.health.verdict(0)).decode()
    assert (
        f'chargeward_frames_refused_total{{lane="telemetry",reason="{reasons[0]}"}} 1.0' in counted
    )
    await assert_still_watching(stage)


@pytest.mark.parametrize("name", ALARMS)
async def test_a_bad_alarm_is_refused_and_the_next_good_one_is_handled(
    stage: Stage, name: str
) -> None:
    """No receipt for what was not understood; the next alarm cuts the station and gets one."""
    stage.raw(topic(STATION, Channel.ALARM), ALARMS[name](stage.alarm()))
    assert len(await refused(stage)) == 1
    assert (stage.receipts(), stage.orders()) == ([], [])
    stage.send(stage.alarm(id="real"), Channel.ALARM)
    assert stage.orders() == [("cut_station", None)]
    await stage.backend.committer.flush()
    assert stage.receipts() == ["real"]


@pytest.mark.parametrize("address", TOPICS)
async def test_a_bad_topic_is_refused(stage: Stage, address: str) -> None:
    """What no station of ours may say is kept, whatever its body, and nothing else happens."""
    stage.raw(address, orjson.dumps(stage.frame()))
    assert len(await refused(stage)) == 1
    await assert_still_watching(stage)


async def test_every_refused_frame_of_a_charging_station_in_a_row_is_a_sensor_fault(
    stage: Stage,
) -> None:
    """A station that only sends rubbish while it charges is blind, and somebody is told."""
    for _ in range(20):  # a charge is running
        stage.clock.now_ms += 5000
        stage.telemetry()
    for _ in range(3):
        stage.clock.now_ms += 5000
        stage.telemetry(temp_c=["NaN"] * 12)
    assert stage.rules() == [("R42", None)]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"ts": 0}, "alarm_with_bad_clock"),
        ({"ts": 2**53 - 1}, "alarm_with_bad_clock"),
        ({"socket": 13}, "alarm_of_unregistered_socket"),
    ],
)
async def test_an_alarm_is_never_refused_over_a_formality(
    stage: Stage, values: dict[str, Any], reason: str
) -> None:
    """A fire that was told about is acted on now; a copy of the odd message is kept."""
    stage.send(stage.alarm(id="odd", **values), Channel.ALARM)
    assert stage.orders() == [("cut_station", None)]
    assert await refused(stage) == [reason]
    assert stage.receipts() == ["odd"]


async def test_a_retained_alarm_is_handled_once(stage: Stage) -> None:
    """It must not be retained, but it may be true: handled, noted, and not opened twice."""
    body = orjson.dumps(stage.alarm(id="kept"))
    for _ in range(2):
        stage.raw(topic(STATION, Channel.ALARM), body, retained=True)
    assert stage.orders() == [("cut_station", None)]
    assert await refused(stage) == ["alarm_retained"] * 2
    assert stage.rules() == [("R07", None)]


async def test_an_unknown_kind_is_a_supervisory_finding(stage: Stage) -> None:
    """A newer firmware's alarm is shown to people, confirmed, and never ignored."""
    stage.send(stage.alarm(id="new", kind="arc_fault"), Channel.ALARM)
    assert stage.rules() == [("R91", None)]
    await stage.backend.committer.flush()
    assert stage.receipts() == ["new"]


async def test_a_wrong_clock_does_not_blind_us(stage: Stage) -> None:
    """Local time sent as UTC: the hot socket is cut all the same, at our time."""
    for _ in range(3):
        stage.clock.now_ms += 1000
        ahead = stage.clock.utc_ms() + 8 * 3_600_000
        stage.telemetry(ts=ahead, temp_c=[97.0, *[31.0] * 11])
    assert stage.orders()[0] in {("cut", 1), ("cut_station", None)}
    finding = stage.backend.engine.active(STATION)[0]
    assert finding.raised_ms <= stage.clock.utc_ms()


async def test_a_frame_sent_again_is_stored_once(stage: Stage) -> None:
    """QoS 1 delivers twice; seq backwards and repeated changes nothing live."""
    old = stage.frame()
    new = stage.frame()
    for body in (new, old, new, old):
        stage.send(body, Channel.TELEMETRY)
    await stage.backend.committer.flush()
    assert await stage.backend.drain.pump() == 2
    twin = stage.backend.runner.twins.get(STATION)
    assert twin is not None
    assert twin.frame is not None
    assert twin.frame.seq == new["seq"]
