"""The whole way of one call-back: key, body, inbox; what the HTTP side calls."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import structlog

from alerts.callbacks import aliyun, tencent
from alerts.callbacks.errors import BodyError
from alerts.callbacks.inbox import Desk, take
from alerts.callbacks.keys import CallbackKeys, Service
from alerts.callbacks.reading import Batch
from devices.database import Database

log = structlog.get_logger(__name__)

WRONG_KEY: Final = "wrong_key"
_UNKNOWN: Final = "unknown"
_PASSING: Final = "passing"
_READERS: Final[Mapping[Service, Callable[[bytes], Batch]]] = {
    Service.ALIYUN_SMS: aliyun.read_sms,
    Service.ALIYUN_VOICE: aliyun.read_voice,
    Service.TENCENT_SMS: tencent.read_sms,
}


class Counting(Protocol):
    """Where it is counted; labels are members of fixed sets."""

    def callback(self, service: str, outcome: str) -> None:
        """One event reached ``outcome``."""
        ...

    def callback_refused(self, service: str, reason: str) -> None:
        """A request or one item of it was refused."""
        ...


class Intake:
    """Takes call-backs of all providers."""

    def __init__(
        self,
        *,
        database: Database,
        keys: CallbackKeys,
        desk: Desk,
        clock: Callable[[], int],
        counters: Counting,
    ) -> None:
        """``clock`` gives UTC ms."""
        self._database = database
        self._keys = keys
        self._desk = desk
        self._clock = clock
        self._counters = counters

    def right(self, service: str, key: str) -> bool:
        """Whether ``key`` is the key of ``service``; a wrong one is counted."""
        if self._keys.right(service, key) is not None:
            return True
        known = service if service in set(Service) else _UNKNOWN
        self._counters.callback_refused(known, WRONG_KEY)
        return False

    async def take(self, service: str, body: bytes) -> list[str]:
        """Read and apply what came, in one transaction; what became of each event.

        Bad items are counted and left out. ``service`` is one whose key was right.

        Raises:
            BodyError: the body is none of the provider's.
            DatabaseError: it is not kept; the provider has to come again.

        """
        came = Service(service)
        try:
            batch = _READERS[came](body)
        except BodyError as error:
            self._counters.callback_refused(came, error.reason)
            log.warning("a call-back was refused", service=came, error=str(error))
            raise
        async with self._database.writing() as connection:
            outcomes = await take(connection, batch.events, self._clock(), self._desk)
        self._count(came, batch, outcomes)
        return outcomes

    def _count(self, service: Service, batch: Batch, outcomes: list[str]) -> None:
        """After the commit: what was rolled back did not happen."""
        for outcome in outcomes + [_PASSING] * batch.passing:
            self._counters.callback(service, outcome)
        for bad in batch.refused:
            self._counters.callback_refused(service, bad.reason)
            log.warning(
                "an item of a call-back was refused",
                service=service,
                place=bad.place,
                reason=bad.reason,
                detail=bad.detail,
            )
