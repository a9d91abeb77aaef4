"""Alembic's entry: runs on the connection that ``api.database_schema`` hands over."""

from alembic import context
from sqlalchemy import Connection

from api.database_schema import METADATA


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        compare_type=True,
        # SQLite alters a table by copying it; in a transaction like everything else.
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


_run(context.config.attributes["connection"])
