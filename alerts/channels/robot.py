"""Group robots of DingTalk, WeCom, Feishu and whatever else apprise can reach.

apprise believes an HTTP 200; the robots' own "no" inside a 200 is not seen. So a robot is an
addition to a person's phone, never instead of it.
"""

import logging
import re
from collections.abc import Mapping
from typing import Final

import apprise
from pydantic import SecretStr

from alerts.channels.codes import redacted
from alerts.channels.deadline import answered_within
from alerts.channels.port import (
    Accepted,
    Channel,
    Outgoing,
    Permanent,
    Retryable,
    SendError,
    Throttled,
    Unknown,
)
from alerts.channels.settings import ROBOT_TIMEOUT_S
from alerts.incidents.model import Kind

_STATUS: Final = re.compile(r"error=(\d{3})")
_TOO_MANY: Final = 429
_SECRET: Final = re.compile(r"[^/@?&=:]{6,}")
"""Parts of an address that may be a token."""
_REFUSED: Final = range(400, 500)


class Robots:
    """``robot``: the address is a robot's name in the settings."""

    name = "robot"
    channel = Channel.ROBOT
    signature = ""

    def __init__(self, robots: Mapping[str, SecretStr], timeout_s: float = ROBOT_TIMEOUT_S) -> None:
        """``robots`` are apprise URLs by name; ValueError for one that is none."""
        self._urls = {name: url.get_secret_value() for name, url in robots.items()}
        self._timeout_s = timeout_s
        _keep_tokens_out_of_the_log()
        for name in self._urls:
            self._made(name)

    def template(self, kind: Kind, lang: str) -> str:  # noqa: ARG002 - of the port
        """A robot has none."""
        return ""

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Post it to the group; see ``Provider``."""
        if outgoing.address not in self._urls:
            code, detail = "no-robot", f"the settings have no robot {outgoing.address}"
            raise Permanent(code, detail)
        robots = apprise.Apprise()
        robots.add(self._made(outgoing.address))
        async with answered_within(self._timeout_s):
            result = await robots.async_notify(
                body=outgoing.text, title=outgoing.title, log_level=logging.WARNING
            )
        if not result:
            url = self._urls[outgoing.address]
            said = "; ".join(str(entry.message) for entry in result.logs())
            raise _translated(redacted(said, _SECRET.findall(url)))
        return Accepted(None, receipts=False)

    async def close(self) -> None:
        """Nothing is kept."""

    def _made(self, name: str) -> apprise.NotifyBase:
        # Anew for each message: a kept one makes the next wait 5.5 s, longer than our patience.
        made = apprise.Apprise.instantiate(self._urls[name])
        if not isinstance(made, apprise.NotifyBase):
            msg = f"robot {name}: not an address apprise knows"
            raise ValueError(msg)  # noqa: TRY004 - the value is wrong, not its type
        made.socket_connect_timeout = self._timeout_s / 2
        made.socket_read_timeout = self._timeout_s
        return made


def _keep_tokens_out_of_the_log() -> None:
    """What apprise logs holds addresses with their tokens: we take its warnings, nobody else."""
    apprises = logging.getLogger("apprise")
    apprises.setLevel(logging.WARNING)
    apprises.propagate = False
    if not apprises.handlers:
        apprises.addHandler(logging.NullHandler())


def _translated(said: str) -> SendError:
    status = _STATUS.search(said)
    if status is None:
        return Unknown("no-answer", said)
    code = int(status[1])
    if code == _TOO_MANY:
        return Throttled(status[1], said)
    return Permanent(status[1], said) if code in _REFUSED else Retryable(status[1], said)
