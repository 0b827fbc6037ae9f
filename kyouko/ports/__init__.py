"""What the domain needs from outside: storage, data sets, time, ids and traces."""

from kyouko.ports.access import CheckCaller, Standings, VerifyToken
from kyouko.ports.datasets import (
    ColumnKind,
    ColumnUse,
    ColumnValues,
    DatasetColumn,
    DatasetDescription,
    Datasets,
    DatasetSource,
    RowRange,
)
from kyouko.ports.journals import JournalDamage, JournalRecord, Journals, NetworkJournal
from kyouko.ports.networks import NetworkRepository
from kyouko.ports.snapshots import DamagedSnapshot, SnapshotStore, StoredSnapshot
from kyouko.ports.sources import Clock, NewId
from kyouko.ports.tasks import PredictionFile, PredictionFiles, TaskRepository, Tracing

__all__ = [
    "CheckCaller",
    "Clock",
    "ColumnKind",
    "ColumnUse",
    "ColumnValues",
    "DamagedSnapshot",
    "DatasetColumn",
    "DatasetDescription",
    "DatasetSource",
    "Datasets",
    "JournalDamage",
    "JournalRecord",
    "Journals",
    "NetworkJournal",
    "NetworkRepository",
    "NewId",
    "PredictionFile",
    "PredictionFiles",
    "RowRange",
    "SnapshotStore",
    "Standings",
    "StoredSnapshot",
    "TaskRepository",
    "Tracing",
    "VerifyToken",
]
