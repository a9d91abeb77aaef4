"""Curves over time: what was measured, the limits, and what happened when."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any, Final

from reportlab.graphics.charts.lineplots import LinePlot
from reportlab.graphics.shapes import Drawing, Line, String
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.units import mm

from alerts.paper.fonts import Face
from alerts.paper.ink import GREY, INK, LINE, RED

POINTS: Final = 600
"""What is drawn of one series; more cannot be seen on paper."""

_STRONG: Final = tuple(map(HexColor, ("#b3261e", "#0b57a4", "#1a6b3c", "#7a4fa3")))
_PALE: Final = HexColor("#b9c2ca")
_STEPS_MIN: Final = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440)
_MOST_TICKS: Final = 10
_MINUTE: Final = 60_000
_APART: Final = 3.0


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one channel, ascending by time (UTC ms); NaN or a long pause is a gap.

    ``strong`` is drawn in colour and named, the others are pale company.
    """

    label: str
    at_ms: Sequence[int]
    values: Sequence[float]
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture: ``limit`` is a dashed line, ``marks`` are upright ones with a letter each."""

    unit: str
    start_ms: int
    end_ms: int
    series: Sequence[Series]
    limit: float | None = None
    marks: Sequence[tuple[int, str]] = ()
    gap_ms: int = 2 * _MINUTE


def draw(
    plot: Plot, face: Face, clock: Callable[[int], str], width: float = 174, height: float = 62
) -> Any:
    """The plot as a block; ``clock`` writes a moment (UTC ms) as the site's wall clock."""
    drawing = Drawing(width * mm, height * mm)
    lines = [(part, s.strong, s.label) for s in plot.series for part in _parts(s, plot.gap_ms)]
    lines.sort(key=lambda line: line[1])  # colour over grey
    values = [y for part, _, _ in lines for _, y in part]
    low, high = _bounds([*values, *([] if plot.limit is None else [plot.limit])])
    chart = _chart(plot, face, clock, (low, high), (width, height))
    chart.data = [part for part, _, _ in lines] or [[(plot.start_ms, low)]]
    _paint(chart, plot, lines)
    drawing.add(chart)
    _over(drawing, chart, plot, face, (low, high))
    return drawing


def _chart(
    plot: Plot,
    face: Face,
    clock: Callable[[int], str],
    bounds: tuple[float, float],
    size: tuple[float, float],
) -> LinePlot:
    chart = LinePlot()
    chart.x, chart.y = 12 * mm, 8 * mm
    chart.width, chart.height = (size[0] - 16) * mm, (size[1] - 20) * mm
    chart.joinedLines = 1
    x, y = chart.xValueAxis, chart.yValueAxis
    x.valueMin, x.valueMax = plot.start_ms, plot.end_ms
    x.valueSteps = _ticks(plot.start_ms, plot.end_ms)
    x.labelTextFormat = lambda at_ms: clock(round(at_ms))
    y.valueMin, y.valueMax = bounds
    y.visibleGrid, y.gridStrokeColor, y.gridStrokeWidth = 1, LINE, 0.3
    for axis in (x, y):
        axis.labels.fontName, axis.labels.fontSize, axis.labels.fillColor = face.latin, 6.5, GREY
        axis.strokeColor, axis.strokeWidth = GREY, 0.5
    return chart


def _paint(
    chart: LinePlot, plot: Plot, lines: Sequence[tuple[list[tuple[int, float]], bool, str]]
) -> None:
    names = [series.label for series in plot.series if series.strong]
    for index, (_, strong, label) in enumerate(lines):
        chart.lines[index].strokeColor = _color(names, label) if strong else _PALE
        chart.lines[index].strokeWidth = 1.2 if strong else 0.5


def _color(names: Sequence[str], label: str) -> Color:
    return _STRONG[names.index(label) % len(_STRONG)]


