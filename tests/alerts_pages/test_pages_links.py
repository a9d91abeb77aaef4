"""One-time links: used once, by one; and the sessions they are exchanged for."""

import asyncio
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from alerts.incidents import links, tables
from alerts.incidents.links import (
    AGAIN_MS,
    ALPHABET,
    HOUR_MS,
    KNOWN_MS,
    LINK_MS,
    PER_HOUR,
    SESSION_MS,
    TOKEN_LENGTH,
    LinkRefusedError,
    LinkView,
    Refusal,
    Session,
)
from alerts.incidents.model import State
from devices.database import Database
from tests.alerts_pages.pages_rows import NOW_MS, put_incident, set_state

TOKEN = "abcd01234z"  # noqa: S105 - a made-up one
COOKIE = "c" * 43
PHONE = "+8613800000001"


async def mint(database: Database, incident: int, token: str = TOKEN, now_ms: int = NOW_MS) -> str:
    """A link for the officer wang."""
    async with database.writing() as connection:
        return await links.mint(
            connection,
            incident_id=incident,
            person_id="wang",
            phone=PHONE,
            now_ms=now_ms,
            new_token=lambda: token,
        )


async def look(database: Database, token: str, now_ms: int = NOW_MS) -> LinkView | None:
    """What the link leads to."""
    async with database.reading() as connection:
        return await links.look(connection, token, now_ms)


async def redeem(
    database: Database, token: str = TOKEN, now_ms: int = NOW_MS, cookie: str = COOKIE
) -> Session:
    """Use the link."""
    async with database.writing() as connection:
        return await links.redeem(connection, token, now_ms, lambda: cookie)


async def refusal(database: Database, token: str = TOKEN, now_ms: int = NOW_MS) -> Refusal:
    """Why it cannot be used."""
    with pytest.raises(LinkRefusedError) as refused:
        await redeem(database, token, now_ms)
    return refused.value.refusal


async def session(database: Database, now_ms: int = NOW_MS, cookie: str = COOKIE) -> Session | None:
    """Whose session it is."""
    async with database.reading() as connection:
        return await links.session(connection, cookie, now_ms)


def test_links_and_sessions_cannot_be_guessed() -> None:
    """Ten characters of Crockford's base32, 43 of URL-safe base64; no two alike."""
    tokens = {links.fresh_token() for _ in range(500)}
    assert len(tokens) == 500
    assert {len(token) for token in tokens} == {TOKEN_LENGTH}
    assert set("".join(tokens)) <= set(ALPHABET)
    assert len({links.fresh_session() for _ in range(500)}) == 500


async def test_only_digests_are_kept(database: Database) -> None:
    """Neither the token nor the cookie can be read from the database."""
    await mint(database, await put_incident(database))
    await redeem(database)
    async with database.reading() as connection:
        [row] = await connection.execute(select(tables.link))
    assert TOKEN not in str(row)
    assert COOKIE not in str(row)


async def test_looking_uses_nothing_up(database: Database) -> None:
    """However often a scanner opens the link, the officer can still use it."""
    incident = await put_incident(database)
    await mint(database, incident)
    seen = LinkView(incident, "F0012", "wang", PHONE, NOW_MS + LINK_MS, None, None)
    assert [await look(database, TOKEN) for _ in range(3)] == [seen] * 3
    assert await redeem(database) == Session(
        COOKIE, incident, "F0012", "wang", PHONE, NOW_MS + SESSION_MS, closed=False
    )


async def test_a_link_is_used_once(database: Database) -> None:
    """The second use is refused and changes nothing; the link says who opened it."""
    await mint(database, await put_incident(database))
    first = await redeem(database)
    assert await refusal(database) is Refusal.USED
    assert await session(database) == first
    seen = await look(database, TOKEN)
    assert seen is not None
    assert (seen.refusal, seen.opened_by(COOKIE)) == (Refusal.USED, True)
    assert (seen.opened_by("d" * 43), seen.opened_by(None)) == (False, False)


async def test_of_many_at_once_one_gets_the_session(database: Database) -> None:
    """Two phones, two processes: exactly one session, all others are told that it was used."""
    await mint(database, await put_incident(database))
    tries = [redeem(database, cookie=f"cookie-{n}") for n in range(8)]
    ended = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, Session) for one in ended) == 1
    refusals = [one.refusal for one in ended if isinstance(one, LinkRefusedError)]
    assert refusals == [Refusal.USED] * 7


