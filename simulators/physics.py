"""Electricity and heat of all sockets at once: NumPy arrays of stations x sockets, 1 s steps.

Electrical: relay and contactor -> soft start -> constant current with a slow rise -> taper ->
end, as ``simulators.chargers`` describes a charge. Thermal: the contact heats with I^2 above
the air in the box, with a time constant; the box follows the outside air, the sun and its own
losses. Everything a station measures comes from here; nothing here knows what a rule is.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from simulators.chargers import Charge
from simulators.climate import Climate
from simulators.model import Seat

Grid = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

CONTACT_K_PER_A2: Final = 0.6
"""A sound contact: 2.4 A heats it by 3.5 K."""
CONTACT_TAU_S: Final = 900.0
BOX_TAU_S: Final = 2400.0
BOX_K_PER_W: Final = 0.0015
"""A box with 2 kW passing through it is 3 K above the air."""
BOX_OWN_HEAT_K: Final = 2.0
LEAKAGE_REST_MA: Final = 0.3
LEAKAGE_PER_CHARGER_MA: Final = 0.25
"""Interference capacitors of one charger at 220 V."""

_SOFT_START: Final = np.array([0.04, 0.003, 0.03, 0.05, 0.16, 0.32, 0.62, 0.9, 1.0])
"""Share of full power in each second after power-on, as measured on a wall meter."""
INRUSH_A: Final = 2.5
"""What a 1 Hz metering chip makes of a bulk capacitor's 20-60 A inrush of < 5 ms."""
_CLIMATE_EVERY: Final = 60
_NOISE_BLOCK: Final = 1024


