"""A report as tables: what page, CSV and PDF have in common."""

from collections.abc import Sequence

from alerts.incidents.model import Urgency
from alerts.incidents.plans import DeadlineName
from alerts.reports.cells import Bar, Cell, Column, Moment, Seconds, Section, Share, percent
from alerts.reports.model import IncidentLine, Report
from alerts.reports.words import Words

_FIRST = DeadlineName.ACKNOWLEDGE.value


def sections(report: Report, words: Words) -> tuple[Section, ...]:
    """All tables in the order of their weight; those of a month alone are left out of a day."""
    return (
        _summary(report, words),
        _responses(report, words),
        _unprotected(report, words),
        _counted("urgencies", "urgency", report.by_urgency, words),
        _counted("causes", "cause", report.by_cause, words),
        _stations(report, words),
        *([_days(report, words)] if len(report.by_day) > 1 else []),
        _incidents("incidents", report.incidents, words),
        _sent(report, words),
        _tried(report, words),
        _incidents("drills", report.drills, words),
        _path(report, words),
    )


def on_time(report: Report) -> float | None:
    """The share of deadlines that were met, of those that are over; None = there were none."""
    met = sum(r.met for r in report.responses)
    over = met + sum(r.missed for r in report.responses)
    return met / over if over else None


def _summary(report: Report, words: Words) -> Section:
    figures: list[tuple[str, Cell]] = [
        ("incidents", len(report.incidents)),
        ("fires", dict(report.by_urgency).get(Urgency.FIRE.value, 0)),
        ("false_alarms", report.false_alarms),
        ("merged", report.merged),
        ("on_time", _share(on_time(report))),
        ("unanswered", sum(r.unanswered for r in report.responses if r.deadline == _FIRST)),
        ("drills", len(report.drills)),
        ("availability", _share(report.alarm_path.availability)),
    ]
    columns = _columns(words, ("figure", "", 3), ("value", "", 1))
    rows = [(words.say("summary", name), cell) for name, cell in figures]
    return _section("summary", columns, rows, words)


def _responses(report: Report, words: Words) -> Section:
    columns = _columns(
        words,
        ("deadline", "", 1.2),
        ("target", "s", 1.2),
        ("met", "count", 1),
        ("missed", "count", 1),
        ("unanswered", "count", 1.2),
        ("pending", "count", 1),
        ("rate", "share", 1.2),
        ("median", "s", 1.4),
        ("worst", "s", 1.4),
    )
    rows = [
        (
            words.say("deadline", r.deadline),
            Seconds(r.target_s),
            r.met,
            r.missed,
            r.unanswered,
            r.pending,
            _share(r.met / (r.met + r.missed) if r.met + r.missed else None),
            _seconds(r.median_s),
            _seconds(r.worst_s),
        )
        for r in report.responses
    ]
    return _section("responses", columns, rows, words)


def _unprotected(report: Report, words: Words) -> Section:
    columns = _columns(
        words, ("station", "", 3), ("time", "s", 1.4), ("share", "share", 1), ("rules", "", 4)
    )
    rows = [
        (
            words.station(u.station),
            Seconds(u.seconds),
            Share(u.share),
            "; ".join(f"{words.rule(rule)} {_minutes(s, words)}" for rule, s in u.by_rule),
        )
        for u in report.unprotected
    ]
    bars = tuple(
        Bar(words.station(u.station), u.share, percent(u.share)) for u in report.unprotected
    )
    return _section("unprotected", columns, rows, words, bars)


def _counted(section: str, column: str, counts: Sequence[tuple[str, int]], words: Words) -> Section:
    columns = _columns(words, (column, "", 3), ("count", "count", 1))
    rows = [(words.say(column, name or "unknown"), n) for name, n in counts]
    return _section(section, columns, rows, words)


