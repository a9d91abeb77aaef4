"""What came back is applied once, whole or not at all, on both databases."""

import asyncio
import json
from collections import Counter
from dataclasses import replace

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.callbacks.errors import BodyError
from alerts.callbacks.events import CallResult, Event, Receipt, Reply, key_of
from alerts.callbacks.inbox import take
from alerts.callbacks.intake import Intake
from alerts.callbacks.keys import CallbackKeys, CallbackSettings, Service
from alerts.outbox.tables import callback
from api.settings import Settings
from devices.database import Database

NOW_MS = 1_790_000_000_000
PHONE = "+8613812345678"
ALIYUN_KEY = "0123456789abcdef" * 3
TENCENT_KEY = "fedcba9876543210" * 3
RECEIPT = Receipt(
    "aliyun", key_of("receipt", 1), "b1", "m1", PHONE, delivered=True, code="DELIVERED", at_ms=5
)
REPLY = Reply("aliyun", key_of("reply", 1), PHONE, "1", 6, "安充消防")
CALL = CallResult(
    "aliyun-voice", key_of("call", 1), "c1", "v1", None, answered=True, dtmf="1", code="", at_ms=7
)


class KnowingDesk:
    """Knows one message, one call and one number; keeps what it was handed."""

    def __init__(self) -> None:
        """Nothing was handed yet."""
        self.handed: list[tuple[Event, int]] = []
        self.breaks = False

    async def receipt(self, connection: AsyncConnection, came: Receipt, now_ms: int) -> bool:
        """Ours when it names m1."""
        await self._keep(connection, came, now_ms)
        return came.message_id == "m1"

    async def reply(self, connection: AsyncConnection, came: Reply, now_ms: int) -> str:
        """Known from one number."""
        await self._keep(connection, came, now_ms)
        return "applied" if came.phone == PHONE else "unknown_number"

    async def call_result(self, connection: AsyncConnection, came: CallResult, now_ms: int) -> bool:
        """Ours when it names v1."""
        await self._keep(connection, came, now_ms)
        return came.message_id == "v1"

    async def _keep(self, connection: AsyncConnection, came: Event, now_ms: int) -> None:
        await connection.execute(select(callback.c.key))  # the caller's transaction is usable
        if self.breaks:
            msg = "the desk cannot"
            raise RuntimeError(msg)
        self.handed.append((came, now_ms))


async def rows(database: Database) -> list[tuple[str, str, str, int]]:
    """What the inbox holds: provider, kind, outcome, when."""
    async with database.reading() as connection:
        found = await connection.execute(select(callback).order_by(callback.c.kind, callback.c.key))
        return [(r.provider, r.kind, r.outcome, r.received_ms) for r in found]


async def taking(database: Database, events: list[Event], desk: KnowingDesk) -> list[str]:
    """In a transaction of its own."""
    async with database.writing() as connection:
        return await take(connection, events, NOW_MS, desk)


async def test_each_event_reaches_the_desk_once(database: Database) -> None:
    """In order; a repeat, in the same push or a later one, changes nothing."""
    desk = KnowingDesk()
    first = await taking(database, [REPLY, RECEIPT, CALL, RECEIPT], desk)
    second = await taking(database, [CALL, REPLY], desk)
    assert first == ["applied", "applied", "applied", "repeated"]
    assert second == ["repeated", "repeated"]
    assert desk.handed == [(REPLY, NOW_MS), (RECEIPT, NOW_MS), (CALL, NOW_MS)]
    assert await rows(database) == [
        ("aliyun-voice", "call", "applied", NOW_MS),
        ("aliyun", "receipt", "applied", NOW_MS),
        ("aliyun", "reply", "applied", NOW_MS),
    ]


