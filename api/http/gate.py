"""Who may pass: bearer credentials, verified for every request; wrong ones are throttled.

Everything that changes state needs a credential, always. Reading needs one too unless
``open_reads`` is set. When the database cannot tell, the answer is 503, never "yes".
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from api.errors import TooManyAttemptsError, UnauthenticatedError
from api.http.attempts import Attempts
from api.http.ports import Backend

T = TypeVar("T")

MAX_TOKEN: Final = 512
"""Characters of a credential that are looked at; ours are about 50."""

_bearer = HTTPBearer(
    auto_error=False, scheme_name="bearer", description="The credential printed at first start."
)
Sent = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


class Gate:
    """The dependencies of the routes: ``reader`` for reading, ``caller`` for the rest."""

    def __init__(
        self, backend: Backend, *, open_reads: bool, attempts: Attempts | None = None
    ) -> None:
        """``open_reads``: reading needs no credential, but a wrong one is still refused."""
        self._backend = backend
        self._open_reads = open_reads
        self._attempts = attempts or Attempts()

    async def reader(self, request: Request, sent: Sent) -> str | None:
        """The reader's name, or None where reading is open and no credential was sent."""
        if self._open_reads and "authorization" not in request.headers:
            return None
        return await self.caller(request, sent)

    async def caller(self, request: Request, sent: Sent) -> str:
        """The verified caller's name.

        Raises UnauthenticatedError, TooManyAttemptsError, or what ``Backend.verify`` raises.
        """
        if sent is None or not sent.credentials:
            raise UnauthenticatedError
        return await self.known(request, sent.credentials, self._backend.verify)

    async def known(
        self, request: Request, token: str, verify: Callable[[str], Awaitable[T | None]]
    ) -> T:
        """What ``verify`` says of a credential or key that is one of ours; guesses must wait.

        Raises UnauthenticatedError, TooManyAttemptsError, or what ``verify`` raises.
        """
        address = request.client.host if request.client is not None else ""
        now_ms = self._backend.monotonic_ms()
        if retry_s := self._attempts.wait_s(address, token, now_ms):
            raise TooManyAttemptsError(retry_s)
        known = await verify(token) if len(token) <= MAX_TOKEN else None
        if known is None:
            self._attempts.wrong(address, now_ms)
            raise UnauthenticatedError
        self._attempts.right(token, now_ms)
        return known
