"""Runs misaki's migrations; Alembic loads this file."""

from mesh.migrations import run
from misaki.storage.models import Base

run(Base.metadata)
