"""What the provider accepted, in memory and, if asked, as JSON lines in a file.

The file is for tests that count from another process after a kill: each line is one write, not
synced, so it survives the death of any process but not of the machine.
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from simulators.sms.model import AcceptedSms, Service


class Ledger:
    """Append-only."""

    def __init__(self, log: Path | None = None) -> None:
        """``log`` is appended to; it may hold an earlier run."""
        self.accepted: list[AcceptedSms] = []
        self.listeners: list[Callable[[AcceptedSms], None]] = []
        self._log = log

    def add(self, sms: AcceptedSms) -> None:
        """Keep it, then tell the listeners."""
        self.accepted.append(sms)
        if self._log is not None:
            with self._log.open("ab", buffering=0) as file:
                file.write(_line(sms))
        for listener in self.listeners:
            listener(sms)

    def copies(self, service: Service | None = None) -> Counter[str]:
        """How often each of our ids was accepted: 0 = lost, more than 1 = duplicates."""
        return copies(self.accepted, service)


def copies(accepted: list[AcceptedSms], service: Service | None = None) -> Counter[str]:
    """How often each of our ids is in ``accepted``; ``service`` None = by any way."""
    return Counter(s.out_id for s in accepted if service in {None, s.service})


def read_log(path: Path) -> list[AcceptedSms]:
    """All of a log file; a line that a kill cut short is left out."""
    whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    return [_parsed(line) for line in whole.splitlines()]


def _line(sms: AcceptedSms) -> bytes:
    body = {
        "service": sms.service.value,
        "out_id": sms.out_id,
        "provider_id": sms.provider_id,
        "phone": sms.phone,
        "signature": sms.signature,
        "template": sms.template,
        "params": dict(sms.params),
        "at_ms": sms.at_ms,
    }
    return json.dumps(body, ensure_ascii=False).encode() + b"\n"


def _parsed(line: bytes) -> AcceptedSms:
    body = json.loads(line)
    return AcceptedSms(**{**body, "service": Service(body["service"])})
