"""Examples for the OpenAPI document. They are views, so a changed shape changes them too."""

from typing import Any, Final

import numpy as np

from alerts.findings import StoredTransition
from api.health import Lane
from api.http import kept, views
from devices.command_model import Origin, State
from devices.limits import Desired
from devices.lockouts import Kind, Lockout
from devices.model import Area, Name, Plan, Position
from devices.orders import Action, Intervals, Result, Trips
from devices.twin import ReportedStatus
from rules.model import Act, Change, Family, Severity

_T: Final = 1_790_000_000_000  # 2026-09-21T14:13:20Z
_NAME: Final = Name(zh="东区一号充电站", en="East 1")
_PLACE: Final = Position(x=24.0, y=18.5)

finding: Final = kept.Finding(
    id=4711,
    station="cm-e01",
    socket=5,
    rule="R02",
    tier="sustained",
    family=Family.ALARM,
    severity=Severity.CRITICAL,
    reason="socket_hot",
    act=Act.CUT_SOCKET,
    latched=True,
    fire=False,
    shadow=False,
    open=True,
    since_ms=_T - 32_000,
    raised_ms=_T - 2_000,
    updated_ms=_T - 2_000,
    cleared_ms=None,
    evidence={"temp_c": 81.4, "threshold_c": 80.0, "held_s": 30.0},
)
finding_detail: Final = kept.FindingDetail(
    finding,
    (
        StoredTransition(
            change=Change.RAISED,
            at_ms=_T - 2_000,
            recorded_ms=_T - 1_990,
            severity=Severity.CRITICAL,
            reason="socket_hot",
            evidence=finding.evidence,
        ),
    ),
)
lockout: Final = Lockout(
    station="cm-e01",
    socket=5,
    kind=Kind.LATCHED,
    rule="R02",
    reason="socket_hot",
    fire=False,
    since_ms=_T - 2_000,
)
command: Final = kept.Command(
    id="8c1f5a0e",
    station="cm-e01",
    socket=5,
    action=Action.CUT,
    reason="R02 socket_hot",
    origin=Origin.RULE,
    rule="R02",
    by=None,
    parent=None,
    state=State.PROVEN,
    lock=True,
    issued_ms=_T - 2_000,
    expires_ms=_T + 8_000,
    sends=1,
    reply=Result.DONE,
    reply_detail="",
    replied_ms=_T - 1_900,
    reaction_ms=3,
    proven_ms=_T - 1_000,
    proof_w=0.0,
    relay_open=True,
    others_unaffected=True,
    failure=None,
    ended_ms=_T - 1_000,
)
site: Final = views.Site(
    id="caima",
    name=Name(zh="蔡马人家", en="Caima Renjia"),
    timezone="Asia/Shanghai",
    plan=Plan(width=240.0, height=160.0),
    areas=(Area(id="east", name=Name(zh="东区", en="East")),),
    cameras=(
        views.Camera("cam-e01", Name(zh="东区一号", en="East 1"), area="east", position=_PLACE),
    ),
    camera_total=474,
    stations=16,
    stations_online=16,
    sockets=192,
    sockets_locked=1,
    open_findings=1,
    worst=Severity.CRITICAL,
)
_summary: Final = views.StationSummary(
    id="cm-e01",
    name=_NAME,
    site="caima",
    area="east",
    position=_PLACE,
    online=True,
    since_ms=_T - 3_600_000,
    last_seen_ms=_T - 800,
    ambient_c=24.5,
    enclosure_c=29.0,
    smoke=False,
    open_findings=1,
    worst=views.Worst(Severity.CRITICAL, Family.ALARM, "R02", 5),
    locked=False,
    sockets=(
        views.SocketSummary(
            number=5,
            relay=False,
            current_a=0.0,
            power_w=0.0,
            temp_c=81.4,
            phase="idle",
            locked=True,
            worst=Severity.CRITICAL,
        ),
    ),
)
socket: Final = views.SocketDetail(
    station="cm-e01",
    number=5,
    relay=False,
    current_a=0.0,
    power_w=0.0,
    temp_c=81.4,
    rise_k_60s=1.25,
    rise_k_120s=2.5,
    truth={"temp_c": "valid", "current_a": "valid", "power_w": "valid"},
    session=views.Session(
        phase="ended",
        running=False,
        since_ms=_T - 5_400_000,
        elapsed_s=None,
        peak_w=182.0,
        min_since_peak_w=0.0,
        energy_wh=412.0,
        slope_w_per_h=None,
    ),
    lockouts=(lockout,),
    findings=(finding,),
)
station: Final = views.StationDetail(
    id="cm-e01",
    name=_NAME,
    site="caima",
    area="east",
    position=_PLACE,
    feeder_limit_w=7_000.0,
    cameras=("cam-e01",),
    online=True,
    since_ms=_T - 3_600_000,
    last_seen_ms=_T - 800,
    ambient_c=24.5,
    enclosure_c=29.0,
    voltage_v=229.0,
    leakage_ma=4.0,
    smoke=False,
    water=False,
    door=False,
    truth={"ambient_c": "valid", "enclosure_c": "valid"},
    reported=ReportedStatus(
        online=True,
        boot="5d1c90ab",
        firmware="1.4.2",
        hardware="cw12-b",
        sockets=12,
        interval_s=5.0,
        limits_version=3,
        protections={"over_temperature": True, "smoke_sensor": True},
        received_ms=_T - 3_600_000,
    ),
    desired=Desired("cm-e01", 3, Trips(), Intervals(), (5,), _T - 2_000),
    limits_in_force=True,
    sockets=(socket,),
    findings=(finding,),
    lockouts=(lockout,),
)
alarm: Final = kept.Alarm(
    id="a-0017",
    boot="5d1c90ab",
    station="cm-e01",
    socket=None,
    kind="smoke",
    active=True,
    value=None,
    ts_ms=_T - 400,
    received_ms=_T - 310,
)
telemetry: Final = kept.TelemetryRange(
    station="cm-e01",
    socket=5,
    channel="temp_c",
    start_ms=_T - 600_000,
    end_ms=_T,
    window_ms=300_000,
    at_ms=np.array([_T - 600_000, _T - 300_000]),
    min=np.array([36.5, 41.0]),
    max=np.array([44.0, 81.4]),
    mean=np.array([39.25, 62.5]),
    samples=np.array([60, 60]),
)
sites: Final = views.Sites((site,))
stations: Final = views.Stations((_summary,), None, _T)
sockets: Final = views.Sockets((socket,))
findings: Final = kept.Findings((finding,), f"{_T - 2_000}.{finding.id}")
commands: Final = kept.Commands((command,), None)
alarms: Final = kept.Alarms((alarm,), None)
lockouts: Final = kept.Lockouts((lockout,))
refusals: Final = kept.Refusals(
    (
        kept.Refusal(
            received_ms=_T - 90_000,
            topic="chargeward/v1/cm-e01/telemetry",
            reason="invalid",
            detail="temp_c.4: must be finite",
            retained=False,
            size=1_204,
            preview='{"boot":"5d1c90ab","seq":118,"temp_c":[NaN',
        ),
    )
)
ordered: Final = kept.Ordered("ordered", command, ())
released: Final = kept.Ordered("released", None, ())
alive: Final = views.Alive(alive=True)
ready: Final = views.Ready(
    ready=True,
    reasons=(),
    lanes=(Lane("safety", 1_200), Lane("telemetry", 90)),
    drain_frames=12,
    drain_age_ms=240,
)
EVENTS: Final = 'id: 18f3a2c4-7\nevent: station\ndata: {"id":"cm-e01"}\n\n'
METRICS: Final = 'chargeward_lane_age_seconds{lane="safety"} 1.2\n'
_WHO: Final = {"station": "cm-e01", "socket": 5}
ORDERS: Final[dict[str, Any]] = {
    "cut": {
        "summary": "Cut one socket",
        "value": {"action": "cut", **_WHO, "reason": "smell of burning"},
    },
    "cut_station": {
        "summary": "Cut a whole station",
        "value": {"action": "cut_station", "station": "cm-e01", "reason": "smoke"},
    },
    "release": {
        "summary": "Release a lockout",
        "value": {"action": "release", **_WHO, "reason": "contact replaced and tested"},
    },
    "identify": {"summary": "Show where it is", "value": {"action": "identify", **_WHO}},
}
