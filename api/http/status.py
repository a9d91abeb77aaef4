"""From the registry, the twins, the lockouts and detection to what the API shows.

Everything here is read from memory in one pass, with no waiting. Nothing is remembered between
two answers, so nothing can be stale; ``board`` saves the work where nothing has changed.
Values are those that detection believes: a sensor that says nothing, or nonsense, is null.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from api.http import records, views
from api.http.ports import Backend
from devices.lockouts import Lockout
from devices.model import Site, Station
from devices.twin import Twin
from rules.model import Finding, Severity
from rules.views import SocketView, StationView

_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}


def site(backend: Backend, registered: Site) -> views.Site:
    """One compound: its registration, and how many of what it has now."""
    stations = registered.stations
    findings = [finding for s in stations for finding in _counting(backend, s.id)]
    return views.Site(
        id=registered.id,
        name=registered.name,
        timezone=registered.timezone,
        plan=registered.plan,
        areas=registered.areas,
        cameras=tuple(  # where its stills are fetched is nobody's business here
            views.Camera(c.id, c.name, c.area, c.position) for c in registered.cameras
        ),
        camera_total=registered.camera_total,
        stations=len(stations),
        stations_online=sum(online(backend, s.id) for s in stations),
        sockets=sum(s.sockets for s in stations),
        sockets_locked=sum(len(backend.locks.locked_sockets(s.id, s.sockets)) for s in stations),
        open_findings=len(findings),
        worst=_most(findings),
    )


def row(backend: Backend, station: str) -> views.StationSummary | None:
    """The row of one station, for the live stream; None when it is not registered."""
    for registered in backend.sites():
        found = registered.station(station)
        if found is not None:
            return summary(backend, registered, found)
    return None


def online(backend: Backend, station: str) -> bool:
    """What it last said, unless it has been silent for too long since."""
    return _online(backend.twins.get(station), backend.detection.station_view(station))


def summary(backend: Backend, registered: Site, station: Station) -> views.StationSummary:
    """One row of the list of stations."""
    twin = backend.twins.get(station.id)
    box = backend.detection.station_view(station.id)
    findings = _counting(backend, station.id)
    locked = set(backend.locks.locked_sockets(station.id, station.sockets))
    return views.StationSummary(
        id=station.id,
        name=station.name,
        site=registered.id,
        area=station.area,
        position=station.position,
        online=_online(twin, box),
        since_ms=None if twin is None else twin.link_since_ms,
        last_seen_ms=None if twin is None else twin.received_ms,
        ambient_c=box.ambient_c.value,
        enclosure_c=box.enclosure_c.value,
        smoke=box.smoke,
        open_findings=len(findings),
        worst=_worst(findings),
        locked=bool(backend.locks.active(station.id, None)),
        sockets=tuple(
            views.SocketSummary(
                number=seen.socket,
                relay=seen.relay,
                current_a=seen.current_a.value,
                power_w=seen.power_w.value,
                temp_c=seen.temp_c.value,
                phase=seen.phase,
                locked=seen.socket in locked,
                worst=_most(f for f in findings if f.key.socket == seen.socket),
            )
            for seen in backend.detection.socket_view(station.id)
        ),
    )


def detail(backend: Backend, registered: Site, station: Station) -> views.StationDetail:
    """Everything known about one station."""
    twin = backend.twins.get(station.id) or Twin(station.id)
    box = backend.detection.station_view(station.id)
    return views.StationDetail(
        id=station.id,
        name=station.name,
        site=registered.id,
        area=station.area,
        position=station.position,
        feeder_limit_w=station.feeder_limit_w,
        cameras=station.cameras,
        online=_online(twin, box),
        since_ms=twin.link_since_ms,
        last_seen_ms=twin.received_ms,
        ambient_c=box.ambient_c.value,
        enclosure_c=box.enclosure_c.value,
        voltage_v=box.voltage_v,
        leakage_ma=box.leakage_ma,
        smoke=box.smoke,
        water=box.water,
        door=box.door,
        truth={"ambient_c": box.ambient_c.truth, "enclosure_c": box.enclosure_c.truth},
        reported=twin.status,
        desired=twin.desired,
        limits_in_force=twin.limits_current,
        sockets=sockets(backend, station),
        findings=tuple(map(records.standing, backend.detection.active(station.id))),
        lockouts=backend.locks.of_station(station.id),
    )


def sockets(backend: Backend, station: Station) -> tuple[views.SocketDetail, ...]:
    """Everything known about each socket of one station."""
    findings = backend.detection.active(station.id)
    locks = backend.locks.of_station(station.id)
    return tuple(
        _socket(
            station.id,
            seen,
            [finding for finding in findings if finding.key.socket == seen.socket],
            [lock for lock in locks if lock.socket in {None, seen.socket}],
        )
        for seen in backend.detection.socket_view(station.id)
    )


def _socket(
    station: str, seen: SocketView, findings: Iterable[Finding], locks: Iterable[Lockout]
) -> views.SocketDetail:
    return views.SocketDetail(
        station=station,
        number=seen.socket,
        relay=seen.relay,
        current_a=seen.current_a.value,
        power_w=seen.power_w.value,
        temp_c=seen.temp_c.value,
        rise_k_60s=seen.rise_k_60s,
        rise_k_120s=seen.rise_k_120s,
        truth={
            "temp_c": seen.temp_c.truth,
            "current_a": seen.current_a.truth,
            "power_w": seen.power_w.truth,
        },
        session=_session(seen),
        lockouts=tuple(locks),
        findings=tuple(map(records.standing, findings)),
    )


def _session(seen: SocketView) -> views.Session | None:
    if seen.started_ms is None:
        return None
    return views.Session(
        phase=seen.phase,
        running=seen.charging,
        since_ms=seen.started_ms,
        elapsed_s=seen.elapsed_s,
        peak_w=seen.peak_w,
        min_since_peak_w=seen.min_since_peak_w,
        energy_wh=seen.energy_wh,
        slope_w_per_h=seen.slope_w_per_h,
    )


def _online(twin: Twin | None, box: StationView) -> bool:
    return twin is not None and twin.online is True and not box.offline


def _counting(backend: Backend, station: str) -> list[Finding]:
    """Findings that count for people now: not those that are only tried out (shadow)."""
    return [finding for finding in backend.detection.active(station) if not finding.shadow]


def _most(findings: Iterable[Finding]) -> Severity | None:
    return max((f.severity for f in findings), key=_RANK.__getitem__, default=None)


def _worst(findings: Sequence[Finding]) -> views.Worst | None:
    if not findings:
        return None
    worst = max(findings, key=lambda finding: (_RANK[finding.severity], -finding.raised_ms))
    return views.Worst(worst.severity, worst.family, worst.key.rule, worst.key.socket)
