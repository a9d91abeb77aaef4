"""``chargeward serve``: the backend and its API, until a signal."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack, suppress

import structlog
import typer
import uvloop

from api.backend import ApiBackend
from api.bootstrap import assemble
from api.cli.configured import read_settings
from api.cli.databases import told
from api.clock import SystemClock
from api.http.app import create_app
from api.logs import configure
from api.server import serving
from api.settings import Settings
from api.watchdog import BEAT_S, Watchdog

log = structlog.get_logger(__name__)


def serve() -> None:
    """Run the backend: MQTT in, cuts out, API on CHARGEWARD_API__HOST:CHARGEWARD_API__PORT.

    Everything is set by CHARGEWARD_* environment variables (deploy/env.example lists them).
    The admin credential is printed once, at the very first start. Ends cleanly on SIGTERM.
    """
    settings = read_settings()
    configure(settings.log_level, settings.log_format)
    with told():
        uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(assemble(settings, SystemClock()))
        served = ApiBackend(backend)
        app = create_app(
            served,
            open_reads=settings.api.open_reads,
            callbacks=served.callbacks,
            secure_cookies=bool(settings.alerts.link_base),  # links lead to HTTPS, by a proxy
        )
        url = await stack.enter_async_context(serving(app, settings.api.host, settings.api.port))
        if backend.first_token is not None:
            typer.echo(f"admin credential, shown only this once: {backend.first_token}")
        typer.echo(f"listening on {url}")
        log.info("backend started", url=url, database=backend.database.url)
        watchdog = _watchdog(served)
        if watchdog is not None:
            stack.callback(watchdog.close)
            backend.jobs.every(BEAT_S, watchdog.beat, name="watchdog", vital=False)
            watchdog.ready()
        turning = asyncio.create_task(served.run())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([turning, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if watchdog is not None:
                watchdog.stopping()
            stopping.cancel()
            turning.cancel()
            with suppress(asyncio.CancelledError):
                await turning
        log.info("backend stopped")


def _watchdog(served: ApiBackend) -> Watchdog | None:
    """The service manager's, where one has started us (systemd's ``Type=notify``)."""
    address = os.environ.get("NOTIFY_SOCKET")  # noqa: TID251 - systemd's, and no setting of ours
    return Watchdog(address, served.verdict) if address else None
