"""The clocks of the process: read here and nowhere else, and passed to whoever needs one."""

import time


class SystemClock:
    """The machine's clocks."""

    def utc_ms(self) -> int:
        """UTC milliseconds since 1970."""
        return time.time_ns() // 1_000_000  # noqa: TID251 - the one place

    def monotonic_s(self) -> float:
        """Seconds that never jump; only differences mean anything."""
        return time.monotonic()


class VirtualClock(SystemClock):
    """UTC stands still until it is told otherwise; durations stay real, so reactions count."""

    def __init__(self, start_ms: int) -> None:
        """It is ``start_ms`` UTC."""
        self.now_ms = start_ms

    def utc_ms(self) -> int:
        """UTC milliseconds since 1970."""
        return self.now_ms
