"""The configured telemetry store for a command beside the server, and what the journal holds.

Reading only. The embedded store lets in one process at a time, so while the server runs it
cannot be opened; the journal can always be looked at.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.settings import Settings
from iot.cursors import Cursors
from iot.drain import CURSOR
from iot.embedded_store import EmbeddedOptions, EmbeddedStore
from iot.influx_store import InfluxOptions, InfluxStore
from iot.segments import find_segments, read_segment, scan
from iot.store import StoreRefused, StoreUnavailable, TelemetryStore

_LOCKED: Final = "Could not set lock on file"  # DuckDB has no error type of its own for it


class StoreInUse(StoreUnavailable):
    """Another process, as a rule the running server, has the embedded store open."""


class NoStore(StoreRefused):
    """There is no embedded store in the data directory."""


@asynccontextmanager
async def opened(
    settings: Settings, *, query_timeout_s: float = 60
) -> AsyncIterator[TelemetryStore]:
    """The store of ``settings``; never makes one.

    Raises StoreError, among them StoreInUse and NoStore.
    """
    telemetry = settings.telemetry
    store: TelemetryStore
    if telemetry.kind == "embedded":
        store = await _embedded(settings.data_dir.absolute() / "telemetry", telemetry.memory_mib)
    else:
        token = telemetry.token.get_secret_value() if telemetry.token else ""
        options = InfluxOptions(
            telemetry.url,
            token,
            telemetry.org,
            telemetry.bucket,
            query_timeout_s=query_timeout_s,
        )
        store = await InfluxStore.open(options, lambda _: None)  # nothing is written here
    try:
        yield store
    finally:
        await store.close()


async def _embedded(directory: Path, memory_mib: int) -> EmbeddedStore:
    if not await asyncio.to_thread(directory.is_dir):
        msg = f"there is no telemetry in {directory}"
        raise NoStore(msg)
    try:
        return await EmbeddedStore.open(directory, EmbeddedOptions(memory_limit_mb=memory_mib))
    except StoreUnavailable as error:
        if _LOCKED in str(error):
            raise StoreInUse(str(error)) from error
        raise


@dataclass(frozen=True, slots=True)
class JournalView:
    """The journal as it lies on disk; the server may be writing to it."""

    end_lsn: int
    """The number of the next record."""
    drained_lsn: int
    """Everything before is in the telemetry store, as far as the drain's cursor tells."""
    bytes_used: int

    def waiting(self, stored_lsn: int | None) -> int:
        """Records not in the store yet; ``stored_lsn``: what the store itself says, if it can."""
        return max(self.end_lsn - max(self.drained_lsn, stored_lsn or 0), 0)


def look_at_journal(directory: Path) -> JournalView | None:
    """What lies in ``directory``; None when there is no journal or it changes under the reading.

    Changes nothing, takes no lock. Blocking.
    """
    try:
        segments = find_segments(directory)
        if not segments:
            return None
        last = segments[-1]
        numbers = [found.lsn + 1 for found in scan(read_segment(last, 0), 0, last.start)]
        drained = Cursors(directory).get(CURSOR)
    except FileNotFoundError:
        return None
    return JournalView(
        end_lsn=numbers[-1] if numbers else last.start,
        drained_lsn=segments[0].start if drained is None else drained,
        bytes_used=sum(segment.size for segment in segments),
    )
