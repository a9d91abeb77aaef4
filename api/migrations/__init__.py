"""The history of the SQL schema (Alembic); ``api.database_schema`` runs it."""
