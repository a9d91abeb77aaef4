"""What comes down to a station: orders answered once, late ones refused, limits, receipts."""

from collections import OrderedDict
from typing import Final, Protocol

import orjson
from pydantic import ValidationError

from devices.orders import Action, Result
from iot.contract import AlarmKind, Command, Limits, Receipt
from iot.topics import DELIVERY, Channel
from simulators.alarms import AlarmDesk
from simulators.model import EventKind, Log, StationPlan

REMEMBERED: Final = 64


class Controller(Protocol):
    """What an order can move: the firmware, as this desk needs it. Sockets count from 1."""

    plan: StationPlan
    alarms: AlarmDesk

    def own_ms(self, now_ms: int) -> int:
        """The station's own time."""

    def stop(self, socket: int, now_ms: int, why: str) -> None:
        """Open one relay."""

    def cut_station(self, now_ms: int, why: str) -> None:
        """Open everything."""

    def is_locked(self, socket: int) -> bool:
        """Whether the limits document forbids this socket."""

    def release_socket(self, socket: int) -> None:
        """Lift a local hold."""

    def release_station(self, now_ms: int) -> None:
        """Lift all local holds."""

    def apply_limits(self, limits: Limits, now_ms: int) -> None:
        """Enforce a limits document."""

    def blind_sockets(self) -> list[int]:
        """Sockets without a thermometer."""

    def report_now(self) -> None:
        """Send a frame at once."""

    def send(self, channel: Channel, payload: bytes) -> None:
        """Send a body."""


class OrderDesk:
    """Reads downlink bodies and answers each order exactly once, with the same words again."""

    def __init__(self, controller: Controller, log: Log) -> None:
        """No order is known."""
        self._controller = controller
        self._log = log
        self._answers: OrderedDict[str, bytes] = OrderedDict()

    def forget(self) -> None:
        """A reboot: the answers were in RAM. Expiry still keeps old orders out."""
        self._answers.clear()

    def receive(self, channel: Channel, payload: bytes, now_ms: int) -> None:
        """Obey one downlink body; what does not fit the contract is refused and told."""
        if channel is Channel.LIMITS and not payload:
            return  # a cleared retained document takes no lock off
        try:
            body = DELIVERY[channel].model.model_validate_json(payload)
        except ValidationError as error:
            detail = f"{channel}: {error.error_count()} errors"
            self._log(EventKind.DOWNLINK_REFUSED, None, now_ms, detail)
            return
        if isinstance(body, Command):
            self._command(body, now_ms)
        elif isinstance(body, Limits):
            self._controller.apply_limits(body, now_ms)
        elif isinstance(body, Receipt):
            self._controller.alarms.receipt(body.id, now_ms)
        else:
            self._log(EventKind.DOWNLINK_REFUSED, None, now_ms, f"{channel}: not for a station")

    def _command(self, order: Command, now_ms: int) -> None:
        known = self._answers.get(order.id)
        if known is not None:
            self._controller.send(Channel.REPLY, known)
            return
        if self._controller.own_ms(now_ms) > order.expires:
            result, detail = Result.EXPIRED, "past its expiry by the station's clock"
        elif order.socket is not None and order.socket > self._controller.plan.sockets:
            result, detail = Result.REFUSED, "no such socket"
        else:
            result, detail = self._execute(order, now_ms)
        answer = orjson.dumps({"id": order.id, "result": result.value, "detail": detail})
        self._answers[order.id] = answer
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        self._log(EventKind.COMMAND, order.socket, now_ms, f"{order.action.value}: {result.value}")
        self._controller.send(Channel.REPLY, answer)

    def _execute(self, order: Command, now_ms: int) -> tuple[Result, str]:
        controller = self._controller
        match order.action:
            case Action.CUT if order.socket is not None:
                # The coil is told; whether current stopped is for the next frame to show.
                controller.stop(order.socket, now_ms, "cut")
                controller.report_now()
                return Result.DONE, "relay open"
            case Action.CUT_STATION:
                controller.cut_station(now_ms, "cut_station")
                return Result.DONE, "contactor open"
            case Action.RELEASE:
                return self._release(order.socket, now_ms)
            case Action.SELF_TEST:
                return self._self_test(now_ms)
            case _:
                return Result.DONE, "light flashes"

    def _release(self, socket: int | None, now_ms: int) -> tuple[Result, str]:
        if socket is None:
            self._controller.release_station(now_ms)
            return Result.DONE, "contactor closed, relays open"
        if self._controller.is_locked(socket):
            return Result.REFUSED, "socket is locked by limits"
        self._controller.release_socket(socket)
        return Result.DONE, "socket may start"

    def _self_test(self, now_ms: int) -> tuple[Result, str]:
        """The test alarm walks the whole path to the receipt, then ends."""
        self._controller.alarms.raise_alarm(AlarmKind.SELF_TEST, None, None, now_ms)
        blind = self._controller.blind_sockets()
        if blind:
            return Result.FAILED, f"no temperature at socket {', '.join(map(str, blind))}"
        return Result.DONE, "all sensors answer"