def _stations(report: Report, words: Words) -> Section:
    columns = _columns(words, ("station", "", 3), ("count", "count", 1))
    rows = [(words.station(name), n) for name, n in report.by_station]
    bars = tuple(Bar(words.station(name), n, str(n)) for name, n in report.by_station)
    return _section("stations", columns, rows, words, bars)


def _days(report: Report, words: Words) -> Section:
    columns = _columns(words, ("day", "", 3), ("count", "count", 1))
    bars = tuple(Bar(day, n, str(n)) for day, n in report.by_day)
    rows = [(day, n) for day, n in report.by_day if n]
    return _section("days", columns, rows, words, bars if rows else ())


def _incidents(section: str, lines: Sequence[IncidentLine], words: Words) -> Section:
    columns = _columns(
        words,
        ("number", "", 1),
        ("opened", "", 2.1),
        ("station", "", 2.7),
        ("urgency", "", 1.2),
        ("cause", "", 1.6),
        ("state", "", 1.3),
        ("acknowledged", "s", 1.4),
        ("on_site", "s", 1.4),
        ("reported", "s", 1.7),
        ("by", "", 1.6),
    )
    rows = [
        (
            line.number,
            Moment(line.opened_ms),
            words.station(line.station) if line.station else words.area(line.area),
            words.say("urgency", line.urgency.value),
            words.say("cause", line.cause.value if line.cause else "unknown"),
            words.say("state", line.state.value),
            _seconds(line.acknowledged_s),
            _seconds(line.on_site_s),
            _seconds(line.reported_s),
            line.by,
        )
        for line in lines
    ]
    return _section(section, columns, rows, words)


def _sent(report: Report, words: Words) -> Section:
    columns = _columns(
        words,
        ("channel", "", 1),
        ("provider", "", 1),
        ("outcome", "", 1.5),
        ("messages", "count", 1),
        ("attempts", "count", 1),
    )
    rows = [
        (
            words.say("channel", s.channel),
            s.provider or None,
            words.say("message", s.state),
            s.messages,
            s.attempts,
        )
        for s in report.sent
    ]
    return _section("sent", columns, rows, words)


def _tried(report: Report, words: Words) -> Section:
    columns = _columns(
        words,
        ("provider", "", 1),
        ("outcome", "", 1.5),
        ("attempts", "count", 1),
        ("segments", "count", 1),
    )
    rows = [
        (t.provider, words.say("attempt", t.outcome), t.attempts, t.segments) for t in report.tried
    ]
    return _section("tried", columns, rows, words)


def _path(report: Report, words: Words) -> Section:
    columns = _columns(words, ("figure", "", 3), ("value", "", 1))
    path = report.alarm_path
    figures: list[tuple[str, Cell]] = [
        ("passed", path.passed),
        ("late", path.late),
        ("failed", path.failed),
        ("availability", _share(path.availability)),
    ]
    rows = [(words.say("path", name), cell) for name, cell in figures]
    return _section("path", columns, rows if path.availability is not None else [], words)


def _section(
    name: str,
    columns: tuple[Column, ...],
    rows: Sequence[tuple[Cell, ...]],
    words: Words,
    bars: tuple[Bar, ...] = (),
) -> Section:
    remark = words.say("remark", name)
    if not rows:
        remark = words.say("remark", "none")
    elif remark == name:
        remark = ""  # it needs none
    return Section(words.say("section", name), columns, tuple(rows), remark, bars)


def _columns(words: Words, *named: tuple[str, str, float]) -> tuple[Column, ...]:
    return tuple(
        Column(words.say("column", name), words.say("unit", unit) if unit else "", width)
        for name, unit, width in named
    )


def _share(value: float | None) -> Share | None:
    return None if value is None else Share(value)


def _seconds(value: int | None) -> Seconds | None:
    return None if value is None else Seconds(value)


def _minutes(seconds: int, words: Words) -> str:
    """At least one: an interval that is listed was there."""
    return f"{max(1, round(seconds / 60))} {words.units['min']}"
