"""What one wave of frames shows, after truth, windows and sessions: the input of conditions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rules.holds import Bools
from rules.layout import Floats, Ints, Small, StationFloats
from rules.sessions import Seen
from rules.truth import Judged

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Signals:
    """One frame of each of ``n`` stations; all arrays (n, columns) unless said."""

    at_ms: Int64  # (n, 1) event time, UTC ms
    f: Floats
    i: Ints
    s: Small
    station: StationFloats  # (n,)
    judged: Judged
    seen: Seen
    raw: Float32  # °C as sent; NaN = null
    power: Float32  # W; apparent power where the power meter is silent; NaN = unknown
    exists: Bools  # sockets that the station has
    cut_failed: Bools  # R40 stands on this subject
