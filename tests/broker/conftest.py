"""Brokers for the tests of this room: the embedded one, and Mosquitto as it is shipped."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from iot.broker import EmbeddedBroker, MosquittoProcess, find_mosquitto, relocated

DEPLOY = Path(__file__).parents[2] / "deploy"
USERS = ("backend", "station-a", "station-b")


def password(user: str) -> str:
    """Each user's password in these tests."""
    return f"{user}-secret"


@pytest.fixture
def installed() -> Path:
    """The installed Mosquitto; without one the test is skipped, in CI it fails."""
    program = find_mosquitto()
    if program is None:
        if os.environ.get("CI") == "true":  # noqa: TID251 - the test run's own switch
            pytest.fail("CI must have Mosquitto installed")
        pytest.skip("Mosquitto is not installed")
    return program


@pytest.fixture
def shipped(
    installed: Path,  # noqa: ARG001 - skips where there is none
    tmp_path: Path,
) -> MosquittoProcess:
    """Mosquitto with ``deploy/mosquitto.conf`` and ``deploy/acl``; only places are others."""
    return with_configuration("mosquitto.conf", tmp_path)


def with_configuration(name: str, folder: Path) -> MosquittoProcess:
    """A Mosquitto with a file of ``deploy/``, its files in ``folder``, and some users."""
    tool = shutil.which("mosquitto_passwd")
    assert tool is not None
    for user in USERS:
        create = [] if (folder / "passwords").exists() else ["-c"]
        subprocess.run(
            [tool, "-b", *create, str(folder / "passwords"), user, password(user)], check=True
        )
    shutil.copy(DEPLOY / "acl", folder / "acl")
    text = (DEPLOY / name).read_text(encoding="utf-8")
    return MosquittoProcess(relocated(text, folder), folder)


@pytest.fixture
async def embedded() -> AsyncIterator[EmbeddedBroker]:
    """The embedded broker on a free port."""
    async with EmbeddedBroker() as broker:
        yield broker
