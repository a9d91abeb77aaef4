"""One wave: one frame of each of several stations, observed and decided together.

Nothing in here loops over stations or sockets but the few cells that change.
"""

import numpy as np
import numpy.typing as npt

from rules.decide import Decider, Placed
from rules.fleet import Fleet
from rules.layout import CARRIED, Floats, Ints, Memory, Small
from rules.ledger import Ledger
from rules.observe import Observer
from rules.raw import Raw
from rules.scratch import Scratch


class Waves:
    """Runs waves over one fleet."""

    def __init__(self, fleet: Fleet, ledger: Ledger) -> None:
        """``ledger`` writes the findings."""
        self._fleet = fleet
        self._scratch = Scratch()
        self._observer = Observer(fleet, self._scratch)
        self._decider = Decider(fleet, ledger, self._scratch)

    def run(self, raw: Raw) -> list[Placed]:
        """Take the frames in; every transition they cause."""
        view = self._fleet.settings.view(self._fleet.catalogue[raw.slots])
        memory = self._alone(raw) if len(raw.slots) == 1 else self._gathered(raw)
        signals = self._observer.observe(raw, memory, view)
        if len(raw.slots) > 1:
            self._scatter(raw)
        return self._decider.decide(raw, signals, view)

    def _alone(self, raw: Raw) -> Memory:
        """The state of a single station itself, not a copy."""
        state, slot = self._fleet.state, int(raw.slots[0])
        one = slice(slot, slot + 1)
        return Memory(
            Floats(*state.floats[:, one]), Ints(*state.ints[:, one]), Small(*state.small[:, one])
        )

    def _gathered(self, raw: Raw) -> Memory:
        """Contiguous copies of the state of the wave's stations."""
        state, take = self._fleet.state, self._scratch.gather
        return Memory(
            Floats(*take("f", state.floats, raw.slots, first=CARRIED)),
            Ints(*take("i", state.ints, raw.slots)),
            Small(*take("s", state.small, raw.slots)),
        )

    def _scatter(self, raw: Raw) -> None:
        """Put the copies back."""
        state = self._fleet.state
        blocks: list[tuple[str, npt.NDArray[np.generic]]]
        blocks = [("f", state.floats), ("i", state.ints), ("s", state.small)]
        for name, block in blocks:
            block[:, raw.slots] = self._scratch.last(name)
