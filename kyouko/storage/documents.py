"""Domain values as JSON documents in table columns, and back.

JSON has neither NaN nor infinity. PostgreSQL refuses them and SQLite does not,
so they are refused here: a document is stored everywhere or nowhere.
"""

import json
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from kyouko.domain.engine import NetworkStructure
from kyouko.domain.networks.network import NetworkStatistics
from kyouko.domain.tasks.task import Failure, TaskProgress, Totals

Document = dict[str, Any]

_STRUCTURES = TypeAdapter(NetworkStructure)
_STATISTICS = TypeAdapter(NetworkStatistics)


def structure_document(structure: NetworkStructure) -> Document:
    """Return a structure as JSON can hold it."""
    document: Document = _STRUCTURES.dump_python(structure, mode="json")
    return document


def structure_in(document: Document) -> NetworkStructure:
    """Return the structure in a document; fields that came later have their defaults."""
    return _STRUCTURES.validate_python(document)


def statistics_document(statistics: NetworkStatistics) -> Document:
    """Return statistics as JSON can hold them.

    Raises:
        ValueError: One of them is not finite.
    """
    return _checked(asdict(statistics))


def statistics_in(document: Document) -> NetworkStatistics:
    """Return the statistics in a document."""
    return _STATISTICS.validate_python(document)


def progress_document(progress: TaskProgress) -> Document:
    """Return a task's progress as JSON can hold it.

    Raises:
        ValueError: A number in it is not finite.
    """
    return _checked(asdict(progress))


def progress_in(document: Document) -> TaskProgress:
    """Return the progress in a document."""
    statistics = document["statistics"]
    return TaskProgress(
        total_rows=document["total_rows"],
        totals=Totals(**document["totals"]),
        rows_per_second=document["rows_per_second"],
        remaining_seconds=document["remaining_seconds"],
        statistics=None if statistics is None else statistics_in(statistics),
        deaths=document.get("deaths", 0),
        is_storing=document.get("is_storing", False),
    )


def failure_document(failure: Failure | None) -> Document | None:
    """Return a failure as JSON can hold it."""
    return None if failure is None else {**asdict(failure), "metadata": dict(failure.metadata)}


def failure_in(document: Document | None) -> Failure | None:
    """Return the failure in a document."""
    return None if document is None else Failure(**document)


def _checked(document: Document) -> Document:
    json.dumps(document, allow_nan=False)
    return document