def _over(
    drawing: Drawing, chart: LinePlot, plot: Plot, face: Face, bounds: tuple[float, float]
) -> None:
    """Limit, marks, and the names of what is drawn."""
    left, right, top = chart.x, chart.x + chart.width, chart.y + chart.height
    if plot.limit is not None:
        y = chart.y + chart.height * (plot.limit - bounds[0]) / (bounds[1] - bounds[0])
        drawing.add(Line(left, y, right, y, strokeColor=RED, strokeWidth=0.6, strokeDashArray=[4]))
        _say(drawing, face, (right, y + 1.5), f"{plot.limit:g}", RED, anchor="end")
    for x, letters in _joined(plot, left, chart.width):
        drawing.add(Line(x, chart.y, x, top, strokeColor=INK, strokeWidth=0.5))
        _say(drawing, face, (x, top + 2), letters, INK, anchor="middle")
    names = [series.label for series in plot.series if series.strong]
    x = left
    y = top + 14
    _say(drawing, face, (2, y), plot.unit, GREY)
    for label in names:
        color = _color(names, label)
        drawing.add(Line(x, y + 2, x + 14, y + 2, strokeColor=color, strokeWidth=1.6))
        _say(drawing, face, (x + 17, y), label, INK)
        x += 28 + 4.2 * len(label)


def _joined(plot: Plot, left: float, width: float) -> list[tuple[float, str]]:
    """Where marks stand; those too close to be told apart stand as one with all their letters."""
    out: list[tuple[float, str]] = []
    for at_ms, letter in sorted(plot.marks):
        if plot.start_ms <= at_ms <= plot.end_ms:
            x = left + width * (at_ms - plot.start_ms) / (plot.end_ms - plot.start_ms)
            if out and x - out[-1][0] < _APART * (len(out[-1][1]) + 1):
                out[-1] = (out[-1][0], out[-1][1] + letter)
            else:
                out.append((x, letter))
    return out


def _say(
    drawing: Drawing, face: Face, at: tuple[float, float], text: str, color: Any, **more: Any
) -> None:
    words = String(*at, text, fontName=face.latin, fontSize=6.5, fillColor=color)
    words.textAnchor = more.get("anchor", "start")
    drawing.add(words)


def _parts(series: Series, gap_ms: int) -> list[list[tuple[int, float]]]:
    """The series between its gaps, thinned so that no peak and no dip is lost."""
    known = [(t, v) for t, v in zip(series.at_ms, series.values, strict=True) if isfinite(v)]
    missing = [t for t, v in zip(series.at_ms, series.values, strict=True) if not isfinite(v)]
    parts: list[list[tuple[int, float]]] = [known[:1]] if known else []
    holes = iter([*missing, None])
    hole = next(holes)
    for before, after in pairwise(known):
        while hole is not None and hole <= before[0]:
            hole = next(holes)
        broken = hole is not None and hole < after[0]
        if broken or after[0] - before[0] > gap_ms:
            parts.append([])
        parts[-1].append(after)
    share = max(len(known), 1)
    return [_thinned(part, max(2, POINTS * len(part) // share)) for part in parts]


def _thinned(part: list[tuple[int, float]], points: int) -> list[tuple[int, float]]:
    """At most about ``points``: the lowest and the highest of each stretch, in their order."""
    if len(part) <= points:
        return part
    size = -(-2 * len(part) // points)
    kept: list[tuple[int, float]] = []
    for start in range(0, len(part), size):
        stretch = part[start : start + size]
        ends = {min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest of the axis: around all values, never of no height."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = max((high - low) * 0.08, abs(high) * 0.02, 0.5)
    return min(low, max(low - room, 0.0)), high + room


def _ticks(start_ms: int, end_ms: int) -> list[int]:
    """Whole minutes on the clock, at most ``_MOST_TICKS``."""
    minutes = (end_ms - start_ms) / _MINUTE
    step = next((s for s in _STEPS_MIN if minutes / s <= _MOST_TICKS), None)
    if step is None:
        return [start_ms, end_ms]
    first = -(-start_ms // (step * _MINUTE)) * step * _MINUTE
    return list(range(first, end_ms + 1, step * _MINUTE)) or [start_ms, end_ms]
