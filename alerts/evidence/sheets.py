"""CSV files that a spreadsheet opens as what they are: Chinese readable, no text a formula."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any, Final

_MARK: Final = "\ufeff"  # without it Excel takes UTF-8 for the system's old encoding
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "＝", "＋", "－", "＠")


def sheet(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """One CSV file with a header; what a row does not have is empty."""
    out = StringIO()
    writer = csv.writer(out)  # the line ends of RFC 4180
    writer.writerow(columns)
    writer.writerows([cell(row.get(name)) for name in columns] for row in rows)
    return (_MARK + out.getvalue()).encode()


def cell(value: Any) -> str:
    """A value as a cell: numbers as they are, a text that could be a formula behind a quote."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
