"""Runs the migrations on the connection that `Database.open` hands over, or on DATABASE_URL by hand."""

import os

import sqlalchemy as sa
from alembic import context

from services.coordinator.store.schema import metadata


def migrate(connection: sa.Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


if given := context.config.attributes.get("connection"):
    migrate(given)
else:
    with sa.create_engine(os.environ["DATABASE_URL"]).connect() as own:
        migrate(own)
        own.commit()
