"""The rules as types: one model per rule, joined by the rule id."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from rules.tiers import (
    CutFailedTier,
    FireRiseTier,
    FullTier,
    HeatTier,
    JumpTier,
    LevelTier,
    LoadTier,
    LockedTier,
    NoLoadTier,
    OutageTier,
    RefusedTier,
    RiseTier,
    Section,
    SentinelTier,
    SilenceTier,
    StuckTier,
    Tier,
    TimeTier,
)


class RuleBase(Section):
    """What every rule has beside its tiers."""

    enabled: bool = True
    shadow: bool = False
    """Evaluated and recorded, never acts."""

    def tiers(self) -> Iterator[tuple[str, Tier]]:
        """Its tiers by name, in the order of the model."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Tier):
                yield name, value


class SocketHotWarn(RuleBase):
    """R01: a socket is warm; no new start there."""

    id: Literal["R01"]
    main: HeatTier


class SocketHotCut(RuleBase):
    """R02: a socket is hot, for a while or extremely."""

    id: Literal["R02"]
    sustained: HeatTier
    extreme: HeatTier


class AreaHeat(RuleBase):
    """R04: the box or the shed is hot."""

    id: Literal["R04"]
    main: HeatTier


class RateOfRise(RuleBase):
    """R05: a temperature rises faster than any charge makes it."""

    id: Literal["R05"]
    pre: RiseTier
    fire: FireRiseTier


class Smoke(RuleBase):
    """R07: the smoke contact."""

    id: Literal["R07"]
    main: LevelTier


class Auxiliary(RuleBase):
    """R08: water, hot-melt fuse, door, tilt."""

    id: Literal["R08"]
    water: LevelTier
    fuse: LevelTier
    door: LevelTier
    tilt: LevelTier


class Overload(RuleBase):
    """R10: more current or power than a charger takes."""

    id: Literal["R10"]
    main: LoadTier


class Full(RuleBase):
    """R20: the charge has come to its end."""

    id: Literal["R20"]
    main: FullTier


class NoLoad(RuleBase):
    """R21: a closed relay feeds nothing."""

    id: Literal["R21"]
    main: NoLoadTier


class MaxTime(RuleBase):
    """R22: the charge takes too long."""

    id: Literal["R22"]
    warn: TimeTier
    cut: TimeTier


class Lockout(RuleBase):
    """R27: power flows where nobody may have any."""

    id: Literal["R27"]
    main: LockedTier


class CutFailed(RuleBase):
    """R40: a cut could not be proven."""

    id: Literal["R40"]
    main: CutFailedTier


class Offline(RuleBase):
    """R41: nothing comes from the station."""

    id: Literal["R41"]
    main: SilenceTier


class SensorFault(RuleBase):
    """R42: a temperature that cannot be believed, or none at all."""

    id: Literal["R42"]
    bad_value: SentinelTier
    stuck: StuckTier
    jump: JumpTier
    blind: LevelTier
    refused: RefusedTier


class Outage(RuleBase):
    """R50: several stations of one site fell silent together."""

    id: Literal["R50"]
    main: OutageTier


class DeviceAlarm(RuleBase):
    """R90: the station's own alarms, by kind."""

    id: Literal["R90"]
    over_temperature: LevelTier
    over_current: LevelTier
    local_cut: LevelTier
    leakage: LevelTier
    power_loss: LevelTier
    self_test: LevelTier


class UnknownAlarm(RuleBase):
    """R91: an alarm of a kind that this version does not know."""

    id: Literal["R91"]
    main: LevelTier


RULES = (
    SocketHotWarn,
    SocketHotCut,
    AreaHeat,
    RateOfRise,
    Smoke,
    Auxiliary,
    Overload,
    Full,
    NoLoad,
    MaxTime,
    Lockout,
    CutFailed,
    Offline,
    SensorFault,
    Outage,
    DeviceAlarm,
    UnknownAlarm,
)
"""Every rule model; a new rule is one class here, one section of data, one condition."""

Rule = Annotated[
    SocketHotWarn
    | SocketHotCut
    | AreaHeat
    | RateOfRise
    | Smoke
    | Auxiliary
    | Overload
    | Full
    | NoLoad
    | MaxTime
    | Lockout
    | CutFailed
    | Offline
    | SensorFault
    | Outage
    | DeviceAlarm
    | UnknownAlarm,
    Field(discriminator="id"),
]
