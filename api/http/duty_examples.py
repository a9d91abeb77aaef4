"""Examples of people and duty for the OpenAPI document."""

from typing import Any, Final

from alerts.oncall.model import Hours, Person, Role, Roster, RosterPlan
from alerts.oncall.peoplefile import Holiday, People
from alerts.oncall.roster import Why
from api.http import duty_views as views

_T: Final = 1_790_000_000_000  # 2026-09-21T14:13:20Z
_HOUR: Final = 3_600_000
_ZHAO: Final = views.Named("zhao-weiguo", "赵卫国")
_PERSON: Final = Person(id="zhao-weiguo", name="赵卫国", phone="+8613800000001")
_PLAN: Final = RosterPlan(id="cmrj-officers", role=Role.OFFICER, people=("zhao-weiguo",))
holiday: Final = Holiday(day="2026-10-01", name="国庆节")

contacts: Final = views.Contacts((views.contact(_PERSON, whole=False),))
rosters: Final = views.Rosters((Roster(site="caimarenjia", **dict(_PLAN)),))
people: Final = People(
    site="caimarenjia",
    quiet=(Hours(start="22:00", end="07:00"),),
    people=(_PERSON,),
    rosters=(_PLAN,),
    holidays=(holiday,),
)
imported: Final = views.Imported("caimarenjia", ("person zhao-weiguo",), (), ())
duty: Final = views.DutyNow(
    site="caimarenjia",
    area="east",
    at_ms=_T,
    quiet_until_ms=_T + 8 * _HOUR,
    roles=(
        views.RoleDuty(Role.OFFICER, (_ZHAO,), (_ZHAO,), Role.OFFICER, fell_back=False),
        views.RoleDuty(Role.SECOND, (), (_ZHAO,), None, fell_back=True),
    ),
)
shifts: Final = views.Shifts(
    "cmrj-officers",
    (
        views.ShiftView(_ZHAO, _T, _T + 10 * _HOUR, Why.TURN),
        views.ShiftView(None, _T + 10 * _HOUR, _T + 24 * _HOUR, Why.NOT_COVERED),
    ),
)
gaps: Final = views.Gaps(
    "caimarenjia", (views.GapView(None, Role.OFFICER, _T + 10 * _HOUR, _T + 24 * _HOUR),)
)
override: Final = views.OverrideView(
    id=7,
    roster="cmrj-officers",
    person="sun-jianhua",
    from_ms=_T,
    until_ms=_T + 10 * _HOUR,
    by="wu-fang",
    created_ms=_T - _HOUR,
)
overrides: Final = views.Overrides((override,))
holidays: Final = views.Holidays("caimarenjia", (holiday,))
feed: Final = views.FeedAddress("/api/v1/rosters/cmrj-officers.ics?key=cwf_M2Zk")
CALENDAR: Final = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"
PEOPLE: Final[dict[str, Any]] = {
    "file": {"summary": "A site with one officer", "value": people.model_dump(mode="json")}
}
NEW_OVERRIDE: Final[dict[str, Any]] = {
    "a day": {
        "summary": "Sun stands in for a day",
        "value": {"person": "sun-jianhua", "from_ms": _T, "until_ms": _T + 24 * _HOUR},
    }
}
NEW_HOLIDAY: Final[dict[str, Any]] = {
    "national day": {"summary": "A holiday", "value": {"name": "国庆节"}}
}
