"""One message to one person: the ways of its channel, one after the other, until one takes it.

A way that hangs or fails costs its time-out, then the next has its turn; a way that fails again
and again is left alone for a while, and one whose limit is used up is passed over. For what
must not wait, fire and a cut that failed, that only changes the order: when nobody else took
it, the ways passed over are tried as well, because a limit may be counted wrong and a provider
may be back.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from alerts.channels.circuit import Circuit, CircuitState
from alerts.channels.port import (
    Channel,
    Outgoing,
    Permanent,
    Provider,
    SendError,
    Throttled,
    Unknown,
)
from alerts.channels.settings import GatewaySettings
from alerts.incidents.model import Kind

log = structlog.get_logger(__name__)

URGENT: Final = frozenset({Kind.FIRE, Kind.CUT_FAILED})
"""What no limit, budget or open circuit holds back."""
ACCEPTED: Final = "accepted"
CIRCUIT_OPEN: Final = "circuit-open"
BUSY: Final = "busy"


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt, as the ledger keeps it. Times are UTC ms."""

    provider: str
    signature: str
    template: str
    started_ms: int
    ended_ms: int
    outcome: str  # accepted, or of the error: retryable, unknown, throttled, permanent
    code: str = ""
    detail: str = ""
    ref: str | None = None
    segments: int = 0
    receipts: bool = False
    retry_after_s: float | None = None  # None = accepted, or never by this way


@dataclass(frozen=True, slots=True)
class Skipped:
    """A way that was not tried, why, and when it may be."""

    provider: str
    code: str
    retry_after_s: float


@dataclass(frozen=True, slots=True)
class Sent:
    """How it went, way by way."""

    tried: tuple[Tried, ...]
    accepted: Tried | None
    retry_after_s: float | None
    """Seconds until another try makes sense; None = accepted, or no way will ever take it."""
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class _Way:
    provider: Provider
    circuit: Circuit
    slots: asyncio.Semaphore
    urgent_slots: asyncio.Semaphore


@dataclass(slots=True)
class _Course:
    """What has happened to one message so far."""

    tried: list[Tried] = field(default_factory=list)
    passed: list[tuple[_Way, Skipped]] = field(default_factory=list)

    def sent(self) -> Sent:
        last = self.tried[-1] if self.tried else None
        skipped = tuple(why for _, why in self.passed)
        if last is not None and last.outcome == ACCEPTED:
            return Sent(tuple(self.tried), last, None, skipped)
        waits = [tried.retry_after_s for tried in self.tried]
        waits += [why.retry_after_s for why in skipped]
        known = [wait for wait in waits if wait is not None]
        return Sent(tuple(self.tried), None, min(known, default=None), skipped)


