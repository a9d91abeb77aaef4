"""Cutting a long query into parts of a bounded number of frames, by counting first."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Final

from iot.store import RawQuery

_BUCKETS: Final = 1000

Histogram = Callable[[RawQuery, int], Awaitable[dict[int, int]]]
"""How many of the query's frames are in each bucket (bucket = event ms // bucket length)."""


async def slices(query: RawQuery, page: int, histogram: Histogram) -> AsyncIterator[RawQuery]:
    """``query`` in parts, ascending and together complete, of at most ``page`` frames each.

    More only where one millisecond has more. Parts of the time without frames are left out.
    """
    bucket_ms = -(-(query.end_ms - query.start_ms) // _BUCKETS)
    part, held = query.start_ms, 0
    for bucket, frames in sorted((await histogram(query, bucket_ms)).items()):
        start = max(bucket * bucket_ms, query.start_ms)
        end = min((bucket + 1) * bucket_ms, query.end_ms)
        if held and held + frames > page:
            yield replace(query, start_ms=part, end_ms=start)
            held = 0
        if not held:
            part = start
        if frames > page and end - start > 1:
            async for inner in slices(replace(query, start_ms=start, end_ms=end), page, histogram):
                yield inner
        else:
            held += frames
    if held:
        yield replace(query, start_ms=part)
