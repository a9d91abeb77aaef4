"""The settings one tier of a rule can have, each with its unit and its allowed range.

Numbers may be overridden per site and per station. What a finding *means* and does (family,
severity, act, latch, fire) may not: a rule that must not act is put into shadow instead.
"""

from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rules.model import Act, Family, Severity

FIXED = frozenset(
    {"id", "family", "severity", "act", "box_act", "latch", "box_latch", "fire"},
)
"""Fields that no site or station may override."""

Seconds = Annotated[float, Field(ge=0, le=86_400)]
Celsius = Annotated[float, Field(ge=20, le=150)]


_S = TypeVar("_S", bound="Section")


class Section(BaseModel):
    """Strict, bounded, immutable; unknown keys are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Tier(Section):
    """What every tier has: its meaning, its act, and how long a condition must hold.

    ``hold_s`` and ``min_samples`` must both be met before a finding is raised; ``gap_s`` is the
    longest pause between two samples that still counts as one uninterrupted stretch;
    ``clear_hold_s`` is how long the clear condition must hold. ``box_act`` and ``box_latch``
    replace ``act`` and ``latch`` when the subject is the station itself.
    """

    enabled: bool = True
    shadow: bool = False
    family: Annotated[Family, Field(strict=False)]
    severity: Annotated[Severity, Field(strict=False)]
    act: Annotated[Act, Field(strict=False)]
    box_act: Annotated[Act, Field(strict=False)] | None = None
    latch: bool
    box_latch: bool | None = None
    fire: bool = False
    hold_s: Seconds
    min_samples: Annotated[int, Field(ge=1, le=1000)]
    gap_s: Annotated[float, Field(ge=1, le=86_400)]
    clear_hold_s: Seconds

    def act_on(self, *, box: bool) -> Act:
        """What it asks for on a socket, or on the station itself (``box``)."""
        return self.box_act if box and self.box_act is not None else self.act

    def latch_on(self, *, box: bool) -> bool:
        """Whether only a person clears it, on a socket or on the station itself (``box``)."""
        return self.box_latch if box and self.box_latch is not None else self.latch


class LevelTier(Tier):
    """A contact or an alarm of the station: active or not, no threshold."""


class HeatTier(Tier):
    """A temperature at or above ``limit_c``; clears at or below ``clear_c`` (°C)."""

    limit_c: Celsius
    clear_c: Celsius
    update_k: Annotated[float, Field(ge=1, le=50)]
    """A finding is updated when its peak has risen by this many kelvin since it was last told."""

    @model_validator(mode="after")
    def _hysteresis(self) -> Self:
        return _below(self, "clear_c", self.clear_c, "limit_c", self.limit_c)


class RiseTier(Tier):
    """A rise of at least ``rise_k`` within 120 s; clears below ``clear_rise_k`` (kelvin)."""

    rise_k: Annotated[float, Field(ge=4.5, le=60)]
    """Never below 4.5: 2 K per minute must not alarm (GB 16280-2014 4.7)."""
    clear_rise_k: Annotated[float, Field(ge=0.5, le=60)]
    update_k: Annotated[float, Field(ge=1, le=50)]

    @model_validator(mode="after")
    def _hysteresis(self) -> Self:
        return _below(self, "clear_rise_k", self.clear_rise_k, "rise_k", self.rise_k)


class FireRiseTier(RiseTier):
    """``rise_k`` within 120 s while at least ``floor_c``, or ``fast_rise_k`` within 60 s."""

    floor_c: Celsius
    fast_rise_k: Annotated[float, Field(ge=3, le=60)]


class LoadTier(Tier):
    """More than ``limit_a`` amperes or ``limit_w`` watts."""

    limit_a: Annotated[float, Field(ge=0.5, le=40)]
    limit_w: Annotated[float, Field(ge=50, le=10_000)]
    update_w: Annotated[float, Field(ge=10, le=10_000)]


class FullTier(Tier):
    """Power at or below the greater of ``floor_w`` and ``peak_share`` of the session's peak."""

    floor_w: Annotated[float, Field(ge=1, le=200)]
    peak_share: Annotated[float, Field(ge=0.01, le=0.5)]


