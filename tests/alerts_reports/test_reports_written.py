"""A report written as page, CSV and PDF: everything is there, and nothing can break out of it."""

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from alerts.paper.fonts import find_face
from alerts.reports.cells import Moment, Seconds, Share, percent, plain, shown
from alerts.reports.collect import collect
from alerts.reports.csvfile import BOM, csv_of, safe
from alerts.reports.model import Report
from alerts.reports.page import page_of
from alerts.reports.pdf import pdf_of
from alerts.reports.period import parse_period
from alerts.reports.sections import sections
from alerts.reports.words import Words, book
from devices.database import Database
from devices.model import Name
from devices.sitefile import packaged_site
from rules.texts import Lang
from tests.alerts_reports.reports_story import at, november

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture
async def report(database: Database) -> Report:
    """November of the packaged site."""
    async with database.writing() as connection:
        await november(connection)
        return await collect(connection, packaged_site(), parse_period("2026-11"), at(40))


def _words(lang: Lang = Lang.ZH, name: str | None = None) -> Words:
    site = packaged_site()
    if name is not None:
        stations = tuple(
            s.model_copy(update={"name": Name(zh=name, en=name)}) for s in site.stations
        )
        site = site.model_copy(update={"stations": stations})
    return Words(lang, site)


def test_both_languages_have_the_same_words() -> None:
    """Same sections, same keys."""
    zh, en = book(Lang.ZH), book(Lang.EN)
    assert {s: list(zh[s]) for s in zh} == {s: list(en[s]) for s in en}


async def test_a_csv_is_one_table_under_the_other(report: Report) -> None:
    """Each under its title; numbers are plain, times have their offset."""
    text = csv_of(report, _words())
    assert text.startswith(BOM)
    rows = list(csv.reader(io.StringIO(text.removeprefix(BOM))))
    assert ["确认", "60", "2", "2", "1", "0", "0.500000", "41", "75"] in rows
    first = next(row for row in rows if row[:1] == ["F0001"])
    assert first == [
        "F0001",
        "2026-11-03T14:03:22+08:00",
        "1幢北侧车棚 cmrj-01",
        "火警",
        "真实火情",
        "已关闭",
        "41",
        "262",
        "1603",
        "zhang-wei",
    ]
    titles = [after[0] for before, after in pairwise(rows) if not before]
    assert titles == [section.title for section in sections(report, _words())]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("＝1+1", "'＝1+1"),
        ("1幢", "1幢"),
        ("", ""),
    ],
)
def test_no_cell_of_a_csv_is_a_formula(text: str, written: str) -> None:
    """Names come from people, and spreadsheets run what begins like a formula."""
    assert safe(text) == written


@given(name=st.text(min_size=1, max_size=20))
def test_any_name_is_one_cell_of_a_csv(name: str) -> None:
    """Quotes, commas and line breaks stay inside of it."""
    out = io.StringIO(newline="")
    csv.writer(out).writerow([safe(name), "next"])
    [row] = csv.reader(io.StringIO(out.getvalue(), newline=""))
    assert row == [safe(name), "next"]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Every tag and attribute there is."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        """What is read."""
        self.text.append(data)


@pytest.mark.parametrize("lang", Lang)
async def test_a_page_runs_nothing_and_fetches_nothing(report: Report, lang: Lang) -> None:
    """No script, no link, no image; a name full of mark-up is shown as it is."""
    nasty = "<script>alert(1)</script>\"'&"
    page = _Tags()
    page.feed(page_of(report, _words(lang, nasty)))
    assert page.tags & {"script", "link", "img", "iframe", "object", "a", "form"} == set()
    assert [name for name in page.attributes if name.startswith("on") or name == "src"] == []
    assert any(nasty in text for text in page.text)


async def test_a_page_has_every_figure_and_its_bars(report: Report) -> None:
    """The bars' lengths are in proportion."""
    html = page_of(report, _words())
    for section in sections(report, _words()):
        assert f"<h2>{section.title}</h2>" in html
    assert "<td>4 分 22 秒</td>" in html
    widths = [float(w) for w in re.findall(r'<rect [^>]*width="([0-9.]+)"', html)]
    assert widths[0] == max(widths)
    assert 'lang="zh"' in html
    assert "初步" not in html
    assert "初步" in page_of(replace(report, now_ms=report.end_ms - 1), _words())


@pytest.mark.parametrize(("lang", "title"), [(Lang.ZH, "消防值守报告"), (Lang.EN, "fire watch")])
async def test_a_pdf_holds_the_report_in_its_language(
    report: Report, lang: Lang, title: str
) -> None:
    """Every table's title, the figures, and lines to sign on; the same bytes each time."""
    face = find_face()
    pdf = pdf_of(report, _words(lang), face)
    assert pdf == pdf_of(report, _words(lang), face)
    pages = PdfReader(io.BytesIO(pdf)).pages
    text = "\n".join(page.extract_text() for page in pages)
    wanted = [title, "F0001", "cmrj-07", "2026-11", *_words(lang).signatures()]
    wanted += [section.title for section in sections(report, _words(lang))]
    assert [part for part in wanted if part.split()[0] not in text] == []


async def test_an_empty_report_says_so(database: Database) -> None:
    """Every section is there, with the remark that there was nothing."""
    async with database.reading() as connection:
        empty = await collect(connection, packaged_site(), parse_period("2026-11-25"), at(30))
    written = sections(empty, _words())
    bare = [section.title for section in written if not section.rows]
    assert len(bare) == len(written) - 1  # all but the summary
    assert {s.remark for s in written if not s.rows} == {"本期没有。"}
    assert page_of(empty, _words()).count("本期没有。") == len(bare)
    assert pdf_of(empty, _words(), find_face()).startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("cell", "people", "programs"),
    [
        (Seconds(45), "45 s", "45"),
        (Seconds(125), "2 min 05 s", "125"),
        (Seconds(11_220), "3 h 07 min", "11220"),
        (Moment(at(3, 14, 3, 22)), "11-03 14:03:22", "2026-11-03T14:03:22+08:00"),
        (Share(0.5), "50.00 %", "0.500000"),
        (None, "–", ""),
        (7, "7", "7"),
        ("x", "x", "x"),
    ],
)
def test_a_cell_for_people_and_for_programs(cell: object, people: str, programs: str) -> None:
    """The two largest units; seconds and ISO 8601."""
    units = {"h": "h", "min": "min", "s": "s"}
    assert shown(cell, ZONE, units) == people  # type: ignore[arg-type]  # one of each kind
    assert plain(cell, ZONE) == programs  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (0, "0.00 %"),
        (1, "100.00 %"),
        (0.99999, "99.99 %"),
        (0.000001, "0.01 %"),
        (2 / 3, "66.67 %"),
    ],
)
def test_what_is_not_all_is_never_shown_as_all(share: float, written: str) -> None:
    """Nor what is something as nothing."""
    assert percent(share) == written
