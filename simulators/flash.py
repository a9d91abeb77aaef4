"""What a station keeps in its flash memory."""

from dataclasses import dataclass, field

from devices.orders import Intervals, Trips
from iot.contract import Limits


@dataclass(slots=True)
class Flash:
    """What survives a reboot."""

    limits: Limits = field(
        default_factory=lambda: Limits(version=0, trips=Trips(), intervals=Intervals(), locked=[])
    )
    tripped: set[int] = field(default_factory=set)  # sockets a local trip holds off, from 1
    contactor_open: bool = False
