"""What every service's Alembic `env.py` does: run on the connection it is given."""

from alembic import context
from sqlalchemy import MetaData


def run(metadata: MetaData) -> None:
    """Run migrations on the connection in the configuration's attributes.

    Args:
        metadata: The service's tables, compared with the database by `alembic check`.
    """
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
