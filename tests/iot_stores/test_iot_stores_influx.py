"""The InfluxDB adapter against a server that refuses, throttles, vanishes and loses patience."""

import logging
import traceback

import pytest

from iot.blocks import decode
from iot.influx_errors import Answer
from iot.influx_store import InfluxOptions, InfluxStore, RefusedPoint
from iot.store import RangeQuery, StoreRefused, StoreUnavailable
from tests.iot_stores.conftest import options_for
from tests.iot_stores.influx_stub import InfluxStub, Refusal
from tests.iot_stores.telemetry import START_MS, frames

POINTS_PER_FRAME = 4  # three sockets and the frame itself


async def test_one_bad_line_is_isolated(
    influx: InfluxStub, influx_store: InfluxStore, refused: list[RefusedPoint]
) -> None:
    """A 400 for one line costs that line only; it is kept with the server's reason."""
    end = f" {(START_MS + 57_000) * 10**6 + 57}"
    influx.bad = lambda line: "bad field" if "socket=2" in line and line.endswith(end) else None
    await influx_store.append([(0, frames(200))], 1)
    assert len(influx.points) == 200 * POINTS_PER_FRAME - 1
    assert await influx_store.count() == 200
    (point,) = refused
    assert point.payload.startswith(b"socket,station=st-01,socket=2 ")
    assert "bad field" in point.reason
    assert influx_store.refused == 1
    assert len(influx.writes) < 25  # halves, not line by line


async def test_several_bad_lines_are_each_isolated(
    influx: InfluxStub, influx_store: InfluxStore, refused: list[RefusedPoint]
) -> None:
    """Bad lines far apart are found one by one; everything else is written."""
    influx.bad = lambda line: "no" if line.startswith("station") and ",seq=0i" in line else None
    mixed = frames(60, first_seq=0)
    mixed.seq[::20] = 0
    await influx_store.append([(0, mixed)], 1)
    assert len(refused) == 3
    assert len(influx.points) == 60 * POINTS_PER_FRAME - 3


async def test_a_type_conflict_is_isolated(
    influx: InfluxStub, influx_store: InfluxStore, refused: list[RefusedPoint]
) -> None:
    """A partial write (422) isolates the points in conflict and writes the others."""
    influx.types[("station", "seq")] = int
    influx.types[("socket", "relay")] = int
    await influx_store.append([(0, frames(5))], 1)
    assert len(refused) == 15
    assert {key[0] for key in influx.points} == {"station"}


async def test_when_every_line_is_refused_it_is_no_matter_of_lines(
    influx: InfluxStub, influx_store: InfluxStore, refused: list[RefusedPoint]
) -> None:
    """Nothing is thrown away when nothing is accepted: the call fails and can be repeated."""
    influx.bad = lambda _: "unsupported"
    with pytest.raises(StoreRefused, match="line after line"):
        await influx_store.append([(0, frames(100))], 1)
    assert refused == []
    influx.bad = lambda _: None
    await influx_store.append([(0, frames(100))], 1)
    assert await influx_store.count() == 100


async def test_a_station_without_line_protocol_is_kept_as_a_block(
    influx_store: InfluxStore, refused: list[RefusedPoint]
) -> None:
    """A frame whose station name has no form is handed over whole, its neighbours are written."""
    await influx_store.append([(0, frames(2, station=["st-01", "a\nb"]))], 1)
    (point,) = refused
    assert decode(point.payload).station.tolist() == ["a\nb"]
    assert await influx_store.count() == 1


@pytest.mark.parametrize(
    ("refusal", "wait"),
    [
        (Refusal(429, "rate limit", {"Retry-After": "7"}), 7),
        (Refusal(503, "busy", {"Retry-After": "12"}), 12),
        (Refusal(503, "busy"), None),
        (Refusal(500, "internal"), None),
        (Refusal(502, "bad gateway", {"Retry-After": "soon"}), None),
        (
            Refusal(
                503,
                "busy",
                {
                    "Retry-After": "Thu, 09 Oct 2025 09:00:30 GMT",
                    "Date": "Thu, 09 Oct 2025 09:00:00 GMT",
                },
            ),
            30,
        ),
    ],
)
async def test_a_busy_server_says_when_to_come_back(
    influx: InfluxStub, influx_store: InfluxStore, refusal: Refusal, wait: float | None
) -> None:
    """429 and 5xx are retryable, with the wait the server asked for; the retry stores it all."""
    influx.refusals.append(refusal)
    with pytest.raises(StoreUnavailable) as raised:
        await influx_store.append([(0, frames(3))], 1)
    assert raised.value.retry_after_s == wait
    await influx_store.append([(0, frames(3))], 1)
    assert await influx_store.count() == 3


async def test_a_large_batch_is_halved_when_the_server_says_so(
    influx: InfluxStub, influx_store: InfluxStore, refused: list[RefusedPoint]
) -> None:
    """413 makes the requests smaller; nothing is refused for good."""
    influx.max_lines = 100
    await influx_store.append([(0, frames(200))], 1)
    assert len(influx.points) == 200 * POINTS_PER_FRAME
    assert refused == []


