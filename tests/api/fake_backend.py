"""A backend in memory: the real books, twins, hub and metrics; only stores and engine are fakes."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import count

import httpx
import numpy as np
import orjson

from alerts.alarms import AlarmFilter, StoredAlarm
from alerts.callbacks.errors import BodyError, Reason
from alerts.findings import FindingFilter, StoredFinding, StoredTransition
from api.health import Health, Verdict
from api.http.app import create_app
from api.http.ports import Released, Subject
from api.live import LiveHub
from api.metrics import Metrics
from devices.command_model import CommandRecord, Origin, Send
from devices.commands import CommandBook
from devices.errors import DatabaseUnavailable
from devices.lockouts import Kind, LockBook
from devices.model import Site
from devices.orders import Action
from devices.pages import Cursor, Page, page_of
from devices.records import CommandFilter
from devices.sitefile import packaged_site
from devices.twin import ReportedStatus, Twins
from iot.frames import SOCKET_CHANNELS, STATION_CHANNELS, FrameBatch
from iot.quarantine import Refused
from iot.store import RangeQuery, RawQuery, Series, StoreHealth, StoreUnavailable
from rules.model import Act, Change, Family, Finding, FindingKey, Severity
from rules.views import Reading, SocketView, StationView
from tests.api.fake_cases import FakeCases
from tests.api.fake_duty import FakeDuty
from tests.api.fake_exports import FakeExports
from tests.api.fake_watchbook import FakeWatchBook

NOW_MS = 1_790_000_000_000
TOKEN = "cw_" + "k" * 43
OTHER_TOKEN = "cw_" + "m" * 43
BEARER = {"Authorization": f"Bearer {TOKEN}"}
CALLBACK_KEY = "0123456789abcdef" * 3
HOT = "cmrj-01"
"""The station whose socket 5 is hot, cut and locked."""


def hot_finding(station: str = HOT, socket: int | None = 5, *, fire: bool = False) -> Finding:
    """A socket that was cut for being hot."""
    return Finding(
        key=FindingKey(station, socket, "R02", "sustained", NOW_MS - 32_000),
        family=Family.ALARM,
        severity=Severity.CRITICAL,
        reason="socket_hot",
        act=Act.CUT_SOCKET,
        latched=True,
        fire=fire,
        shadow=False,
        raised_ms=NOW_MS - 2_000,
        evidence={"temp_c": 81.5, "threshold_c": 80.0},
    )


def socket_view(number: int, **seen: object) -> SocketView:
    """An idle, cool socket but for what is ``seen``."""
    idle = SocketView(
        socket=number,
        temp_c=Reading(25.0, "valid"),
        current_a=Reading(0.0, "valid"),
        power_w=Reading(0.0, "valid"),
        relay=False,
        temp_ms=NOW_MS - 900,
        last_temp_c=25.0,
        rise_k_60s=0.0,
        rise_k_120s=None,
        phase="idle",
        charging=False,
        started_ms=None,
        elapsed_s=None,
        peak_w=None,
        min_since_peak_w=None,
        energy_wh=None,
        slope_w_per_h=None,
        locked=False,
    )
    return replace(idle, **seen)  # type: ignore[arg-type]  # names are checked by replace itself


def station_view(**seen: object) -> StationView:
    """A station at rest but for what is ``seen``."""
    calm = StationView(
        enclosure_c=Reading(29.0, "valid"),
        ambient_c=Reading(24.5, "valid"),
        voltage_v=229.0,
        leakage_ma=4.0,
        smoke=False,
        water=False,
        door=None,
        rise_k_120s=0.0,
        last_event_ms=NOW_MS - 900,
        last_frame_ms=NOW_MS - 800,
        last_heard_ms=NOW_MS - 800,
        stale=False,
        offline=False,
        charging=1,
    )
    return replace(calm, **seen)  # type: ignore[arg-type]  # names are checked by replace itself


class FakeDetection:
    """What an engine would know: on every station socket 3 charges and socket 12 is blind."""

    def __init__(self) -> None:
        """One socket is hot."""
        self.findings = [hot_finding()]
        self.boxes: dict[str, StationView] = {}

    def active(self, station: str) -> Sequence[Finding]:
        """Findings at the station."""
        return [finding for finding in self.findings if finding.key.station == station]

    def socket_view(self, station: str) -> Sequence[SocketView]:
        """Twelve sockets."""
        views = [socket_view(number) for number in range(1, 13)]
        views[2] = socket_view(
            3,
            temp_c=Reading(31.5, "valid"),
            current_a=Reading(0.75, "valid"),
            power_w=Reading(150.0, "valid"),
            relay=True,
            phase="taper",
            charging=True,
            started_ms=NOW_MS - 3_600_000,
            elapsed_s=3_600.0,
            peak_w=182.0,
            min_since_peak_w=149.0,
            energy_wh=120.5,
            slope_w_per_h=-30.0,
        )
        if station == HOT:
            views[4] = socket_view(5, temp_c=Reading(81.5, "valid"), rise_k_60s=1.25)
        views[11] = socket_view(12, temp_c=Reading(None, "absent"), rise_k_60s=None)
        return views

    def station_view(self, station: str) -> StationView:
        """At rest, unless a test says otherwise."""
        return self.boxes.get(station, station_view())


class FakeStore:
    """A telemetry store that answers every range with the same two windows."""

    def __init__(self) -> None:
        """It works until ``down`` is set."""
        self.asked: list[RangeQuery] = []
        self.down = False

    async def range(self, query: RangeQuery) -> Series:
        """Two windows, or StoreUnavailable."""
        self.asked.append(query)
        if self.down:
            msg = "influx at http://10.1.2.3 with token abc is away"
            raise StoreUnavailable(msg)
        return Series(
            window_ms=query.window_ms,
            start_ms=np.array([query.start_ms, query.start_ms + query.window_ms]),
            minimum=np.array([20.0, 21.0]),
            maximum=np.array([22.0, np.nan]),
            mean=np.array([21.0, 21.5]),
            samples=np.array([10, 9]),
        )

    async def append(self, blocks: Sequence[tuple[int, FrameBatch]], upto_lsn: int) -> None:
        """The API never writes."""
        raise AssertionError(blocks, upto_lsn)

    async def stored_lsn(self) -> int | None:
        """Unknown."""
        return None

    async def _nothing(self) -> AsyncIterator[FrameBatch]:
        empty: tuple[FrameBatch, ...] = ()
        for batch in empty:
            yield batch

    def raw(self, query: RawQuery, page: int = 10_000) -> AsyncIterator[FrameBatch]:  # noqa: ARG002 - the port
        """Nothing."""
        return self._nothing()

    async def last(self, stations: Sequence[str]) -> FrameBatch:
        """The API reads last values from the twins."""
        raise AssertionError(stations)

    async def prune(self, before_ms: int) -> int:
        """The API deletes nothing."""
        raise AssertionError(before_ms)

    async def count(self) -> int:
        """None."""
        return 0

    async def health(self) -> StoreHealth:
        """Up or down."""
        return StoreHealth(not self.down, "")

    async def close(self) -> None:
        """Nothing to release."""


class FakeCallbacks:
    """Knows one key and keeps the bodies; implements ``api.http.ports.Callbacks``."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self.taken: list[tuple[str, bytes]] = []
        self.sql_down = False

    def right(self, service: str, key: str) -> bool:
        """Both services of one account and the other account have the same key here."""
        return service in {"aliyun_sms", "aliyun_voice", "tencent_sms"} and key == CALLBACK_KEY

    async def take(self, service: str, body: bytes) -> Sequence[str]:
        """One event per body that is JSON."""
        if self.sql_down:
            msg = "connection to postgres://secret@db refused"
            raise DatabaseUnavailable(msg)
        try:
            orjson.loads(body)
        except ValueError as error:
            raise BodyError(Reason.NOT_JSON, "unexpected end") from error
        self.taken.append((service, body))
        return ["applied"]


