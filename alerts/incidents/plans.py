"""Response plans: who is told when, and which deadlines people have. Data, checked at start.

The steps and deadlines of a round become rows with due times (``escalation``) the moment the
round begins; nothing about them is kept in memory.
"""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from alerts.channels.port import Channel
from alerts.incidents.model import Urgency
from alerts.oncall.model import Role

Seconds = Annotated[int, Field(ge=0, le=86_400)]


class When(StrEnum):
    """What must be true at a step's due time for it to be done."""

    ALWAYS = "always"
    UNDELIVERED = "undelivered"  # no receipt for the first message, and nobody has acknowledged
    UNACKNOWLEDGED = "unacknowledged"
    NOT_ARRIVED = "not_arrived"  # acknowledged, but nobody is on site
    NOT_REPORTED = "not_reported"  # acknowledged, but nobody has reported


class DeadlineName(StrEnum):
    """The deadlines people have, as rows beside the steps."""

    ACKNOWLEDGE = "acknowledge"
    ON_SITE = "on_site"
    REPORT = "report"


SETTLE: Final = "settle"
"""The row that closes an incident by itself once nothing has stood against it for a while."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Section):
    """One step: after so many seconds these roles are told by these ways."""

    name: Annotated[str, Field(pattern=r"^[a-z_]{2,24}$")]
    after_s: Seconds
    who: Annotated[tuple[Role, ...], Field(min_length=1)]
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    when: When = When.ALWAYS
    slot: str = ""
    escalation: bool = False  # says that nobody answered, rather than what happened

    @property
    def place(self) -> str:
        """What is said at most once per round, person and channel."""
        return self.slot or self.name


class Plan(_Section):
    """How an incident of one urgency is answered. A deadline of None does not exist."""

    acknowledge_s: Seconds | None = None
    on_site_s: Seconds | None = None
    report_s: Seconds | None = None
    trouble_delay_s: Seconds = 0
    """Steps wait so long when the station is only not heard or not seeing."""
    power_loss_delay_s: Seconds = 0
    """The same for a station that says its power is going: others' silence tells in between
    whether the whole site has none."""
    quiet: bool = False  # quiet hours hold its messages back
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        names = [step.name for step in self.steps]
        reserved = {*DeadlineName, SETTLE}
        if len(names) != len(set(names)) or reserved & set(names):
            msg = f"steps: each name once, and none of {', '.join(sorted(reserved))}"
            raise ValueError(msg)
        return self

    def step(self, name: str) -> Step | None:
        """The step of that name; None for a deadline, or when the plan has changed since."""
        return next((step for step in self.steps if step.name == name), None)

    @property
    def deadlines(self) -> tuple[tuple[DeadlineName, int], ...]:
        """Name and seconds of the deadlines that exist."""
        pairs = (
            (DeadlineName.ACKNOWLEDGE, self.acknowledge_s),
            (DeadlineName.ON_SITE, self.on_site_s),
            (DeadlineName.REPORT, self.report_s),
        )
        return tuple((name, seconds) for name, seconds in pairs if seconds is not None)


class Plans(_Section):
    """One plan per urgency."""

    fire: Plan
    danger: Plan
    fault: Plan
    notice: Plan

    def of(self, urgency: Urgency) -> Plan:
        """The plan that answers this urgency."""
        plan: Plan = getattr(self, urgency.value)
        return plan


@dataclass(frozen=True, slots=True)
class Guard:
    """How findings are grouped and closed, in seconds."""

    window_s: int = 600  # findings of a station this close together are one incident
    settle_s: int = 600  # quiet for so long, faults and notices close by themselves
    proof_hold_s: float = 2.0  # the first message waits so long for the cut's proof, no longer


class PlansError(ValueError):
    """The plans file cannot be used; the text names the field and what it may be."""


def load_plans(path: Path | None = None) -> Plans:
    """The plans of ``path``, or the product's own.

    Raises:
        PlansError: it is not there, not TOML, or does not fit.

    """
    try:
        if path is None:
            source = (resources.files("alerts.incidents") / "plans.toml").read_text("utf-8")
        else:
            source = path.read_text("utf-8")
        return Plans.model_validate(tomllib.loads(source))
    except ValidationError as error:
        lines = (
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors(include_url=False)
        )
        msg = f"{path or 'plans.toml'}: " + "; ".join(lines)
        raise PlansError(msg) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"{path}: {error}"
        raise PlansError(msg) from error