async def test_what_is_unknown_is_kept_and_said(database: Database) -> None:
    """A stranger's text, and receipts of messages that are none of ours."""
    strange: list[Event] = [
        replace(REPLY, phone="+8613900000000"),
        replace(RECEIPT, message_id=None),
        replace(CALL, message_id="m9"),
    ]
    outcomes = await taking(database, strange, KnowingDesk())
    assert outcomes == ["unknown_number", "unknown_message", "unknown_message"]
    assert sorted(row[2] for row in await rows(database)) == sorted(outcomes)


async def test_the_record_holds_what_was_said(database: Database) -> None:
    """Everything but the key, as JSON, in any script."""
    await taking(database, [replace(REPLY, text="１ 收到😀")], KnowingDesk())
    async with database.reading() as connection:
        detail = (await connection.execute(select(callback.c.detail))).scalar_one()
    assert detail == {"phone": PHONE, "text": "１ 收到😀", "at_ms": 6, "signature": "安充消防"}


async def test_two_providers_may_use_the_same_key(database: Database) -> None:
    """Each has its own."""
    both: list[Event] = [RECEIPT, replace(RECEIPT, provider="tencent")]
    assert await taking(database, both, KnowingDesk()) == ["applied", "applied"]


async def test_a_push_that_fails_leaves_nothing_and_may_come_again(database: Database) -> None:
    """All or nothing: what the desk could not do is not noted as done."""
    desk = KnowingDesk()
    desk.breaks = True
    with pytest.raises(RuntimeError, match="the desk cannot"):
        await taking(database, [RECEIPT, REPLY], desk)
    assert await rows(database) == []
    desk.breaks = False
    assert await taking(database, [RECEIPT, REPLY], desk) == ["applied", "applied"]


async def test_nothing_is_nothing(database: Database) -> None:
    """An empty push."""
    assert await taking(database, [], KnowingDesk()) == []


async def test_pushes_at_the_same_time_are_applied_once(database: Database) -> None:
    """Twenty at once with the same events in any order: one each, no deadlock."""
    many: list[Event] = [replace(RECEIPT, key=key_of("receipt", n), ref=f"b{n}") for n in range(10)]
    desk = KnowingDesk()
    pushes = [many if n % 2 else many[::-1] for n in range(20)]
    outcomes = await asyncio.gather(*(taking(database, push, desk) for push in pushes))
    counted = Counter(outcome for push in outcomes for outcome in push)
    assert counted == {"applied": 10, "repeated": 190}
    assert Counter(event for event, _ in desk.handed) == dict.fromkeys(many, 1)


class Counted:
    """Counters of a test."""

    def __init__(self) -> None:
        """All are zero."""
        self.said: Counter[tuple[str, str]] = Counter()

    def callback(self, service: str, outcome: str) -> None:
        """An outcome."""
        self.said[service, outcome] += 1

    def callback_refused(self, service: str, reason: str) -> None:
        """A refusal."""
        self.said[service, f"refused: {reason}"] += 1


def intake(database: Database, desk: KnowingDesk, counted: Counted) -> Intake:
    """With a key for each account."""
    settings = CallbackSettings(
        aliyun_key=SecretStr(ALIYUN_KEY), tencent_key=SecretStr(TENCENT_KEY)
    )
    keys = CallbackKeys.of(settings)
    return Intake(database=database, keys=keys, desk=desk, clock=lambda: NOW_MS, counters=counted)


def report(number: int, **changes: object) -> dict[str, object]:
    """A receipt of Aliyun's."""
    plain = {"phone_number": "13812345678", "success": True, "biz_id": f"{number}^0"}
    return {**plain, "err_code": "DELIVERED", "out_id": "m1", **changes}


