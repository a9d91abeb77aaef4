"""The composition root: every part of the backend, made and joined in one place.

``assemble`` reads from top to bottom in the order in which parts need each other and undoes
it in reverse. What turns then is ``api.running.Backend``.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final
from uuid import uuid4
from zoneinfo import ZoneInfo

import structlog

from alerts import audited
from alerts.drills.turn import Drills
from alerts.watch import marks
from api import stations as stations_in
from api.clock import Clock
from api.database_schema import upgrade
from api.desk import open_people
from api.evidence import Evidence
from api.health import Health
from api.jobs import Jobs
from api.lanes import Lane
from api.live import LiveHub
from api.metrics import Metrics
from api.observer import Observation
from api.records import SqlRecords
from api.running import SAFETY, SNAPSHOT_CURSOR, TELEMETRY, Backend, Link, MakeLink
from api.settings import MiB, Settings
from api.snapshot import Snapshot, load_snapshot
from api.watching import open_watching
from devices import credentials, registry
from devices.command_model import CommandRecord
from devices.commands import CommandBook
from devices.database import Database
from devices.errors import DatabaseUnavailable
from devices.limits import LimitsBook
from devices.lockouts import LockBook
from devices.model import Site
from devices.records import load_limits, load_live_commands, load_lockouts, load_status
from devices.sitefile import load_site, packaged_site
from devices.twin import Twins
from iot import blocks
from iot.admission import Admission
from iot.committer import Committer
from iot.drain import CURSOR as DRAIN_CURSOR
from iot.drain import Drain
from iot.embedded_store import EmbeddedOptions, EmbeddedStore
from iot.frames import SOCKET_CHANNELS, STATION_CHANNELS
from iot.influx_store import InfluxOptions, InfluxStore, RefusedPoint
from iot.journal import EntryKind, Journal
from iot.mqtt import Session
from iot.outlet import Outlet
from iot.quarantine import Quarantine, Refused
from iot.sequence import Sequences
from iot.store import TelemetryStore
from iot.topics import Channel, every_station
from rules.actuation import Actuation
from rules.decisions import Charge
from rules.engine import Engine, EngineState
from rules.errors import SnapshotError
from rules.model import Transition
from rules.runner import Runner

log = structlog.get_logger(__name__)

REPLAY_RECORDS: Final = 256
STORE_TOPIC: Final = "influxdb"


@asynccontextmanager
async def assemble(
    settings: Settings, clock: Clock, make_link: MakeLink | None = None
) -> AsyncIterator[Backend]:
    """The whole backend, restored to where it stood; left in reverse order.

    ``make_link`` replaces the MQTT sessions, for virtual time.
    """
    async with AsyncExitStack() as stack:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        await upgrade(settings.database_url)
        database = await Database.open(settings.database_url)
        stack.push_async_callback(database.close)
        await _rebase(database, clock)
        sites, first_token = await _register(settings, database, clock.utc_ms())
        stations = {
            station.id: Charge(station.sockets, site.trips_of(station), site.intervals_of(station))
            for site in sites
            for station in site.stations
        }

        metrics = Metrics()
        live = LiveHub(uuid4().hex[:8], on_drop=metrics.sse_dropped)
        stack.callback(live.close)
        observation = Observation(metrics, live)
        health = Health((SAFETY, TELEMETRY), round(clock.monotonic_s() * 1000))
        jobs = Jobs(
            health.jobs,
            lambda: round(clock.monotonic_s() * 1000),
            metrics.job_failed,
            jump_ms=clock.jump_ms,
        )
        quarantine = Quarantine(settings.data_dir / "quarantine")

        store = await _open_store(settings, quarantine, clock)
        stack.push_async_callback(store.close)
        saved = await asyncio.to_thread(load_snapshot, settings.data_dir / "state.snapshot")
        journal = await asyncio.to_thread(
            Journal.open,
            settings.data_dir / "journal",
            max_bytes=settings.telemetry.spool_mib * MiB,
            at_least=max(saved.lsn if saved else 0, await store.stored_lsn() or 0),
        )
        for cursor in (SNAPSHOT_CURSOR, DRAIN_CURSOR):  # one that does not exist protects nothing
            journal.cursor(cursor)
        stack.callback(journal.close)
        drain = Drain(journal, store)

        profiles = stations_in.profiles(sites, canaries=settings.watch.canary)
        admission = Admission({profile.station: profile.sockets for profile in profiles}.get)
        state, replay_from = _resume(saved, admission.sequences)
        engine = Engine(profiles, state)
        links = _links(settings, clock, make_link)
        outlet = Outlet(lambda topic, body, keep: links[SAFETY].publish(topic, body, retain=keep))
        twins = Twins(STATION_CHANNELS, SOCKET_CHANNELS)
        actuation = Actuation(
            commands=CommandBook(lambda: uuid4().hex),
            locks=LockBook(),
            limits=LimitsBook(),
            twins=twins,
            stations=stations,
            outlet=outlet,
            observer=observation,
            monotonic_s=clock.monotonic_s,
        )
        runner = Runner(engine=engine, actuation=actuation, twins=twins, observer=observation)
        evidence = Evidence(
            settings.cameras,
            database=database,
            store=store,
            drain=drain,
            clock=clock,
            sites=sites,
            profiles=profiles,
            data_dir=settings.data_dir,
            font=settings.paper.font,
        )
        stack.push_async_callback(evidence.close)
        people = await open_people(
            settings,
            database=database,
            clock=clock,
            sites=sites,
            metrics=metrics,
            opened=evidence.opened,
            told=observation.message,
        )
        stack.push_async_callback(people.gateway.close)
        wanted = asyncio.Event()
        records = SqlRecords(database, people.desk, clock.utc_ms, wanted.set)
        watching = open_watching(
            settings.watch,
            database=database,
            clock=clock,
            health=health,
            metrics=metrics.watch,
            observation=observation,
            records=records,
            people=people,
            sites=[site.id for site in sites],
            publish=links[SAFETY].publish,
            boot=uuid4().hex[:8],
        )
        stack.push_async_callback(watching.close)
        unfinished = await _restore(runner, database)
        replayed, skipped = _replay(
            runner, admission, journal, max(replay_from, journal.oldest_lsn)
        )
        health.replay_skipped(skipped)
        fresh = await records.replayed(replayed, clock.utc_ms())

        committer = Committer(journal, quarantine, records, retry_on=DatabaseUnavailable)
        lanes = {
            name: Lane(
                link,
                admission=admission,
                runner=runner,
                committer=committer,
                outlet=outlet,
                metrics=metrics,
                health=health,
                clock=clock,
            )
            for name, link in links.items()
        }
        backend = Backend(
            settings=settings,
            clock=clock,
            sites=sites,
            database=database,
            journal=journal,
            quarantine=quarantine,
            store=store,
            drain=drain,
            engine=engine,
            runner=runner,
            admission=admission,
            records=records,
            committer=committer,
            outlet=outlet,
            links=links,
            lanes=lanes,
            observation=observation,
            metrics=metrics,
            health=health,
            jobs=jobs,
            live=live,
            first_token=first_token,
            people=people,
            evidence=evidence,
            watching=watching,
            drills=Drills(
                settings.drills,
                {site.id: ZoneInfo(site.timezone) for site in sites},
                people.desk.open_drill,
            ),
            desk_wanted=wanted,
            fresh=fresh,
            unfinished=unfinished,
        )
        links[SAFETY].on_connected = backend.start
        stack.push_async_callback(backend.finish)
        yield backend


async def _rebase(database: Database, clock: Clock) -> None:
    """Carry due times over to this start's clock."""
    async with database.writing() as connection:
        shift_ms = await marks.resume(connection, clock.mark())
    if shift_ms:
        log.warning("the clock was set since the last run; due times follow", shift_ms=shift_ms)


