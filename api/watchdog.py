"""The service manager's watchdog (systemd's ``sd_notify``): the loop's own progress feeds it.

A process whose event loop hangs, or whose scheduler has died, stops saying so and is restarted
by whoever started it.
"""

import socket
from collections.abc import Callable
from typing import Final

from api.health import Verdict

BEAT_S: Final = 2.0
"""Well within ``WatchdogSec=10``."""
PROGRESS_JOB: Final = "tick"
PROGRESS_MS: Final = 5_000
"""The rules' tick must have ended well within this time, or the process is not alive."""


class Watchdog:
    """Tells the service manager that we live."""

    def __init__(self, address: str, verdict: Callable[[], Verdict]) -> None:
        """``address`` is ``NOTIFY_SOCKET``: a path, or ``@name`` in Linux' abstract space."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._verdict = verdict
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(0)

    def ready(self) -> None:
        """Started."""
        self._say(b"READY=1")

    def beat(self) -> None:
        """Alive, if the rules' tick is; raises OSError when nobody listens."""
        ticks = [job.age_ms for job in self._verdict().jobs if job.job == PROGRESS_JOB]
        if ticks and max(ticks) <= PROGRESS_MS:
            self._say(b"WATCHDOG=1")

    def stopping(self) -> None:
        """Ends on purpose."""
        self._say(b"STOPPING=1")

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def _say(self, words: bytes) -> None:
        self._socket.sendto(words, self._address)