async def test_a_push_is_read_applied_and_counted(database: Database) -> None:
    """Good items are applied, bad ones counted, and a repetition changes nothing."""
    desk, counted = KnowingDesk(), Counted()
    taking_in = intake(database, desk, counted)
    push = [report(1), report(2, success="yes"), report(3, out_id="zz"), 7]
    raw = json.dumps(push).encode()
    assert await taking_in.take("aliyun_sms", raw) == ["applied", "unknown_message"]
    assert await taking_in.take("aliyun_sms", raw) == ["repeated", "repeated"]
    ringing = json.dumps([{"call_id": "c9", "status_code": "200101"}]).encode()
    assert await taking_in.take("aliyun_voice", ringing) == []
    assert len(desk.handed) == 2
    assert counted.said == {
        ("aliyun_sms", "applied"): 1,
        ("aliyun_sms", "unknown_message"): 1,
        ("aliyun_sms", "repeated"): 2,
        ("aliyun_sms", "refused: wrong_type"): 4,
        ("aliyun_voice", "passing"): 1,
    }


async def test_rubbish_is_counted_and_raised(database: Database) -> None:
    """It is no push of the provider's: nothing is kept."""
    counted = Counted()
    with pytest.raises(BodyError, match="not_json"):
        await intake(database, KnowingDesk(), counted).take("tencent_sms", b"{")
    assert counted.said == {("tencent_sms", "refused: not_json"): 1}
    assert await rows(database) == []


async def test_what_was_rolled_back_is_not_counted(database: Database) -> None:
    """The counters tell what is committed."""
    desk, counted = KnowingDesk(), Counted()
    desk.breaks = True
    with pytest.raises(RuntimeError):
        await intake(database, desk, counted).take("aliyun_sms", json.dumps([report(1)]).encode())
    assert counted.said == {}


@pytest.mark.parametrize(
    ("service", "key", "right"),
    [
        ("aliyun_sms", ALIYUN_KEY, True),
        ("aliyun_voice", ALIYUN_KEY, True),
        ("tencent_sms", TENCENT_KEY, True),
        ("tencent_sms", ALIYUN_KEY, False),
        ("aliyun_sms", TENCENT_KEY, False),
        ("aliyun_sms", ALIYUN_KEY[:-1], False),
        ("aliyun_sms", ALIYUN_KEY.upper(), False),
        ("aliyun_sms", "", False),
        ("aliyun_sms", "键\ud800", False),
        ("pigeon", ALIYUN_KEY, False),
        ("", "", False),
    ],
)
async def test_only_the_accounts_own_key_is_right(
    database: Database, service: str, key: str, *, right: bool
) -> None:
    """Wrong ones are counted under a service we know, or under "unknown"."""
    counted = Counted()
    assert intake(database, KnowingDesk(), counted).right(service, key) is right
    known = service if service in set(Service) else "unknown"
    assert counted.said == ({} if right else {(known, "refused: wrong_key"): 1})


def test_an_account_without_a_key_takes_nothing() -> None:
    """Unset and empty are the same: every key is wrong, the empty one too."""
    for settings in (CallbackSettings(), CallbackSettings(aliyun_key=SecretStr(""))):
        keys = CallbackKeys.of(settings)
        assert [keys.right(service, key) for service in Service for key in ("", "x")] == [None] * 6


@pytest.mark.parametrize(
    "weak", ["secret", "a" * 48, "01" * 24, "0123456789abcdef" * 9, "0123456789abcdef" * 2 + "/"]
)
def test_a_weak_key_refuses_the_start_and_is_not_shown(weak: str) -> None:
    """Too short, too simple, too long, or not fit for an address."""
    with pytest.raises(ValidationError, match="openssl rand -hex 24") as refused:
        CallbackSettings.model_validate({"tencent_key": weak})
    assert weak not in str(refused.value)


def test_the_settings_show_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a refused one in the error nor an accepted one in the settings' own text."""
    monkeypatch.setenv("CHARGEWARD_CALLBACKS__ALIYUN_KEY", "too-short-a-key")
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "too-short-a-key" not in str(refused.value)
    monkeypatch.setenv("CHARGEWARD_CALLBACKS__ALIYUN_KEY", ALIYUN_KEY)
    settings = Settings()
    assert ALIYUN_KEY not in repr(settings)
    assert CallbackKeys.of(settings.callbacks).right("aliyun_sms", ALIYUN_KEY)
