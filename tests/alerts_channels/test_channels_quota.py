"""Limits and budget, counted from the ledger; windows roll, fire has a reserve."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.channels.port import Channel, Outgoing, Throttled
from alerts.channels.quota import BudgetLevel, Quota, Spent, Use, held_back
from alerts.channels.settings import BudgetSettings, ChannelsSettings, Limit, Per
from alerts.incidents.model import Kind
from alerts.outbox.tables import attempt
from devices.database import Database
from tests.alerts_channels.channels_kit import CALL, FIRE, SIGNATURE, TROUBLE, Scripted
from tests.alerts_watch.watch_rows import add_incident, add_messages, message_row

NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ALIYUN, TENCENT = Scripted("aliyun"), Scripted("tencent")
VOICE = Scripted("aliyun-voice", channel=Channel.VOICE, signature="")
WAYS = (ALIYUN, TENCENT, VOICE)


def attempt_row(
    outgoing: Outgoing, provider: str, ago_ms: int, **values: object
) -> dict[str, object]:
    """An accepted attempt at ``outgoing``, so long ago."""
    way = next((w for w in WAYS if w.name == provider), ALIYUN)
    started_ms = NOW_MS - ago_ms
    return {
        "message_id": outgoing.id,
        "provider": provider,
        "address": outgoing.address,
        "signature": way.signature,
        "template": way.template(outgoing.kind, outgoing.lang),
        "kind": outgoing.kind.value,
        "started_ms": started_ms,
        "ended_ms": started_ms + 100,
        "outcome": "accepted",
        "code": "",
        "detail": "",
        "segments": 1,
        **values,
    }


async def keep(database: Database, *rows: dict[str, object], channel: str = "sms") -> None:
    """Put attempts into the ledger, with the messages they are of."""
    ids = dict.fromkeys(str(row["message_id"]) for row in rows)
    async with database.writing() as connection:
        incident = await add_incident(connection, "F3021", NOW_MS)
        messages = [
            message_row(name, incident, NOW_MS, channel=channel, text=FIRE.text) for name in ids
        ]
        await add_messages(connection, *messages)
        await connection.execute(attempt.insert(), list(rows))


async def closed(
    database: Database, outgoing: Outgoing, settings: ChannelsSettings | None = None
) -> dict[str, tuple[str, float]]:
    """Which ways are closed for ``outgoing`` now, why, and for how many seconds."""
    quota = Quota(settings or ChannelsSettings())
    async with database.reading() as connection:
        shut = await quota.closed(connection, WAYS, outgoing, NOW_MS)
    assert all(isinstance(error, Throttled) for error in shut.values())
    return {name: (error.code, error.retry_after_s) for name, error in shut.items()}


async def test_an_empty_ledger_closes_nothing(database: Database) -> None:
    """Neither SMS nor calls."""
    assert [await closed(database, o) for o in (FIRE, TROUBLE, CALL)] == [{}, {}, {}]


@pytest.mark.parametrize(
    ("before", "outgoing", "expected"),
    [
        (39, TROUBLE, {}),
        (40, TROUBLE, {"aliyun": ("quota-50-in-86400s", 86_400 - 4_000)}),
        (40, replace(FIRE, id="other"), {}),
        (49, replace(FIRE, id="other"), {}),
        (50, replace(FIRE, id="other"), {"aliyun": ("quota-50-in-86400s", 86_400 - 5_000)}),
    ],
)
async def test_aliyun_gives_fifty_a_day_and_ten_are_kept_for_fire(
    database: Database, before: int, outgoing: Outgoing, expected: dict[str, tuple[str, float]]
) -> None:
    """By number, signature and template; the way opens when enough have left the 24 hours."""
    same = ALIYUN.template(outgoing.kind, "zh")
    rows = [
        attempt_row(FIRE, "aliyun", (n + 1) * 100_000, template=same, outcome=outcome)
        for n, outcome in zip(range(before), ["accepted", "unknown"] * 25, strict=False)
    ]
    await keep(database, *rows)
    assert await closed(database, outgoing) == expected


async def test_what_does_not_count(database: Database) -> None:
    """Another number, template or signature; what was refused; what is older than a day."""
    others: list[dict[str, object]] = [
        {"address": "+8613800000002"},
        {"template": "another"},
        {"signature": "另一个"},
        {"outcome": "throttled"},
        {"outcome": "retryable"},
        {"outcome": "permanent"},
        {"started_ms": NOW_MS - DAY_MS},
    ]
    rows = [attempt_row(TROUBLE, "aliyun", 1_000, **other) for other in others for _ in range(50)]
    await keep(database, *rows)
    assert await closed(database, replace(TROUBLE, text="another")) == {}


async def test_tencent_wants_thirty_seconds_between_the_same_texts(database: Database) -> None:
    """The same message again, or another with the same text; a new text passes at once."""
    await keep(database, attempt_row(TROUBLE, "tencent", 10_000))
    wait = {"tencent": ("quota-1-in-30s", 20.0)}
    assert await closed(database, replace(TROUBLE, text="changed")) == wait
    assert await closed(database, replace(TROUBLE, id="other")) == wait
    assert await closed(database, replace(TROUBLE, id="other", text="changed")) == {}


@pytest.mark.parametrize(
    ("ago_s", "kind", "expected"),
    [
        ([30], Kind.FIRE, ("quota-1-in-60s", 30)),
        ([61], Kind.FIRE, None),
        ([61, 600, 1_200, 1_800], Kind.TROUBLE, ("quota-5-in-3600s", 1_800)),
        ([61, 600, 1_200, 1_800], Kind.FIRE, None),
        ([61, 600, 1_200, 1_800, 2_400], Kind.FIRE, ("quota-5-in-3600s", 1_200)),
        ([4_000 * n for n in range(1, 16)], Kind.TROUBLE, ("quota-20-in-86400s", 26_400)),
        ([4_000 * n for n in range(1, 21)], Kind.FIRE, ("quota-20-in-86400s", 6_400)),
    ],
)
async def test_calls_to_one_number(
    database: Database, ago_s: list[int], kind: Kind, expected: tuple[str, float] | None
) -> None:
    """One a minute, five an hour, twenty a day: what closes it the longest is told."""
    rows = [attempt_row(CALL, "aliyun-voice", s * 1_000, template=str(s)) for s in ago_s]
    await keep(database, *rows, channel="voice")
    told = await closed(database, replace(CALL, id="other", kind=kind))
    assert told == ({} if expected is None else {"aliyun-voice": expected})


async def test_limits_agreed_with_a_provider(database: Database) -> None:
    """The settings replace a provider's line, and may empty it."""
    await keep(database, *[attempt_row(TROUBLE, "tencent", 5_000 + n) for n in range(7)])
    strict = ChannelsSettings(limits={"tencent": (Limit(count=7, window_s=60),)})
    assert await closed(database, TROUBLE, strict) == {"tencent": ("quota-7-in-60s", 54.994)}
    assert await closed(database, TROUBLE, ChannelsSettings(limits={"tencent": ()})) == {}


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_spent_budget_never_holds_back_a_danger(database: Database, kind: Kind) -> None:
    """What only informs waits; fire, cuts and what may stand for them do not."""
    rows = [attempt_row(TROUBLE, "modem", HOUR_MS + n, segments=2) for n in range(5)]
    await keep(database, *rows)
    settings = ChannelsSettings(budget=BudgetSettings(segments=10, calls=1))
    waits = kind in {Kind.TROUBLE, Kind.CLEARED, Kind.DRILL, Kind.LINK}
    both = {"aliyun": ("budget", 600.0), "tencent": ("budget", 600.0)}
    other = replace(TROUBLE, id="other", text="other", kind=kind)
    assert await closed(database, other, settings) == (both if waits else {})
    assert await closed(database, replace(other, channel=Channel.VOICE), settings) == {}
    assert await closed(database, replace(other, channel=Channel.EMAIL), settings) == {}


