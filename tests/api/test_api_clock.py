"""The process's clock: anchored once, moved by nothing but time."""

from dataclasses import dataclass

import pytest

from alerts.watch.marks import Mark
from api.clock import SystemClock, VirtualClock

NOON = 1_790_812_800_000
HOUR = 3_600_000


@dataclass
class Machine:
    """A wall clock that can be set, and one that cannot."""

    wall_ms: int = NOON
    up_s: float = 1_000.0

    def pass_s(self, seconds: float) -> None:
        """Both go on."""
        self.wall_ms += round(seconds * 1000)
        self.up_s += seconds


def clock_of(machine: Machine) -> SystemClock:
    """The product's clock on that machine."""
    return SystemClock(lambda: machine.wall_ms, lambda: machine.up_s, lambda: "b1")


@pytest.mark.parametrize("jump_ms", [HOUR, -HOUR, 10 * 365 * 24 * HOUR, 2_001, 0])
def test_a_wall_clock_that_is_set_moves_nothing(jump_ms: int) -> None:
    """UTC goes on by what has passed, and the jump is told for as long as it stands."""
    machine = Machine()
    clock = clock_of(machine)
    machine.pass_s(30)
    machine.wall_ms += jump_ms
    machine.pass_s(30.25)
    assert (clock.utc_ms(), clock.monotonic_s(), clock.jump_ms()) == (
        NOON + 60_250,
        1_060.25,
        jump_ms,
    )
    assert clock.mark() == Mark(NOON + 60_250, NOON + 60_250 + jump_ms, 1_060_250, "b1")


def test_the_next_start_believes_the_wall_clock() -> None:
    """A new clock is anchored anew."""
    machine = Machine()
    machine.wall_ms += HOUR
    assert clock_of(machine).utc_ms() == NOON + HOUR


def test_virtual_time_never_jumps() -> None:
    """It is told what time it is, and that is the wall clock too."""
    clock = VirtualClock(NOON)
    clock.now_ms += HOUR
    assert (clock.utc_ms(), clock.jump_ms()) == (NOON + HOUR, 0)
    assert (clock.mark().wall_ms, clock.mark().boot) == (NOON + HOUR, "")
