"""Flux questions about points of ``iot.line_protocol``, and frames from the answers. Pure.

Nothing a caller passes reaches Flux unescaped. Rows carry ``ns``, the point's time as an
integer, because a driver's datetime cuts nanoseconds, which tell two frames apart.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from iot.contract import LATEST_TS_MS
from iot.frames import SOCKET_CHANNELS, STATION_CHANNELS, FrameBatch
from iot.line_protocol import NS_PER_MS, SOCKET, STATION
from iot.store import RangeQuery, RawQuery

AGGREGATES: Final = ("min", "max", "mean", "count")
_WITH_NS: Final = "|> map(fn: (r) => ({r with ns: int(v: r._time)}))"

Row = Mapping[str, Any]
"""One row of a Flux answer by column name."""


def text(value: str) -> str:
    """``value`` as a Flux string literal, in which nothing is interpolated."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    for raw, sign in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        escaped = escaped.replace(raw, sign)
    return f'"{escaped}"'


def windows(bucket: str, query: RangeQuery) -> str:
    """Four results, named as ``AGGREGATES``: one row per window that has values."""
    only = [f"r.station == {text(query.station)}", f"r._field == {text(query.channel)}"]
    if query.socket is not None:
        only.append(f'r.socket == "{query.socket}"')
    measurement = STATION if query.socket is None else SOCKET
    source = _source(bucket, query.start_ms, query.end_ms, measurement, *only)
    every = f"every: {query.window_ms}ms"
    results = [
        f'data |> aggregateWindow({every}, fn: {name}, createEmpty: false, timeSrc: "_start")'
        f" {_WITH_NS} |> yield(name: {text(name)})"
        for name in AGGREGATES
    ]
    return "\n".join([f"data = {source}", *results])


def histogram(bucket: str, query: RawQuery, bucket_ms: int) -> str:
    """Frames per bucket of ``bucket_ms``: rows ``ns`` (a time in the bucket), ``_value``."""
    only = ['r._field == "seq"', *_among(query.stations)]
    return (
        f"{_source(bucket, query.start_ms, query.end_ms, STATION, *only)} |> group()"
        f" |> aggregateWindow(every: {bucket_ms}ms, fn: count, createEmpty: false,"
        f' timeSrc: "_start") {_WITH_NS}'
    )


def frames(bucket: str, query: RawQuery, measurement: str) -> str:
    """One row per point of ``measurement``, its fields as columns."""
    only = _among(query.stations)
    return (
        f"{_source(bucket, query.start_ms, query.end_ms, measurement, *only)}"
        ' |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
        f" {_WITH_NS}"
    )


def newest(bucket: str, stations: Sequence[str], measurement: str) -> str:
    """The newest value of every field of every series of ``stations``, one row each."""
    source = _source(bucket, 0, LATEST_TS_MS, measurement, *_among(tuple(stations)))
    return f"{source} |> last() {_WITH_NS}"


def count(bucket: str, start_ms: int, end_ms: int) -> str:
    """One row with the number of frames in ``_value``, or none."""
    source = _source(bucket, start_ms, end_ms, STATION, 'r._field == "seq"')
    return f"{source} |> count() |> group() |> sum()"


def one_row(bucket: str) -> str:
    """As little as can be asked: whether the bucket may be read at all."""
    return f"{_source(bucket, 0, 1, STATION)} |> limit(n: 1)"


def _source(bucket: str, start_ms: int, end_ms: int, measurement: str, *only: str) -> str:
    start, stop = start_ms * NS_PER_MS, end_ms * NS_PER_MS
    conditions = " and ".join([f'r._measurement == "{measurement}"', *only])
    return (
        f"from(bucket: {text(bucket)}) |> range(start: time(v: {start}), stop: time(v: {stop}))"
        f" |> filter(fn: (r) => {conditions})"
    )


def _among(stations: tuple[str, ...] | None) -> list[str]:
    """The condition that limits a query to ``stations``, which are not none at all."""
    if stations is None:
        return []
    return ["(" + " or ".join(f"r.station == {text(name)}" for name in stations) + ")"]


def merge_newest(rows: Iterable[Row], stations: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of ``newest`` as points at the time of each station's newest frame.

    A field that the newest frame did not have is dropped: its newest value is older.
    """
    held = list(rows)
    at = {row["station"]: row["ns"] for row in held if row["_field"] == "seq"}
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for row in held:
        name = row["station"]
        if row["ns"] == at.get(name):
            identity = (name, row.get("socket") or "")
            point = merged.setdefault(identity, {"station": name, "ns": row["ns"]})
            if identity[1]:
                point["socket"] = identity[1]
            point[row["_field"]] = row["_value"]
    order = {name: rank for rank, name in enumerate(stations)}
    return sorted(merged.values(), key=lambda point: order[point["station"]])


def to_frames(station_rows: Sequence[Row], socket_rows: Iterable[Row]) -> FrameBatch:
    """The frames of the points of both measurements, in the order of ``station_rows``."""
    n = len(station_rows)
    sockets = np.array([row["sockets"] for row in station_rows], dtype=np.uint8)
    width = int(sockets.max(initial=0))
    socket_values = np.full((n, len(SOCKET_CHANNELS), width), np.nan, dtype=np.float32)
    place = {(row["station"], row["ns"]): index for index, row in enumerate(station_rows)}
    for row in socket_rows:
        index = place.get((row["station"], row["ns"]))
        if index is not None:
            values = [_number(row.get(name)) for name in SOCKET_CHANNELS]
            socket_values[index, :, int(row["socket"]) - 1] = values
    station_values = np.array(
        [[_number(row.get(name)) for name in STATION_CHANNELS] for row in station_rows],
        dtype=np.float32,
    ).reshape(n, len(STATION_CHANNELS))
    names = np.empty(n, dtype=np.object_)
    names[:] = [row["station"] for row in station_rows]
    return FrameBatch(
        station=names,
        boot=np.array([row["boot"] for row in station_rows], dtype=np.uint32),
        seq=np.array([row["seq"] for row in station_rows], dtype=np.int64),
        ts_ms=np.array([row["ts_ms"] for row in station_rows], dtype=np.int64),
        received_ms=np.array([row["received_ms"] for row in station_rows], dtype=np.int64),
        event_ms=np.array([row["ns"] // NS_PER_MS for row in station_rows], dtype=np.int64),
        live=np.array([row["live"] for row in station_rows], dtype=np.bool_),
        sockets=sockets,
        station_values=station_values,
        socket_values=socket_values,
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
