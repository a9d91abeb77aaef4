"""A process to be killed: appends frames to a journal and drains them into a store.

Prints a line for every frame whose durability was promised. Started again, it continues behind
the newest frame that survived, as the real admission does.

    python -m tests.iot_stores.killed_writer FOLDER
"""

import asyncio
import sys
from pathlib import Path

from iot.blocks import decode, encode
from iot.drain import Drain, DrainOptions
from iot.embedded_store import EmbeddedOptions, EmbeddedStore
from iot.journal import Entry, EntryKind, Journal
from tests.iot_stores.telemetry import frames

FRAMES_PER_FILE = 400
STEP_MS = 1000
START_MS = FRAMES_PER_FILE * STEP_MS * 4_000_000
OPTIONS = EmbeddedOptions(memory_limit_mb=128, period_ms=FRAMES_PER_FILE * STEP_MS)


def open_journal(folder: Path, at_least: int) -> Journal:
    """The journal of the test: small segments, so that many are begun and trimmed."""
    return Journal.open(
        folder / "journal", max_bytes=1 << 30, segment_bytes=16_384, at_least=at_least
    )


async def next_number(journal: Journal, store: EmbeddedStore) -> int:
    """One more than the newest frame that survived, in the journal or in the store."""
    newest = (await store.last(["st-01"])).seq.tolist()
    for record in journal.read(journal.oldest_lsn, limit=1_000_000, max_bytes=1 << 30):
        newest += decode(record.entry.payload).seq.tolist()
    return max(newest, default=-1) + 1


async def main(folder: Path) -> None:
    """Append and drain until killed."""
    store = await EmbeddedStore.open(folder / "store", OPTIONS)
    journal = open_journal(folder, await store.stored_lsn())
    number = await next_number(journal, store)
    drain = Drain(journal, store, options=DrainOptions(interval_s=0.02))
    draining = asyncio.create_task(drain.run())
    while not draining.done():
        batch = frames(
            7, first_seq=number, start_ms=START_MS + number * STEP_MS, sockets=2, step_ms=STEP_MS
        )
        await asyncio.to_thread(journal.append, [Entry(EntryKind.FRAMES, encode(batch))])
        number += 7
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        await asyncio.sleep(0.001)
    await draining


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
