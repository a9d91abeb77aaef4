"""Credentials: shown once, kept as a hash, ended at once."""

import re

import pytest
from sqlalchemy import select

from devices import credentials
from devices.database import Database
from devices.errors import CredentialError
from devices.tables import credential


async def test_the_first_credential_is_made_once(database: Database) -> None:
    """Its token is given out at the first start only, and opens the door."""
    async with database.writing() as connection:
        token = await credentials.ensure_first(connection, 1)
        assert await credentials.ensure_first(connection, 2) is None
    assert token is not None
    assert re.fullmatch(r"cw_[A-Za-z0-9_-]{43}", token), "256 bits in base64"
    async with database.reading() as connection:
        assert await credentials.verify(connection, token) == "admin"


async def test_the_first_credential_is_not_made_again_after_it_was_revoked(
    database: Database,
) -> None:
    """Locking everybody out on purpose must hold."""
    async with database.writing() as connection:
        await credentials.ensure_first(connection, 1)
        await credentials.revoke(connection, "admin", 2)
        assert await credentials.ensure_first(connection, 3) is None


async def test_no_token_is_stored(database: Database) -> None:
    """The table holds nothing with which one could log in."""
    async with database.writing() as connection:
        token = await credentials.add(connection, "panel", 1)
    async with database.reading() as connection:
        rows = (await connection.execute(select(credential))).all()
    assert len(rows) == 1
    assert token not in str(rows)
    assert token.removeprefix("cw_") not in str(rows)


@pytest.mark.parametrize("change", ["", "x", "upper", "space", "long", "other", "\ud800"])
async def test_a_wrong_token_opens_nothing(database: Database, change: str) -> None:
    """Not the empty one, not one that is nearly right, and none raises."""
    async with database.writing() as connection:
        token = await credentials.add(connection, "panel", 1)
        wrong = {
            "": "",
            "x": token[:-1] + ("a" if token[-1] != "a" else "b"),
            "upper": token.swapcase(),
            "space": f"{token} ",
            "long": token * 1000,
            "other": credentials.fresh_token(),
        }.get(change, f"cw_{change}")
        assert await credentials.verify(connection, wrong) is None


async def test_a_revoked_token_ends_at_once_and_its_name_for_good(database: Database) -> None:
    """Who did what stays unambiguous: a name is never used twice."""
    async with database.writing() as connection:
        token = await credentials.add(connection, "li.wei", 1)
        assert await credentials.revoke(connection, "li.wei", 5)
        assert not await credentials.revoke(connection, "li.wei", 6)
        assert await credentials.verify(connection, token) is None
        with pytest.raises(CredentialError, match="used before"):
            await credentials.add(connection, "li.wei", 7)
        assert await credentials.list_credentials(connection) == [
            credentials.Credential("li.wei", 1, 5)
        ]


async def test_a_lost_token_is_replaced(database: Database) -> None:
    """The new one opens, the old one no longer."""
    async with database.writing() as connection:
        old = await credentials.add(connection, "admin", 1)
        new = await credentials.rotate(connection, "admin", 2)
        assert await credentials.verify(connection, old) is None
        assert await credentials.verify(connection, new) == "admin"
        with pytest.raises(CredentialError, match="no live credential"):
            await credentials.rotate(connection, "nobody", 3)


@pytest.mark.parametrize("name", ["", "a", "A1", "li wei", "-li", "x" * 65, "李伟", "a\nb"])
async def test_names_that_are_none(database: Database, name: str) -> None:
    """A name is shown in logs and records: plain, 2 to 64 characters."""
    async with database.writing() as connection:
        with pytest.raises(CredentialError, match="no credential name"):
            await credentials.add(connection, name, 1)
