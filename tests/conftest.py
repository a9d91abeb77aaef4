"""Fixtures shared by all tests."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from iot.broker import MosquittoProcess, find_mosquitto

pytest_plugins = ["tests.databases"]

OPEN_BROKER = """
allow_anonymous true
persistence false
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the large drills last: short in CI, as long as the promise by hand."""
    parser.addoption("--outage-seconds", type=int, default=15, help="how long InfluxDB is away")
    parser.addoption("--kills", type=int, default=50, help="how often the backend is killed")
    parser.addoption("--histories", type=int, default=100, help="of incidents, by chance")
    parser.addoption("--crash-histories", type=int, default=30, help="the same with crashes")
    parser.addoption("--desk-kills", type=int, default=12, help="the same while it burns")


def missing(what: str) -> None:
    """Skip where a developer lacks a component; in CI its absence is a failure."""
    if os.environ.get("CI") == "true":  # noqa: TID251 - the test run's own switch
        pytest.fail(f"{what} is missing; with CI=true that is a failure")
    pytest.skip(f"{what} is missing")


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[MosquittoProcess]:
    """A real Mosquitto on loopback: anonymous, unbounded queues, no persistence."""
    if find_mosquitto() is None:
        missing("mosquitto")
    directory = tmp_path / "mosquitto"
    directory.mkdir()
    async with MosquittoProcess(OPEN_BROKER, directory) as broker:
        yield broker
