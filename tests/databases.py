"""Databases for tests: every test that asks for ``database`` runs on SQLite and PostgreSQL."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from api import database_schema
from devices.database import Database
from tests.conftest import missing

_DEBIAN = Path("/usr/lib/postgresql")
_READY_WITHIN_S = 30


class PostgresCluster:
    """A PostgreSQL server of our own: a temporary folder, a Unix socket, no network."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        """``folder`` must be short: a socket's path has at most 107 characters."""
        self._binaries = binaries
        self._folder = folder
        self._numbers = count(1)
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

    @contextmanager
    def running(self) -> Iterator["PostgresCluster"]:
        """Made, started and, by its process id, stopped."""
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self._folder, self._user)
        data = self._folder / "data"
        self._run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "-N")
        options = ["listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=60"]
        command = [str(self._binaries / "postgres"), "-D", str(data), "-k", str(self._folder)]
        command += [part for option in options for part in ("-c", option)]
        with (self._folder / "log").open("wb") as log:
            server = subprocess.Popen(
                command, user=self._user, cwd=self._folder, stdout=log, stderr=log
            )
        try:
            self._wait()
            yield self
        finally:
            server.send_signal(signal.SIGINT)  # "fast": does not wait for clients
            server.wait(_READY_WITHIN_S)

    def create(self, template: str | None = None) -> str:
        """A new database, a copy of ``template`` if given; its name."""
        name = f"test_{next(self._numbers)}"
        copied = () if template is None else ("-T", template)
        self._run("createdb", "-h", self._folder, "-U", "postgres", *copied, name)
        return name

    def url(self, name: str) -> str:
        """How to reach the database."""
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *map(str, arguments)],
            user=self._user,
            cwd=self._folder,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()

    def _wait(self) -> None:
        ready = [str(self._binaries / "pg_isready"), "-h", str(self._folder)]
        end = time.monotonic() + _READY_WITHIN_S
        while subprocess.run(ready, capture_output=True, check=False).returncode != 0:
            assert time.monotonic() < end, (self._folder / "log").read_text()
            time.sleep(0.05)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    """One PostgreSQL server for the whole run."""
    installed = sorted(_DEBIAN.glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    if not installed:
        missing("postgresql")
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder:
        cluster = PostgresCluster(installed[-1].parent, Path(folder))
        with cluster.running():
            yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    return cluster.url(cluster.create())


_templates: dict[str, str] = {}
"""Per kind, what every migrated database of this run is copied from."""


@pytest.fixture(params=["sqlite", "postgresql"])
async def migrated_url(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The URL of a database of each kind with the newest schema and no rows."""
    if request.param == "sqlite":
        if "sqlite" not in _templates:
            template = tmp_path_factory.mktemp("template") / "template.db"
            await database_schema.upgrade(f"sqlite:///{template}")
            _templates["sqlite"] = str(template)
        copy = tmp_path / "chargeward.db"
        shutil.copyfile(_templates["sqlite"], copy)
        return f"sqlite:///{copy}"
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    if "postgresql" not in _templates:
        name = cluster.create()
        await database_schema.upgrade(cluster.url(name))
        _templates["postgresql"] = name
    return cluster.url(cluster.create(_templates["postgresql"]))


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """An open database of each kind with the newest schema and no rows."""
    opened = await Database.open(migrated_url)
    yield opened
    await opened.close()
