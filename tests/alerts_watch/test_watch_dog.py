"""The service manager's watchdog, over a real socket."""

import socket
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

from api.health import Verdict
from api.job_health import JobHealth
from api.watchdog import BEAT_S, PROGRESS_MS, Watchdog

ROOT = Path(__file__).parents[2]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The service manager's side."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(0)
        yield listening


def heard(manager: socket.socket) -> list[bytes]:
    """Everything that has been said."""
    said = []
    while True:
        try:
            said.append(manager.recv(100))
        except BlockingIOError:
            return said


def health(*, age_ms: int | None) -> Verdict:
    """The rules' tick ended well that long ago; None = it was never planned."""
    jobs = JobHealth()
    if age_ms is not None:
        jobs.planned("tick", 0.5, 0, vital=True)
    return Verdict((), (), 0, 0, jobs.ages(age_ms or 0))


def test_it_says_what_systemd_expects(manager: socket.socket) -> None:
    """Ready once, alive again and again, stopping at the end."""
    dog = Watchdog(manager.getsockname(), lambda: health(age_ms=400))
    dog.ready()
    dog.beat()
    dog.beat()
    dog.stopping()
    dog.close()
    assert heard(manager) == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1", b"STOPPING=1"]


@pytest.mark.parametrize(("age_ms", "alive"), [(5_000, True), (5_001, False), (None, False)])
def test_it_is_silent_when_the_rules_do_not_tick(
    manager: socket.socket, age_ms: int | None, *, alive: bool
) -> None:
    """A loop that only turns for the watchdog is not alive."""
    dog = Watchdog(manager.getsockname(), lambda: health(age_ms=age_ms))
    dog.beat()
    dog.close()
    assert heard(manager) == ([b"WATCHDOG=1"] if alive else [])


def test_abstract_names_are_understood() -> None:
    """Linux' sockets without a file begin with a zero byte, which is written as @."""
    name = f"chargeward-test-{id(object())}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        listening.settimeout(5)
        dog = Watchdog("@" + name, lambda: health(age_ms=0))
        dog.ready()
        dog.close()
        assert listening.recv(100) == b"READY=1"


def test_the_shipped_unit_gives_it_time_enough() -> None:
    """Systemd waits for the first word, and longer than two beats for each that follows."""
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign] # systemd's names have capitals
    unit.read_string((ROOT / "deploy" / "chargeward.service").read_text("utf-8"))
    service = unit["Service"]
    assert (service["Type"], service["Restart"]) == ("notify", "always")
    assert 2 * BEAT_S + PROGRESS_MS / 1000 < float(service["WatchdogSec"]) <= 10
