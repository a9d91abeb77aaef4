"""What the doctor looks at on this machine: settings, data directory, disk, clock, site files.

Each judgement is a pure function of what was measured; the measuring stands beside it.
"""

import asyncio
import ctypes
import io
import os
import shutil
import sys
import tempfile
from contextlib import redirect_stderr
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import typer

from api.cli.configured import read_settings
from api.cli.diagnosis import Check, State
from api.settings import MiB, Settings
from devices.errors import SiteFileError
from devices.sitefile import load_site
from iot.contract import EARLIEST_TS_MS, LATEST_TS_MS

RESERVE_MIB: Final = 1024
"""Disk that must stay free beside a full journal: SQL, stored telemetry of a day, logs."""
LEAST_MIB: Final = 256
"""With less, the next hours may find the disk full."""
_TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised
_PROBE: Final = b"chargeward doctor\n" * 256


def settings() -> tuple[Settings | None, Check]:
    """The settings and what is said of them; None when the server would refuse to start."""
    printed = io.StringIO()
    try:
        with redirect_stderr(printed):
            return read_settings(), Check("settings", State.OK, "valid")
    except typer.Exit:
        return None, Check(
            "settings",
            State.FAIL,
            "; ".join(printed.getvalue().splitlines()),
            "Correct these variables (environment, or .env in the working directory); "
            "deploy/env.example lists all. Nothing else was checked.",
        )


async def data_directory(settings: Settings) -> Check:
    """Whether files can be made in it durably."""
    return await asyncio.to_thread(_data_directory, settings.data_dir.absolute())


def _data_directory(directory: Path) -> Check:
    name = "data directory"
    there = _nearest(directory)
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".doctor-") as file:
            file.write(_PROBE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return Check(
            name,
            State.FAIL,
            f"{there}: {error.strerror or error}",
            f"Make {directory} writable for the user that runs the server, or set "
            "CHARGEWARD_DATA_DIR to a directory that is, on a disk that is healthy.",
        )
    if there != directory:
        return Check(
            name,
            State.WARN,
            f"{directory} does not exist yet",
            "`chargeward serve` makes it at its first start. If this is not the first, set "
            "CHARGEWARD_DATA_DIR to where the data is.",
        )
    return Check(name, State.OK, f"{directory} can be written durably")


async def disk(settings: Settings) -> Check:
    """Whether the disk can take what the journal may grow to."""
    return await asyncio.to_thread(_disk, settings)


def _disk(settings: Settings) -> Check:
    free = shutil.disk_usage(_nearest(settings.data_dir.absolute())).free
    used = sum(_size(path) for path in (settings.data_dir / "journal").glob("*"))
    return judge_disk(free // MiB, settings.telemetry.spool_mib, used // MiB)


def judge_disk(free_mib: int, spool_mib: int, used_mib: int) -> Check:
    """``used_mib`` of the journal's bound of ``spool_mib`` are taken already."""
    may_grow = max(spool_mib - used_mib, 0)
    found = f"{free_mib:,} MiB free; the journal may grow by {may_grow:,} MiB"
    if free_mib < LEAST_MIB:
        return Check("disk", State.FAIL, found, "Free space now: a full disk stops all storing.")
    if free_mib < may_grow + RESERVE_MIB:
        return Check(
            "disk",
            State.WARN,
            f"{found}, and {RESERVE_MIB:,} MiB should stay free",
            "Free space, or lower CHARGEWARD_TELEMETRY__SPOOL_MIB: when the telemetry store is "
            "away for long, the journal fills the disk before it reaches its bound.",
        )
    return Check("disk", State.OK, found)


async def clock(now_ms: int) -> Check:
    """Whether the machine's clock can be believed."""
    return judge_clock(now_ms, _synchronised())


def judge_clock(now_ms: int, synchronised: bool | None) -> Check:  # noqa: FBT001 - a measurement
    """``synchronised`` None = this system cannot be asked."""
    shown = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="seconds")
    if not EARLIEST_TS_MS <= now_ms < LATEST_TS_MS:
        return Check(
            "clock",
            State.FAIL,
            f"{shown} cannot be the time",
            "Set the clock (`timedatectl set-time`, then `timedatectl set-ntp true`): deadlines "
            "and the age of every frame depend on it.",
        )
    if synchronised is None:
        return Check("clock", State.OK, f"{shown}; this system does not tell if it is synchronised")
    if not synchronised:
        return Check(
            "clock",
            State.WARN,
            f"{shown}, synchronised with nothing",
            "Let the machine keep time by NTP: `timedatectl set-ntp true`, or install chrony. In "
            "a virtual machine the host may keep it; then compare it with another clock.",
        )
    return Check("clock", State.OK, f"{shown}, synchronised")


async def site_files(settings: Settings) -> Check:
    """Whether the server could take in the site files at its next start."""
    return await asyncio.to_thread(_site_files, settings.site_files)


def _site_files(paths: list[Path]) -> Check:
    problems: list[str] = []
    for path in paths:
        try:
            load_site(path)
        except SiteFileError as error:
            problems += [f"{path}: {problem}" for problem in error.problems]
    if problems:
        return Check(
            "site files",
            State.FAIL,
            "; ".join(problems),
            "The server does not start with these. Correct them; `chargeward sites validate FILE` "
            "checks one, `chargeward sites export --packaged` prints one to compare with.",
        )
    if not paths:
        found = "none named: the registry stays as it is, and begins with the packaged site"
        return Check("site files", State.OK, found)
    return Check("site files", State.OK, f"valid: {', '.join(str(path) for path in paths)}")


def _synchronised() -> bool | None:
    if not sys.platform.startswith("linux"):
        return None
    timex = ctypes.create_string_buffer(512)  # struct timex is smaller; modes 0 = only read
    state = int(ctypes.CDLL(None).adjtimex(timex))
    return None if state < 0 else state != _TIME_ERROR


def _nearest(path: Path) -> Path:
    """``path``, or the nearest one above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # the server deleted it meanwhile
