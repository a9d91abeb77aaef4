"""The part of Flux that a telemetry store needs, evaluated as InfluxDB 2 documents it.

Written against the language's documentation, not against our queries: strings interpolate
``${...}``, windows begin at multiples since 1970 and are cut to the range, aggregates drop
the other columns, ``pivot`` regroups. What is not understood is an error, never ignored.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Predicate = Callable[[Row], bool]


class FluxError(Exception):
    """What the server answers with 400."""


@dataclass
class Table:
    """Rows that share the values of the group key."""

    key: tuple[str, ...]
    rows: list[Row]


@dataclass
class Series:
    """One field of one series as it is stored: values by time, ns."""

    measurement: str
    tags: dict[str, str]
    field: str
    values: dict[int, Any]


Source = Callable[[str], Iterable[Series]]
"""All series of the bucket of that name; raises LookupError when there is none."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<duration>\d+ms)|(?P<number>-?\d+)|(?P<pipe>\|>)
    |(?P<op>=>|==|[()\[\]{},.:=])|(?P<name>[A-Za-z_]\w*))""",
    re.VERBOSE,
)
_NS_PER_MS = 1_000_000


def evaluate(text: str, source: Source) -> dict[str, list[Table]]:
    """The results of a script by name."""
    return _Script(text, source).run()


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            msg = f"invalid statement near {text[position : position + 30]!r}"
            raise FluxError(msg)
        found.append((match.lastgroup or "", match[match.lastgroup or ""]))
        position = match.end()
    return found


def _string(literal: str) -> str:
    def unescape(match: re.Match[str]) -> str:
        sign = match[0]
        known = {"\\n": "\n", "\\r": "\r", "\\t": "\t", '\\"': '"', "\\\\": "\\", "\\${": "${"}
        if sign in known:
            return known[sign]
        msg = f"cannot evaluate {sign!r} in a string"
        raise FluxError(msg)

    return re.sub(r"\\\$\{|\\.|\$\{", unescape, literal[1:-1])


def _literal(kind: str, value: str) -> Any:
    if kind == "text":
        return _string(value)
    if kind == "duration":
        return int(value[:-2]) * _NS_PER_MS
    if kind == "number":
        return int(value)
    return value == "true" if value in ("true", "false") else value


_NS_MAP = [value for _, value in _tokens("(fn: (r) => ({r with ns: int(v: r._time)}))")]
"""The one function that ``map`` may be given here."""


class _Script:
    def __init__(self, text: str, source: Source) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._source = source
        self._names: dict[str, list[Table]] = {}
        self._results: dict[str, list[Table]] = {}

    def run(self) -> dict[str, list[Table]]:
        while self._at < len(self._tokens):
            if self._peek(1) == ("op", "="):
                name = self._take("name")
                self._take("op", "=")
                self._names[name] = self._pipeline()
            else:
                tables = self._pipeline()
                if not self._yielded:
                    self._results["_result"] = tables
        return self._results

    def _pipeline(self) -> list[Table]:
        self._yielded = False
        name = self._take("name")
        if self._peek() == ("op", "("):
            if name != "from":
                msg = f"undefined identifier {name}"
                raise FluxError(msg)
            tables = self._from(self._arguments()["bucket"])
        elif name in self._names:
            tables = self._names[name]
        else:
            msg = f"undefined identifier {name}"
            raise FluxError(msg)
        while self._peek() == ("pipe", "|>"):
            self._take("pipe")
            tables = self._apply(self._take("name"), tables)
        return tables

    def _apply(self, function: str, tables: list[Table]) -> list[Table]:
        if function == "map":
            self._expect_ns_map()
            return [Table(t.key, [{**r, "ns": r["_time"]} for r in t.rows]) for t in tables]
        arguments = self._arguments()
        if function == "yield":
            self._yielded = True
            self._results[arguments["name"]] = tables
            return tables
        handler = _FUNCTIONS.get(function)
        if handler is None:
            msg = f"undefined identifier {function}"
            raise FluxError(msg)
        return [table for table in handler(tables, arguments) if table.rows]

    def _from(self, bucket: str) -> list[Table]:
        tables = []
        for series in self._source(bucket):
            fixed = {"_measurement": series.measurement, "_field": series.field, **series.tags}
            rows = [{"_time": t, "_value": v, **fixed} for t, v in sorted(series.values.items())]
            tables.append(Table(tuple(fixed), rows))
        return tables

    # -- reading

    def _peek(self, ahead: int = 0) -> tuple[str, str] | None:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else None

    def _take(self, kind: str, value: str | None = None) -> str:
        token = self._peek()
        if token is None or token[0] != kind or (value is not None and token[1] != value):
            msg = f"expected {value or kind}, got {token}"
            raise FluxError(msg)
        self._at += 1
        return token[1]

    def _accept(self, kind: str, value: str) -> bool:
        if self._peek() == (kind, value):
            self._at += 1
            return True
        return False

    def _arguments(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._take("op", "(")
        while not self._accept("op", ")"):
            name = self._take("name")
            self._take("op", ":")
            found[name] = self._value()
            self._accept("op", ",")
        return found

    def _value(self) -> Any:
        kind, value = self._peek() or ("", "")
        if (kind, value) == ("op", "["):
            return self._list()
        if (kind, value) == ("op", "("):
            return self._predicate()
        self._at += 1
        if (kind, value) == ("name", "time"):
            return self._arguments()["v"]
        return _literal(kind, value)

    def _list(self) -> list[Any]:
        self._take("op", "[")
        found = []
        while not self._accept("op", "]"):
            found.append(self._value())
            self._accept("op", ",")
        return found

    def _predicate(self) -> Predicate:
        for value in ("(", "r", ")", "=>"):
            self._take("name" if value == "r" else "op", value)
        return self._either()

    def _either(self) -> Predicate:
        parts = [self._both()]
        while self._accept("name", "or"):
            parts.append(self._both())
        return lambda row: any(part(row) for part in parts)

    def _both(self) -> Predicate:
        parts = [self._one()]
        while self._accept("name", "and"):
            parts.append(self._one())
        return lambda row: all(part(row) for part in parts)

    def _one(self) -> Predicate:
        if self._accept("op", "("):
            inner = self._either()
            self._take("op", ")")
            return inner
        self._take("name", "r")
        self._take("op", ".")
        column = self._take("name")
        self._take("op", "==")
        wanted = _string(self._take("text"))
        return lambda row: bool(row.get(column) == wanted)

    def _expect_ns_map(self) -> None:
        for value in _NS_MAP:
            if (self._peek() or ("", ""))[1] != value:
                msg = f"this map is not known here: expected {value}, got {self._peek()}"
                raise FluxError(msg)
            self._at += 1


def _range(tables: list[Table], arguments: dict[str, Any]) -> Iterator[Table]:
    start, stop = arguments["start"], arguments["stop"]
    if not start < stop:
        msg = "cannot query an empty range"
        raise FluxError(msg)
    for table in tables:
        rows = [
            {**row, "_start": start, "_stop": stop}
            for row in table.rows
            if start <= row["_time"] < stop
        ]
        yield Table((*table.key, "_start", "_stop"), rows)


def _filter(tables: list[Table], arguments: dict[str, Any]) -> Iterator[Table]:
    for table in tables:
        yield Table(table.key, [row for row in table.rows if arguments["fn"](row)])


def _only_key(table: Table, value: Any) -> Row:
    return {**{name: table.rows[0][name] for name in table.key}, "_value": value}


def _aggregate_window(tables: list[Table], arguments: dict[str, Any]) -> Iterator[Table]:
    if arguments["createEmpty"]:
        msg = "createEmpty: true is not known here"
        raise FluxError(msg)
    every = arguments["every"]
    for table in tables:
        windows: dict[int, list[Row]] = {}
        for row in table.rows:
            windows.setdefault(row["_time"] // every, []).append(row)
        rows = []
        for number, inside in sorted(windows.items()):
            bounds = {
                "_start": max(number * every, inside[0]["_start"]),
                "_stop": min((number + 1) * every, inside[0]["_stop"]),
            }
            value = _AGGREGATES[arguments["fn"]]([row["_value"] for row in inside])
            time = bounds[arguments.get("timeSrc", "_stop")]
            rows.append({**_only_key(table, value), "_time": time})
        yield Table(table.key, rows)


def _aggregate(name: str) -> Callable[[list[Table], dict[str, Any]], Iterator[Table]]:
    def apply(tables: list[Table], _: dict[str, Any]) -> Iterator[Table]:
        for table in tables:
            value = _AGGREGATES[name]([row["_value"] for row in table.rows])
            yield Table(table.key, [_only_key(table, value)])

    return apply


def _last(tables: list[Table], _: dict[str, Any]) -> Iterator[Table]:
    for table in tables:
        yield Table(table.key, table.rows[-1:])


def _limit(tables: list[Table], arguments: dict[str, Any]) -> Iterator[Table]:
    for table in tables:
        yield Table(table.key, table.rows[: arguments["n"]])


def _group(tables: list[Table], arguments: dict[str, Any]) -> Iterator[Table]:
    columns = tuple(arguments.get("columns", ()))
    yield from _regroup((row for table in tables for row in table.rows), lambda _: columns)


def _sort(tables: list[Table], arguments: dict[str, Any]) -> Iterator[Table]:
    columns = arguments.get("columns", ["_value"])
    for table in tables:
        rows = sorted(table.rows, key=lambda row: [row[name] for name in columns])
        yield Table(table.key, rows)


def _pivot(tables: list[Table], arguments: dict[str, Any]) -> Iterator[Table]:
    (time,), (column,) = arguments["rowKey"], arguments["columnKey"]
    value = arguments["valueColumn"]
    merged: dict[tuple[Any, ...], tuple[tuple[str, ...], dict[Any, Row]]] = {}
    for table in tables:
        key = tuple(name for name in table.key if name not in (column, value))
        for row in table.rows:
            identity = tuple((name, row[name]) for name in key)
            _, rows = merged.setdefault(identity, (key, {}))
            target = rows.setdefault(row[time], {**dict(identity), time: row[time]})
            target[row[column]] = row[value]
    for key, rows in merged.values():
        yield Table(key, [rows[at] for at in sorted(rows)])


def _regroup(rows: Iterable[Row], key_of: Callable[[Row], tuple[str, ...]]) -> Iterator[Table]:
    groups: dict[tuple[Any, ...], Table] = {}
    for row in rows:
        key = key_of(row)
        groups.setdefault(tuple(row[name] for name in key), Table(key, [])).rows.append(row)
    yield from groups.values()


_AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "min": min,
    "max": max,
    "mean": lambda values: sum(values) / len(values),
    "count": len,
    "sum": sum,
}
_FUNCTIONS: dict[str, Callable[[list[Table], dict[str, Any]], Iterator[Table]]] = {
    "range": _range,
    "filter": _filter,
    "aggregateWindow": _aggregate_window,
    "last": _last,
    "limit": _limit,
    "group": _group,
    "sort": _sort,
    "pivot": _pivot,
    "count": _aggregate("count"),
    "sum": _aggregate("sum"),
}
