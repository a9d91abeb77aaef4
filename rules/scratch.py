"""Work memory that is used again by every wave, so that no wave waits for fresh pages."""

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt


class Scratch:
    """Arrays by name; what was handed out under a name is overwritten by its next user."""

    def __init__(self) -> None:
        """Nothing yet; each array grows to the largest that was asked for."""
        self._held: dict[str, npt.NDArray[Any]] = {}
        self._last: dict[str, npt.NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """A contiguous array of unknown content."""
        size = prod(shape)
        held = self._held.get(name)
        if held is None or held.size < size:
            held = self._held[name] = np.empty(size, dtype)
        return held[:size].reshape(shape)

    def gather(
        self,
        name: str,
        block: npt.NDArray[Any],
        slots: npt.NDArray[np.intp],
        first: int | None = None,
    ) -> npt.NDArray[Any]:
        """A copy of ``block[:, slots]``; only the ``first`` planes where that is given."""
        shape = (block.shape[0], len(slots), *block.shape[2:])
        out = self._last[name] = self.array(name, shape, block.dtype)
        # "clip" only because any other mode copies once more; slots are always inside.
        np.take(block[:first], slots, axis=1, out=out[:first], mode="clip")
        return out

    def last(self, name: str) -> npt.NDArray[Any]:
        """What was gathered last under this name."""
        return self._last[name]
