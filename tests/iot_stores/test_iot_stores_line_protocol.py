"""Line protocol: read back by an independent parser, every point is what the frame said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot.influx_queries import text
from iot.line_protocol import escape_tag, points
from tests.iot_stores.flux import _string
from tests.iot_stores.influx_stub import parse_line
from tests.iot_stores.telemetry import START_MS, frames


def test_a_frame_is_one_point_and_one_per_socket() -> None:
    """Measurements, tags, fields and times are exactly these."""
    batch = frames(1, sockets=2, first_seq=41)
    batch.socket_values[0, 3, 1] = np.nan
    batch.station_values[0, 1:] = np.nan
    ns = START_MS * 1_000_000 + 41
    assert points(batch).lines == [
        b"station,station=st-01 boot=2882339107i,seq=41i,ts_ms=%di,received_ms=%di,sockets=2i,"
        b"live=t,ambient_c=0.5 %d" % (START_MS + 7, START_MS + 40, ns),
        b"socket,station=st-01,socket=1 relay=0.0,current_a=0.0,power_w=123.5,temp_c=20.25,"
        b"energy_wh=0.0 %d" % ns,
        b"socket,station=st-01,socket=2 relay=0.0,current_a=0.0,power_w=123.5,energy_wh=0.0 %d"
        % ns,
    ]


def test_a_socket_without_any_value_has_no_point() -> None:
    """A point needs a field; a socket whose sensors are all absent is left out."""
    batch = frames(1, sockets=3)
    batch.socket_values[0, :, 1] = np.nan
    assert [line.split(b" ")[0] for line in points(batch).lines] == [
        b"station,station=st-01",
        b"socket,station=st-01,socket=1",
        b"socket,station=st-01,socket=3",
    ]


@given(st.text(min_size=1, max_size=30))
def test_a_tag_is_read_back_or_refused(value: str) -> None:
    """No tag value can become another tag, field or line."""
    try:
        tag = escape_tag(value)
    except ValueError:
        assert (
            any(ord(char) < 32 or ord(char) == 127 for char in value)
            or value[-1] == "\\"
            or any("\ud800" <= char <= "\udfff" for char in value)
        )
        return
    (measurement, tags, time), fields = parse_line(f"m,station={tag.decode()} v=1i 5")
    assert (measurement, tags, time, fields) == ("m", (("station", value),), 5, {"v": 1})


@pytest.mark.parametrize("value", ["", "a\nb", "a\r", "tab\t", "end\\", "\x7f", "\ud800"])
def test_what_line_protocol_cannot_carry_is_refused(value: str) -> None:
    """Line feeds, control characters, a last backslash and nothing at all have no form."""
    with pytest.raises(ValueError, match="cannot carry"):
        escape_tag(value)


def test_only_the_unwritable_rows_are_left_out() -> None:
    """A station whose name has no form does not cost its neighbours their points."""
    made = points(frames(3, station=["st-01", "evil\nm v=1 1", "st-02"], sockets=1))
    assert made.unwritable == [1]
    assert [parse_line(line.decode())[0][1][-1][1] for line in made.lines] == [
        "st-01",
        "st-01",
        "st-02",
        "st-02",
    ]


@given(st.lists(st.floats(width=32, allow_infinity=False), min_size=5, max_size=5))
def test_values_keep_every_bit(values: list[float]) -> None:
    """The text of a float32 reads back as the same float32; NaN is left out."""
    batch = frames(1, sockets=1)
    batch.socket_values[0, :, 0] = values
    parsed = [parse_line(line.decode()) for line in points(batch).lines]
    fields = {
        name: value for key, found in parsed for name, value in found.items() if key[0] == "socket"
    }
    names = ("relay", "current_a", "power_w", "temp_c", "energy_wh")
    for name, value in zip(names, values, strict=True):
        if np.isnan(value):
            assert name not in fields
        else:
            assert np.float32(fields[name]) == np.float32(value)


@given(st.text(max_size=30))
def test_a_flux_string_is_only_a_string(value: str) -> None:
    """Quotes, backslashes and ``${`` in a value never leave the literal."""
    assert _string(text(value)) == value
