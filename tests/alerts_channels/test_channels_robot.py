"""Group robots: against a local receiver, and apprise's own reading of the addresses."""

import io
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import unquote

import apprise
import pytest
from pydantic import SecretStr

from alerts.channels.port import (
    Accepted,
    Channel,
    Permanent,
    Retryable,
    SendError,
    Throttled,
    Unknown,
)
from alerts.channels.robot import Robots
from iot.broker import free_port
from tests.alerts_channels.channels_kit import FIRE, Canned, canned, mute

POST = replace(FIRE, channel=Channel.ROBOT, address="duty")
TOKEN = "abcdef0123456789" * 4
DINGTALK = f"dingtalk://SECdeadbeefdeadbeef@{TOKEN}"


@pytest.fixture
async def told() -> AsyncIterator[Canned]:
    """A receiver that says what the test tells it."""
    async with canned() as server:
        yield server


def robots(address: str, timeout_s: float = 2.0) -> Robots:
    """One robot called duty, which posts JSON to ``address`` with a token."""
    return Robots({"duty": SecretStr(f"json://{address}/robot-token-123")}, timeout_s)


async def error_of(way: Robots) -> SendError:
    """The error with which it refuses; it holds no token."""
    with pytest.raises(SendError) as caught:
        await way.send(POST)
    assert "robot-token-123" not in f"{caught.value!r} {caught.value}"
    return caught.value


async def test_a_post_arrives(told: Canned) -> None:
    """Title and text as they are; no receipt will come. Two in a row do not wait."""
    way = robots(told.address)
    assert [await way.send(POST), await way.send(POST)] == [Accepted(None, receipts=False)] * 2
    await way.close()
    for body in told.asked:
        posted = json.loads(body)
        assert (posted["title"], posted["message"]) == (POST.title, POST.text)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, Retryable), (502, Retryable), (404, Permanent), (403, Permanent), (429, Throttled)],
)
async def test_refusals(told: Canned, status: int, kind: type[SendError]) -> None:
    """By the HTTP status, which is all that apprise tells."""
    told.status = status
    error = await error_of(robots(told.address))
    assert (type(error), error.code) == (kind, str(status))


async def test_nobody_listens_or_nobody_speaks() -> None:
    """Nobody knows; a doubled post in a group does no harm."""
    assert type(await error_of(robots(f"127.0.0.1:{free_port()}"))) is Unknown
    async with mute() as address:
        assert type(await error_of(robots(address, 0.5))) is Unknown


async def test_a_robot_nobody_named() -> None:
    """It never will be there."""
    with pytest.raises(Permanent, match="no robot night"):
        await robots("127.0.0.1:1").send(replace(POST, address="night"))


def test_an_address_that_is_none_is_refused_at_the_start() -> None:
    """With the robot's name, without its address."""
    with pytest.raises(ValueError, match="robot duty") as caught:
        Robots({"duty": SecretStr("nonsense://token-in-here")})
    assert "token-in-here" not in str(caught.value)


def test_no_log_shows_a_token() -> None:
    """What apprise logs, which does, stays with us."""
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    logging.getLogger().addHandler(handler)
    try:
        Robots({"duty": SecretStr(DINGTALK)})
        logging.getLogger("apprise").warning("https://example.cn?access_token=%s", TOKEN)
        logging.getLogger("another").warning("seen")
    finally:
        logging.getLogger().removeHandler(handler)
    assert logged.getvalue() == "seen\n"


@pytest.mark.parametrize(
    "address",
    [
        DINGTALK,
        "wecombot://12345678-1234-1234-1234-123456789abc",
        "feishu://12345678-1234-1234-1234-123456789abc",
    ],
)
def test_the_robots_of_this_country_are_known(address: str) -> None:
    """DingTalk, WeCom and Feishu: apprise reads the address and keeps it."""
    Robots({"duty": SecretStr(address)})
    made = apprise.Apprise.instantiate(address)
    assert isinstance(made, apprise.NotifyBase)
    assert made.url().startswith(address.partition("//")[0])  # type: ignore[no-untyped-call]


def test_dingtalk_is_signed() -> None:
    """With the robot's secret: a timestamp and an HMAC over it."""
    made = apprise.Apprise.instantiate(DINGTALK)
    timestamp, signature = made.get_signature()  # type: ignore[union-attr]  # of the plugin
    assert timestamp.isdigit()
    assert len(unquote(signature)) == 44  # base64 of SHA-256