@pytest.mark.parametrize(
    ("after_ms", "seen", "told"),
    [
        (LINK_MS - 1, None, None),
        (LINK_MS, Refusal.EXPIRED, Refusal.EXPIRED),
        (KNOWN_MS - 1, Refusal.EXPIRED, Refusal.EXPIRED),
        (KNOWN_MS, "gone", Refusal.UNKNOWN),
    ],
)
async def test_a_link_ends(
    database: Database, after_ms: int, seen: Refusal | str | None, told: Refusal | None
) -> None:
    """Ten minutes to use it, a day in which it is known to have expired, then nothing."""
    await mint(database, await put_incident(database))
    view = await look(database, TOKEN, NOW_MS + after_ms)
    assert ("gone" if view is None else view.refusal) == seen
    if told is None:
        await redeem(database, now_ms=NOW_MS + after_ms)
    else:
        assert await refusal(database, now_ms=NOW_MS + after_ms) is told


@pytest.mark.parametrize("typed", ["ABCD01234Z", "abcd-01234z", "abcdO1234z", "abcdol234z"])
async def test_a_typed_link_is_read_kindly(database: Database, typed: str) -> None:
    """Capitals, a hyphen, and letters that look like digits are what they look like."""
    await mint(database, await put_incident(database))
    assert await look(database, typed) is not None
    assert (await redeem(database, typed)).number == "F0012"


@pytest.mark.parametrize("token", ["", "abcd01234", "abcd01234zz", "ábcd01234z", "a" * 10_000])
async def test_what_is_no_link_is_unknown(database: Database, token: str) -> None:
    """Whatever is sent, it is unknown and no error."""
    await mint(database, await put_incident(database))
    assert await look(database, token) is None
    assert await refusal(database, token) is Refusal.UNKNOWN


@given(st.text(max_size=40))
def test_reading_a_token_never_fails(typed: str) -> None:
    """What comes out is a token or nothing, and reading it again changes nothing."""
    plain = links._plain(typed)
    assert plain is None or (len(plain) == TOKEN_LENGTH and links._plain(plain) == plain)


async def test_a_session_ends_after_an_hour(database: Database) -> None:
    """To the millisecond, whatever happens."""
    await mint(database, await put_incident(database))
    opened = await redeem(database)
    assert await session(database, NOW_MS + SESSION_MS - 1) == opened
    assert await session(database, NOW_MS + SESSION_MS) is None


async def test_a_session_knows_that_its_incident_is_closed(database: Database) -> None:
    """From closing on nothing can be done with it; reopened within the hour it goes on."""
    incident = await put_incident(database)
    await mint(database, incident)
    opened = await redeem(database)
    await set_state(database, incident, State.CLOSED)
    assert await session(database) == replace(opened, closed=True)
    await set_state(database, incident, State.OPEN)
    assert await session(database) == opened


async def test_a_link_of_a_closed_incident_opens_a_closed_session(database: Database) -> None:
    """It is no error: the officer is told that it is over."""
    await mint(database, await put_incident(database, state=State.CLOSED))
    assert (await redeem(database)).closed


@pytest.mark.parametrize("cookie", ["", "d" * 43, "ü" * 43, "c" * 10_000])
async def test_what_is_no_session_is_none(database: Database, cookie: str) -> None:
    """A cookie that none of ours was."""
    await mint(database, await put_incident(database))
    await redeem(database)
    assert await session(database, cookie=cookie) is None


async def test_the_proof_of_a_form_is_bound_to_its_session(database: Database) -> None:
    """Another session's form does not fit, and the cookie cannot be told from the proof."""
    await mint(database, await put_incident(database))
    opened = await redeem(database)
    other = replace(opened, cookie="d" * 43)
    assert opened.proof == replace(opened).proof
    assert opened.proof != other.proof
    assert opened.cookie not in opened.proof


async def pause_s(database: Database, incident: int, after_ms: int, phone: str = PHONE) -> float:
    """Seconds until another link may be asked for."""
    async with database.reading() as connection:
        return (
            await links.pause_ms(
                connection, incident_id=incident, phone=phone, now_ms=NOW_MS + after_ms
            )
            / 1000
        )


async def test_links_are_not_given_without_end(database: Database) -> None:
    """One a minute, ten an hour, for each incident and phone by itself."""
    incident, other = (
        await put_incident(database),
        await put_incident(database, number="F0013", station="cmrj-02"),
    )
    numbers = count()
    assert await pause_s(database, incident, 0) == 0
    for minute in range(PER_HOUR):
        token = f"000000000{next(numbers)}"
        await mint(database, incident, token, NOW_MS + minute * AGAIN_MS)
        if minute < PER_HOUR - 1:
            assert await pause_s(database, incident, minute * AGAIN_MS + 1_000) == 59
            assert await pause_s(database, incident, (minute + 1) * AGAIN_MS) == 0
    assert await pause_s(database, incident, PER_HOUR * AGAIN_MS) == 3_000
    assert await pause_s(database, incident, HOUR_MS) == 0
    assert await pause_s(database, incident, 0, "+8613800000002") == 0
    assert await pause_s(database, other, 0) == 0
