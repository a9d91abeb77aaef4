"""One circuit breaker a provider: who has failed again and again is left alone for a while.

Built on pybreaker, whose own clock is the wall clock; here the pause is counted in monotonic
seconds, so that a clock set back cannot keep a provider away for an hour.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from pybreaker import (
    STATE_CLOSED,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitMemoryStorage,
)

from alerts.channels.port import Permanent, SendError, Throttled

_NOT_YET: Final = datetime(9000, 1, 1, tzinfo=UTC)
_PROBE_S: Final = 1.0
"""How long to wait while another message finds out whether the provider is back."""


class CircuitState(StrEnum):
    """How a provider stands with us."""

    CLOSED = "closed"  # in use
    OPEN = "open"  # left alone
    HALF_OPEN = "half_open"  # the pause is over: the next message finds out


class _Pause(CircuitMemoryStorage):
    """Tells pybreaker whether the pause is over, by a clock that nobody sets."""

    def __init__(self, pause_s: float, monotonic_s: Callable[[], float]) -> None:
        super().__init__(STATE_CLOSED)
        self._pause_s = pause_s
        self._monotonic_s = monotonic_s
        self._since_s = 0.0

    @property
    def left_s(self) -> float:
        return max(0.0, self._since_s + self._pause_s - self._monotonic_s())

    @property
    def opened_at(self) -> datetime | None:
        return _NOT_YET if self.left_s > 0 else None

    @opened_at.setter
    def opened_at(self, _: datetime) -> None:
        self._since_s = self._monotonic_s()


class Circuit:
    """Counts failures in a row; a refusal that was an answer is none."""

    def __init__(self, fails: int, pause_s: float, monotonic_s: Callable[[], float]) -> None:
        """Open for ``pause_s`` after ``fails`` failures in a row."""
        self._pause = _Pause(pause_s, monotonic_s)
        self._breaker = CircuitBreaker(
            fail_max=fails,
            reset_timeout=pause_s,
            exclude=[Throttled, Permanent],
            state_storage=self._pause,
            throw_new_error_on_trip=False,
        )
        self._probing = False

    @property
    def state(self) -> CircuitState:
        """For health and metrics."""
        if self._breaker.current_state != STATE_OPEN:
            return CircuitState.CLOSED
        return CircuitState.OPEN if self._pause.left_s > 0 else CircuitState.HALF_OPEN

    @property
    def wait_s(self) -> float:
        """Seconds until a message may be tried; 0 = now."""
        match self.state:
            case CircuitState.CLOSED:
                return 0.0
            case CircuitState.OPEN:
                return self._pause.left_s
            case CircuitState.HALF_OPEN:
                return _PROBE_S if self._probing else 0.0

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Around one try: while it lasts, it alone finds out whether the provider is back."""
        probing = not self._probing and self.state is CircuitState.HALF_OPEN
        self._probing = self._probing or probing
        try:
            yield
        finally:
            if probing:
                self._probing = False

    def note(self, error: SendError | None) -> None:
        """How a try ended; None = accepted. One that was cancelled says nothing."""
        answered = error is None or isinstance(error, Throttled | Permanent)
        if answered and self.state is CircuitState.OPEN:
            self._breaker.close()  # a message that could not wait went through the open circuit
            return
        with suppress(SendError, CircuitBreakerError):
            self._breaker.call(_end, error)


def _end(error: SendError | None) -> None:
    if error is not None:
        raise error
