"""A simulated charge has the shape of the measured ones, and a sound contact stays cool."""

import csv
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from simulators import chargers
from simulators.climate import COLD, MILD, Climate
from simulators.model import Seat
from simulators.physics import INRUSH_A, Plant

T0 = 1_770_000_000_000
EACH = 24
Series = npt.NDArray[np.float64]


def charge_all(kind: str, *, minutes: int, climate: Climate = MILD, hour_ms: int = 0) -> Plant:
    """A station with one drawn charge of ``kind`` on each socket, switched on at T0."""
    rng = np.random.default_rng(5)
    plant = Plant([EACH], rng, climate, T0 + hour_ms)
    for column in range(EACH):
        charge = chargers.draw(
            rng, chargers.KINDS[kind], constant_s=minutes * 60, ambient_c=plant.ambient
        )
        plant.plug(Seat(0, column), charge)
        plant.set_relay(Seat(0, column), closed=True)
    return plant


def run(plant: Plant, hours: float) -> tuple[Series, Series, Series]:
    """Power (W), current (A) and temperature (C) of all sockets, once a minute."""
    rows: list[list[Series]] = [[], [], []]
    for second in range(int(hours * 3600)):
        plant.step(T0 + second * 1000)
        if second % 60 == 59:
            for row, values in zip(rows, (plant.power, plant.current, plant.temp), strict=True):
                row.append(values[0].copy())
    power, current, temp = (np.array(row) for row in rows)
    return power, current, temp


def minutes_between(times: Series, power: Series, high: float, low: float) -> float:
    """Minutes from the last sample at or above ``high`` of peak to the same of ``low``."""
    peak = power.max()
    at = [float(times[np.flatnonzero(power >= share * peak)[-1]]) for share in (high, low)]
    return at[1] - at[0]


def share_minutes(times: Series, power: Series) -> float:
    """Minutes of the taper from 60 % to the first sample below 20 % of peak (no later top-up)."""
    share = power / power.max()
    high = np.flatnonzero(share >= 0.6)[-1]
    return float(times[high + np.flatnonzero(share[high:] < 0.2)[0]] - times[high])


