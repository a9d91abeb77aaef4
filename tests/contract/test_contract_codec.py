"""The codec: a message or a refusal, whatever the bytes."""

import json
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from iot import contract
from iot.codec import Refusal, RefusalReason, decode, decode_downlink, encode
from iot.topics import DELIVERY, Channel

UP = [c for c in Channel if DELIVERY[c].direction == "up"]
DOWN = [c for c in Channel if DELIVERY[c].direction == "down"]

FRAME = {
    "boot": "5f0c1a9e",
    "seq": 1842,
    "ts": 1767250800000,
    "ambient_c": 8.4,
    "enclosure_c": 14.2,
    "voltage_v": 229.6,
    "leakage_ma": 3.1,
    "smoke": 0,
    "water": 0,
    "door": 0,
    "relay": [1, 0],
    "current_a": [0.82, 0],
    "power_w": [171.4, 0],
    "temp_c": [24.1, 12.9],
    "energy_wh": [212.4, 0],
}
ALARM = {
    "boot": "5f0c1a9e",
    "seq": 1844,
    "ts": 1767250800000,
    "id": "5f0c1a9e-7",
    "kind": "smoke",
    "socket": None,
    "active": True,
    "value": None,
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


def outcome(channel: Channel, body: bytes) -> contract.Uplink | RefusalReason:
    """What decoding gave; anything but a message or a refusal fails the test by itself."""
    try:
        return decode(channel, body)
    except Refusal as refusal:
        return refusal.reason


@given(st.sampled_from(UP), st.binary(max_size=400))
@example(Channel.TELEMETRY, b"")
@example(Channel.ALARM, b"\x00")
@example(Channel.STATUS, b"\xff\xfe")
@settings(deadline=None)
def test_any_bytes_give_a_refusal(channel: Channel, body: bytes) -> None:
    """Random bytes are refused, and nothing but a refusal comes out."""
    assert isinstance(outcome(channel, body), RefusalReason)


@given(
    st.sampled_from([(Channel.TELEMETRY, FRAME), (Channel.ALARM, ALARM)]),
    st.data(),
)
@settings(deadline=None, max_examples=300)
def test_any_mutated_body_gives_a_message_that_can_be_trusted_or_a_refusal(
    start: tuple[Channel, dict[str, object]], data: st.DataObject
) -> None:
    """Whatever one key is set to, what is accepted is finite and survives the way back."""
    channel, body = start
    key = data.draw(st.sampled_from(sorted(body)) | st.text(max_size=8))
    raw = json.dumps({**body, key: data.draw(ANY_JSON)}).encode()
    result = outcome(channel, raw)
    if not isinstance(result, RefusalReason):
        assert all(math.isfinite(number) for number in numbers(json.loads(raw)))
        assert outcome(channel, encode(result)) == result


@given(st.integers(0, 500), st.integers(0, 500), st.binary(max_size=6))
@settings(deadline=None, max_examples=300)
def test_any_splice_of_a_frame_gives_a_frame_or_a_refusal(a: int, b: int, patch: bytes) -> None:
    """A run of bytes replaced anywhere never raises anything else."""
    raw = json.dumps(FRAME).encode()
    lo, hi = sorted((a, b))
    result = outcome(Channel.TELEMETRY, raw[:lo] + patch + raw[hi:])
    assert isinstance(result, contract.Telemetry | RefusalReason)


@given(st.sampled_from(sorted(FRAME)))
def test_a_key_given_twice_is_always_noticed(key: str) -> None:
    """Also when both values are the same and the parser would keep the last."""
    pair = json.dumps({key: FRAME[key]})[1:-1]
    raw = json.dumps(FRAME)[:-1] + "," + pair + "}"
    assert outcome(Channel.TELEMETRY, raw.encode()) == RefusalReason.DUPLICATE_KEY


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b" " * (128 * 1024), RefusalReason.TOO_LARGE),
        (b"[" * 100_000, RefusalReason.TOO_LARGE),
        (b"[" * 60_000, RefusalReason.TOO_DEEP),
        (b'{"a":' * 10_000, RefusalReason.TOO_DEEP),
        (b'{"ts":' + b"[" * 60_000, RefusalReason.TOO_DEEP),
        (b'{"ts":' + b"7" * 60_000 + b"}", RefusalReason.OUT_OF_RANGE),
        (json.dumps({f"k{i}": 0 for i in range(5_000)}).encode(), RefusalReason.UNKNOWN_KEY),
    ],
    ids=["128-kib", "100k-deep", "60k-deep", "objects", "deep-value", "60k-digits", "5k-keys"],
)
@pytest.mark.parametrize("channel", UP)
def test_giant_bodies_are_refused(channel: Channel, body: bytes, reason: RefusalReason) -> None:
    """Size, depth, digits and numbers of keys have an end on every channel."""
    assert outcome(channel, body) == reason


def test_the_largest_body_is_looked_at() -> None:
    """White space up to the limit is allowed, one byte more is not."""
    raw = json.dumps(FRAME).encode()
    full = raw + b" " * (contract.MAX_BODY_BYTES - len(raw))
    assert isinstance(outcome(Channel.TELEMETRY, full), contract.Telemetry)
    assert outcome(Channel.TELEMETRY, full + b" ") == RefusalReason.TOO_LARGE


@pytest.mark.parametrize("channel", DOWN)
def test_a_station_may_not_speak_on_a_channel_of_the_backend(channel: Channel) -> None:
    """The direction is part of the contract."""
    assert outcome(channel, b"{}") == RefusalReason.WRONG_DIRECTION


@pytest.mark.parametrize("channel", UP)
def test_the_backend_may_not_speak_on_a_channel_of_the_station(channel: Channel) -> None:
    """The direction is part of the contract."""
    with pytest.raises(Refusal, match="wrong_direction"):
        decode_downlink(channel, b"{}")


def test_a_refusal_names_the_place_and_cannot_forge_a_log_line() -> None:
    """Text from the wire is escaped and cut before it reaches a log."""
    forged = json.dumps({**FRAME, "x\nlevel=info 安": 1}).encode()
    with pytest.raises(Refusal) as refused:
        decode(Channel.TELEMETRY, forged)
    assert refused.value.detail == "x\\nlevel=info \\u5b89: Extra inputs are not permitted"


def numbers(value: object) -> list[float]:
    """All numbers in a JSON value."""
    match value:
        case bool():
            return []
        case int() | float():
            return [float(value)]
        case list():
            return [n for item in value for n in numbers(item)]
        case dict():
            return [n for item in value.values() for n in numbers(item)]
        case _:
            return []
