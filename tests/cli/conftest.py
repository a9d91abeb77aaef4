"""What the tests of the command line share: an environment of their own, calls as users make."""

import asyncio
import logging
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

HOLDER = """
import asyncio, sys
from pathlib import Path
from iot.embedded_store import EmbeddedOptions, EmbeddedStore
async def hold():
    store = await EmbeddedStore.open(Path(sys.argv[1]), EmbeddedOptions(memory_limit_mb=128))
    await store.append([], await store.stored_lsn())
    print("held", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await store.close()
asyncio.run(hold())
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data directory, not made yet; no other setting, no ``.env``; logs as they were after."""
    for name in [name for name in os.environ if name.startswith("CHARGEWARD_")]:  # noqa: TID251 - a clean one
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "data"
    monkeypatch.setenv("CHARGEWARD_DATA_DIR", str(directory))
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield directory
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()


def call(app: typer.Typer, *arguments: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, list(arguments))


async def acall(app: typer.Typer, *arguments: str) -> Result:
    """Run a command beside a test's own event loop."""
    return await asyncio.to_thread(call, app, *arguments)


def words(text: str) -> str:
    """What a person reads: without the boxes and line ends that the terminal's width makes."""
    return re.sub(r"[│\s]+", " ", text)


@asynccontextmanager
async def held_store(directory: Path) -> AsyncIterator[None]:
    """Another process has the embedded store in ``directory`` open, as a running server has."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER, str(directory)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"
    yield
    await process.communicate(b"")
    assert process.returncode == 0
