"""The port every way to a person implements, and what it may answer.

::

    SendError
    ├── Retryable    the provider did not answer, or said "later": another way now, this one again
    │   └── Unknown  no answer after the request left: it may have been taken
    ├── Throttled    a limit was hit: another way now, this one not before ``retry_after_s``
    └── Permanent    it never will: the number, the template or the account is refused

``code`` is the provider's own word, for the ledger and for people; secrets are never in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from alerts.incidents.model import Kind


class Channel(StrEnum):
    """How a person is reached."""

    SMS = "sms"
    VOICE = "voice"
    EMAIL = "email"
    ROBOT = "robot"  # a group robot of DingTalk, WeCom or Feishu


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message as a channel gets it; the same for every attempt."""

    id: str  # ours, at most 15 ASCII characters: the provider carries it (OutId, SessionContext)
    kind: Kind
    channel: Channel
    address: str  # E.164 number, e-mail address, or the robot's name in the settings
    text: str  # what the person reads, without the signature
    params: Mapping[str, str] = field(default_factory=dict)  # the template's variables
    lang: str = "zh"
    title: str = ""  # for channels that have a subject line


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took it. Nobody has read anything yet."""

    ref: str | None  # the provider's id; receipts name it
    segments: int = 1
    receipts: bool = True  # whether a delivery receipt will come by this way


class SendError(Exception):
    """Not accepted."""

    outcome = "retryable"

    def __init__(self, code: str, detail: str = "") -> None:
        """``code`` is the provider's word, ``detail`` its sentence."""
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code[:80]
        self.detail = detail[:200]


class Retryable(SendError):  # noqa: N818 - the tree's root says Error
    """It may go through later."""


class Unknown(Retryable):
    """The request left and no answer came: it may have been taken. A repeat may be a duplicate."""

    outcome = "unknown"


class Throttled(SendError):  # noqa: N818
    """A limit of the provider or of ours."""

    outcome = "throttled"

    def __init__(self, code: str, detail: str = "", retry_after_s: float = 60.0) -> None:
        """``retry_after_s``: not before then by this way."""
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s


class Permanent(SendError):  # noqa: N818
    """It never will by this way."""

    outcome = "permanent"


class Provider(Protocol):
    """One way: an account with a provider, a modem, a mail server."""

    name: str
    """How the settings, the ledger and the metrics call it: ``aliyun``, ``tencent``, ``modem``."""
    channel: Channel
    signature: str
    """The filed SMS signature; empty where there is none."""

    def template(self, kind: Kind, lang: str) -> str:
        """The provider's template code for this kind; empty where it needs none."""

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand it over, within the provider's time-out.

        Raises:
            SendError: it was not accepted, or nobody knows.

        """

    async def close(self) -> None:
        """Let go of connections."""
