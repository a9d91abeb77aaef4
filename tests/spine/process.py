"""The backend as a process of its own, so that it can be killed."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from pathlib import Path

COMMAND = [sys.executable, "-m", "api.cli.main", "serve"]


class BackendProcess:
    """``chargeward serve`` on a data directory; started and killed as often as one likes."""

    def __init__(self, data_dir: Path, broker_port: int, **settings: str) -> None:
        """``settings`` are further ``CHARGEWARD_*`` variables without the prefix."""
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("CHARGEWARD_")},  # noqa: TID251 - a child process
            "CHARGEWARD_DATA_DIR": str(data_dir),
            "CHARGEWARD_MQTT__PORT": str(broker_port),
            "CHARGEWARD_API__PORT": "0",
            "CHARGEWARD_LOG_LEVEL": "warning",
            **{f"CHARGEWARD_{k}": v for k, v in settings.items()},
        }
        self._log = data_dir.parent / "backend.log"
        self._process: Process | None = None
        self.url = ""
        self.token = ""
        self.starts = 0

    async def start(self) -> None:
        """Start it and wait until its API listens."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *COMMAND, env=self._environment, stdout=asyncio.subprocess.PIPE, stderr=log
            )
        self.starts += 1
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            while line := (await self._process.stdout.readline()).decode():
                if "credential" in line:
                    self.token = line.split()[-1]
                if line.startswith("listening on "):
                    self.url = line.split()[-1]
                    return
        msg = f"the backend did not start:\n{self.log()[-4000:]}"
        raise AssertionError(msg)

    async def kill(self) -> None:
        """``kill -9``, by its id."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM, as a service manager would; its exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        async with asyncio.timeout(60):
            code = await self._process.wait()
        self._process = None
        return code

    def log(self) -> str:
        """What it wrote to standard error so far."""
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""
