"""The whole way over both databases: a smoky station is cut, recorded, locked, and stays so."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alerts.findings import FindingFilter, list_findings
from api.bootstrap import assemble
from api.clock import VirtualClock
from api.loopback import Loopback
from api.settings import DatabaseSettings, Settings
from devices.records import CommandFilter, list_commands
from iot.topics import Channel
from tests.spine.conftest import START_MS, STATION, Stage


async def test_a_smoke_alarm_is_recorded_and_outlives_a_restart(
    database_url: str, tmp_path: Path
) -> None:
    """Finding, proven order and lockout are in SQL, and the next start knows them."""
    settings = Settings(
        _env_file=None, data_dir=tmp_path / "data", database=DatabaseSettings(url=database_url)
    )
    clock = VirtualClock(START_MS)
    loops: dict[str, Loopback] = {}

    def link(lane: str, _filters: Sequence[str]) -> Loopback:
        return loops.setdefault(lane, Loopback(lane, clock))

    async with assemble(settings, clock, link) as backend:
        assert backend.first_token is not None
        backend.start()
        stage = Stage(backend, clock, loops)
        stage.send(stage.alarm(id="smoke-1"), Channel.ALARM)
        assert stage.orders() == [("cut_station", None)]
        stage.pass_s(1)
        off: dict[str, Any] = {"power_w": [0.0] * 12, "current_a": [0.0] * 12, "relay": [0] * 12}
        stage.telemetry(**off)
        await backend.committer.flush()
        assert stage.receipts() == ["smoke-1"]
        async with backend.database.reading() as connection:
            findings = await list_findings(connection, FindingFilter())
            commands = await list_commands(connection, CommandFilter())
        found = [(f.finding.key.rule, f.finding.key.socket) for f in findings.items]
        assert found == [("R07", None)]
        assert [(c.action.value, c.state.value) for c in commands.items] == [
            ("cut_station", "proven")
        ]
    loops.clear()
    async with assemble(settings, clock, link) as again:
        assert again.first_token is None
        assert again.runner.locks.locked_sockets(STATION, 12) == list(range(1, 13))
        assert [f.key.rule for f in again.engine.active(STATION)] == ["R07"]