class Gateway:
    """All ways to people of one process."""

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        clock_ms: Callable[[], int],
        monotonic_s: Callable[[], float],
        settings: GatewaySettings | None = None,
    ) -> None:
        """``providers`` in the order in which they are to be tried; ``clock_ms`` is UTC."""
        self._settings = settings or GatewaySettings()
        self._clock_ms = clock_ms
        self.providers: Final = tuple(providers)
        self._ways = [self._way(provider, monotonic_s) for provider in providers]

    def of(self, channel: Channel) -> tuple[Provider, ...]:
        """The ways of one channel; empty = nobody can be reached by it."""
        return tuple(way.provider for way in self._ways if way.provider.channel is channel)

    def circuits(self) -> dict[tuple[Channel, str], CircuitState]:
        """How each way stands, by channel and name: for health and metrics."""
        return {(w.provider.channel, w.provider.name): w.circuit.state for w in self._ways}

    async def send(
        self,
        outgoing: Outgoing,
        *,
        closed: Mapping[str, Throttled] | None = None,
        avoid: frozenset[str] = frozenset(),
    ) -> Sent:
        """Try the ways until one takes it; never raises for what a provider does.

        ``closed`` are ways whose limit is used up, ``avoid`` ways to try last: those that took
        an earlier attempt and did not deliver it. Cancelled, it leaves nothing behind; the
        attempt under way may or may not have been taken.
        """
        course = _Course()
        urgent = outgoing.kind in URGENT
        ways = [way for way in self._ways if way.provider.channel is outgoing.channel]
        for way in sorted(ways, key=lambda way: way.provider.name in avoid):
            limit = (closed or {}).get(way.provider.name)
            if limit is not None:
                why = Skipped(way.provider.name, limit.code, limit.retry_after_s)
                course.passed.append((way, why))
            elif await self._had(course, way, outgoing, force=False):
                return course.sent()
        if urgent:
            for entry in tuple(course.passed):
                course.passed.remove(entry)
                if await self._had(course, entry[0], outgoing, force=True):
                    break
        return course.sent()

    async def close(self) -> None:
        """Let go of everything, whatever one of them says."""
        for provider in self.providers:
            try:
                await provider.close()
            except Exception:
                log.exception("a way to people did not close", provider=provider.name)

    async def _had(self, course: _Course, way: _Way, outgoing: Outgoing, *, force: bool) -> bool:
        """Whether ``way`` took it; the course knows how it went."""
        slots = way.urgent_slots if outgoing.kind in URGENT else way.slots
        if not await self._turn(slots):
            course.passed.append((way, Skipped(way.provider.name, BUSY, self._settings.patience_s)))
            return False
        try:
            wait_s = way.circuit.wait_s  # asked when its turn has come: others may have failed
            if wait_s > 0 and not force:
                why = Skipped(way.provider.name, CIRCUIT_OPEN, wait_s)
                course.passed.append((way, why))
                return False
            with way.circuit.trying():
                tried, error = await self._try(way.provider, outgoing)
                way.circuit.note(error)
        finally:
            slots.release()
        course.tried.append(tried)
        return error is None

    async def _turn(self, slots: asyncio.Semaphore) -> bool:
        """Whether its turn came in time: who waits longer is sent by the next way, or later."""
        try:
            async with asyncio.timeout(self._settings.patience_s):
                return await slots.acquire()
        except TimeoutError:
            return False

    async def _try(self, provider: Provider, outgoing: Outgoing) -> tuple[Tried, SendError | None]:
        template = provider.template(outgoing.kind, outgoing.lang)
        began = (provider.name, provider.signature, template, self._clock_ms())
        try:
            taken = await provider.send(outgoing)
        except SendError as error:
            return self._failed(began, error), error
        except Exception as error:  # a way that breaks must not keep the next from its turn
            log.exception("a way to people broke", provider=provider.name, message=outgoing.id)
            broken = Unknown("broken", type(error).__name__)
            return self._failed(began, broken), broken
        tried = Tried(
            *began,
            self._clock_ms(),
            ACCEPTED,
            ref=taken.ref,
            segments=taken.segments,
            receipts=taken.receipts,
        )
        return tried, None

    def _failed(self, began: tuple[str, str, str, int], error: SendError) -> Tried:
        retry_after_s: float | None = self._settings.retry_s
        if isinstance(error, Throttled):
            retry_after_s = error.retry_after_s
        elif isinstance(error, Permanent):
            retry_after_s = None
        return Tried(
            *began,
            self._clock_ms(),
            error.outcome,
            error.code,
            error.detail,
            # What nobody knows may have been sent, and is counted as if it had.
            segments=1 if isinstance(error, Unknown) else 0,
            retry_after_s=retry_after_s,
        )

    def _way(self, provider: Provider, monotonic_s: Callable[[], float]) -> _Way:
        settings = self._settings
        return _Way(
            provider,
            Circuit(settings.fails, settings.pause_s, monotonic_s),
            asyncio.Semaphore(settings.concurrency),
            asyncio.Semaphore(settings.concurrency),
        )
