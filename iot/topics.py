"""Topics of the wire contract: ``chargeward/v1/{station}/{channel}``."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from devices.names import is_station_id
from iot import contract

ROOT: Final = f"chargeward/v{contract.VERSION}"
_PREFIX: Final = f"{ROOT}/"


class Channel(StrEnum):
    """The last level of a topic."""

    TELEMETRY = "telemetry"
    ALARM = "alarm"
    RECEIPT = "receipt"
    STATUS = "status"
    COMMAND = "command"
    REPLY = "reply"
    LIMITS = "limits"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a channel travels: who speaks, whether the broker retains, which model is the body."""

    model: type[contract.Message]
    direction: contract.Direction
    retained: bool
    qos: int = 1


DELIVERY: Final[dict[Channel, Delivery]] = {
    Channel.TELEMETRY: Delivery(contract.Telemetry, "up", retained=False),
    Channel.ALARM: Delivery(contract.Alarm, "up", retained=False),
    Channel.RECEIPT: Delivery(contract.Receipt, "down", retained=False),
    Channel.STATUS: Delivery(contract.Status, "up", retained=True),
    Channel.COMMAND: Delivery(contract.Command, "down", retained=False),
    Channel.REPLY: Delivery(contract.Reply, "up", retained=False),
    Channel.LIMITS: Delivery(contract.Limits, "down", retained=True),
}

_CHANNELS: Final = {channel.value: channel for channel in Channel}


def topic(station: str, channel: Channel) -> str:
    """The topic of one channel of one station."""
    return f"{_PREFIX}{station}/{channel}"


def every_station(channel: Channel) -> str:
    """The subscription filter for one channel of all stations."""
    return f"{_PREFIX}+/{channel}"


def parse(text: str) -> tuple[str, Channel] | None:
    """Station and channel of a topic, or None when it is not one of ours."""
    if not text.startswith(_PREFIX):
        return None
    station, slash, last = text[len(_PREFIX) :].partition("/")
    channel = _CHANNELS.get(last)
    if not slash or channel is None or not is_station_id(station):
        return None
    return station, channel
