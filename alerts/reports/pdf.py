"""A report on paper, with lines to sign on."""

from zoneinfo import ZoneInfo

from alerts.paper.fonts import Face
from alerts.paper.ink import Ink
from alerts.paper.pages import Block, Sheet, write
from alerts.reports.cells import Section, shown
from alerts.reports.model import Report
from alerts.reports.sections import sections
from alerts.reports.words import Words
from rules.texts import Lang


def pdf_of(report: Report, words: Words, face: Face) -> bytes:
    """The document; the same report gives the same bytes. Blocking: some milliseconds a page."""
    title, period, as_of = words.heading(report)
    ink = Ink(face)
    whole = "complete" if report.complete else "preliminary"
    blocks: list[Block] = [
        ink.title(title),
        ink.text(period),
        ink.small(as_of),
        ink.small(words.say("head", whole)),
        ink.small(words.say("head", "excluded")),
    ]
    zone = ZoneInfo(report.timezone)
    for section in sections(report, words):
        blocks += _blocks(section, ink, zone, words)
    blocks += [ink.gap(8), ink.signatures(words.signatures())]
    language = "zh-CN" if words.lang is Lang.ZH else "en"
    sheet = Sheet(title, period, words.say("head", "foot"), language)
    return write(sheet, blocks, face)


def _blocks(section: Section, ink: Ink, zone: ZoneInfo, words: Words) -> list[Block]:
    blocks: list[Block] = [ink.heading(section.title)]
    if section.rows:
        rows = [[shown(cell, zone, words.units) for cell in row] for row in section.rows]
        titles = [column.title for column in section.columns]
        blocks.append(ink.table(titles, rows, [column.width for column in section.columns]))
    if section.remark:
        blocks.append(ink.small(section.remark))
    return blocks
