"""Catalogues as arrays: what each cell's rule is set to, looked up by station.

Almost always one catalogue serves all stations of a batch; then a setting is a plain number.
Where sites differ, it is a column with one entry per station.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rules.catalogue import Catalogue
from rules.holds import Timing, Where
from rules.layout import STATION
from rules.rows import ROWS, Row
from rules.sessions import SessionNumbers
from rules.tiers import FireRiseTier, HeatTier, LoadTier, RiseTier, Tier

Int64 = npt.NDArray[np.int64]
Number = float | npt.NDArray[np.float32]

_COMMON: Final = frozenset({*Tier.model_fields})
HEARTBEATS_OF_GAP: Final = 3
"""A pause of this many idle intervals is still one stretch, however short the rule's own gap."""


def _update_step(tier: Tier) -> float:
    if isinstance(tier, HeatTier | RiseTier | FireRiseTier):
        return tier.update_k
    return tier.update_w if isinstance(tier, LoadTier) else float("inf")


class Settings:
    """The catalogues in use, one column of numbers each; grows, never shrinks."""

    def __init__(self) -> None:
        """No catalogue yet."""
        self.catalogues: list[Catalogue] = []
        self._index: dict[str, int] = {}
        self._names: dict[tuple[str, str, str], int] = {}
        self._numbers: list[list[float]] = []
        self._flat: list[dict[tuple[str, str, str], float]] = []
        self._rebuild()

    def add(self, catalogue: Catalogue) -> int:
        """The number under which ``catalogue`` is known from now on."""
        found = self._index.get(catalogue.version)
        if found is None:
            found = self._index[catalogue.version] = len(self.catalogues)
            self.catalogues.append(catalogue)
            flat = _numbers(catalogue)
            self._names = {name: i for i, name in enumerate(flat)}
            self._flat.append(flat)
            self._numbers.append(list(flat.values()))
            self._rebuild()
        return found

    def _rebuild(self) -> None:
        self.table = np.array(self._numbers, np.float32)
        tiers = [[c.tier(r.rule, r.tier) for r in ROWS] for c in self.catalogues]
        self.tiers = tiers
        shape = (len(self.catalogues), len(ROWS))

        def ms(name: str) -> Int64:
            values = [[round(getattr(t, name) * 1000) for t in row] for row in tiers]
            return np.array(values, np.int64).reshape(shape)

        self.hold_ms, self.gap_ms, self.clear_ms = ms("hold_s"), ms("gap_s"), ms("clear_hold_s")
        self.min_samples = np.array(
            [[t.min_samples for t in row] for row in tiers], np.int64
        ).reshape(shape)
        self.step = np.array([[_update_step(t) for t in row] for row in tiers], np.float32).reshape(
            shape
        )
        self.latch = np.array(  # [catalogue, row, box]
            [
                [(_latches(c, r, box=False), _latches(c, r, box=True)) for r in ROWS]
                for c in self.catalogues
            ],
            np.bool_,
        ).reshape(*shape, 2)
        self.enabled = np.array(
            [
                [c.rules[r.rule].enabled and c.tier(r.rule, r.tier).enabled for r in ROWS]
                for c in self.catalogues
            ],
            np.bool_,
        ).reshape(shape)

    def view(self, of: Sequence[int] | npt.NDArray[np.int64]) -> "View":
        """The settings of stations whose catalogue numbers are ``of``."""
        numbers = np.asarray(of)
        first = int(numbers[0])
        if len(self.catalogues) == 1 or bool((numbers == first).all()):
            return View(self, self._flat[first], None, first)
        return View(self, {}, numbers, first)

    def timing(self, catalogue: npt.NDArray[np.int64], floor_ms: Int64, where: Where) -> Timing:
        """The timing of cells; ``catalogue`` and ``floor_ms`` (least gap) stand per cell."""
        at = catalogue, where.row
        return Timing(
            hold_ms=self.hold_ms[at],
            min_samples=self.min_samples[at],
            gap_ms=np.maximum(self.gap_ms[at], floor_ms),
            clear_hold_ms=self.clear_ms[at],
            latch=self.latch[catalogue, where.row, (where.column == STATION).astype(np.intp)],
            step=self.step[at],
        )

    def column(self, name: tuple[str, str, str]) -> npt.NDArray[np.float32]:
        """One number of all catalogues."""
        return self.table[:, self._names[name]]


def _latches(catalogue: Catalogue, row: Row, *, box: bool) -> bool:
    shadow = catalogue.rules[row.rule].shadow or catalogue.tier(row.rule, row.tier).shadow
    return catalogue.tier(row.rule, row.tier).latch_on(box=box) and not shadow


def _numbers(catalogue: Catalogue) -> dict[tuple[str, str, str], float]:
    """Every own threshold of every tier, and the session settings."""
    out = {
        ("sessions", "", name): float(getattr(catalogue.sessions, name))
        for name in type(catalogue.sessions).model_fields
    }
    for rule_id, rule in sorted(catalogue.rules.items()):
        for tier_name, tier in rule.tiers():
            for name in type(tier).model_fields:
                if name not in _COMMON:
                    out[rule_id, tier_name, name] = float(getattr(tier, name))
    return out


@dataclass(slots=True)
class View:
    """The settings of the stations of one wave."""

    settings: Settings
    flat: dict[tuple[str, str, str], float]
    of: npt.NDArray[np.int64] | None  # catalogue numbers where they differ
    first: int

    def __call__(self, rule: str, tier: str, name: str) -> Number:
        """One threshold: a number, or (n, 1) where the stations differ."""
        if self.of is None:
            return self.flat[rule, tier, name]
        return self.settings.column((rule, tier, name))[self.of][:, None]

    def at(self, row: int, rule: str, tier: str, name: str) -> float:
        """One threshold of the ``row``-th station."""
        number = self(rule, tier, name)
        return float(number[row, 0]) if isinstance(number, np.ndarray) else number

    @property
    def disabled(self) -> npt.NDArray[np.bool_] | None:
        """(rows, n or 1) where a row is off; None when all are on."""
        enabled = self.settings.enabled
        off = ~(enabled[self.first][:, None] if self.of is None else enabled[self.of].T)
        return off if off.any() else None

    def sessions(self) -> SessionNumbers:
        """The session settings, in watts and milliseconds."""

        def get(name: str) -> Number:
            return self("sessions", "", name)

        return SessionNumbers(
            start_w=get("start_w"),
            start_ms=get("start_s") * 1000,
            start_samples=get("start_samples"),
            end_w=get("end_w"),
            end_ms=get("end_s") * 1000,
            open_ms=get("open_s") * 1000,
            inrush_ms=get("inrush_s") * 1000,
            full_floor_w=self("R20", "main", "floor_w"),
            full_share=self("R20", "main", "peak_share"),
        )