async def test_batches_are_bounded_and_compressed(influx: InfluxStub) -> None:
    """No request has more lines than allowed; all are gzip."""
    options = InfluxOptions(influx.url, influx.token, influx.org, influx.bucket, batch_lines=150)
    store = await InfluxStore.open(options, lambda _: None)
    await store.append([(0, frames(100))], 1)
    assert influx.writes == [150, 150, 100]
    assert influx.encodings == {"gzip"}
    await store.close()


async def test_points_beyond_retention_are_no_error(
    influx: InfluxStub, influx_store: InfluxStore, refused: list[RefusedPoint]
) -> None:
    """What is older than the bucket keeps is gone by design: counted, and the drain goes on."""
    influx.keep_after_ns = (START_MS + 5000) * 10**6
    await influx_store.append([(0, frames(10))], 1)
    assert await influx_store.count() == 5
    assert influx_store.expired == 5 * POINTS_PER_FRAME
    assert refused == []


async def test_a_server_that_is_down_is_retryable(
    influx: InfluxStub, influx_store: InfluxStore
) -> None:
    """Refused connections are a StoreUnavailable for writing, asking and pruning; health is red."""
    await influx.down()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        await influx_store.append([(0, frames(1))], 1)
    with pytest.raises(StoreUnavailable):
        await influx_store.range(RangeQuery("st-01", 1, "temp_c", 0, 1000))
    assert not (await influx_store.health()).ok
    await influx.up()
    await influx_store.append([(0, frames(1))], 1)
    assert (await influx_store.health()).ok


async def test_a_slow_server_is_given_up(influx: InfluxStub) -> None:
    """A write and a query each end after their own time limit, retryable."""
    options = InfluxOptions(
        influx.url,
        influx.token,
        influx.org,
        influx.bucket,
        write_timeout_s=0.05,
        query_timeout_s=0.02,
    )
    store = await InfluxStore.open(options, lambda _: None)
    influx.delay_s = 0.2
    with pytest.raises(StoreUnavailable, match="does not answer"):
        await store.append([(0, frames(1))], 1)
    with pytest.raises(StoreUnavailable, match="for a query"):
        await store.count()
    await store.close()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"token": "wrong-token"}, "refuses the token"),
        ({"bucket": "other"}, "does not know bucket 'other'"),
        ({"org": "nobody"}, "of 'nobody'"),
    ],
)
async def test_wrong_configuration_is_said_clearly(
    influx: InfluxStub, wrong: dict[str, str], says: str
) -> None:
    """401 and 404 name what to change, for writing and asking; they are not retryable as such."""
    given = {"token": influx.token, "org": influx.org, "bucket": influx.bucket} | wrong
    options = InfluxOptions(influx.url, given["token"], given["org"], given["bucket"])
    store = await InfluxStore.open(options, lambda _: None)
    with pytest.raises(StoreRefused, match=says):
        await store.append([(0, frames(1))], 1)
    with pytest.raises(StoreRefused, match=says):
        await store.count()
    assert says in (await store.health()).detail
    await store.close()


async def test_the_token_is_nowhere(
    influx: InfluxStub, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """No repr, message, traceback or log has the token, even when the server repeats it."""
    caplog.set_level(logging.DEBUG)
    secret = "s3cr3t-t0ken"  # noqa: S105 - what must not appear
    influx.token = secret
    store = await InfluxStore.open(options_for(influx), lambda _: None)
    told = [repr(store), repr(options_for(influx)), str(options_for(influx))]
    influx.refusals += [Refusal(500, f"token {secret} broke"), Refusal(400, f"Token {secret}")]
    influx.refusals += [Refusal(401, secret), Refusal(307, secret, {"Location": "http://x/"})]
    for _ in range(4):
        try:
            await store.append([(0, frames(1, sockets=1))], 1)
        except (StoreUnavailable, StoreRefused) as error:
            told += traceback.format_exception(error)
    influx.token = "changed"  # noqa: S105 - of a stub
    told.append((await store.health()).detail)
    await influx.down()
    told.append((await store.health()).detail)
    await store.close()
    output = capsys.readouterr()
    assert len(told) > 8
    assert secret not in "".join([*told, caplog.text, output.out, output.err])


async def test_a_redirect_is_not_followed(influx: InfluxStub, influx_store: InfluxStore) -> None:
    """The token is never sent to where a redirect points."""
    influx.refusals.append(Refusal(307, "moved", {"Location": "http://127.0.0.1:9/steal"}))
    with pytest.raises(StoreRefused, match="307"):
        await influx_store.append([(0, frames(1))], 1)


async def test_pruning_ends_right_before_the_limit(
    influx: InfluxStub, influx_store: InfluxStore
) -> None:
    """A delete includes its end in InfluxDB; the point at the limit itself must stay."""
    await influx_store.append([(0, frames(4))], 1)
    assert await influx_store.prune(START_MS + 2000) == 2
    assert min(key[2] for key in influx.points) == (START_MS + 2000) * 10**6 + 2


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"code": 1}', b"\xff\xfe"])
def test_an_error_without_a_message_still_says_something(body: bytes) -> None:
    """Whatever a proxy answers instead of InfluxDB's JSON makes a text, not an exception."""
    assert isinstance(Answer(502, body).message, str)
    assert Answer(502, body).retry_after_s is None
