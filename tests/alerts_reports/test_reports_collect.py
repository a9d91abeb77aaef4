"""A report finds again what happened in the period, and nothing of what does not belong to it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.incidents.model import Cause, State, Urgency
from alerts.reports.collect import collect
from alerts.reports.model import AlarmPath, IncidentLine, Report, Response, Sent, Tried, Unprotected
from alerts.reports.period import parse_period
from alerts.reports.protection import length_ms
from alerts.reports.responses import DeadlineRow, Line, Round, kept, rounds
from devices.database import Database
from devices.sitefile import packaged_site
from tests.alerts_reports.reports_story import NOVEMBER_MS, at, november

NOVEMBER = 30 * 86_400


async def _report(database: Database, period: str, now_ms: int = at(40)) -> Report:
    async with database.writing() as connection:
        await november(connection)
    async with database.reading() as connection:
        return await collect(connection, packaged_site(), parse_period(period), now_ms)


async def test_a_month_of_a_site(database: Database) -> None:
    """Responses, incidents, messages, protection, drills and the alarm path."""
    report = await _report(database, "2026-11")
    assert (report.start_ms, report.end_ms) == (NOVEMBER_MS, at(31))
    assert report.complete
    assert report.responses == (
        Response("acknowledge", 60, 2, 2, 0, 1, 41, 75),
        Response("on_site", 300, 3, 1, 0, 1, 262, 290),
        Response("report", 1800, 1, 3, 0, 3, 1603, 1603),
    )
    assert [(line.number, line.acknowledged_s, line.by) for line in report.incidents] == [
        ("F0001", 41, "zhang-wei"),
        ("F0002", 75, "zhang-wei"),
        ("F0003", None, None),
    ]
    assert report.by_urgency == (("fire", 2), ("danger", 1))
    assert report.by_cause == (("true_fire", 1), ("false_alarm", 1), ("", 1))
    assert report.by_station == (("cmrj-01", 2), ("cmrj-02", 1))
    assert [day for day in report.by_day if day[1]] == [("2026-11-03", 2), ("2026-11-18", 1)]
    assert len(report.by_day) == 30
    assert (report.merged, report.false_alarms) == (1, 1)
    assert report.sent == (
        Sent("sms", "aliyun", "delivered", 1, 1),
        Sent("voice", "", "withdrawn", 1, 0),
    )
    assert report.tried == (Tried("aliyun", "retryable", 1, 1), Tried("tencent", "accepted", 1, 1))
    assert report.alarm_path == AlarmPath(3, 1, 0, 0.75)
    assert report.drills == (
        IncidentLine(
            number="F0005",
            station=None,
            area="east",
            urgency=Urgency.FIRE,
            state=State.CLOSED,
            cause=Cause.TEST,
            rounds=1,
            opened_ms=at(20, 9),
            acknowledged_s=20,
            on_site_s=250,
            reported_s=1500,
            by="zhang-wei",
        ),
    )


async def test_time_out_of_protection_counts_every_moment_once(database: Database) -> None:
    """Clipped to the month; an outage is of the stations it names, an empty shift of the site."""
    report = await _report(database, "2026-11")
    hours = {u.station: (u.seconds / 3600, dict(u.by_rule)) for u in report.unprotected}
    assert hours == {
        "cmrj-07": (48, {"R90": 172_800}),
        None: (8, {"R95": 28_800}),
        "cmrj-05": (3, {"R41": 7_200, "R42": 7_200}),
        "cmrj-06": (1, {"R41": 3_600}),
        "cmrj-10": (1, {"R50": 3_600}),
        "cmrj-11": (1, {"R50": 3_600}),
    }
    assert report.unprotected[0] == Unprotected(
        "cmrj-07", 172_800, round(172_800 / NOVEMBER, 6), (("R90", 172_800),)
    )


async def test_a_day_has_only_its_own(database: Database) -> None:
    """By the clocks of the site; the day before is another."""
    report = await _report(database, "2026-11-03")
    assert [line.number for line in report.incidents] == ["F0001", "F0002"]
    assert report.by_day == (("2026-11-03", 2),)
    assert report.drills == ()
    assert report.alarm_path == AlarmPath(0, 0, 0, None)
    assert report.unprotected == ()


async def test_a_period_that_is_not_over_is_preliminary(database: Database) -> None:
    """What still stands counts until now, as a share of the time that has passed."""
    now_ms = at(30)
    report = await _report(database, "2026-11", now_ms)
    assert not report.complete
    assert report.unprotected[0] == Unprotected(
        "cmrj-07", 86_400, round(1 / 29, 6), (("R90", 86_400),)
    )


async def test_a_site_without_anything_has_an_empty_report(database: Database) -> None:
    """No division by nothing."""
    async with database.reading() as connection:
        report = await collect(connection, packaged_site(), parse_period("2026-11-25"), at(1))
    empty = (report.responses, report.incidents, report.sent, report.tried, report.unprotected)
    assert empty == ((), (), (), (), ())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026",
        "2026-13",
        "2026-00",
        "2026-11-31",
        "2026-1-1",
        "1999-01",
        "2026-11-25 ",
        "２０２６-11",
    ],
)
def test_what_is_no_period_is_refused(text: str) -> None:
    """A day or a month as ISO 8601 writes it."""
    with pytest.raises(ValueError):  # noqa: PT011 - the text is ours or the calendar's
        parse_period(text)


@given(st.dates())
def test_a_period_comes_back_as_it_was_written(day: object) -> None:
    """Days and months of this millennium."""
    for text in (f"{day}", f"{day}"[:7]):
        if text.startswith("2"):
            assert parse_period(text).label == text


def test_rounds_are_lived_one_after_another() -> None:
    """Arriving acknowledges; an act counts for the round in which it was done."""
    lines = [
        Line(1_000, "arrived", "a"),
        Line(5_000, "raised", "system"),
        Line(6_000, "acknowledged", "b"),
        Line(9_000, "reopened", "c"),
    ]
    assert rounds(0, lines) == (
        Round(0, (1_000, 1_000, None), "a"),
        Round(5_000, (6_000, None, None), "b"),
        Round(9_000, (None, None, None), None),
    )


def test_what_was_cancelled_or_is_still_due_is_neither_met_nor_missed() -> None:
    """Only a deadline that is over is judged."""
    lived = (Round(0, (30_000, None, None), "a"),)
    row = DeadlineRow(1, "acknowledge", 60_000, "met")
    rows = [row, replace(row, state="cancelled"), replace(row, state="due")]
    assert kept([(lived, rows)]) == (Response("acknowledge", 60, 1, 0, 1, 0, 30, 30),)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60))))
def test_overlapping_intervals_are_counted_once(pairs: list[tuple[int, int]]) -> None:
    """The length of a union, as counting its moments gives it."""
    moments = {moment for start, end in pairs for moment in range(start, end)}
    assert length_ms(pair for pair in pairs if pair[0] <= pair[1]) == len(moments)
