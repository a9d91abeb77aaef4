"""What the HTTP side needs of the product: one ``Backend``, implemented in the composition root.

Methods without ``async`` answer from memory and must not wait. The others may ask the database,
the disk or the telemetry store; when those do not answer they raise
``devices.errors.DatabaseError`` or ``iot.store.StoreError``.
A page gives at most ``limit`` rows in the stated order and the cursor that continues after
them; a ``cursor`` that no list gave out raises ``devices.errors.CursorError``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from alerts.alarms import AlarmFilter, StoredAlarm
from alerts.findings import FindingFilter, StoredFinding, StoredTransition
from alerts.oncall.book import Book
from alerts.oncall.changes import StoredOverride
from alerts.oncall.feeds import Feed
from alerts.oncall.model import Override
from alerts.oncall.peoplefile import Holiday, People
from api.health import Verdict
from api.http.cases import Cases
from api.http.watchbook import WatchBook
from api.live import LiveHub
from api.metrics import Metrics
from devices.command_model import CommandRecord
from devices.lockouts import LockBook, Outcome
from devices.model import Site
from devices.orders import Action
from devices.pages import Page
from devices.records import CommandFilter
from devices.registry import ImportReport
from devices.twin import Twins
from iot.quarantine import Refused
from iot.store import TelemetryStore
from rules.model import Finding
from rules.views import SocketView, StationView


@dataclass(frozen=True, slots=True)
class Subject:
    """What an order is about and who gives it: ``by`` is the verified caller."""

    station: str
    socket: int | None
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Released:
    """What became of a release; ``findings`` forbid it when it is still dangerous."""

    outcome: Outcome
    findings: tuple[Finding, ...] = ()


class Detection(Protocol):
    """The present state of detection, from memory; ``rules.engine.Engine`` is one."""

    def active(self, station: str) -> Sequence[Finding]:
        """Findings that stand now at the station, shadow ones too."""
        ...

    def socket_view(self, station: str) -> Sequence[SocketView]:
        """Every socket, from 1."""
        ...

    def station_view(self, station: str) -> StationView:
        """The station itself."""
        ...


class Callbacks(Protocol):
    """What SMS and voice providers send back; ``alerts.callbacks.intake.Intake`` is one."""

    def right(self, service: str, key: str) -> bool:
        """Whether ``key`` is the key of ``service``; a wrong one is counted."""
        ...

    async def take(self, service: str, body: bytes) -> Sequence[str]:
        """Apply what came; what became of each event, in order.

        Raises ``alerts.callbacks.errors.BodyError`` when the body is none of the provider's.
        """
        ...


class Duty(Protocol):
    """People and rosters in SQL; ``by`` is the verified caller.

    What does not exist raises ``alerts.oncall.errors.UnknownError``.
    """

    async def book(self) -> Book:
        """People, rosters, overrides and sites, as they stand."""
        ...

    async def people(self, site: str) -> People | None:
        """The people document of a site; None when it has none."""
        ...

    async def put_people(self, people: People, by: str) -> ImportReport:
        """Put a people document in force. May raise ``PeopleRefusedError``."""
        ...

    async def overrides(self, roster: str) -> Sequence[StoredOverride]:
        """The overrides of a roster that have not ended, by their beginning."""
        ...

    async def add_override(self, override: Override) -> StoredOverride:
        """Record an override. May raise ``OverrideRefusedError``."""
        ...

    async def end_override(self, number: int, by: str) -> StoredOverride:
        """Let an override end now."""
        ...

    async def put_holiday(self, site: str, holiday: Holiday, by: str) -> None:
        """Make a day a holiday."""
        ...

    async def remove_holiday(self, site: str, day: str, by: str) -> bool:
        """Make a day an ordinary one; whether it was a holiday."""
        ...

    async def feed_key(self, feed: Feed, name: str, by: str) -> str:
        """Make the key of a calendar; the one before is void."""
        ...

    async def opens(self, feed: Feed, name: str, key: str) -> bool:
        """Whether the key is the calendar's."""
        ...


class Exports(Protocol):
    """Evidence of incidents as files; every export is audited under the caller's name."""

    async def pack(self, number: str, by: str) -> Path | None:
        """The pack as a temporary file that the caller removes; None = no such incident."""
        ...

    async def report(self, number: str, by: str) -> bytes | None:
        """The report as PDF; None = no such incident."""
        ...


class Backend(Protocol):
    """Everything the routes need."""

    @property
    def live(self) -> LiveHub:
        """The live stream."""
        ...

    @property
    def metrics(self) -> Metrics:
        """The product's counters."""
        ...

    @property
    def twins(self) -> Twins:
        """What stations last said, and what we want of them."""
        ...

    @property
    def locks(self) -> LockBook:
        """The lockouts in force."""
        ...

    @property
    def detection(self) -> Detection:
        """Findings, sessions and sensor truth, now."""
        ...

    @property
    def cases(self) -> Cases:
        """Incidents, messages, silences, officers' links."""
        ...

    @property
    def exports(self) -> Exports:
        """Evidence to take away."""
        ...

    @property
    def telemetry(self) -> TelemetryStore:
        """Where frames rest."""
        ...

    @property
    def duty(self) -> Duty:
        """People and rosters."""
        ...

    @property
    def watchbook(self) -> WatchBook:
        """Reports and drills."""
        ...

    def sites(self) -> Sequence[Site]:
        """All sites with their stations, as registered now."""
        ...

    def now_ms(self) -> int:
        """UTC milliseconds."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds of a clock that never jumps; only differences mean anything."""
        ...

    def verdict(self) -> Verdict:
        """Health, now."""
        ...

    async def verify(self, token: str) -> str | None:
        """The name behind a credential, or None when it is none of ours."""
        ...

    async def findings(
        self, where: FindingFilter, cursor: str | None, limit: int
    ) -> Page[StoredFinding]:
        """Findings at rest, newest first."""
        ...

    async def finding(
        self, finding: int
    ) -> tuple[StoredFinding, Sequence[StoredTransition]] | None:
        """One finding by its number, with its recorded steps."""
        ...

    async def commands(
        self, where: CommandFilter, cursor: str | None, limit: int
    ) -> Page[CommandRecord]:
        """Commands, newest first."""
        ...

    async def command(self, command: str) -> CommandRecord | None:
        """One command by its id."""
        ...

    async def alarms(self, where: AlarmFilter, cursor: str | None, limit: int) -> Page[StoredAlarm]:
        """The stations' own alarms, newest first."""
        ...

    async def refused(self, limit: int) -> Sequence[Refused]:
        """The newest refused messages, newest first."""
        ...

    async def order(self, action: Action, subject: Subject) -> CommandRecord:
        """Order a cut, a station cut or an identify; it leaves before any disk wait.

        When the same cut is on its way already, that one.
        """
        ...

    async def release(self, subject: Subject) -> Released:
        """Release the lockouts of exactly this subject, or note the first of two words."""
        ...
