"""The way in: a one-time link is looked at as often as one likes, and used once.

Who opens the page gets a random value, and using the link makes this value the session: a
second press of the button, the back button, and the same message opened again in the same
browser lead on, while any other browser is told that the link was used.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from alerts.incidents import links
from alerts.incidents.links import LinkRefusedError, LinkView, Session
from alerts.incidents.model import Act, ActRefusedError, Doing, Refusal, State
from api.errors import TooManyAttemptsError
from api.http import pages
from api.http.attempts import Attempts
from api.http.cases import Cases
from api.http.moments import Mark
from api.http.office import SESSION_COOKIE, Office, secret_of
from api.http.pages import path_of
from api.http.told import PageRoute, Told, ToldError, answer

VISIT_COOKIE: Final = "cw_visit"


def routes(
    office: Office,
    *,
    attempts: Attempts | None = None,
    new_session: Callable[[], str] = links.fresh_session,
) -> APIRouter:
    """The pages under ``/a``; ``new_session`` gives 43 characters nobody can guess."""
    router = APIRouter(prefix="/a", include_in_schema=False, route_class=PageRoute)
    entry = _Entry(office, attempts or Attempts(), new_session)

    @router.get("/{token}")
    async def open_link(request: Request, token: str) -> Response:
        """The incident with one button. Uses nothing up."""
        return await entry.open(request, token)

    @router.post("/{token}")
    async def use_link(request: Request, token: str) -> Response:
        """Use the link and acknowledge."""
        return await entry.use(request, token)

    @router.post("/{token}/again")
    async def ask_again(request: Request, token: str) -> Response:
        """Send another link to the same phone."""
        return await entry.again(request, token)

    @router.get("/{token}/again")
    async def asked_again(request: Request, token: str, wait: int = 0) -> Response:
        """What became of it."""
        return await entry.asked(request, token, wait)

    return router


class _Entry:
    """Turns links into sessions."""

    def __init__(self, office: Office, attempts: Attempts, new_session: Callable[[], str]) -> None:
        self._office = office
        self._attempts = attempts
        self._new_session = new_session

    @property
    def _cases(self) -> Cases:
        return self._office.backend.cases

    async def open(self, request: Request, token: str) -> Response:
        """The page of a link that can be used; where it leads if this browser has used it."""
        view = await self._look(request, token)
        visit = secret_of(request, VISIT_COOKIE)
        if visit is not None and view.opened_by(visit):
            return self._inside(request, view.number, visit)
        await self._check(token, view)
        case = await self._cases.case(view.number)
        if case is None or case.incident.state is State.CLOSED:
            raise await self._office.closed(view.number, await self._language(view))
        shown = await self._office.shown(request, case, view.person_id)
        response = pages.page("officer_link.html", shown.say, sheet=shown.sheet, token=token)
        path = request.url.path
        self._office.keep(request, response, VISIT_COOKIE, visit or self._new_session(), path)
        pages.remember_language(response, shown.say, secure=self._office.secure(request))
        return response

    async def use(self, request: Request, token: str) -> Response:
        """Acknowledge; done again by the same browser it changes nothing and leads on."""
        view = await self._look(request, token)
        visit = secret_of(request, VISIT_COOKIE) or self._new_session()
        if not view.opened_by(visit):
            await self._check(token, view)
            await self._redeem(request, token, visit)
        session = await self._cases.session(visit)
        if session is None:
            raise ToldError(Told("gone", HTTPStatus.GONE, call=True))
        await self._acknowledge(session, view)
        return self._inside(request, view.number, visit, "?done=acknowledged")

    async def _redeem(self, request: Request, token: str, visit: str) -> None:
        try:
            await self._cases.redeem(token, lambda: visit)
        except LinkRefusedError:
            view = await self._look(request, token)
            if not view.opened_by(visit):  # the button was not pressed twice: somebody else did
                await self._check(token, view)
                raise

    async def _acknowledge(self, session: Session, view: LinkView) -> None:
        doing = Doing(Act.ACKNOWLEDGE, session.person_id, self._office.backend.now_ms())
        try:
            await self._cases.perform(session.incident_id, doing, via="link")
        except ActRefusedError as error:
            if error.refusal is Refusal.CLOSED:
                raise await self._office.closed(view.number, await self._language(view)) from None
            raise

    async def again(self, request: Request, token: str) -> Response:
        """Send another link, where that may be."""
        view = await self._look(request, token)
        wait_ms = await self._cases.send_link(view.incident_id, view.person_id, view.phone)
        wait_s = -(-wait_ms // 1000)
        query = f"?wait={wait_s}" if wait_s else ""
        return RedirectResponse(f"{request.url.path}{query}", HTTPStatus.SEE_OTHER)

    async def asked(self, request: Request, token: str, wait: int) -> Response:
        """Whether it was sent, or how many seconds are left."""
        view = await self._look(request, token)
        preferred = await self._language(view)
        if wait > 0:
            values = {"seconds": min(wait, links.HOUR_MS // 1000)}
            told = Told("later", HTTPStatus.TOO_MANY_REQUESTS, values=values, preferred=preferred)
        else:
            told = Told("sent", HTTPStatus.OK, Mark.GOOD, preferred=preferred)
        return answer(request, ToldError(told))

    async def _look(self, request: Request, token: str) -> LinkView:
        """The link; wrong ones are counted per address, and all get one answer."""
        address = request.client.host if request.client is not None else ""
        now_ms = self._office.backend.monotonic_ms()
        if retry_s := self._attempts.wait_s(address, token, now_ms):
            raise TooManyAttemptsError(retry_s)
        view = await self._cases.look(token)
        if view is None:
            self._attempts.wrong(address, now_ms)
            raise LinkRefusedError(links.Refusal.UNKNOWN)
        self._attempts.right(token, now_ms)
        return view

    async def _check(self, token: str, view: LinkView) -> None:
        """Raises ToldError for a link that cannot be used, with a way to another one."""
        if view.refusal is None:
            return
        told = Told(
            view.refusal.value,
            HTTPStatus.GONE,
            again=f"/a/{token}/again",
            call=True,
            preferred=await self._language(view),
        )
        raise ToldError(told)

    async def _language(self, view: LinkView) -> str | None:
        person = await self._cases.person(view.person_id)
        return None if person is None else person.lang

    def _inside(self, request: Request, number: str, session: str, query: str = "") -> Response:
        path = path_of(number)
        response = RedirectResponse(f"{path}{query}", HTTPStatus.SEE_OTHER)
        self._office.keep(request, response, SESSION_COOKIE, session, path)
        return response
