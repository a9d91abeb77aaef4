"""Brokers that this product can start itself, each as its own process.

``EmbeddedBroker`` (amqtt, pure Python) serves the demo and the fast tests: nothing to install,
loopback only, nothing survives its process. ``MosquittoProcess`` runs an installed Mosquitto
with a given configuration, for integration tests, benchmarks and a demo that wants more speed.
Production runs Mosquitto as a service with ``deploy/mosquitto.conf`` and needs none of this.
"""

import asyncio
import contextlib
import re
import shutil
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Final, Self

LOOPBACK: Final = "127.0.0.1"
_READY_S: Final = 15.0
_STOP_S: Final = 5.0
_POLL_S: Final = 0.02
# CONNECT, protocol MQTT 3.1.1, clean session, keep-alive 10 s, client id "probe"
_CONNECT: Final = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x0a\x00\x05probe"
_DISCONNECT: Final = b"\xe0\x00"
_CONNACK: Final = 0x20
_TAIL_BYTES: Final = 4096
_LISTENER: Final = re.compile(r"^listener .*$", re.MULTILINE)
_PLACE: Final = re.compile(r"^(persistence_location|password_file|acl_file) +(\S+)$", re.MULTILINE)


class BrokerError(Exception):
    """A broker process did not come up; the message holds what it printed."""


class BrokerProcess(ABC):
    """One broker in its own process; an asynchronous context that ends it by its pid."""

    def __init__(self, *, host: str = LOOPBACK, port: int = 0) -> None:
        """Port 0 takes one that is free at entry."""
        self.host = host
        self.port = port
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._printed = bytearray()

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The program and its arguments; called once ``port`` is known."""

    @property
    def pid(self) -> int:
        """Process id of the running broker."""
        return self._running().pid

    @property
    def printed(self) -> str:
        """The end of what the broker printed as errors since it was first started."""
        return self._printed.decode(errors="replace")

    async def __aenter__(self) -> Self:
        """Start it and wait until it answers a CONNECT; raises ``BrokerError`` if it never does."""
        if self.port == 0:
            self.port = free_port(self.host)
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ask it to end, then make it."""
        await self.stop()

    async def start(self) -> None:
        """Start the process on ``port``, also again after ``stop`` or ``kill``."""
        if not _free(self.host, self.port):
            msg = f"another program listens on {self.host}:{self.port}"
            raise BrokerError(msg)
        self._process = await asyncio.create_subprocess_exec(
            *self.command(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C at our terminal is for us; we end it in order
        )
        self._listening = asyncio.create_task(self._listen(self._process))
        try:
            await asyncio.wait_for(self._answering(self._process), _READY_S)
        except TimeoutError:
            await self.stop()
            msg = f"the broker on {self.host}:{self.port} answered no CONNECT in {_READY_S:g} s"
            raise BrokerError(msg) from None

    async def stop(self) -> None:
        """End it as a service manager would: SIGTERM, and SIGKILL when that is not obeyed."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await self._ended(process)

    async def kill(self) -> None:
        """``kill -9``: what a power cut does to it."""
        process = self._running()
        process.kill()
        await self._ended(process)

    async def _ended(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()
        if self._listening is not None:
            await self._listening
        self._process = None

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            msg = "the broker is not running"
            raise BrokerError(msg)
        return self._process

    async def _answering(self, process: asyncio.subprocess.Process) -> None:
        while not await _answers(self.host, self.port):
            if process.returncode is not None:
                await self._ended(process)
                msg = f"the broker ended with {process.returncode}: {self.printed}"
                raise BrokerError(msg)
            await asyncio.sleep(_POLL_S)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Read what it prints to the end, so that a full pipe never stops it; keep the tail."""
        while process.stderr is not None and (some := await process.stderr.read(4096)):
            self._printed += some
            del self._printed[:-_TAIL_BYTES]


class EmbeddedBroker(BrokerProcess):
    """amqtt on loopback: anonymous, in memory, about 5,000 messages a second."""

    def command(self) -> Sequence[str]:
        """``iot.embedded_broker`` under this interpreter; it ends when its standard input does."""
        return [
            sys.executable,
            *("-m", "iot.embedded_broker", "--until-eof"),
            *("--bind", self.host, "--port", str(self.port)),
        ]


class MosquittoProcess(BrokerProcess):
    """An installed Mosquitto that runs ``configuration``, but on ports of ours.

    ``configuration`` is text. Each of its listeners keeps its settings and gets a free port on
    ``host``: the first one ``port``, all of them ``ports``; text without a listener gets one.
    ``directory`` must exist: the adapted file goes there. Raises ``BrokerError`` at entry when
    no Mosquitto is installed.
    """

    def __init__(
        self, configuration: str, directory: Path, *, host: str = LOOPBACK, port: int = 0
    ) -> None:
        """Nothing is written before ``start``."""
        super().__init__(host=host, port=port)
        self._configuration = configuration
        self._file = directory / "mosquitto.conf"
        self._more: list[int] = []

    @property
    def ports(self) -> list[int]:
        """One per listener of the configuration, in its order."""
        return [self.port, *self._more]

    def command(self) -> Sequence[str]:
        """Mosquitto in the foreground; under ``setpriv``, where there is one, it dies with us."""
        program = find_mosquitto()
        if program is None:
            msg = "no mosquitto found in PATH, /usr/sbin or /usr/local/sbin"
            raise BrokerError(msg)
        text = self._configuration
        listeners = len(_LISTENER.findall(text))
        if not listeners:
            text = f"listener {self.port}\n{text}"
        self._more = self._more or [free_port(self.host) for _ in range(listeners - 1)]
        ports = iter(self.ports)
        text = _LISTENER.sub(lambda _: f"listener {next(ports)} {self.host}", text)
        # Started by root it would become the user "mosquitto", who may not read our directory.
        self._file.write_text(f"user root\n{text}", encoding="utf-8")
        setpriv = shutil.which("setpriv")
        tether = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
        return [*tether, str(program), "-c", str(self._file)]


def relocated(configuration: str, directory: Path) -> str:
    """A production ``mosquitto.conf`` whose files all lie in ``directory`` under their own names.

    Applies to ``persistence_location``, ``password_file`` and ``acl_file``; nothing else changes.
    """

    def moved(line: re.Match[str]) -> str:
        key, path = line.group(1), PurePosixPath(line.group(2))
        place = f"{directory}/" if key == "persistence_location" else directory / path.name
        return f"{key} {place}"

    return _PLACE.sub(moved, configuration)


def find_mosquitto() -> Path | None:
    """The installed Mosquitto, also where its directory is not in PATH (Debian: /usr/sbin)."""
    found = shutil.which("mosquitto") or shutil.which(
        "mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
    )
    return Path(found) if found else None


def free_port(host: str = LOOPBACK) -> int:
    """A TCP port on ``host`` that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _free(host: str, port: int) -> bool:
    """Whether one could listen there; connections that are still closing do not matter."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError:
            return False
    return True


async def _answers(host: str, port: int) -> bool:
    """Whether an MQTT broker answers a CONNECT there; a refusal by password is an answer too."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        writer.write(_CONNECT)
        answer = await reader.readexactly(4)
        writer.write(_DISCONNECT)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        return False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return answer[0] == _CONNACK
