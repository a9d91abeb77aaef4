"""A report as a page: printable, no script, nothing fetched from elsewhere."""

from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from alerts.reports.cells import Bar, Section, shown
from alerts.reports.model import Report
from alerts.reports.sections import sections
from alerts.reports.words import Words

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
"""The page's Content-Security-Policy."""
_MOST_BARS = 31
_BAR_PX = 22
_LABEL_PX = 230
_FULL_PX = 420


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A bar with its place in the picture, in pixels."""

    label: str
    shown: str
    y: int
    width: float


@dataclass(frozen=True, slots=True)
class _Shown:
    title: str
    remark: str
    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bars: tuple[_Drawn, ...]
    height: int


def page_of(report: Report, words: Words) -> str:
    """The HTML document."""
    zone = ZoneInfo(report.timezone)
    title, period, as_of = words.heading(report)
    whole = "complete" if report.complete else "preliminary"
    return (
        _environment()
        .get_template("report.html")
        .render(
            lang=words.lang.value,
            title=title,
            period=period,
            as_of=as_of,
            whole=words.say("head", whole),
            preliminary=not report.complete,
            excluded=words.say("head", "excluded"),
            foot=words.say("head", "foot"),
            sections=[_shown(section, zone, words) for section in sections(report, words)],
            label_px=_LABEL_PX,
            full_px=_FULL_PX,
        )
    )


def _shown(section: Section, zone: ZoneInfo, words: Words) -> _Shown:
    rows = tuple(tuple(shown(cell, zone, words.units) for cell in r) for r in section.rows)
    bars = _drawn(section.bars[:_MOST_BARS])
    titles = tuple(column.title for column in section.columns)
    return _Shown(section.title, section.remark, titles, rows, bars, len(bars) * _BAR_PX)


def _drawn(bars: tuple[Bar, ...]) -> tuple[_Drawn, ...]:
    longest = max((bar.value for bar in bars), default=0)
    if len(bars) <= 1 or longest <= 0:
        return ()  # one bar compares nothing
    return tuple(
        _Drawn(bar.label, bar.shown, n * _BAR_PX, round(_FULL_PX * bar.value / longest, 1))
        for n, bar in enumerate(bars)
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("alerts.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
