"""Freezes what is due: rules, frames, stills. Beside everything else, in tasks of its own.

Nothing waits for it, and what it cannot get is written down with the reason. Frames are read
from the telemetry store, which the drain fills a little later than the alarm path knows of
them: they are frozen once the store has everything up to the end of the window.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.evidence import tasks
from alerts.evidence.attachments import SYSTEM, Kind, attach
from alerts.evidence.errors import StillError, StillRefused
from alerts.evidence.files import EvidenceFiles, Kept
from alerts.evidence.images import check_still
from alerts.evidence.tasks import AROUND_MS, Part, Task
from alerts.incidents.tables import incident_finding
from alerts.tables import finding
from devices.database import Database
from iot.store import RawQuery, StoreError, TelemetryStore
from iot.telemetry_export import ExportFormat, export

log = structlog.get_logger(__name__)

AT_ONCE: Final = 8
"""Tasks that run beside each other."""
PATIENCE_MS: Final = 60 * 60_000
"""So long after the window's end an incomplete store is waited for; then what is there is kept."""
STILL_TRIES: Final = 4
TRIES: Final = 60
"""Of frames and rules: about five hours of a store that is away."""

_FIRST_WAIT_MS: Final = 2_000
_LONGEST_WAIT_MS: Final = 300_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class StillSource(Protocol):
    """Gives the stills of cameras; ``alerts.evidence.stills.Stills`` is one."""

    async def fetch(self, camera: str, url: str) -> bytes:
        """The picture's bytes; raises StillError."""
        ...


class Surroundings(Protocol):
    """What the freezer must be told of the rest of the product."""

    def now_ms(self) -> int:
        """UTC ms."""
        ...

    def stored_until_ms(self) -> int | None:
        """Up to which time of receipt (UTC ms) the telemetry store has all frames; None = unknown.

        ``Drain.stored_until_ms`` tells it.
        """
        ...

    def camera_url(self, camera: str) -> str | None:
        """Where a camera gives stills, as registered now."""
        ...

    def rules(self, stations: Sequence[str]) -> Mapping[str, Any]:
        """The rule settings in force, as JSON values.

        ``stations``: station -> version; ``catalogues``: version -> all its settings.
        """
        ...


@dataclass(slots=True)
class FreezeCounts:
    """Since start."""

    done: int = 0
    postponed: int = 0
    failed: int = 0
    errors: int = 0  # of our own making: a bug, or a database that was away


class _Later(Exception):  # noqa: N818 - not wrong, only too early
    """The store does not have the window yet."""


