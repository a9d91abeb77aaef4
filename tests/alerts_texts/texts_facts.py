"""Facts for the tests of texts: one that is whole, and arbitrary ones."""

from hypothesis import strategies as st

from alerts.incidents.model import Kind
from alerts.outbox.model import Facts, Outcome
from rules.reasons import Reason

SIGNATURE = "安充消防"
WHOLE = Facts(
    kind=Kind.FIRE,
    number="F3021",
    at_ms=1_800_000_202_000,  # 2027-01-15 16:03:22 in Hangzhou
    timezone="Asia/Shanghai",
    site_zh="蔡马人家",
    site_en="Caimarenjia",
    area_zh="东区",
    area_en="East quarter",
    station="cmrj-01",
    station_zh="1幢北侧车棚",
    station_en="Shed north of Building 1",
    socket=5,
    rule="R02",
    reason="socket_hot",
    evidence={"temp_c": 82.4, "limit_c": 80},
    outcome=Outcome.PROVEN,
    step="acknowledge",
    others=("F3021", "F0012", "F0013", "F0014"),
    link="cw.example.cn/l/abcdefghijklmnopqrstuv",
)

_NASTY = (
    st.sampled_from(
        ["【1】", "「车棚」", "★①m²", "13800138000", "138 0013-8000", "🔥", "e\u0301", "𠮷"]
    )
    | st.text(max_size=6)
    | st.sampled_from(["0", "8", "13", "138001"])
)
names = st.lists(_NASTY, max_size=8).map("".join)
stations = st.from_regex(r"[a-z0-9][a-z0-9-]{1,30}[a-z0-9]", fullmatch=True) | st.just("")
_number = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_EVIDENCE = ("temp_c", "rise_k_120s", "rise_k_60s", "current_a", "power_w", "elapsed_h", "silent")
evidences = st.dictionaries(st.sampled_from([*_EVIDENCE, "value", "kind"]), _number)
facts = st.builds(
    Facts,
    kind=st.sampled_from(Kind),
    number=st.integers(1, 99_999).map("F{:04d}".format),
    at_ms=st.integers(0, 4_102_444_800_000),
    timezone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "no/where"]),
    site_zh=names,
    site_en=names,
    area_zh=names,
    area_en=names,
    station=stations,
    station_zh=names,
    station_en=names,
    socket=st.none() | st.integers(1, 64),
    reason=st.sampled_from([*Reason]).map(str) | st.just("") | st.just("of_tomorrow"),
    evidence=evidences,
    outcome=st.sampled_from(Outcome),
    step=st.sampled_from(["acknowledge", "on_site", "report", "", "of_tomorrow"]),
    others=st.lists(st.integers(1, 99_999).map("F{:04d}".format), max_size=60).map(tuple),
    link=st.from_regex(r"[a-z]{3,12}\.cn/l/[A-Za-z_]{20,22}", fullmatch=True),
    values=st.sampled_from([{}, {"drill": True}]) | st.builds(dict, minutes=st.integers(0, 10**6)),
)
