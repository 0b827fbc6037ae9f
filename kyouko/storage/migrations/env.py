"""Runs kyouko's migrations; Alembic loads this file."""

from kyouko.storage.models import Base
from mesh.migrations import run

run(Base.metadata)
