"""The GSM modem: the real gammu with its dummy phone, which logs what it was told to send."""

import asyncio
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.channels.modem import Modem
from alerts.channels.port import (
    Accepted,
    Outgoing,
    Retryable,
    SendError,
    Unknown,
)
from alerts.channels.settings import ModemSettings
from tests.alerts_channels.channels_kit import FIRE, PHONE, TEXT
from tests.conftest import missing

HANGING = """#!/bin/sh
echo $$ > "$(dirname "$0")/pid"
exec sleep 60
"""
ALONE = """#!/bin/sh
mkdir {folder}/busy || exit 103
{gammu} "$@"
code=$?
cat {folder}/log >> {folder}/all
rmdir {folder}/busy
exit $code
"""
FAILING = """#!/bin/sh
cat > /dev/null
echo "If you want break, press Ctrl+C..."
echo "Error opening device. Unknown, busy or no permissions."
exit 102
"""


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """A configuration of the dummy phone; its log is ``tmp_path/log``."""
    if shutil.which("gammu") is None:
        missing("gammu")
    (tmp_path / "phone").mkdir()
    config = tmp_path / "gammurc"
    config.write_text(
        f"[gammu]\nmodel = dummy\nconnection = none\ndevice = {tmp_path / 'phone'}\n"
        f"logfile = {tmp_path / 'log'}\nlogformat = textall\n"
        f"[gammu1]\nmodel = at\nconnection = at115200\ndevice = {tmp_path / 'unplugged'}\n"
    )
    return config


def program(folder: Path, script: str) -> Path:
    """A stand-in for gammu on a machine whose modem misbehaves."""
    made = folder / "gammu"
    made.write_text(script)
    made.chmod(0o700)
    return made


async def error_of(way: Modem, outgoing: Outgoing = FIRE) -> SendError:
    """The error with which it refuses ``outgoing``."""
    with pytest.raises(SendError) as caught:
        await way.send(outgoing)
    return caught.value


def sent(log: Path) -> list[str]:
    """What the dummy phone was told to send: the number, then the text of each part."""
    printed = log.read_text(encoding="utf-8", errors="replace")
    found: list[str] = re.findall(r'Recipient number "(.+?)"', printed)
    return found + re.findall(r"\n(.+)\nSent SMS on device", printed)


@pytest.mark.parametrize("text", [TEXT, "火警🔥“A07”’ $HOME `id` -len 3 %s \\n"])
async def test_a_text_arrives_as_it_is(phone: Path, tmp_path: Path, text: str) -> None:
    """Chinese, emoji and whatever a shell would take for its own."""
    accepted = await Modem(ModemSettings(config=phone)).send(replace(FIRE, text=text))
    assert accepted == Accepted(None, 1, receipts=False)
    assert sent(tmp_path / "log") == [PHONE, text]


async def test_a_long_text_is_sent_in_parts(phone: Path, tmp_path: Path) -> None:
    """Nothing is cut off; each part is counted."""
    text = "".join(chr(0x4E00 + n) for n in range(140))
    accepted = await Modem(ModemSettings(config=phone)).send(replace(FIRE, text=text))
    assert accepted == Accepted(None, 3, receipts=False)
    parts = sent(tmp_path / "log")
    assert (parts[:3], "".join(parts[3:])) == ([PHONE] * 3, text)


async def test_messages_wait_for_each_other(phone: Path, tmp_path: Path) -> None:
    """The device takes one at a time; all arrive."""
    alone = program(tmp_path, ALONE.format(gammu=shutil.which("gammu"), folder=tmp_path))
    way = Modem(ModemSettings(config=phone, program=str(alone)))
    texts = [f"火警 {n}" for n in range(5)]
    await asyncio.gather(*(way.send(replace(FIRE, text=text)) for text in texts))
    await way.close()
    assert sent(tmp_path / "all") == [PHONE] * 5 + texts


@pytest.mark.parametrize("section", [1, 7])
async def test_a_modem_that_is_not_there(phone: Path, section: int) -> None:
    """Unplugged, or in no section of the configuration: it may come back."""
    error = await error_of(Modem(ModemSettings(config=phone, section=section)))
    assert (type(error), error.code) == (Retryable, "gammu-104")


async def test_gammus_own_words_are_kept(tmp_path: Path) -> None:
    """For the ledger, without its chatter."""
    settings = ModemSettings(config=tmp_path, program=str(program(tmp_path, FAILING)))
    error = await error_of(Modem(settings))
    assert (type(error), error.code, error.detail) == (
        Retryable,
        "gammu-102",
        "Error opening device. Unknown, busy or no permissions.",
    )


async def test_no_gammu(tmp_path: Path) -> None:
    """Somebody can install it; until then another way."""
    error = await error_of(Modem(ModemSettings(config=tmp_path, program="gammu-of-nobody")))
    assert (type(error), error.code) == (Retryable, "no-gammu")


async def test_a_hanging_modem_is_given_up_and_let_go(tmp_path: Path) -> None:
    """Nobody knows whether it was sent, and no process keeps the device."""
    settings = ModemSettings(
        config=tmp_path, program=str(program(tmp_path, HANGING)), timeout_s=0.5
    )
    error = await error_of(Modem(settings))
    assert (type(error), error.code) == (Unknown, "timeout")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_behind_a_hanging_message_others_go_another_way(tmp_path: Path) -> None:
    """Before their own message has left, so that it cannot be sent twice."""
    settings = ModemSettings(
        config=tmp_path, program=str(program(tmp_path, HANGING)), timeout_s=0.5
    )
    way = Modem(settings)
    first = asyncio.create_task(error_of(way))
    await asyncio.sleep(0)
    errors = [await error_of(way), await first]
    assert [(type(e), e.code) for e in errors] == [(Retryable, "busy"), (Unknown, "timeout")]


async def test_cancelling_lets_go_of_the_device(tmp_path: Path) -> None:
    """A stop of the process leaves no gammu behind."""
    settings = ModemSettings(config=tmp_path, program=str(program(tmp_path, HANGING)))
    sending = asyncio.create_task(Modem(settings).send(FIRE))
    pid = tmp_path / "pid"
    while not (pid.exists() and pid.read_text()):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
