"""SMS by a GSM modem through the command ``gammu``, for sites without internet."""

import asyncio
import re
import shutil
from asyncio.subprocess import PIPE, STDOUT, Process
from typing import Final

from alerts.channels.codes import GAMMU, explain
from alerts.channels.deadline import answered_within
from alerts.channels.port import Accepted, Channel, Outgoing, Retryable, SendError
from alerts.channels.settings import ModemSettings
from alerts.incidents.model import Kind

_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8"}
"""The text goes in by standard input, where it must be read as UTF-8; arguments can be seen by
every user of the machine, and a text may hold a one-time link."""
_LONGEST: Final = 400
"""Characters gammu may spread over several messages; without it the 71st is dropped."""
_PART: Final = re.compile(r"Sending SMS (\d+)/(\d+)")
_PROBLEM: Final = re.compile(r"^(?!Warning|If you want break)(.{3,})$", re.MULTILINE)


class Modem:
    """``modem``: one message at a time; the device cannot do more."""

    name = "modem"
    channel = Channel.SMS
    signature = ""

    def __init__(self, settings: ModemSettings) -> None:
        """``settings`` name gammu's configuration."""
        self._settings = settings
        self._one = asyncio.Lock()

    def template(self, kind: Kind, lang: str) -> str:  # noqa: ARG002 - of the port
        """A modem sends any text."""
        return ""

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand it to the network; see ``Provider``."""
        program = shutil.which(self._settings.program)
        if program is None:
            code, detail = "no-gammu", f"{self._settings.program} is not installed"
            raise Retryable(code, detail)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await self._turn()
        try:
            async with answered_within(self._settings.timeout_s - (loop.time() - began_s)):
                return await self._sent(program, outgoing)
        finally:
            self._one.release()

    async def close(self) -> None:
        """Nothing is kept: every message is a process of its own."""

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(self._settings.timeout_s / 2):
                await self._one.acquire()
        except TimeoutError:
            code, detail = "busy", "the modem is still sending other messages"
            raise Retryable(code, detail) from None

    async def _sent(self, program: str, outgoing: Outgoing) -> Accepted:
        process = await asyncio.create_subprocess_exec(
            *self._command(program, outgoing.address),
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            env=_ENVIRONMENT,
        )
        try:
            output, _ = await process.communicate(outgoing.text.encode())
        finally:
            await _ended(process)
        printed = output.decode("utf-8", "replace")
        if process.returncode != 0:
            raise _refused(process.returncode, printed)
        parts = _PART.findall(printed)
        return Accepted(None, int(parts[-1][1]) if parts else 1, receipts=False)

    def _command(self, program: str, number: str) -> list[str]:
        where = ["--config", str(self._settings.config), "--section", str(self._settings.section)]
        text = ["TEXT", number, "-unicode", "-len", str(_LONGEST)]
        return [program, *where, "sendsms", *text]


def _refused(code: int | None, printed: str) -> SendError:
    problems = _PROBLEM.findall(printed)
    return explain(GAMMU, f"gammu-{code}", problems[-1].strip() if problems else "")


async def _ended(process: Process) -> None:
    """See that no gammu keeps the device after we gave up on it."""
    if process.returncode is None:
        process.kill()
        await process.wait()
