"""The vectorised pass over all cells decides as one cell after the other would."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.cells import FREE, Cells
from rules.holds import Sample, Table, Timing, Where, advance

CELLS = 4
PHASES = ("idle", "pending", "active", "clearing")


@dataclass(slots=True)
class Plain:
    """One cell, written for reading: the reference."""

    hold: int
    samples: int
    gap: int
    clear_hold: int
    latch: bool
    phase: str = "idle"
    since: int = 0
    last: int = 0
    mark: int = 0
    count: int = 0

    def see(self, now: int, *, hit: bool, miss: bool, clear: bool) -> str | None:
        """Take one sample in; ``raised``, ``cleared`` or nothing."""
        if self.phase in {"idle", "pending"}:
            if hit:
                if self.phase == "idle" or now - self.last > self.gap:
                    self.since, self.count = now, 0
                self.phase, self.last = "pending", now
                self.count += 1
                if self.count >= self.samples and now - self.since >= self.hold:
                    self.phase = "active"
                    return "raised"
            elif miss:
                self.phase = "idle"
            return None
        if not clear:
            self.phase = "active"
            return None
        if self.phase == "active" or now - self.last > self.gap:
            self.mark = now
        self.phase, self.last = "clearing", now
        if not self.latch and now - self.mark >= self.clear_hold:
            self.phase = "idle"
            return "cleared"
        return None


SEEN = st.sampled_from(["hit"] * 4 + ["clear"] * 4 + ["miss", "unknown", "absent"])


@settings(max_examples=250, deadline=None)
@given(
    timing=st.lists(
        st.tuples(
            st.integers(0, 6),
            st.integers(1, 3),
            st.integers(1, 6),
            st.integers(0, 6),
            st.booleans(),
        ),
        min_size=CELLS,
        max_size=CELLS,
    ),
    story=st.lists(
        st.tuples(st.integers(0, 5), st.lists(SEEN, min_size=CELLS, max_size=CELLS)),
        min_size=8,
        max_size=30,
    ),
)
def test_all_cells_at_once_decide_as_each_alone(
    timing: list[tuple[int, int, int, int, bool]], story: list[tuple[int, list[str]]]
) -> None:
    """Holds, counts, gaps, clear holds and latches agree with the plain reference, always."""
    plain = [Plain(*values) for values in timing]
    columns = list(zip(*timing, strict=True))
    table = Table(
        np.zeros((1, 1, CELLS), np.uint8), np.full((1, 1, CELLS), FREE, np.int32), Cells(1)
    )
    now = 0
    for pause, seen in story:
        now += pause
        at = np.flatnonzero([s != "absent" for s in seen])
        zero = np.zeros(len(at), np.intp)

        def is_(what: str, at: np.ndarray = at, seen: list[str] = seen) -> np.ndarray:
            return np.array([seen[k] == what for k in at], np.bool_)

        moves = advance(
            table,
            Where(zero, zero, at),
            Sample(
                hit=is_("hit"),
                miss=is_("miss") | is_("clear"),
                clear=is_("clear"),
                at_ms=np.full(len(at), now, np.int64),
                value=np.full(len(at), np.nan, np.float32),
            ),
            Timing(
                hold_ms=np.array([columns[0][k] for k in at], np.int64),
                min_samples=np.array([columns[1][k] for k in at], np.int64),
                gap_ms=np.array([columns[2][k] for k in at], np.int64),
                clear_hold_ms=np.array([columns[3][k] for k in at], np.int64),
                latch=np.array([columns[4][k] for k in at], np.bool_),
                step=np.full(len(at), np.inf, np.float32),
            ),
        )
        told = {int(at[k]): "raised" for k in moves.raised}
        told |= {int(at[k]): "cleared" for k in moves.cleared}
        expected = {}
        for k in at.tolist():
            out = plain[k].see(
                now,
                hit=seen[k] == "hit",
                miss=seen[k] in {"miss", "clear"},
                clear=seen[k] == "clear",
            )
            if out is not None:
                expected[k] = out
        assert told == expected
        assert [PHASES[p] for p in table.phase[0, 0]] == [p.phase for p in plain]
        assert table.cells.used == sum(p.phase != "idle" for p in plain)


def test_the_pool_grows_and_reuses_places() -> None:
    """Places given back are handed out again; growing keeps what is there."""
    cells = Cells(2)
    first = cells.take(3)
    cells.since[first] = [1, 2, 3]
    more = cells.take(10)
    assert len(set(first.tolist()) | set(more.tolist())) == 13
    assert cells.since[first].tolist() == [1, 2, 3]
    cells.give_back(more)
    assert cells.used == 3
    again = cells.take(10)
    assert set(again.tolist()).isdisjoint(first.tolist())
    assert cells.since[again].tolist() == [0] * 10
