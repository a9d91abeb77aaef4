"""One ``FrameBatch`` as one block of bytes: what the journal writes and replays.

Layout, little-endian, version 1: a 16-byte header (magic, version, widest frame, frames,
length of the names), then the columns as raw arrays in descending order of item size, so
that every array stays aligned, then the station ids as a JSON array. Nothing is
compressed: a frame of 12 sockets takes about 320 bytes and well under a microsecond.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from iot.frames import SOCKET_CHANNELS, STATION_CHANNELS, FrameBatch

VERSION: Final = 1
_MAGIC: Final = b"CWF"
_HEADER: Final = struct.Struct("<3sBB3xII")
_SCALARS: Final = (
    ("seq", "<i8"),
    ("ts_ms", "<i8"),
    ("received_ms", "<i8"),
    ("event_ms", "<i8"),
    ("boot", "<u4"),
)
_FLOAT: Final = "<f4"
_FLAGS: Final = (("live", "|b1"), ("sockets", "|u1"))


class BlockError(ValueError):
    """The bytes are no block of a version that is understood."""


def encode(batch: FrameBatch) -> bytes:
    """``batch`` as one block; ``decode`` gives it back bit for bit, NaN included."""
    names = orjson.dumps(batch.station.tolist())
    header = _HEADER.pack(_MAGIC, VERSION, batch.width, len(batch), len(names))
    return b"".join((header, *_columns(batch), names))


def decode(data: bytes | memoryview) -> FrameBatch:
    """The batch in ``data``. Its arrays are read-only views of ``data``.

    Raises ``BlockError`` when ``data`` is not a whole block.
    """
    if len(data) < _HEADER.size:
        msg = f"a block has at least {_HEADER.size} bytes, this has {len(data)}"
        raise BlockError(msg)
    magic, version, width, n, names_size = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != VERSION:
        msg = f"no frame block of version {VERSION}: {bytes(data[:4])!r}"
        raise BlockError(msg)
    reader = _Reader(data, n)
    columns = {name: reader.take(dtype) for name, dtype in _SCALARS}
    station_values = reader.take(_FLOAT, len(STATION_CHANNELS))
    socket_values = reader.take(_FLOAT, len(SOCKET_CHANNELS), width)
    columns |= {name: reader.take(dtype) for name, dtype in _FLAGS}
    return FrameBatch(
        station=reader.names(names_size),
        station_values=station_values,
        socket_values=socket_values,
        **columns,
    )


def _columns(batch: FrameBatch) -> Iterator[bytes]:
    for name, dtype in _SCALARS:
        yield getattr(batch, name).astype(dtype, copy=False).tobytes()
    yield batch.station_values.astype(_FLOAT, copy=False).tobytes()
    yield batch.socket_values.astype(_FLOAT, copy=False).tobytes()
    for name, dtype in _FLAGS:
        yield getattr(batch, name).astype(dtype, copy=False).tobytes()


class _Reader:
    """Cuts one array after the other from a block of ``rows`` frames."""

    def __init__(self, data: bytes | memoryview, rows: int) -> None:
        self._data = data
        self._rows = rows
        self._offset = _HEADER.size

    def take(self, dtype: str, *shape: int) -> npt.NDArray[Any]:
        """The next array: one row of ``shape`` per frame."""
        count = self._rows * int(np.prod(shape, dtype=np.int64))
        size = count * np.dtype(dtype).itemsize
        self._need(size)
        array = np.frombuffer(self._data, dtype, count, self._offset)
        self._offset += size
        return array.reshape(self._rows, *shape)

    def names(self, size: int) -> npt.NDArray[np.object_]:
        """The station ids, which end the block."""
        self._need(size)
        end = self._offset + size
        if end != len(self._data):
            msg = f"{len(self._data) - end} bytes follow the block"
            raise BlockError(msg)
        try:
            listed = orjson.loads(self._data[self._offset : end])
        except orjson.JSONDecodeError as error:
            msg = "the station ids are no JSON"
            raise BlockError(msg) from error
        if not isinstance(listed, list) or len(listed) != self._rows:
            msg = f"the station ids are not one for each of {self._rows} frames"
            raise BlockError(msg)
        names = np.empty(self._rows, dtype=np.object_)
        names[:] = listed
        return names

    def _need(self, size: int) -> None:
        if self._offset + size > len(self._data):
            msg = f"the block ends after {len(self._data)} bytes, {self._offset + size} are needed"
            raise BlockError(msg)