async def test_what_a_day_costs(database: Database) -> None:
    """Segments and calls that went out, or may have, in 24 hours; writing down is free."""
    rows = [
        attempt_row(FIRE, "aliyun", 1_000, segments=2),
        attempt_row(FIRE, "tencent", 2_000, outcome="unknown"),
        attempt_row(FIRE, "tencent", 3_000, outcome="throttled"),
        attempt_row(FIRE, "file", 3_000),
        attempt_row(FIRE, "aliyun", DAY_MS, segments=7),
    ]
    await keep(database, *rows)
    budget = BudgetSettings(segments=3, calls=10)
    async with database.reading() as connection:
        spent = await Quota(ChannelsSettings(budget=budget)).spent(connection, NOW_MS)
    assert spent == Spent(3, 0, budget)
    assert spent.level is BudgetLevel.SPENT


@pytest.mark.parametrize(
    ("segments", "calls", "level"),
    [
        (0, 0, BudgetLevel.FINE),
        (79, 7, BudgetLevel.FINE),
        (80, 0, BudgetLevel.NEARLY),
        (0, 8, BudgetLevel.NEARLY),
        (99, 9, BudgetLevel.NEARLY),
        (100, 0, BudgetLevel.SPENT),
        (0, 12, BudgetLevel.SPENT),
    ],
)
def test_the_alarm_levels_of_the_budget(segments: int, calls: int, level: BudgetLevel) -> None:
    """80 % and all of it, of whichever is worse."""
    assert Spent(segments, calls, BudgetSettings(segments=100, calls=10)).level is level


def test_a_reserve_must_leave_something() -> None:
    """Otherwise nothing but fire could ever be sent."""
    with pytest.raises(ValidationError, match="leaves nothing"):
        Limit(count=10, window_s=60, reserve=10)


LIMITS = st.builds(
    lambda count, window_s, reserve, per: Limit(
        count=count, window_s=window_s, reserve=min(reserve, count - 1), per=per
    ),
    st.integers(1, 5),
    st.integers(1, 60),
    st.integers(0, 4),
    st.sampled_from(Per),
)
USES = st.lists(
    st.builds(
        Use,
        st.integers(-70_000, 5_000),  # some in the future: the clock was set back
        st.just(SIGNATURE),
        st.sampled_from(["a", "b"]),
        st.booleans(),
    ),
    max_size=12,
).map(lambda uses: sorted(uses, key=lambda use: use.started_ms))
MINE = Use(0, SIGNATURE, "a", same_text=True)


@given(limits=st.lists(LIMITS, max_size=3), uses=USES, urgent=st.booleans())
def test_waiting_as_told_opens_the_way(
    limits: list[Limit], uses: list[Use], *, urgent: bool
) -> None:
    """Not a moment early, never longer than the window; fire never waits longer than others."""
    error = held_back(limits, uses, MINE, urgent=urgent)
    if error is None:
        return
    assert 1.0 <= error.retry_after_s <= 60.0
    eased = held_back(limits, uses, MINE, urgent=True)
    assert eased is None or eased.retry_after_s <= error.retry_after_s
    past = [use for use in uses if use.started_ms <= 0]
    told = held_back(limits, past, MINE, urgent=urgent)
    if told is not None:
        later = replace(MINE, started_ms=round(told.retry_after_s * 1_000))
        assert held_back(limits, past, later, urgent=urgent) is None
