"""Telemetry frames as bytes: straight from the measured columns, no model in between."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import orjson

from iot.topics import Channel
from simulators.firmware import Firmware
from simulators.physics import Plant
from simulators.sensors import Sensors
from simulators.watch import Rows

_GARBLED: Final = 123.456789
"""Stands for a value the firmware cannot compute: JSON has no NaN, a bad printf does."""


class FrameWriter:
    """Builds the telemetry body of stations and hands it to their firmware's link."""

    def __init__(self, plant: Plant, sensors: Sensors, stations: Sequence[Firmware]) -> None:
        """Frames of ``stations`` in the order of the plant's rows."""
        self._plant = plant
        self._sensors = sensors
        self._stations = stations
        self._last_ms = [0] * len(stations)

    def write(self, rows: Rows, now_ms: int) -> None:
        """Measure and send one frame of each of these stations."""
        sensors = self._sensors
        cells, boxes = sensors.measure(rows)
        relays = self._plant.relay[rows].astype(np.int64).tolist()
        for index, row in enumerate(rows.tolist()):
            station = self._stations[row]
            n = station.plan.sockets
            current, power, temp, energy = (channel[:n] for channel in cells[index])
            enclosure, ambient, volts, leakage = boxes[index]
            own_ms = station.own_ms(now_ms)
            if own_ms == self._last_ms[row]:
                own_ms += 1  # two frames of one instant must not look like one
            self._last_ms[row] = own_ms
            body = {
                "boot": station.boot,
                "seq": station.next_seq(),
                "ts": own_ms,
                "ambient_c": ambient,
                "enclosure_c": enclosure,
                "voltage_v": volts,
                "leakage_ma": leakage,
                "smoke": int(sensors.smoke[row]),
                "water": int(sensors.water[row]),
                "door": int(sensors.door[row]),
                "relay": relays[index][:n],
                "current_a": current,
                "power_w": power,
                "temp_c": temp,  # orjson writes NaN, a missing sensor, as null
                "energy_wh": energy,
            }
            sound = not sensors.garbled[row].any()
            payload = orjson.dumps(body) if sound else self._garble(body, row)
            station.send_numbered(Channel.TELEMETRY, payload)

    def _garble(self, body: dict[str, object], row: int) -> bytes:
        n = self._stations[row].plan.sockets
        bad = self._sensors.garbled[row]
        good = np.round(self._sensors.seen[row, :n], 1).tolist()
        body["temp_c"] = [_GARBLED if bad[i] else value for i, value in enumerate(good)]
        return orjson.dumps(body).replace(str(_GARBLED).encode(), b"NaN")