class NoLoadTier(Tier):
    """Less than ``limit_w`` watts behind a closed relay; over at ``resume_w``."""

    limit_w: Annotated[float, Field(ge=0.1, le=50)]
    resume_w: Annotated[float, Field(ge=0.1, le=100)]

    @model_validator(mode="after")
    def _hysteresis(self) -> Self:
        return _below(self, "limit_w", self.limit_w, "resume_w", self.resume_w)


class TimeTier(Tier):
    """A session of at least ``limit_h`` hours."""

    limit_h: Annotated[float, Field(ge=0.1, le=48)]


class LockedTier(Tier):
    """Power above ``limit_w`` on a locked socket, ``grace_s`` after the lock or once seen off."""

    limit_w: Annotated[float, Field(ge=1, le=100)]
    grace_s: Annotated[float, Field(ge=15, le=300)]
    """Not below the 15 s in which the cut itself is being proven."""


class CutFailedTier(Tier):
    """Ends when measured power is below ``clear_w``."""

    clear_w: Annotated[float, Field(ge=0.5, le=50)]


class SilenceTier(Tier):
    """No message for ``silence_s`` (or ``heartbeats`` idle intervals, whichever is longer).

    A last will is believed after ``will_s`` seconds; ``clear_messages`` messages end it. The
    evidence says whether a charge ran, or a warning stood, within ``warned_s``.
    """

    silence_s: Annotated[float, Field(ge=30, le=3600)]
    heartbeats: Annotated[float, Field(ge=1, le=20)]
    will_s: Annotated[float, Field(ge=0, le=600)]
    clear_messages: Annotated[int, Field(ge=1, le=100)]
    warned_s: Annotated[float, Field(ge=0, le=86_400)]


class SentinelTier(Tier):
    """A code value (0, -65, 85, 127 °C) further than ``step_k`` from the last valid one."""

    step_k: Annotated[float, Field(ge=1, le=50)]


class StuckTier(Tier):
    """The same value for ``still_h`` hours while the peers' median moved by ``peers_k``."""

    still_h: Annotated[float, Field(ge=0.5, le=72)]
    peers_k: Annotated[float, Field(ge=0.5, le=20)]


class JumpTier(Tier):
    """One sample more than ``jump_k`` away from both its neighbours, which agree in ``back_k``."""

    jump_k: Annotated[float, Field(ge=5, le=100)]
    back_k: Annotated[float, Field(ge=1, le=50)]


class RefusedTier(Tier):
    """At least ``in_row`` refused frames with no good one between, while something charges."""

    in_row: Annotated[int, Field(ge=1, le=100)]


class OutageTier(Tier):
    """At least ``stations`` of one site that fell silent within ``within_s`` of each other."""

    stations: Annotated[int, Field(ge=2, le=1000)]
    within_s: Annotated[float, Field(ge=1, le=3600)]


class SessionSettings(Section):
    """How charge sessions are read from power (watts, seconds)."""

    start_w: Annotated[float, Field(ge=1, le=100)]
    start_s: Annotated[float, Field(ge=0, le=300)]
    start_samples: Annotated[int, Field(ge=1, le=20)]
    end_w: Annotated[float, Field(ge=0.1, le=50)]
    end_s: Annotated[float, Field(ge=10, le=3600)]
    open_s: Annotated[float, Field(ge=0, le=3600)]
    """How long an open relay without load must stand before the session has ended."""
    inrush_s: Annotated[float, Field(ge=0, le=120)]

    @model_validator(mode="after")
    def _hysteresis(self) -> Self:
        return _below(self, "end_w", self.end_w, "start_w", self.start_w)


def _below(section: _S, low: str, low_value: float, high: str, high_value: float) -> _S:
    if low_value >= high_value:
        msg = f"{low} ({low_value:g}) must be below {high} ({high_value:g})"
        raise ValueError(msg)
    return section