def wall_power(traces: Path) -> dict[str, tuple[Series, Series]]:
    """Minutes and watts of the measured full charges of the 48 V chargers, per plug."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    text = (traces / "ebike_rad_lectric_48v_charger_logs.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        if row["run"] == "sample_full_charge":
            at = datetime.fromisoformat(row["timestamp_local"]).timestamp() / 60
            found[row["plug"]].append((at, float(row["power_w"])))
    return {plug: (np.array(v)[:, 0], np.array(v)[:, 1]) for plug, v in found.items()}


MINUTES = np.arange(1, 10_000, dtype=np.float64)


@pytest.mark.parametrize(
    ("kind", "plugs"),
    [
        ("lectric-48v", ("lectric_battery_1", "lectric_battery_2")),
        ("rad-48v", ("rad_battery_1",)),
    ],
)
def test_charge_resembles_the_measured_one(traces: Path, kind: str, plugs: tuple[str, ...]) -> None:
    """Peak, rise through constant current and the two halves of the taper are those of the make."""
    power, _, _ = run(charge_all(kind, minutes=100), 7)
    real = wall_power(traces)
    simulated = [power[:, column] for column in range(EACH)]
    taper = [minutes_between(MINUTES[: len(p)], p, 0.6, 0.2) for p in simulated]
    growth = [p.max() / p[1] - 1 for p in simulated]
    for plug in plugs:
        times, watts = real[plug]
        assert min(map(max, simulated)) - 5 <= watts.max() <= max(map(max, simulated)) + 5
        measured = minutes_between(times, watts, 0.6, 0.2)
        assert min(taper) * 0.85 <= measured <= max(taper) * 1.15
        assert min(growth) - 0.02 <= watts.max() / watts[1] - 1 <= max(growth) + 0.02


def test_late_taper_resembles_the_measured_one(traces: Path) -> None:
    """From 20 % to 5 % of peak the two measured Lectric chargers took 40 and 46 minutes."""
    power, _, _ = run(charge_all("lectric-48v", minutes=60), 6)
    tail = [minutes_between(MINUTES[: len(p)], p, 0.2, 0.05) for p in power.T]
    for plug in ("lectric_battery_1", "lectric_battery_2"):
        measured = minutes_between(*wall_power(traces)[plug], 0.2, 0.05)
        assert min(tail) * 0.9 <= measured <= max(tail) * 1.1


def test_dual_charger_rises_and_tops_up_like_the_measured_one(traces: Path) -> None:
    """160 W rise to 180 W; after the end one bump of about nine minutes, then nothing."""
    text = (traces / "ebike_bosch_dual500wh_full_charge_digitised.csv").read_text(encoding="utf-8")
    rows = [r for r in csv.DictReader(text.splitlines()) if r["vertical_stroke"] == "0"]
    real = np.array([float(r["power_w"]) for r in rows])
    seconds = np.array([float(r["t_s_from_2115"]) for r in rows])
    power, _, _ = run(charge_all("bosch-36v", minutes=110), 6)
    peaks = power.max(axis=0)
    assert peaks.min() - 5 <= real.max() <= peaks.max() + 5

    def bump_minutes(times: Series, watts: Series) -> float:
        """How long the power is above 16 % of peak again after having been below 15 %."""
        share = watts / watts.max()
        taper_end = np.flatnonzero(share > 0.6)[-1]
        low = taper_end + np.flatnonzero(share[taper_end:] < 0.15)[0]
        inside = np.flatnonzero(share[low:] > 0.16) + low
        return float(times[inside[-1]] - times[inside[0]])

    half = [share_minutes(t, p) for t, p in [(seconds / 60, real), (MINUTES[:360], power[:, 0])]]
    assert half[0] == pytest.approx(half[1], abs=6)
    simulated = [bump_minutes(MINUTES[: len(p)], p) for p in power.T]
    assert bump_minutes(seconds / 60, real) == pytest.approx(np.mean(simulated), abs=2.5)
    assert power[-1].max() < 0.3


@pytest.mark.parametrize("kind", sorted(chargers.KINDS))
def test_every_kind_stays_within_what_was_measured(kind: str) -> None:
    """Rise 1..21 %, 60 -> 20 % in 20..60 min, power factor 0.5..0.65, at most 10 W after the end.

    The shortest taper is the dual charger's: 22 minutes in its trace.
    """
    power, current, _ = run(charge_all(kind, minutes=40), 5)
    growth = power.max(axis=0) / power[1] - 1
    assert growth.min() >= 0.008
    assert growth.max() <= 0.21
    if chargers.KINDS[kind].end_share[1] < 0.2:
        taper = [share_minutes(MINUTES[: len(p)], p) for p in power.T]
        assert min(taper) >= 20
        assert max(taper) <= 60
    factor = power[20] / (228 * current[20])
    assert factor.min() >= 0.48
    assert factor.max() <= 0.67
    assert power[-1].max() <= 10


def test_cold_stretches_the_taper_as_cells_do(traces: Path) -> None:
    """Cells took longer from 90 to 10 % of current at 4 C than at 24 C; a winter taper does too."""
    by_ambient: dict[int, list[float]] = defaultdict(list)
    cycles: dict[tuple[str, str], list[tuple[float, float, int]]] = defaultdict(list)
    text = (traces / "nasa_pcoe_charge_cycles_10s.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        cycles[row["battery"], row["charge_index"]].append(
            (float(row["t_s"]) / 60, float(row["current_a"]), int(row["ambient_c"]))
        )
    for samples in cycles.values():
        times, amperes = (np.array([s[i] for s in samples]) for i in (0, 1))
        reached = np.flatnonzero(amperes >= 0.9 * 1.5)
        if len(reached) >= 8 and amperes[-1] < 0.15:
            low = reached[-1] + np.flatnonzero(amperes[reached[-1] :] <= 0.15)[0]
            by_ambient[samples[0][2]].append(float(times[low] - times[reached[-1]]))
    measured = float(np.median(by_ambient[4]) / np.median(by_ambient[24]))
    assert chargers.cold_stretch(4.0) == pytest.approx(measured, rel=0.1)
    warm, _, _ = run(charge_all("li-60v-20ah", minutes=10), 5)
    cold, _, _ = run(charge_all("li-60v-20ah", minutes=10, climate=COLD), 5)
    ratio = np.mean([minutes_between(MINUTES[:300], p, 0.9, 0.1) for p in cold.T]) / np.mean(
        [minutes_between(MINUTES[:300], p, 0.9, 0.1) for p in warm.T]
    )
    assert 1.3 <= ratio <= 1.8


def test_soft_start_and_inrush_last_seconds() -> None:
    """One sample of inrush, a dip to almost nothing, full power within fifteen seconds."""
    plant = charge_all("li-60v-20ah", minutes=60)
    currents, powers = [], []
    for second in range(16):
        plant.step(T0 + second * 1000)
        currents.append(plant.current[0].copy())
        powers.append(plant.power[0].copy())
    assert np.array_equal(np.sum(np.array(currents) == INRUSH_A, axis=0), np.ones(EACH))
    assert powers[0].max() < 12
    assert powers[-1].min() > 190


def test_sound_contacts_warm_by_a_few_kelvin_and_slowly() -> None:
    """Twelve 72 V chargers at once: never 1 K in 120 s, never 10 K above the box."""
    _, _, temp = run(charge_all("li-72v-20ah", minutes=150), 4)
    assert np.max(temp[2:] - temp[:-2]) < 1.0
    plant = charge_all("li-72v-20ah", minutes=150)
    before = plant.temp.copy()
    run(plant, 1)
    rise = plant.temp - before
    assert rise.min() > 1.0
    assert np.max(plant.temp - plant.enclosure[:, None]) < 10.0


def test_power_and_energy_agree() -> None:
    """Energy is the integral of power since the relay closed, and starts anew when it closes."""
    plant = charge_all("lectric-48v", minutes=60)
    total = 0.0
    for second in range(600):
        plant.step(T0 + second * 1000)
        total += float(plant.power[0, 0]) / 3600
    assert plant.energy[0, 0] == pytest.approx(total)
    plant.set_relay(Seat(0, 0), closed=False)
    assert plant.power[0, 0] == 0.0
    assert plant.current[0, 0] == 0.0
    plant.set_relay(Seat(0, 0), closed=True)
    assert plant.energy[0, 0] == 0.0


def test_interrupted_charge_goes_on_where_it_was() -> None:
    """A battery keeps its charge over a power cut: the taper resumes at its share, softly."""
    plant = charge_all("lectric-48v", minutes=1)
    for second in range(3600):
        plant.step(T0 + second * 1000)
    before = plant.power[0].copy()
    seats = [Seat(0, column) for column in range(EACH)]
    for seat in seats:
        plant.set_relay(seat, closed=False)
    for second in range(3600, 3900):
        plant.step(T0 + second * 1000)
    for seat in seats:
        plant.set_relay(seat, closed=True)
    plant.step(T0 + 3_900_000)
    assert plant.power.max() < 5
    for second in range(3901, 3921):
        plant.step(T0 + second * 1000)
    assert np.allclose(plant.power[0], before, rtol=0.03)


def test_welded_relay_keeps_the_power_and_the_contactor_takes_it() -> None:
    """A coil that lets go changes nothing on a welded contact; the station's contactor does."""
    plant = charge_all("li-60v-20ah", minutes=60)
    seat = Seat(0, 3)
    for second in range(30):
        plant.step(T0 + second * 1000)
    plant.weld(seat)
    plant.set_relay(seat, closed=False)
    plant.step(T0 + 30_000)
    assert plant.power[seat] > 190
    plant.set_contactor(0, closed=False)
    plant.step(T0 + 31_000)
    assert plant.power.max() == 0.0


def test_sockets_that_do_not_exist_never_carry_power() -> None:
    """The padding of a small station beside a large one stays dead."""
    plant = Plant([2, 4], np.random.default_rng(1), MILD, T0)
    seat = Seat(0, 3)
    rng = np.random.default_rng(2)
    plant.plug(seat, chargers.draw(rng, chargers.KINDS["rad-48v"], constant_s=600))
    plant.set_relay(seat, closed=True)
    for second in range(30):
        plant.step(T0 + second * 1000)
    assert plant.power[seat] == 0.0