async def _register(
    settings: Settings, database: Database, now_ms: int
) -> tuple[list[Site], str | None]:
    """Bring the registry up to the site files; with neither files nor sites, the packaged one."""
    async with database.writing() as connection:
        for path in settings.site_files:
            site = stations_in.check(load_site(path), str(path))
            report = await registry.import_site(connection, site)
            await audited.imported(connection, "site", report, by=audited.SYSTEM, at_ms=now_ms)
        sites = await registry.load_sites(connection)
        if not sites:
            await registry.import_site(connection, packaged_site())
            sites = await registry.load_sites(connection)
        return sites, await credentials.ensure_first(connection, now_ms)


async def _open_store(settings: Settings, quarantine: Quarantine, clock: Clock) -> TelemetryStore:
    telemetry = settings.telemetry
    if telemetry.kind == "embedded":
        return await EmbeddedStore.open(
            settings.data_dir / "telemetry", EmbeddedOptions(memory_limit_mb=telemetry.memory_mib)
        )

    def keep(refused: Sequence[RefusedPoint]) -> None:
        at_ms = clock.utc_ms()
        quarantine.put(
            [
                Refused(at_ms, STORE_TOPIC, "refused_by_store", p.reason, p.payload, retained=False)
                for p in refused
            ]
        )

    token = telemetry.token.get_secret_value() if telemetry.token else ""
    options = InfluxOptions(telemetry.url, token, telemetry.org, telemetry.bucket)
    return await InfluxStore.open(options, keep)


