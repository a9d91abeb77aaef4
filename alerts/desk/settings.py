"""Settings of the desk. Environment: ``CHARGEWARD_ALERTS__LINK_BASE`` ..."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from alerts.incidents.plans import Guard


class AlertsSettings(BaseModel):
    """How incidents are grouped and what messages carry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plans: Path | None = None
    """A file like ``alerts/incidents/plans.toml`` that replaces it."""
    link_base: Annotated[
        str, StringConstraints(max_length=60, pattern=r"^([^\s:/]+(:\d+)?/a/)?$")
    ] = ""
    """Where officers' one-time links lead, without a scheme, for example ``cw.example.cn/a/``;
    empty = messages carry no links. It must reach this backend's HTTP side over HTTPS."""
    window_s: Annotated[int, Field(ge=60, le=86_400)] = 600
    """Findings of a station this close together are one incident."""
    settle_s: Annotated[int, Field(ge=0, le=86_400)] = 600
    """Faults and warnings close by themselves when nothing has stood for so long."""
    proof_hold_s: Annotated[float, Field(ge=0, le=5)] = 2.0
    """The first message waits so long for the proof of the cut, no longer."""

    packaged_people: bool = False
    """For demos: tell the fictional people of the packaged site, whose numbers are made up."""

    def guard(self) -> Guard:
        """The part that the desk works with."""
        return Guard(self.window_s, self.settle_s, self.proof_hold_s)
