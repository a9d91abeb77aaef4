"""Stores for tests: every test that asks for ``store`` runs over each adapter of the port.

InfluxDB is a stub over real HTTP; a real server is used as well where
``CHARGEWARD_TEST_INFLUX_URL`` (and ``_TOKEN``, ``_ORG``, ``_BUCKET``) name an empty bucket.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from iot.contract import LATEST_TS_MS
from iot.embedded_store import EmbeddedOptions, EmbeddedStore
from iot.influx_store import InfluxOptions, InfluxStore, RefusedPoint
from iot.store import TelemetryStore
from tests.iot_stores.influx_stub import InfluxStub, influx_stub

_REAL = "CHARGEWARD_TEST_INFLUX"
_ADAPTERS = ["embedded", "influx-stub"]
if os.environ.get(f"{_REAL}_URL"):  # noqa: TID251 - the test run's own switch
    _ADAPTERS.append("influx-real")


@pytest.fixture
async def influx() -> AsyncIterator[InfluxStub]:
    """A listening InfluxDB stub."""
    async with influx_stub() as stub:
        yield stub


@pytest.fixture
def refused() -> list[RefusedPoint]:
    """What the InfluxDB adapter gave up on."""
    return []


@pytest.fixture
async def influx_store(
    influx: InfluxStub, refused: list[RefusedPoint]
) -> AsyncIterator[InfluxStore]:
    """The InfluxDB adapter over the stub."""
    store = await InfluxStore.open(options_for(influx), refused.extend)
    yield store
    await store.close()


@pytest.fixture
async def embedded_store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    """The embedded adapter in an empty folder."""
    store = await EmbeddedStore.open(tmp_path / "store", EmbeddedOptions(memory_limit_mb=128))
    yield store
    await store.close()


@pytest.fixture(params=_ADAPTERS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TelemetryStore]:
    """An empty store behind the port, each adapter in turn."""
    opened: TelemetryStore
    if request.param == "embedded":
        opened = await EmbeddedStore.open(tmp_path / "store", EmbeddedOptions(memory_limit_mb=128))
        yield opened
        await opened.close()
    elif request.param == "influx-stub":
        async with influx_stub() as stub:
            opened = await InfluxStore.open(options_for(stub), lambda _: None)
            yield opened
            await opened.close()
    else:
        opened = await InfluxStore.open(_real_options(), lambda _: None)
        await opened.prune(LATEST_TS_MS)
        yield opened
        await opened.close()


def options_for(stub: InfluxStub) -> InfluxOptions:
    """How to reach ``stub``."""
    return InfluxOptions(stub.url, stub.token, stub.org, stub.bucket)


def _real_options() -> InfluxOptions:
    names = ("URL", "TOKEN", "ORG", "BUCKET")
    url, token, org, bucket = (os.environ[f"{_REAL}_{name}"] for name in names)  # noqa: TID251 - the test run's own switch
    return InfluxOptions(url, token, org, bucket)
