"""The clocks of the process: read here and nowhere else, and passed to whoever needs one."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from alerts.watch.marks import Mark

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """The clocks of the process, as the composition root passes them on."""

    def utc_ms(self) -> int:
        """UTC milliseconds, that never jump while the process runs."""

    def monotonic_s(self) -> float:
        """Seconds that never jump."""

    def jump_ms(self) -> int:
        """How far the wall clock is ahead of ``utc_ms``."""

    def mark(self) -> Mark:
        """What all clocks say now."""


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000  # noqa: TID251 - the one place


def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:  # not Linux: the mark says less
        return ""


class SystemClock:
    """UTC that never jumps: the wall clock as it stood at the start, plus what has passed since.

    A wall clock that is set while we run moves no deadline; ``jump_ms`` tells by how much it is
    off, and only the next start believes it.
    """

    def __init__(
        self,
        wall_ms: Callable[[], int] = _wall_ms,
        monotonic_s: Callable[[], float] = time.monotonic,
        boot: Callable[[], str] = _boot,
    ) -> None:
        """Anchored now. ``boot`` names the machine's boot, which ``monotonic_s`` counts from."""
        self._wall_ms = wall_ms
        self._monotonic_s = monotonic_s
        self._boot = boot()
        self._from_s = monotonic_s()
        self._from_ms = wall_ms()

    def utc_ms(self) -> int:
        """UTC milliseconds since 1970."""
        return self._from_ms + round((self._monotonic_s() - self._from_s) * 1000)

    def monotonic_s(self) -> float:
        """Seconds that never jump; only differences mean anything."""
        return self._monotonic_s()

    def jump_ms(self) -> int:
        """How far the wall clock is ahead of ours now (negative: behind)."""
        return self._wall_ms() - self.utc_ms()

    def mark(self) -> Mark:
        """What all clocks say now."""
        return Mark(
            utc_ms=self.utc_ms(),
            wall_ms=self._wall_ms(),
            monotonic_ms=round(self._monotonic_s() * 1000),
            boot=self._boot,
        )


class VirtualClock(SystemClock):
    """UTC stands still until it is told otherwise; durations stay real, so reactions count."""

    def __init__(self, start_ms: int) -> None:
        """It is ``start_ms`` UTC."""
        self.now_ms = start_ms
        super().__init__(wall_ms=lambda: self.now_ms, boot=lambda: "")

    def utc_ms(self) -> int:
        """UTC milliseconds since 1970."""
        return self.now_ms
