"""A consistent copy of the SQLite database while the server goes on writing."""

import sqlite3
from contextlib import closing
from pathlib import Path

from devices.database import parse_url
from devices.errors import DatabaseRefused, DatabaseUnavailable


def back_up(url: str, target: Path) -> int:
    """Copy the database to the new file ``target`` and check the copy; its size in bytes.

    Raises:
        DatabaseRefused: it is no SQLite database, ``target`` exists, or the copy is damaged.
        DatabaseUnavailable: the database is not there or cannot be read now.

    """
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        msg = "only SQLite is copied here; back PostgreSQL up with pg_dump --format=custom"
        raise DatabaseRefused(msg)
    if target.exists():
        msg = f"{target} exists; a backup never overwrites another"
        raise DatabaseRefused(msg)
    source = Path(str(parsed.database)).absolute()
    try:
        with closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as live:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(mode=0o600)
            with closing(sqlite3.connect(target)) as copy:
                live.backup(copy)
                damage = copy.execute("PRAGMA integrity_check").fetchone()[0]
    except (sqlite3.Error, OSError) as error:
        target.unlink(missing_ok=True)
        raise DatabaseUnavailable(str(error)) from error
    if damage != "ok":
        target.unlink()
        msg = f"the copy is damaged, so the database may be: {damage}"
        raise DatabaseRefused(msg)
    return target.stat().st_size
