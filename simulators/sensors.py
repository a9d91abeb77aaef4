"""What the station's instruments make of the physics: noise, resolution, and broken sensors."""

from typing import Final

import numpy as np
import numpy.typing as npt

from simulators.model import Seat
from simulators.physics import Grid, Mask, Plant

TEMP_NOISE_C: Final = 0.04
POWER_NOISE_W: Final = 0.12
POWER_NOISE_SHARE: Final = 0.0015
VOLT_NOISE_V: Final = 0.15
LEAKAGE_NOISE_MA: Final = 0.05
CREEP_W: Final = 0.2
"""Below this a metering chip reports nothing at all."""


class Sensors:
    """The instruments of a fleet; faults of sensors live here, faults of copper in the plant."""

    def __init__(self, plant: Plant, rng: np.random.Generator) -> None:
        """All sensors sound, all contacts quiet."""
        rows = plant.shape[0]
        self._plant = plant
        self._rng = rng
        self.absent: Mask = ~plant.exists
        self.stuck: Grid = np.full(plant.shape, np.nan)  # the value a stuck sensor shows for ever
        self.garbled: Mask = np.zeros(plant.shape, dtype=np.bool_)  # firmware sends NaN for it
        self.smoke: npt.NDArray[np.int64] = np.zeros(rows, dtype=np.int64)
        self.water: npt.NDArray[np.int64] = np.zeros(rows, dtype=np.int64)
        self.door: npt.NDArray[np.int64] = np.zeros(rows, dtype=np.int64)
        self._whole = bool(plant.exists.all())
        self.seen: Grid = plant.temp

    def look(self) -> Grid:
        """Socket temperatures as the firmware judges them; NaN = no sensor. Never noisy."""
        self.seen = (
            self._plant.temp
            if self._whole
            else np.where(
                self.absent,
                np.nan,
                np.where(np.isnan(self.stuck), self._plant.temp, self.stuck),
            )
        )
        return self.seen

    def stick(self, seat: Seat) -> None:
        """The sensor shows its present value from now on."""
        self.stuck[seat] = np.round(self._plant.temp[seat], 1)
        self._whole = False

    def lose(self, seat: Seat) -> None:
        """The sensor's lead breaks: no value."""
        self.absent[seat] = True
        self._whole = False

    def garble(self, seat: Seat, *, on: bool) -> None:
        """The firmware's arithmetic makes NaN of this sensor's value."""
        self.garbled[seat] = on

    def measure(
        self, rows: npt.NDArray[np.intp]
    ) -> tuple[list[list[list[float]]], list[list[float]]]:
        """Noisy, rounded readings of some stations.

        Two lists per station: the socket channels (current A, power W, temp C, energy Wh),
        each a list over sockets, and the station channels (enclosure, ambient, volts, leakage)
        as one list. NaN = no sensor.
        """
        plant = self._plant
        n, columns = len(rows), plant.shape[1]
        noise = self._rng.standard_normal((3, n, columns))
        power = plant.power[rows]
        share = 1 + POWER_NOISE_SHARE * noise[0]
        cells = np.empty((4, n, columns))
        np.multiply(plant.current[rows], share, out=cells[0])
        np.multiply(power, share, out=cells[1])
        cells[1] += POWER_NOISE_W * noise[1]
        cells[:2, power < CREEP_W] = 0.0
        still = self.stuck[rows]
        np.add(self.seen[rows], TEMP_NOISE_C * noise[2] * np.isnan(still), out=cells[2])
        np.multiply(plant.energy[rows], plant.relay[rows], out=cells[3])
        np.clip(cells[:2], 0.0, None, out=cells[:2])
        np.round(cells[0], 2, out=cells[0])
        np.round(cells[1:], 1, out=cells[1:])
        box_noise = self._rng.standard_normal((4, n))
        box = np.empty((4, n))
        np.add(plant.enclosure[rows], TEMP_NOISE_C * box_noise[0], out=box[0])
        np.add(plant.ambient, TEMP_NOISE_C * box_noise[1], out=box[1])
        np.add(plant.volts[rows], VOLT_NOISE_V * box_noise[2], out=box[2])
        np.add(plant.leakage_ma()[rows], LEAKAGE_NOISE_MA * box_noise[3], out=box[3])
        np.round(box, 1, out=box)
        return cells.swapaxes(0, 1).tolist(), box.T.tolist()