class Freezer:
    """Call ``turn`` every second; it claims what is due, starts it and returns."""

    def __init__(
        self,
        database: Database,
        store: TelemetryStore,
        files: EvidenceFiles,
        stills: StillSource,
        around: Surroundings,
    ) -> None:
        """Several processes may run one each on the same database and folder."""
        self._database = database
        self._store = store
        self._files = files
        self._stills = stills
        self._around = around
        self._running: set[asyncio.Task[None]] = set()
        self.counts = FreezeCounts()

    async def turn(self, now_ms: int) -> None:
        """Start what is due, as far as there is room. Raises what the database raises."""
        room = AT_ONCE - len(self._running)
        if room <= 0:
            return
        async with self._database.reading() as connection:
            if not await tasks.any_due(connection, now_ms):
                return
        async with self._database.writing() as connection:
            claimed = await tasks.claim(connection, now_ms, room)
        for task in claimed:
            running = asyncio.create_task(self._one(task), name=f"evidence {task.number}")
            self._running.add(running)
            running.add_done_callback(self._running.discard)

    async def settle(self) -> None:
        """Wait until what was started has ended."""
        if self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """End what runs; its leases run out, and somebody does it again."""
        for running in self._running:
            running.cancel()
        await self.settle()

    async def _one(self, task: Task) -> None:
        what = task.what
        try:
            await self._frozen(task)
        except (_Later, StillError, StoreError, OSError) as error:
            await self._again(task, error)
        except Exception as error:  # the edge of this loop: counted, logged, tried again
            self.counts.errors += 1
            log.exception("evidence was not frozen", incident=task.number, what=str(what))
            await self._again(task, error)

    async def _frozen(self, task: Task) -> None:
        match task.what.part:
            case Part.RULES:
                await self._rules(task)
            case Part.STILL:
                await self._still(task)
            case Part.FIRST_FRAMES | Part.FRAMES:
                await self._frames(task)

    async def _again(self, task: Task, error: Exception) -> None:
        """Note why it could not be, and when it is tried again, if ever."""
        most = STILL_TRIES if task.what.part is Part.STILL else TRIES
        hopeless = isinstance(error, StillRefused) or task.tries >= most
        wait_ms = min(_FIRST_WAIT_MS * 2 ** min(task.tries - 1, 10), _LONGEST_WAIT_MS)
        said = str(error) or type(error).__name__
        try:
            async with self._database.writing() as connection:
                if hopeless:
                    await tasks.fail(connection, task, said)
                else:
                    due_ms = self._around.now_ms() + wait_ms
                    await tasks.postpone(connection, task, said, due_ms)
        except Exception:  # the same edge: the lease runs out and it is tried again
            self.counts.errors += 1
            log.exception("evidence could not be put off", incident=task.number)
            return
        self.counts.failed += hopeless
        self.counts.postponed += not hopeless
        if hopeless:
            log.warning("evidence is missing", incident=task.number, what=str(task.what), why=said)

    async def _rules(self, task: Task) -> None:
        rules = self._around.rules(await self._stations(task))
        data = json.dumps(rules, ensure_ascii=False, indent=1, sort_keys=True).encode()
        name = _name(task, "rules", "json")
        kept = await asyncio.to_thread(self._files.keep, task.number, name, data)
        detail = {"versions": sorted(rules["catalogues"])}
        await self._done(task, Kind.RULES, kept, "application/json", detail)

    async def _still(self, task: Task) -> None:
        camera = task.what.camera
        url = self._around.camera_url(camera)
        if url is None:
            msg = "the camera is not registered any more, or gives no stills"
            raise StillRefused(msg)
        data = await self._stills.fetch(camera, url)
        fetched_ms = self._around.now_ms()
        media_type, suffix = await asyncio.to_thread(check_still, data)
        name = _name(task, f"still-{camera}-{task.what.after_ms // 1000}s", suffix)
        kept = await asyncio.to_thread(self._files.keep, task.number, name, data)
        detail = {"camera": camera, "fetched_ms": fetched_ms, "after_ms": task.what.after_ms}
        await self._done(task, Kind.STILL, kept, media_type, detail)

    async def _frames(self, task: Task) -> None:
        whole = task.what.part is Part.FRAMES
        now_ms = self._around.now_ms()
        start_ms = max(task.what.opened_ms - AROUND_MS, 0)
        wanted_ms = task.what.opened_ms + AROUND_MS
        stored_ms = self._around.stored_until_ms()
        complete = stored_ms is not None and stored_ms >= wanted_ms
        if whole and not complete and now_ms < wanted_ms + PATIENCE_MS:
            msg = "the telemetry store does not have all of it yet"
            raise _Later(msg)
        end_ms = wanted_ms if whole else max(min(now_ms, wanted_ms), start_ms + 1)
        stations = tuple(await self._stations(task))
        name = _name(task, task.what.part.value, "csv")
        rows = 0
        draft = await asyncio.to_thread(self._files.draft, task.number, name)
        if stations:
            query = RawQuery(start_ms, end_ms, stations)
            rows = await export(self._store, query, draft, ExportFormat.CSV)
        else:
            await asyncio.to_thread(draft.touch)
        kept = await asyncio.to_thread(self._files.adopt, task.number, name)
        detail = {
            "stations": list(stations),
            "start_ms": start_ms,
            "end_ms": end_ms,
            "rows": rows,
            "complete": complete,
        }
        await self._done(task, Kind.FRAMES, kept, "text/csv", detail)

    async def _stations(self, task: Task) -> Sequence[str]:
        """Of a station's incident that station; of a site's those that its findings name."""
        async with self._database.reading() as connection:
            return await stations_of(connection, task.incident_id, task.station)

    async def _done(
        self, task: Task, kind: Kind, kept: Kept, media_type: str, detail: Mapping[str, Any]
    ) -> None:
        async with self._database.writing() as connection:
            if await tasks.finish(connection, task):
                await attach(
                    connection,
                    task.incident_id,
                    kind,
                    kept,
                    media_type=media_type,
                    by=SYSTEM,
                    at_ms=self._around.now_ms(),
                    detail={**detail, "opened_ms": task.what.opened_ms},
                )
        self.counts.done += 1


async def stations_of(
    connection: AsyncConnection, incident_id: int, station: str | None
) -> Sequence[str]:
    """The stations an incident is about, by id: its own, and those its findings name."""
    link = incident_finding.c
    query = (
        select(finding.c.station_id)
        .join(incident_finding, link.finding_id == finding.c.id)
        .where(link.incident_id == incident_id)
        .distinct()
    )
    named = set((await connection.execute(query)).scalars())
    return sorted(named | ({station} if station is not None else set()))


def _name(task: Task, what: str, suffix: str) -> str:
    """A file name that no other try has: whoever lost the lease must not replace what is kept."""
    moment = (_EPOCH + timedelta(milliseconds=task.what.opened_ms)).strftime("%Y%m%dT%H%M%SZ")
    again = f"-try{task.tries}" if task.tries > 1 else ""
    return f"{what}-{moment}{again}.{suffix}"
