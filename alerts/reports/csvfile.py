"""A report as CSV that spreadsheets open: one table under the other, each with its title.

Numbers are plain (seconds, fractions, ISO 8601), their unit stands in the column's title. A
cell that a spreadsheet would take for a formula is made a text: names come from people.
"""

import csv
from io import StringIO
from typing import Final
from zoneinfo import ZoneInfo

from alerts.reports.cells import Column, plain
from alerts.reports.model import Report
from alerts.reports.sections import sections
from alerts.reports.words import Words

BOM: Final = "\ufeff"
"""Without it Excel does not read Chinese as UTF-8."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_of(report: Report, words: Words) -> str:
    """The file, CRLF as RFC 4180 says."""
    out = StringIO()
    out.write(BOM)
    writer = csv.writer(out)
    zone = ZoneInfo(report.timezone)
    writer.writerow(map(safe, words.heading(report)))
    for section in sections(report, words):
        writer.writerow([])
        writer.writerow([safe(section.title)])
        writer.writerow([safe(_title(column)) for column in section.columns])
        for row in section.rows:
            writer.writerow([safe(plain(cell, zone)) for cell in row])
    return out.getvalue()


def safe(text: str) -> str:
    """A text that no spreadsheet runs."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _title(column: Column) -> str:
    return f"{column.title} ({column.unit})" if column.unit else column.title
