"""Where the canary's messages end: a way to nobody, in this process."""

from collections.abc import Mapping
from typing import Final

from alerts.channels.gateway import Gateway, Sent
from alerts.channels.port import Accepted, Channel, Outgoing, Provider, Throttled
from alerts.incidents.model import Kind
from alerts.oncall.model import CANARY, Person

SANDBOX: Final = "sandbox"
"""The provider's name, and the address that leads to it."""


def recipient(phone: str | None) -> Person:
    """Whom canary incidents tell: the number of the settings, or the sandbox.

    The sandbox is addressed as a robot: the storm guard and the budget are for people.
    """
    return Person(id=CANARY, name="自检 Canary", phone=phone, robot=None if phone else SANDBOX)


class Sandbox:
    """Implements ``alerts.channels.port.Provider``: takes everything, tells nobody."""

    name = SANDBOX
    channel = Channel.ROBOT
    signature = ""

    def template(self, kind: Kind, lang: str) -> str:  # noqa: ARG002 - of the port
        """None is needed."""
        return ""

    async def send(self, outgoing: Outgoing) -> Accepted:  # noqa: ARG002 - of the port
        """Taken; no receipt will come."""
        return Accepted(None, receipts=False)

    async def close(self) -> None:
        """Nothing is kept open."""


class Diverted:
    """The gateway, but for what is addressed to the sandbox."""

    def __init__(self, gateway: Gateway, sandbox: Gateway) -> None:
        """``sandbox`` has the sandbox as its only way."""
        self._gateway = gateway
        self._sandbox = sandbox

    async def send(
        self,
        outgoing: Outgoing,
        *,
        closed: Mapping[str, Throttled] | None = None,
        avoid: frozenset[str] = frozenset(),
    ) -> Sent:
        """As ``Gateway.send``."""
        if outgoing.channel is Channel.ROBOT and outgoing.address == SANDBOX:
            return await self._sandbox.send(outgoing)
        return await self._gateway.send(outgoing, closed=closed, avoid=avoid)

    def of(self, channel: Channel) -> tuple[Provider, ...]:
        """The real ways of one channel."""
        return self._gateway.of(channel)