class Plant:
    """The copper and the batteries of a fleet.

    Read the arrays freely; change them through the methods. Units: W, A, V, degrees Celsius,
    Wh, seconds. Padding sockets of smaller stations never carry power.
    """

    def __init__(
        self, sockets: Sequence[int], rng: np.random.Generator, climate: Climate, now_ms: int
    ) -> None:
        """Everything at rest at ``now_ms``: relays open, boxes near the air temperature."""
        rows, columns = len(sockets), max(sockets, default=1)
        self.shape: Final = (rows, columns)
        self.exists: Final[Mask] = np.arange(columns) < np.array(sockets).reshape(rows, 1)
        self._rng = rng
        self._climate = climate

        def grid(value: float = 0.0) -> Grid:
            return np.full(self.shape, value, dtype=np.float64)

        def mask(*, value: bool = False) -> Mask:
            return np.full(self.shape, value, dtype=np.bool_)

        self.plugged = mask()
        self.relay = mask()  # what the relay's coil was told
        self.welded = mask()  # a contact that no longer opens
        self.contactor = np.ones(rows, dtype=np.bool_)
        self.live = mask()  # a plugged charger with power on it
        self._live = grid()  # the same as 0.0 / 1.0

        self.power = grid()
        self.current = grid()
        self.energy = grid()  # since the relay closed
        self._on_s = grid()  # seconds with power; negative while charger and pack shake hands
        self._ramping = 0  # steps for which some charger may still be starting
        self._start_w = grid()
        self._growth = grid()
        self._constant_s = grid(1.0)
        self._constant_left = grid()
        self._decay = grid()  # per second
        self._knee = grid()
        self._end = grid()
        self._idle_w = grid()
        self._pf = grid(0.6)
        self._bump_w = grid()
        self._bump_left = grid()
        self.taper = grid(1.0)  # share of peak power, 1 through constant current
        self.floor = grid()  # a taper that never passes below this share (a sick charger)
        self._floor_rate = grid()  # per second: a battery in runaway draws more and more
        self._floor_top = grid(1.0)

        self.ambient = climate.ambient_c(now_ms)
        self._supply = climate.supply_v(now_ms)
        self._sun = climate.sun_heat_k(now_ms)
        self.enclosure = self.ambient + BOX_OWN_HEAT_K + self._sun + rng.normal(0, 0.3, rows)
        self._shade = rng.normal(0, 0.8, rows)  # some boxes hang in the shade
        self.temp = self.enclosure[:, None] + rng.normal(0, 0.3, self.shape)
        self._offset = rng.normal(0, 0.25, self.shape)  # no two thermistors agree
        self._k = CONTACT_K_PER_A2 * rng.uniform(0.8, 1.2, self.shape)
        self._per_tau = np.full(self.shape, 1 / CONTACT_TAU_S)
        self._flicker = np.zeros(rows)
        self.volts = np.full(rows, self._supply)
        self._steps = 0
        self._noise = np.zeros((0, rows))

    def plug(self, seat: Seat, charge: Charge) -> None:
        """Put a charger with its battery on a socket; power flows if the relay is closed."""
        self._start_w[seat] = charge.start_w
        self._growth[seat] = charge.growth
        self._constant_s[seat] = max(charge.constant_s, 1.0)
        self._constant_left[seat] = charge.constant_s
        self._decay[seat] = 1 / charge.decay_s
        self._knee[seat] = charge.knee
        self._end[seat] = charge.end_share
        self._idle_w[seat] = charge.idle_w
        self._pf[seat] = charge.power_factor
        self._bump_w[seat] = charge.bump_share * charge.peak_w
        self._bump_left[seat] = charge.bump_s
        self._on_s[seat] = -charge.handshake_s
        self.taper[seat] = 1.0
        self.floor[seat] = 0.0
        self._floor_rate[seat] = 0.0
        self._floor_top[seat] = 1.0
        self.plugged[seat] = True
        self._rewire()

    def unplug(self, seat: Seat) -> None:
        """Take the plug out: power stops at once."""
        self.plugged[seat] = False
        self._rewire()

    def set_relay(self, seat: Seat, *, closed: bool) -> None:
        """Drive one relay's coil; a welded contact does not follow. Closing zeroes the energy."""
        if closed and not self.relay[seat]:
            self.energy[seat] = 0.0
        self.relay[seat] = closed
        self._rewire()

    def set_contactor(self, row: int, *, closed: bool) -> None:
        """Drive the contactor that feeds the whole station."""
        self.contactor[row] = closed
        self._rewire()

    def weld(self, seat: Seat) -> None:
        """From now on this relay's contact stays closed, whatever its coil does."""
        self.welded[seat] = True
        self._rewire()

    def degrade(self, seat: Seat, *, now_c: float, towards_c: float, tau_s: float) -> None:
        """A contact gone bad: it is at ``now_c`` and, at the present current, nears ``towards_c``.

        A hot spot is small, so its time constant is shorter than a sound contact's.
        """
        amperes = max(float(self.current[seat]), 0.2)
        self._k[seat] = (towards_c - float(self.enclosure[seat.row])) / amperes**2
        self._per_tau[seat] = 1 / tau_s
        self.temp[seat] = now_c

    def hold_taper(self, seat: Seat, share: float) -> None:
        """The charger on this socket never ends: its power stays at ``share`` of peak."""
        self.floor[seat] = share

    def run_away(self, seat: Seat, *, share_per_min: float, top: float) -> None:
        """The battery's current rises again at constant voltage, up to ``top`` of peak."""
        self.floor[seat] = self.taper[seat]
        self._floor_rate[seat] = share_per_min / 60
        self._floor_top[seat] = top

    def ended(self, seat: Seat) -> bool:
        """Whether the charger on this socket has ended its charge."""
        return bool(self.plugged[seat] and self.taper[seat] <= self._end[seat])

    def leakage_ma(self) -> Grid:
        """Residual current of each station, milliamperes."""
        leak: Grid = LEAKAGE_REST_MA + LEAKAGE_PER_CHARGER_MA * self._live.sum(axis=1)
        return leak

    def step(self, now_ms: int) -> None:
        """Advance by one second, to ``now_ms``."""
        self._advance_climate(now_ms)
        self._advance_charges()
        self._advance_heat()
        self._steps += 1

    def _advance_climate(self, now_ms: int) -> None:
        at = self._steps % _NOISE_BLOCK
        if at == 0:
            self._noise = self._rng.standard_normal((_NOISE_BLOCK, self.shape[0]))
        if self._steps % _CLIMATE_EVERY == 0:
            self.ambient = self._climate.ambient_c(now_ms)
            self._supply = self._climate.supply_v(now_ms)
            self._sun = self._climate.sun_heat_k(now_ms)
        self._flicker *= 0.98
        self._flicker += 0.15 * self._noise[at]
        np.add(self._flicker, self._supply, out=self.volts)

    def _advance_charges(self) -> None:
        live = self._live
        self._on_s += live
        ready = live
        if self._ramping:
            self._ramping -= 1
            ready = live * (self._on_s > 0)
        left = self._constant_left
        left -= ready
        np.maximum(left, 0.0, out=left)
        x = self.taper
        tapering = ready * (left <= 0.0)
        x -= x * tapering * self._decay / (1.0 + self._knee * x * x * x)
        self.floor += self._floor_rate * live
        np.minimum(self.floor, self._floor_top, out=self.floor)
        np.maximum(x, self.floor, out=x)
        ended = x <= self._end
        charging_w = self._start_w * (1.0 + self._growth * (1.0 - left / self._constant_s)) * x
        after_w = self._idle_w
        if (bumping := ended & (self._bump_left > 0)).any():
            after_w = np.where(bumping, self._bump_w, after_w)
            self._bump_left -= bumping * live
        np.multiply(np.where(ended, after_w, charging_w), ready, out=self.power)
        # A small charger's power factor falls with its load.
        np.divide(self.power, self.volts[:, None] * self._pf * (0.75 + 0.25 * x), out=self.current)
        if self._ramping:
            self._ramp_up()
        self.energy += self.power / 3600.0

    def _ramp_up(self) -> None:
        """Inrush in the first second of power, then the charger's soft start."""
        seconds = np.clip(self._on_s - 1, 0, len(_SOFT_START) - 1).astype(np.intp)
        share = _SOFT_START[seconds]
        self.power *= share
        self.current *= share
        self.current[self.live & (seconds == 0) & (self._on_s > 0)] = INRUSH_A

    def _advance_heat(self) -> None:
        box = self.enclosure
        outside = self.ambient + self._shade + self._sun + BOX_OWN_HEAT_K
        box += (outside + BOX_K_PER_W * self.power.sum(axis=1) - box) / BOX_TAU_S
        goal = self._k * self.current * self.current
        goal += self._offset
        goal += box[:, None]
        goal -= self.temp
        goal *= self._per_tau
        self.temp += goal

    def _rewire(self) -> None:
        """Who has power now: one that comes alive starts softly, one cut off draws nothing."""
        live = self.plugged & (self.relay | self.welded) & self.contactor[:, None] & self.exists
        born = live & ~self.live
        if born.any():
            np.minimum(self._on_s, 0.0, out=self._on_s, where=born)
            self._ramping = 24
        dead = ~live
        self.power[dead] = 0.0
        self.current[dead] = 0.0
        self.live = live
        self._live = live.astype(np.float64)
