"""The sandbox: the canary's messages go through the gateway's machinery and reach nobody."""

from alerts.channels.gateway import Gateway
from alerts.channels.port import Accepted, Channel, Outgoing
from alerts.incidents.model import Kind
from alerts.incidents.telling import ways
from alerts.oncall.model import Person
from alerts.watch.sandbox import SANDBOX, Diverted, Sandbox, recipient

NOON = 1_790_812_800_000


class Robot(Sandbox):
    """A real way of the same channel, which keeps what it gets."""

    name = "robot"

    def __init__(self) -> None:
        """Nothing yet."""
        self.sent: list[str] = []

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Keep it."""
        self.sent.append(outgoing.address)
        return Accepted("r1")


def gateway_of(way: Sandbox) -> Gateway:
    """A gateway with one way, on clocks that stand still."""
    return Gateway([way], clock_ms=lambda: NOON, monotonic_s=lambda: 0.0)


async def test_only_the_sandbox_address_is_diverted() -> None:
    """People's robots are reached by their own way, the canary by none."""
    robot = Robot()
    gateway = Diverted(gateway_of(robot), gateway_of(Sandbox()))
    providers = []
    for address in (SANDBOX, "duty-room"):
        outgoing = Outgoing("id1", Kind.TROUBLE, Channel.ROBOT, address, "text")
        sent = await gateway.send(outgoing)
        assert sent.accepted is not None
        providers.append(sent.accepted.provider)
    assert (providers, robot.sent) == ([SANDBOX, "robot"], ["duty-room"])
    assert [way.name for way in gateway.of(Channel.ROBOT)] == ["robot"]


def test_the_recipient_is_the_sandbox_or_the_number_of_the_settings() -> None:
    """By every plan's channels the canary has exactly one address."""
    told = (Channel.SMS, Channel.ROBOT)
    assert ways(recipient(None), told) == [(Channel.ROBOT, SANDBOX)]
    assert ways(recipient(None), (Channel.SMS,)) == [(Channel.ROBOT, SANDBOX)]
    assert ways(recipient("+8613800000009"), told) == [(Channel.SMS, "+8613800000009")]
    assert isinstance(recipient(None), Person)
