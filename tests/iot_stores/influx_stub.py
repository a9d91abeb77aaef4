"""An InfluxDB 2 that answers over real HTTP as its documentation says, with faults on demand.

Endpoints: ``/health``, ``/api/v2/write``, ``/api/v2/query``, ``/api/v2/delete``. Line protocol
is parsed strictly; points are keyed by measurement, tags and time, and fields merge.
"""

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from aiohttp import web

from tests.iot_stores.flux import FluxError, Series, Table, evaluate

Tags = tuple[tuple[str, str], ...]
PointKey = tuple[str, Tags, int]
Fields = dict[str, Any]

_SPLIT_SPACE = re.compile(r"(?<!\\) ")
_SPLIT_COMMA = re.compile(r"(?<!\\),")
_SPLIT_EQUALS = re.compile(r"(?<!\\)=")
_FLOAT = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class BadLine(Exception):  # noqa: N818 - named as the server's answer
    """The line is no line protocol."""


@dataclass
class Refusal:
    """Answer this instead of doing the work."""

    status: int
    message: str = "unavailable for now"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class InfluxStub:
    """What is stored, what was asked, and what to do wrong."""

    token: str = "test-token"  # noqa: S105 - of a stub
    org: str = "chargeward"
    bucket: str = "telemetry"
    points: dict[PointKey, Fields] = field(default_factory=dict)
    types: dict[tuple[str, str], type] = field(default_factory=dict)
    writes: list[int] = field(default_factory=list)
    """Lines of each write request, refused ones included."""
    arrived: list[int] = field(default_factory=list)
    """The earliest time, ns, of each write that was accepted."""
    encodings: set[str] = field(default_factory=set)
    refusals: list[Refusal] = field(default_factory=list)
    """The next requests to write are answered with these, in order."""
    delay_s: float = 0.0
    max_lines: int = 1_000_000
    """More in one write are answered with 413."""
    bad: Callable[[str], str | None] = lambda _: None
    """Why a line is refused with 400, or None."""
    keep_after_ns: int = 0
    """Older points are beyond the bucket's retention."""
    port: int = 0
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def up(self) -> None:
        """Listen, on the same port as before."""
        app = web.Application(client_max_size=256 * 1024 * 1024)
        app.router.add_get("/health", self._health)
        app.router.add_post("/api/v2/write", self._write)
        app.router.add_post("/api/v2/query", self._query)
        app.router.add_post("/api/v2/delete", self._delete)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def down(self) -> None:
        """Refuse connections; what is stored stays."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"name": "influxdb", "status": "pass", "version": "v2.7.0"})

    async def _write(self, request: web.Request) -> web.Response:
        if (refused := await self._refusal(request, write=True)) is not None:
            return refused
        if request.query.get("precision") != "ns":
            return _problem(400, "invalid", "this stub stores nanoseconds only")
        self.encodings.add(request.headers.get("Content-Encoding", ""))
        lines = (await request.read()).decode().split("\n")
        self.writes.append(len(lines))
        if len(lines) > self.max_lines:
            return _problem(413, "request too large", "the request body is too large")
        parsed = []
        for line in lines:
            why = self.bad(line)
            try:
                parsed.append(parse_line(line))
            except BadLine as error:
                why = str(error)
            if why is not None:
                return _problem(400, "invalid", f"unable to parse '{line}': {why}")
        return self._store(parsed)

    def _store(self, parsed: list[tuple[PointKey, Fields]]) -> web.Response:
        """Write what can be written; the rest is named, as a partial write."""
        dropped, why = 0, ""
        for key, fields in parsed:
            if key[2] < self.keep_after_ns:
                dropped, why = dropped + 1, "points beyond retention policy"
                continue
            conflict = self._conflict(key[0], fields)
            if conflict is not None:
                dropped, why = dropped + 1, conflict
                continue
            self.points.setdefault(key, {}).update(fields)
        self.arrived.append(min(key[2] for key, _ in parsed))
        if dropped:
            said = f"failure writing points to database: partial write: {why} dropped={dropped}"
            return _problem(422, "unprocessable entity", said)
        return web.Response(status=204)

    def _conflict(self, measurement: str, fields: Fields) -> str | None:
        for name, value in fields.items():
            known = self.types.setdefault((measurement, name), type(value))
            if known is not type(value):
                return (
                    f'field type conflict: input field "{name}" on measurement "{measurement}"'
                    f" is type {type(value).__name__}, already exists as type {known.__name__}"
                )
        return None

    async def _query(self, request: web.Request) -> web.Response:
        if (refused := await self._refusal(request, write=False)) is not None:
            return refused
        text = (await request.json())["query"]
        try:
            results = evaluate(text, self._series)
        except FluxError as error:
            return _problem(400, "invalid", f"error @1:1: {error}")
        except LookupError as error:
            return _problem(404, "not found", f"could not find bucket {error}")
        return web.Response(text=annotated_csv(results), content_type="text/csv")

    def _series(self, bucket: str) -> list[Series]:
        if bucket != self.bucket:
            raise LookupError(bucket)
        found: dict[tuple[str, Tags, str], Series] = {}
        for (measurement, tags, time), fields in self.points.items():
            for name, value in fields.items():
                identity = (measurement, tags, name)
                empty = Series(measurement, dict(tags), name, {})
                found.setdefault(identity, empty).values[time] = value
        return [found[identity] for identity in sorted(found)]

    async def _delete(self, request: web.Request) -> web.Response:
        if (refused := await self._refusal(request, write=False)) is not None:
            return refused
        body = await request.json()
        start, stop = (_nanoseconds(body[name]) for name in ("start", "stop"))
        match = re.fullmatch(r'_measurement="([^"]*)"', body.get("predicate", ""))
        if match is None:
            return _problem(400, "invalid", "this stub knows only _measurement predicates")
        for key in [k for k in self.points if k[0] == match[1] and start <= k[2] <= stop]:
            del self.points[key]
        return web.Response(status=204)

    async def _refusal(self, request: web.Request, *, write: bool) -> web.Response | None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if request.headers.get("Authorization") != f"Token {self.token}":
            return _problem(401, "unauthorized", "unauthorized access")
        if write and self.refusals:
            refusal = self.refusals.pop(0)
            response = _problem(refusal.status, "too many requests", refusal.message)
            response.headers.update(refusal.headers)
            return response
        if request.query.get("org") != self.org:
            return _problem(404, "not found", f'organization name "{request.query.get("org")}"')
        if "bucket" in request.query and request.query["bucket"] != self.bucket:
            return _problem(404, "not found", f'bucket "{request.query["bucket"]}" not found')
        return None


@asynccontextmanager
async def influx_stub() -> AsyncIterator[InfluxStub]:
    """A listening stub."""
    stub = InfluxStub()
    await stub.up()
    try:
        yield stub
    finally:
        await stub.down()


def parse_line(line: str) -> tuple[PointKey, Fields]:
    """One point. Raises BadLine as the server would refuse it."""
    parts = _SPLIT_SPACE.split(line)
    if len(parts) != 3:
        msg = "invalid field format"
        raise BadLine(msg)
    head, fields, time = parts
    measurement, *tags = _SPLIT_COMMA.split(head)
    if not measurement:
        msg = "missing measurement"
        raise BadLine(msg)
    if not re.fullmatch(r"-?\d+", time):
        msg = "bad timestamp"
        raise BadLine(msg)
    pairs = tuple(sorted(_pair(tag, "missing tag value") for tag in tags))
    values = (_pair(each, "missing field value") for each in _SPLIT_COMMA.split(fields))
    return (_plain(measurement), pairs, int(time)), {name: _value(text) for name, text in values}


def _pair(text: str, missing: str) -> tuple[str, str]:
    parts = _SPLIT_EQUALS.split(text)
    if len(parts) != 2 or not all(parts):
        raise BadLine(missing)
    return _plain(parts[0]), _plain(parts[1])


def _plain(text: str) -> str:
    return re.sub(r"\\([,= ])", r"\1", text)


def _value(text: str) -> Any:
    if text in ("t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"):
        return text[0] in "tT"
    if re.fullmatch(r"-?\d+i", text):
        return int(text[:-1])
    if _FLOAT.fullmatch(text):
        return float(text)
    msg = "invalid number"
    raise BadLine(msg)


_DATATYPES = {bool: "boolean", int: "long", float: "double", str: "string"}
_TIMES = {"_time", "_start", "_stop"}


def annotated_csv(results: dict[str, list[Table]]) -> str:
    """The results in annotated CSV, one annotated block per table."""
    out = io.StringIO()
    number = 0
    for result, tables in results.items():
        for table in tables:
            _write_table(csv.writer(out), result, number, table)
            out.write("\r\n")
            number += 1
    return out.getvalue() + "\r\n"


def _write_table(writer: Any, result: str, number: int, table: Table) -> None:
    columns = list(dict.fromkeys(name for row in table.rows for name in row))
    kinds = [_kind(name, (row.get(name) for row in table.rows)) for name in columns]
    writer.writerow(["#datatype", "string", "long", *kinds])
    inside = ["true" if name in table.key else "false" for name in columns]
    writer.writerow(["#group", "false", "false", *inside])
    writer.writerow(["#default", result, "", *[""] * len(columns)])
    writer.writerow(["", "result", "table", *columns])
    for row in table.rows:
        writer.writerow(["", "", number, *(_cell(name, row.get(name)) for name in columns)])


def _kind(name: str, values: Iterable[Any]) -> str:
    if name in _TIMES:
        return "dateTime:RFC3339Nano"
    return _DATATYPES[type(next(value for value in values if value is not None))]


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in _TIMES:
        return f"{np.datetime_as_string(np.datetime64(value, 'ns'))}Z"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _nanoseconds(text: str) -> int:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    return seconds * 10**9 + int(fraction.ljust(9, "0") or 0)


def _problem(status: int, code: str, message: str) -> web.Response:
    body = json.dumps({"code": code, "message": message})
    return web.Response(status=status, text=body, content_type="application/json")
