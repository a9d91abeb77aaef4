"""What leaves for the stations: orders, receipts and limits as messages of the contract."""

from collections.abc import Callable
from typing import Protocol

from devices.command_model import Send
from devices.orders import Intervals, Trips
from iot.codec import encode
from iot.contract import Command, Limits, Receipt
from iot.topics import DELIVERY, Channel, topic


class DesiredLimits(Protocol):
    """The limits document a station should enforce (``devices.lockouts.Desired``)."""

    @property
    def version(self) -> int:
        """One more with each change."""

    @property
    def trips(self) -> Trips:
        """Local trip limits."""

    @property
    def intervals(self) -> Intervals:
        """Reporting intervals, seconds."""

    @property
    def locked(self) -> tuple[int, ...]:
        """Sockets that must stay off, from 1, ascending."""


Publish = Callable[[str, bytes, bool], bool]
"""(topic, payload, retain) -> whether it was handed to a connection; never waits."""


class Outlet:
    """Turns decisions into messages and hands them to the connection without waiting."""

    def __init__(self, publish: Publish) -> None:
        """``publish`` is ``iot.mqtt.Session.publish`` or a loop-back."""
        self._publish = publish

    def order(self, send: Send) -> bool:
        """Publish an order; False when there is no connection now."""
        command = Command(
            id=send.command_id,
            issued=send.issued_ms,
            expires=send.expires_ms,
            action=send.action,
            socket=send.socket,
            reason=send.reason,
        )
        return self._send(send.station, Channel.COMMAND, encode(command))

    def receipt(self, station: str, alarm_id: str) -> bool:
        """Confirm that the alarm is committed; a lost receipt is asked for again by the alarm."""
        return self._send(station, Channel.RECEIPT, encode(Receipt(id=alarm_id)))

    def limits(self, station: str, desired: DesiredLimits) -> bool:
        """Publish the retained limits document."""
        limits = Limits(
            version=desired.version,
            trips=desired.trips,
            intervals=desired.intervals,
            locked=list(desired.locked),
        )
        return self._send(station, Channel.LIMITS, encode(limits))

    def _send(self, station: str, channel: Channel, payload: bytes) -> bool:
        return self._publish(topic(station, channel), payload, DELIVERY[channel].retained)
