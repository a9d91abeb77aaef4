"""Blocks of frames: exact, versioned, and never misread."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from iot.blocks import BlockError, decode, encode
from iot.frames import SOCKET_CHANNELS, STATION_CHANNELS, FrameBatch
from tests.iot_stores.telemetry import frames, same


@st.composite
def batches(draw: st.DrawFn) -> FrameBatch:
    """Any batch the contract allows, and many it does not."""
    n, width = draw(st.integers(0, 6)), draw(st.integers(0, 5))
    names = np.empty(n, dtype=np.object_)
    names[:] = draw(
        st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=n, max_size=n)
    )
    whole = st.integers(-(2**63), 2**63 - 1)
    columns = [draw(hnp.arrays(np.int64, n, elements=whole)) for _ in range(4)]
    real = st.floats(width=32)
    return FrameBatch(
        names,
        draw(hnp.arrays(np.uint32, n)),
        columns[0],
        columns[1],
        columns[2],
        columns[3],
        draw(hnp.arrays(np.bool_, n)),
        draw(hnp.arrays(np.uint8, n, elements=st.integers(0, width))),
        draw(hnp.arrays(np.float32, (n, len(STATION_CHANNELS)), elements=real)),
        draw(hnp.arrays(np.float32, (n, len(SOCKET_CHANNELS), width), elements=real)),
    )


@given(batches())
def test_decode_gives_back_what_was_encoded(batch: FrameBatch) -> None:
    """Every column comes back bit for bit, NaN, empty batches and zero sockets included."""
    found = decode(memoryview(encode(batch)))
    assert same(found, batch)
    assert found.width == batch.width
    assert found.socket_values.tobytes() == batch.socket_values.tobytes()


def test_a_cut_or_longer_block_is_refused() -> None:
    """No prefix of a block and nothing with bytes behind it passes for a block."""
    data = encode(frames(3))
    for size in range(len(data)):
        with pytest.raises(BlockError):
            decode(data[:size])
    with pytest.raises(BlockError):
        decode(data + b"\0")


@pytest.mark.parametrize("data", [b"", b"CWF", b"XXX\x01" + bytes(60), b"CWF\x02" + bytes(60)])
def test_other_bytes_are_refused(data: bytes) -> None:
    """Empty bytes, a foreign format and a version of the future are errors, not frames."""
    with pytest.raises(BlockError):
        decode(data)


def test_a_frame_of_twelve_sockets_is_small() -> None:
    """A frame takes about what its numbers take: some 320 bytes for 12 sockets."""
    assert len(encode(frames(200, sockets=12))) / 200 < 330
