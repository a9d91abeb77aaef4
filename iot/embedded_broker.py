"""The embedded broker: amqtt as a program of its own, for the demo and the fast tests.

Loopback only, because it knows no passwords; in memory, so nothing survives it. ``iot.broker``
starts it as a process. amqtt is imported here and nowhere else.

    python -m iot.embedded_broker --port 1883
"""

import argparse
import asyncio
import ipaddress
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from amqtt.broker import Broker
from amqtt.errors import BrokerError
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

LOOPBACK: Final = "127.0.0.1"


class NotLoopbackError(Exception):
    """The address asked for can be reached from other machines."""


class LoopbackAuth(BaseAuthPlugin):
    """Lets everybody in, as who they say they are.

    amqtt's own anonymous plugin marks each session, and marked sessions lose what is queued for
    them while they are away; here a persistent session is one, as with Mosquitto.
    """

    @dataclass
    class Config:
        """Nothing to set."""

    async def authenticate(self, *, session: Session) -> bool:
        """Yes: only processes on this machine can reach the listener."""
        session.is_anonymous = False
        return True


class _Broker(Broker):
    """amqtt with one wrong delivery taken out.

    When a persistent session comes back, amqtt 0.12 publishes to it every retained message that
    anybody is subscribed to, and iterates over all subscriptions while others subscribe. MQTT
    wants retained messages after a SUBSCRIBE only.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._subscribing: set[str | None] = set()

    async def _handle_subscription(
        self,
        client_session: Session,
        handler: BrokerProtocolHandler,
        subscribe_waiter: asyncio.Future[Any],
    ) -> None:
        self._subscribing.add(client_session.client_id)
        try:
            await super()._handle_subscription(client_session, handler, subscribe_waiter)
        finally:
            self._subscribing.discard(client_session.client_id)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        if session.client_id in self._subscribing:
            await super()._publish_retained_messages_for_subscription(subscription, session)


async def serve(host: str, port: int, *, until_eof: bool = False) -> None:
    """Run the embedded broker until SIGTERM, SIGINT or, if asked, the end of standard input."""
    if not ipaddress.ip_address(host).is_loopback:
        msg = f"{host} is not a loopback address: the embedded broker knows no passwords"
        raise NotLoopbackError(msg)
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    if until_eof:
        loop.add_reader(sys.stdin.fileno(), over.set)
    broker = _Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{host}:{port}"}},
            "plugins": {"iot.embedded_broker.LoopbackAuth": {}},
        }
    )
    await broker.start()
    await over.wait()
    await broker.shutdown()


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the embedded broker."""
    parser = argparse.ArgumentParser(
        prog="python -m iot.embedded_broker",
        description="An MQTT 3.1.1 broker for demonstrations and tests, on loopback only.",
    )
    parser.add_argument("--bind", default=LOOPBACK, help="loopback address to listen on")
    parser.add_argument("--port", type=int, default=1883, help="TCP port to listen on")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(name)s %(message)s")
    try:
        asyncio.run(serve(options.bind, options.port, until_eof=options.until_eof))
    except (NotLoopbackError, BrokerError) as error:
        parser.exit(2, f"{error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