class FakeBackend:
    """Implements ``api.http.ports.Backend``."""

    def __init__(self) -> None:
        """The packaged site with all 16 stations online, one socket hot, cut and locked."""
        ids = count(1)
        self.utc_ms = NOW_MS
        self.metrics = Metrics()
        self.live = LiveHub("run1", on_drop=self.metrics.sse_dropped)
        self.health = Health(("safety", "telemetry"), 0)
        self.twins = Twins(STATION_CHANNELS, SOCKET_CHANNELS)
        self.locks = LockBook()
        self.book = CommandBook(lambda: f"c{next(ids)}")
        self.detection = FakeDetection()
        self.telemetry = FakeStore()
        self.cases = FakeCases(self.now_ms)
        self.exports = FakeExports(self.cases, self._sql)
        self.site = packaged_site()
        self.tokens = {TOKEN: "admin", OTHER_TOKEN: "second"}
        self.callbacks = FakeCallbacks()
        self.sql_down = False
        self.duty = FakeDuty(self.sites, self.now_ms, self._sql)
        self.watchbook = FakeWatchBook(self.now_ms, self._sql)
        self.sends: list[Send] = []
        self.stored_commands: dict[str, CommandRecord] = {}
        self.stored_findings = [
            StoredFinding(n, replace(hot_finding(), raised_ms=NOW_MS - n), NOW_MS - n, None)
            for n in range(1, 8)
        ]
        self.stored_alarms: list[StoredAlarm] = []
        self.quarantine: list[Refused] = []
        self._charge()
        self.locks.add(
            HOT,
            5,
            kind=Kind.LATCHED,
            rule="R02",
            reason="socket_hot",
            fire=False,
            now_ms=NOW_MS - 2_000,
        )

    def _charge(self) -> None:
        for station in self.site.stations:
            status = ReportedStatus(
                online=True,
                boot="5d1c90ab",
                firmware="1.4.2",
                hardware="cw12-b",
                sockets=station.sockets,
                interval_s=5.0,
                limits_version=0,
                protections={"smoke_sensor": True},
                received_ms=NOW_MS - 60_000,
            )
            self.twins.on_status(station.id, status)

    def sites(self) -> Sequence[Site]:
        """The packaged one."""
        return [self.site]

    def now_ms(self) -> int:
        """Stands still unless a test moves it."""
        return self.utc_ms

    def monotonic_ms(self) -> int:
        """The same clock."""
        return self.utc_ms - NOW_MS

    def verdict(self) -> Verdict:
        """Health now."""
        return self.health.verdict(self.monotonic_ms())

    async def verify(self, token: str) -> str | None:
        """Of the two people, unless SQL is down."""
        self._sql()
        return self.tokens.get(token)

    def _sql(self) -> None:
        if self.sql_down:
            msg = "connection to postgres://secret@db refused"
            raise DatabaseUnavailable(msg)

    async def findings(
        self, where: FindingFilter, cursor: str | None, limit: int
    ) -> Page[StoredFinding]:
        """Newest first; only station and openness are looked at."""
        self._sql()
        after = None if cursor is None else Cursor.parse(cursor)
        rows = [
            (Cursor(s.finding.raised_ms, str(s.id)), s)
            for s in self.stored_findings
            if (where.stations is None or s.finding.key.station in where.stations)
            and where.open in {None, s.cleared_ms is None}
            and (after is None or s.finding.raised_ms < after.at_ms)
        ]
        return page_of(rows[: limit + 1], limit)

    async def finding(
        self, finding: int
    ) -> tuple[StoredFinding, Sequence[StoredTransition]] | None:
        """With one step: raised."""
        self._sql()
        for stored in self.stored_findings:
            if stored.id == finding:
                step = StoredTransition(
                    change=Change.RAISED,
                    at_ms=stored.finding.raised_ms,
                    recorded_ms=stored.finding.raised_ms + 5,
                    severity=stored.finding.severity,
                    reason=stored.finding.reason,
                    evidence=stored.finding.evidence,
                )
                return stored, [step]
        return None

    async def commands(
        self, where: CommandFilter, cursor: str | None, limit: int
    ) -> Page[CommandRecord]:
        """All that were ordered."""
        self._sql()
        after = None if cursor is None else Cursor.parse(cursor)
        rows = [
            (Cursor(record.issued_ms, record.id), record)
            for record in reversed(self.stored_commands.values())
            if (where.stations is None or record.station in where.stations)
            and (where.states is None or record.state in where.states)
            and (after is None or record.issued_ms < after.at_ms)
        ]
        return page_of(rows[: limit + 1], limit)

    async def command(self, command: str) -> CommandRecord | None:
        """By id."""
        self._sql()
        return self.stored_commands.get(command)

    async def alarms(self, where: AlarmFilter, cursor: str | None, limit: int) -> Page[StoredAlarm]:
        """All, newest first."""
        self._sql()
        if cursor is not None:
            Cursor.parse(cursor)
        kept = [
            stored
            for stored in self.stored_alarms
            if where.kinds is None or stored.alarm.kind in where.kinds
        ]
        return Page(tuple(kept[:limit]), None)

    async def refused(self, limit: int) -> Sequence[Refused]:
        """Newest first."""
        return self.quarantine[:limit]

    async def order(self, action: Action, subject: Subject) -> CommandRecord:
        """Through the real book."""
        sends = self.book.order(
            action,
            subject.station,
            subject.socket,
            reason=subject.reason,
            rule=None,
            origin=Origin.PERSON,
            by=subject.by,
            now_ms=self.utc_ms,
            lock=True,
        )
        self.sends.extend(sends)
        self.stored_commands.update((record.id, record) for record in self.book.changed())
        if sends:
            return self.stored_commands[sends[0].command_id]
        live = self.book.live_cut(subject.station, subject.socket)
        assert live is not None
        return live

    async def release(self, subject: Subject) -> Released:
        """Through the real book; any open finding on the subject is a danger."""
        dangers = tuple(
            finding
            for finding in self.detection.active(subject.station)
            if finding.key.socket == subject.socket
        )
        outcome = self.locks.release(
            subject.station,
            subject.socket,
            by=subject.by,
            reason=subject.reason,
            dangerous=bool(dangers),
            now_ms=self.utc_ms,
        )
        return Released(outcome, dangers)


def client_of(backend: FakeBackend, *, open_reads: bool = False) -> httpx.AsyncClient:
    """A client of the application over ``backend``; nothing is raised through it."""
    app = create_app(backend, open_reads=open_reads, callbacks=backend.callbacks)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("192.0.2.7", 40_000))
    return httpx.AsyncClient(transport=transport, base_url="http://chargeward.test")
