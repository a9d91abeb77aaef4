"""What is written into the audit chain beside acts of people on incidents.

Every order to cut and what became of it, every released lockout, every change of settings that
people act by: sites, people, rosters, holidays, credentials.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts import audit
from devices.command_model import CommandRecord
from devices.lockouts import Lockout
from devices.registry import ImportReport
from devices.tables import command

SYSTEM: Final = "system"
"""Who acts when a rule does, or a start reads its files."""
SHELL: Final = "shell"
"""Who acts on the command line of the machine itself."""
_NAMED: Final = 50
"""Things of an import that an entry names."""


async def known_orders(
    connection: AsyncConnection, records: Sequence[CommandRecord]
) -> frozenset[str]:
    """Ids of ``records`` that are in SQL already; ask before they are saved."""
    ids = sorted({record.id for record in records})
    if not ids:
        return frozenset()
    return frozenset(
        (await connection.execute(select(command.c.id).where(command.c.id.in_(ids)))).scalars()
    )


async def orders(
    connection: AsyncConnection, records: Sequence[CommandRecord], known: frozenset[str], at_ms: int
) -> None:
    """Orders that are new, and how orders ended."""
    newest = {record.id: record for record in records}
    for record in newest.values():
        said = {
            "command": record.id,
            "socket": record.socket,
            "rule": record.rule,
            "reason": record.reason,
            "state": record.state.value,
            "proof_w": record.proof_w,
        }
        steps = [] if record.id in known else ["ordered"]
        steps += [record.state.value] if record.state.ended else []
        for step in steps:
            await audit.append(
                connection,
                actor=record.by or SYSTEM,
                action=f"{record.action.value}.{step}",
                subject=audit.station_subject(record.station),
                detail=said,
                at_ms=at_ms,
            )


async def releases(connection: AsyncConnection, lockouts: Sequence[Lockout], at_ms: int) -> None:
    """Lockouts that people lifted."""
    for lock in lockouts:
        if lock.released_ms is None:
            continue
        by = [approval.by for approval in lock.approvals]
        await audit.append(
            connection,
            actor=by[-1] if by else SYSTEM,
            action="lockout.released",
            subject=audit.station_subject(lock.station),
            detail={
                "socket": lock.socket,
                "rule": lock.rule,
                "fire": lock.fire,
                "by": by,
                "reasons": [approval.reason for approval in lock.approvals],
            },
            at_ms=at_ms,
        )


async def imported(
    connection: AsyncConnection, what: str, report: ImportReport, *, by: str, at_ms: int
) -> None:
    """A site or people document was put in force; nothing when it changed nothing."""
    if report.unchanged:
        return
    await changed(
        connection,
        f"{what}.import",
        f"site:{report.site}",
        by=by,
        at_ms=at_ms,
        added=list(report.added[:_NAMED]),
        changed=list(report.changed[:_NAMED]),
        removed=list(report.removed[:_NAMED]),
    )


async def changed(
    connection: AsyncConnection, action: str, subject: str, *, by: str, at_ms: int, **said: object
) -> None:
    """Any other change of settings."""
    await audit.append(
        connection, actor=by, action=action, subject=subject, detail=said, at_ms=at_ms
    )
