"""Client library of Hanami: talk to a mesh from Python.

    from hanami_sdk import Client

    with Client("http://127.0.0.1:1337", user="alice", password="...", project="demo") as client:
        with client.learn("digits") as stream:
            result = stream.send(pixels, labels=["seven"])

Names are imported when they are first used, so that the `hanami` command starts
quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hanami_sdk.areas.datasets import Rows
    from hanami_sdk.async_client import AsyncClient
    from hanami_sdk.blocking_streams import BlockingLearnStream
    from hanami_sdk.client import Client
    from hanami_sdk.errors import (
        Aborted,
        AlreadyExists,
        Cancelled,
        DeadlineExceeded,
        FailedPrecondition,
        FieldViolation,
        FrameRefused,
        HanamiError,
        InternalError,
        InvalidArgument,
        NotFound,
        PermissionDenied,
        ResourceExhausted,
        Unauthenticated,
        Unavailable,
    )
    from hanami_sdk.frames import Frame, split_rows
    from hanami_sdk.quota_warnings import QuotaWarning
    from hanami_sdk.results import Result, Score
    from hanami_sdk.retries import RetryPolicy
    from hanami_sdk.scoring import Scores, Scoring
    from hanami_sdk.sessions import Tokens
    from hanami_sdk.streams import LearnStream

_HOMES = {
    "AsyncClient": "async_client",
    "BlockingLearnStream": "blocking_streams",
    "Client": "client",
    "Frame": "frames",
    "LearnStream": "streams",
    "QuotaWarning": "quota_warnings",
    "Result": "results",
    "RetryPolicy": "retries",
    "Rows": "areas.datasets",
    "Score": "results",
    "Scores": "scoring",
    "Scoring": "scoring",
    "Tokens": "sessions",
    "split_rows": "frames",
}

__all__ = [
    "Aborted",
    "AlreadyExists",
    "AsyncClient",
    "BlockingLearnStream",
    "Cancelled",
    "Client",
    "DeadlineExceeded",
    "FailedPrecondition",
    "FieldViolation",
    "Frame",
    "FrameRefused",
    "HanamiError",
    "InternalError",
    "InvalidArgument",
    "LearnStream",
    "NotFound",
    "PermissionDenied",
    "QuotaWarning",
    "ResourceExhausted",
    "Result",
    "RetryPolicy",
    "Rows",
    "Score",
    "Scores",
    "Scoring",
    "Tokens",
    "Unauthenticated",
    "Unavailable",
    "split_rows",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}")
    value = getattr(home, name)
    globals()[name] = value
    return value
