"""A camera that gives stills over HTTP, as real ones do: behind digest authentication.

For tests, the demo and integrators: what it shows is a picture made for each request. It can
be told to misbehave.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import Final, Self

from aiohttp import encode_basic_auth, web
from PIL import Image, ImageDraw

PATH: Final = "/snapshot.jpg"
_REALM: Final = "camera"
_HUGE_MIB: Final = 64
_PART: Final = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')


class Mood(StrEnum):
    """How the camera answers somebody with the right login."""

    GOOD = "good"
    NOT_FOUND = "not_found"
    NO_IMAGE = "no_image"
    CUT_OFF = "cut_off"  # the first half of a picture, sent as if it were all
    HUGE = "huge"  # more than anybody wants
    SLOW = "slow"  # never within anybody's patience
    ELSEWHERE = "elsewhere"  # a redirect to another place


class Scheme(StrEnum):
    """How it wants to be asked."""

    OPEN = "open"
    BASIC = "basic"
    DIGEST = "digest"  # RFC 7616, SHA-256
    OLD_DIGEST = "old_digest"  # RFC 2617, MD5: what most cameras speak


@dataclass(frozen=True, slots=True)
class Login:
    """The one login it knows."""

    username: str = "viewer"
    password: str = "viewer-secret"  # noqa: S105 - a simulated camera's


class CameraSimulator:
    """One camera on a port of this machine."""

    def __init__(
        self,
        name: str,
        *,
        nonce: Callable[[], str],
        login: Login | None = None,
        scheme: Scheme = Scheme.DIGEST,
    ) -> None:
        """``nonce`` gives a fresh random word for each challenge."""
        self.name = name
        self.mood = Mood.GOOD
        self.scheme = scheme
        self.login = login or Login()
        self.given = 0
        """Stills given since the start."""
        self.refused = 0
        """Requests without the right login since the start."""
        self._nonce = nonce
        self._issued: set[str] = set()
        self._runner: web.AppRunner | None = None
        self.url = ""
        """Where the stills are, once started."""

    async def __aenter__(self) -> Self:
        """Listen on a free port of the loopback address."""
        application = web.Application()
        application.router.add_get(PATH, self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}{PATH}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if not self._admits(request.method, request.headers.get("Authorization", "")):
            self.refused += 1
            return web.Response(status=401, headers={"WWW-Authenticate": self._challenge()})
        return await self._still(request)

    async def _still(self, request: web.Request) -> web.StreamResponse:
        if self.mood is Mood.HUGE:
            return await _endless(request)
        if self.mood is Mood.SLOW:
            return await _silent(request)
        if self.mood is Mood.NOT_FOUND:
            return web.Response(status=404)
        if self.mood is Mood.ELSEWHERE:
            return web.Response(status=302, headers={"Location": "http://127.0.0.1:9/"})
        return web.Response(body=self._body(), content_type="image/jpeg")

    def _body(self) -> bytes:
        if self.mood is Mood.NO_IMAGE:
            return b"<html>login</html>"
        picture = still(self.name, self.given)
        if self.mood is Mood.CUT_OFF:
            return picture[: len(picture) // 2]
        self.given += 1
        return picture

    def _challenge(self) -> str:
        if self.scheme is Scheme.BASIC:
            return f'Basic realm="{_REALM}"'
        nonce = self._nonce()
        self._issued.add(nonce)
        algorithm = "MD5" if self.scheme is Scheme.OLD_DIGEST else "SHA-256"
        return f'Digest realm="{_REALM}", qop="auth", algorithm={algorithm}, nonce="{nonce}"'

    def _admits(self, method: str, header: str) -> bool:
        if self.scheme is Scheme.OPEN:
            return True
        if self.scheme is Scheme.BASIC:
            return header == encode_basic_auth(self.login.username, self.login.password)
        said = {name: quoted or bare for name, quoted, bare in _PART.findall(header)}
        if not header.startswith("Digest ") or said.get("nonce") not in self._issued:
            return False
        self._issued.discard(said["nonce"])  # one still for each challenge
        return said.get("response") == self._digest(method, said)

    def _digest(self, method: str, said: dict[str, str]) -> str:
        """What the login makes of the challenge (RFC 7616, 3.4.1)."""
        hashing = hashlib.md5 if self.scheme is Scheme.OLD_DIGEST else hashlib.sha256

        def hashed(text: str) -> str:
            return hashing(text.encode()).hexdigest()

        who = hashed(f"{self.login.username}:{_REALM}:{self.login.password}")
        what = hashed(f"{method}:{said.get('uri', '')}")
        between = ":".join(said.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
        return hashed(f"{who}:{between}:{what}")


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(_HUGE_MIB):
        await response.write(bytes(1024 * 1024))
    return response


async def _silent(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await asyncio.Event().wait()  # until the asker hangs up, or the camera is switched off
    return response


def still(name: str, number: int) -> bytes:
    """A small JPEG that says which camera made it and the how manieth it is."""
    image = Image.new("RGB", (640, 360), "#2b3a42")
    draw = ImageDraw.Draw(image)
    draw.rectangle((60, 150, 580, 320), fill="#50636e")
    for post in range(6):
        draw.rectangle((90 + 80 * post, 180, 130 + 80 * post, 320), fill="#9fb1ba")
    draw.text((16, 12), f"{name}  {number:04}", fill="white")
    out = BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()
