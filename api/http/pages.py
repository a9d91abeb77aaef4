"""HTML pages for phones: small, without scripts, with nothing loaded from anywhere.

The style stands in the page and the policy names its digest, so that a browser runs and loads
nothing else, whatever a name or a note may contain.
"""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from api.texts import DEFAULT, LANGUAGES, Language, Words, negotiate

BOOK: Final = "officer"
LANGUAGE_COOKIE: Final = "cw_lang"
_LANGUAGE_S: Final = 86_400
_OTHER: Final[dict[Language, Language]] = {"zh": "en", "en": "zh"}


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("api.http", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> Markup:
    source = files("api.http").joinpath("templates", "officer.css").read_text(encoding="utf-8")
    return Markup(source)  # noqa: S704 - our own file, no input


@cache
def policy() -> str:
    """The content security policy of every page."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def words(request: Request, preferred: str | None = None) -> Words:
    """The reader's language: what they switched to, else theirs, else their browser's."""
    asked = (
        request.query_params.get("lang"),
        request.cookies.get(LANGUAGE_COOKIE),
        preferred,
    )
    known = next((one for one in asked if one in LANGUAGES), None)
    return words_for(known or negotiate(request.headers.get("accept-language")))


def words_for(language: str | None) -> Words:
    """The words of a language; Chinese when it is none of ours."""
    return Words("en" if language == "en" else DEFAULT, BOOK)


def page(
    template: str,
    say: Words,
    status: int = 200,
    *,
    refresh_s: int = 0,
    refresh_to: str = "",
    **values: object,
) -> Response:
    """The page in the reader's language; it is never kept and never tells where it was left.

    ``refresh_s``: it comes again from ``refresh_to`` after so many seconds; 0 = it does not.
    """
    html = (
        _environment()
        .get_template(template)
        .render(
            say=say,
            css=_style(),
            other=_OTHER[say.language],
            refresh_s=refresh_s,
            refresh_to=refresh_to,
            **values,
        )
    )
    headers = {
        "Content-Security-Policy": policy(),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Content-Language": say.language,
        "X-Robots-Tag": "noindex",
    }
    return Response(html, status, headers, media_type="text/html")


def path_of(number: str) -> str:
    """Where an incident's pages are, and where its cookie goes."""
    return f"/incident/{number}"


def remember_language(response: Response, say: Words, *, secure: bool) -> None:
    """So that the next pages, and pages of errors, are in the same language."""
    response.set_cookie(
        LANGUAGE_COOKIE,
        say.language,
        max_age=_LANGUAGE_S,
        secure=secure,
        httponly=True,
        samesite="lax",
    )
