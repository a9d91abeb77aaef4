"""Stills from cameras over HTTP: digest or basic authentication, bounded in time and size.

The only import site of httpx in this package. A redirect is not followed: the login is for the
camera alone.
"""

import asyncio
from typing import Annotated, Final

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from alerts.evidence.errors import StillError, StillRefused
from alerts.evidence.images import MAX_BYTES
from devices.names import CameraId

_UNAUTHORIZED: Final = 401
_OK: Final = 200
_CHUNK: Final = 64 * 1024


class CameraLogin(BaseModel):
    """Who we are to a camera."""

    model_config = ConfigDict(extra="forbid")

    username: Annotated[str, Field(min_length=1, max_length=64)]
    password: SecretStr


class CameraSettings(BaseModel):
    """How cameras are asked for stills; their addresses stand in the site files."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(default="", max_length=64)
    """For every camera that has no login of its own; empty = none is sent."""
    password: SecretStr = SecretStr("")
    logins: dict[CameraId, CameraLogin] = Field(default_factory=dict)
    """By camera id."""
    timeout_s: float = Field(default=5.0, gt=0, le=30)
    verify_tls: bool = True
    """False for cameras with a certificate of their own making."""

    def login(self, camera: str) -> tuple[str, str] | None:
        """User and password for a camera, or None."""
        own = self.logins.get(camera)
        if own is not None:
            return own.username, own.password.get_secret_value()
        return (self.username, self.password.get_secret_value()) if self.username else None


class Stills:
    """Asks cameras for stills."""

    def __init__(self, settings: CameraSettings) -> None:
        """With the settings of all cameras."""
        self._settings = settings
        # trust_env: a proxy of the environment has no business with cameras.
        self._client = httpx.AsyncClient(
            timeout=settings.timeout_s, verify=settings.verify_tls, trust_env=False
        )

    async def fetch(self, camera: str, url: str) -> bytes:
        """The bytes that a camera gives for a still, at most ``MAX_BYTES``; not looked at yet.

        Raises:
            StillError: none came in time, or not all of it.
            StillRefused: the address or the login is wrong.

        """
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await self._get(url, self._settings.login(camera))
        except TimeoutError:
            msg = f"no still within {self._settings.timeout_s:g} s"
            raise StillError(msg) from None
        except httpx.InvalidURL as error:
            raise StillRefused(str(error)) from None
        except httpx.HTTPError as error:
            msg = f"{type(error).__name__}: {error}"
            raise StillError(msg) from None

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()

    async def _get(self, url: str, login: tuple[str, str] | None) -> bytes:
        status, challenge, body = await self._ask(url, None)
        if status == _UNAUTHORIZED and login is not None:
            status, _, body = await self._ask(url, _auth(challenge, login))
        if status == _UNAUTHORIZED:
            msg = "the camera wants a login" if login is None else "the camera refuses the login"
            raise StillRefused(msg)
        if status != _OK:
            msg = f"the camera answered {status}"
            raise StillError(msg)
        return body

    async def _ask(self, url: str, auth: httpx.Auth | None) -> tuple[int, str, bytes]:
        """Status, challenges and, when it is 200, body."""
        async with self._client.stream("GET", url, auth=auth) as response:
            challenge = ", ".join(response.headers.get_list("www-authenticate"))
            body = bytearray()
            if response.status_code == _OK:
                async for chunk in response.aiter_bytes(_CHUNK):
                    body += chunk
                    if len(body) > MAX_BYTES:
                        msg = f"larger than {MAX_BYTES} bytes"
                        raise StillError(msg)
            return response.status_code, challenge, bytes(body)


def _auth(challenge: str, login: tuple[str, str]) -> httpx.Auth:
    """Digest where the camera knows it; the password is not sent openly then."""
    words = challenge.lower()
    if "digest" in words:
        return httpx.DigestAuth(*login)
    if "basic" in words:
        return httpx.BasicAuth(*login)
    msg = "the camera wants a login of a kind that is not known here"
    raise StillRefused(msg)