def _links(settings: Settings, clock: Clock, make_link: MakeLink | None) -> dict[str, Link]:
    filters = {
        SAFETY: [every_station(c) for c in (Channel.ALARM, Channel.REPLY, Channel.STATUS)],
        TELEMETRY: [every_station(Channel.TELEMETRY)],
    }

    def session(lane: str, patterns: Sequence[str]) -> Link:
        return Session(
            settings.mqtt, lane, patterns, clock_ms=clock.utc_ms, monotonic_s=clock.monotonic_s
        )

    make = make_link or session
    return {lane: make(lane, patterns) for lane, patterns in filters.items()}


def _resume(saved: Snapshot | None, sequences: Sequences) -> tuple[EngineState | None, int]:
    """The engine's state, and the journal position from which it is to be replayed.

    None and 0 without a snapshot, or when another version of us wrote it.
    """
    if saved is None:
        return None, 0
    try:
        state = EngineState.from_snapshot(saved.engine)
        sequences.load(saved.sequences)
    except (SnapshotError, KeyError, TypeError, ValueError) as error:
        log.warning("the state is made anew from the journal", error=repr(error))
        return None, 0
    return state, saved.lsn


async def _restore(runner: Runner, database: Database) -> list[CommandRecord]:
    """Fill the books from SQL; the orders that had not ended."""
    async with database.reading() as connection:
        runner.locks.restore(await load_lockouts(connection))
        runner.actuation.limits.restore(await load_limits(connection))
        unfinished = await load_live_commands(connection)
        for station, status in (await load_status(connection)).items():
            runner.twins.on_status(station, status)
    runner.twins.changed()  # what was just read need not be written again
    for station in runner.actuation.stations:
        desired = runner.actuation.limits.current(station)
        if desired is not None:
            runner.twins.on_desired(desired)
    return unfinished


def _replay(
    runner: Runner, admission: Admission, journal: Journal, from_lsn: int
) -> tuple[list[Transition], int]:
    """Bring engine, twins and sequence memory from the snapshot to the journal's end.

    The transitions, and how many records could not be taken in.
    """
    transitions: list[Transition] = []
    lsn, count, skipped = from_lsn, 0, 0
    while found := journal.read(lsn, limit=REPLAY_RECORDS):
        for record in found:
            try:
                if record.entry.kind is EntryKind.FRAMES:
                    admission.remember(blocks.decode(record.entry.payload))
                transitions += runner.replay(record.entry)
            except Exception:  # the edge of the replay: no record may keep the watch from starting
                log.exception("a journal record was not replayed", lsn=record.lsn)
                skipped += 1
        lsn, count = found[-1].next_lsn, count + len(found)
    log.info("state restored", from_lsn=from_lsn, to_lsn=lsn, records=count, skipped=skipped)
    return transitions, skipped
