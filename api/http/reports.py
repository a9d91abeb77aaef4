"""Reports of a site's day or month: as JSON, page, CSV or PDF."""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from alerts.paper.fonts import Face, find_face
from alerts.reports.csvfile import csv_of
from alerts.reports.model import Report
from alerts.reports.page import POLICY, page_of
from alerts.reports.pdf import pdf_of
from alerts.reports.period import Period, parse_period
from alerts.reports.words import Words
from api.encoding import encode
from api.errors import NoSuchThingError, Thing
from api.http import report_examples as examples
from api.http.documented import documented
from api.http.gate import Gate
from api.http.media import preferred
from api.http.ports import Backend
from api.http.queries import Id
from api.http.report_queries import FORMATS, PathPeriod, ReportQuery
from api.texts import negotiate
from devices.model import Site
from rules.texts import Lang

MEDIA_TYPES: Final = {
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "pdf": "application/pdf",
}


def routes(backend: Backend, gate: Gate) -> APIRouter:
    """The route under ``/reports``."""
    router = APIRouter(prefix="/api/v1", tags=["reports"])

    @router.get("/reports/{site}/{period}", dependencies=[Depends(gate.reader)], **_documented())
    async def get_report(
        request: Request, site: Id, period: PathPeriod, query: Annotated[ReportQuery, Query()]
    ) -> Response:
        """A day (2026-11-25) or a month (2026-11) of a site, by the site's clocks.

        The format is that of the suffix (`.html`, `.csv`, `.pdf`, `.json`), or else the first
        that ``Accept`` prefers. Drills and synthetic alarms are in no figure but their own.
        """
        registered = _site(backend, site)
        label, _, suffix = period.partition(".")
        asked = _period(label)
        found = await backend.watchbook.report(registered, asked)
        form = suffix or _negotiated(request.headers.get("accept"))
        lang = Lang(query.lang or negotiate(request.headers.get("accept-language")))
        body = await asyncio.to_thread(_WRITERS[form], found, Words(lang, registered))
        return Response(body, headers=_headers(form, lang, found), media_type=MEDIA_TYPES[form])

    return router


def _documented() -> dict[str, Any]:
    said = documented(Report, examples.report, 404)
    text = {"schema": {"type": "string"}}
    said["responses"][200]["content"] |= {
        "text/html": text | {"example": examples.PAGE},
        "text/csv": text | {"example": examples.CSV},
        "application/pdf": {
            "schema": {"type": "string", "format": "binary"},
            "example": examples.PDF,
        },
    }
    return said


def _site(backend: Backend, site: str) -> Site:
    found = next((one for one in backend.sites() if one.id == site), None)
    if found is None:
        raise NoSuchThingError(Thing.SITE, site)
    return found


def _period(label: str) -> Period:
    try:
        return parse_period(label)
    except ValueError:
        raise NoSuchThingError(Thing.PERIOD, label) from None  # 30 February


def _negotiated(accept: str | None) -> str:
    kinds = {MEDIA_TYPES[name].partition(";")[0]: name for name in FORMATS}
    return kinds[preferred(accept, tuple(kinds))]


def _headers(form: str, lang: Lang, report: Report) -> dict[str, str]:
    name = f"{report.site}-{report.period}.{form}"
    headers = {
        "Content-Language": lang.value,
        "Vary": "Accept, Accept-Language",
        "Content-Disposition": f'{"attachment" if form == "csv" else "inline"}; filename="{name}"',
    }
    return headers | ({"Content-Security-Policy": POLICY} if form == "html" else {})


def _json(report: Report, words: Words) -> bytes:
    del words  # figures have no language
    return encode(report)


def _page(report: Report, words: Words) -> bytes:
    return page_of(report, words).encode()


def _csv(report: Report, words: Words) -> bytes:
    return csv_of(report, words).encode()


def _pdf(report: Report, words: Words) -> bytes:
    return pdf_of(report, words, _face())


@cache
def _face() -> Face:
    """Looked for once, when the first document is written."""
    return find_face()


_WRITERS: Final[dict[str, Callable[[Report, Words], bytes]]] = {
    "json": _json,
    "html": _page,
    "csv": _csv,
    "pdf": _pdf,
}
