"""Runs shiori's migrations; Alembic loads this file."""

from mesh.migrations import run
from shiori.storage.models import Base

run(Base.metadata)
