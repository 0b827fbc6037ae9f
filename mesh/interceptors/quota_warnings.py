"""Tells callers, beside the answer, which quotas are nearly used up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from mesh.calls import current_note
from mesh.interceptors.chain import Call
from mesh.quota_counts import QuotaWarning

# Trailing metadata of calls that ended well; of a stream it comes at its end.
QUOTA_WARNING_KEY = "hanami-quota-warning"
_log = structlog.get_logger(__name__)


def note_quota_warning(warning: QuotaWarning) -> None:
    """Log a warning, and keep it for the caller of the call being served."""
    _log.warning(
        "quota nearly used up",
        resource=warning.subject,
        quota=warning.quota.value,
        used=warning.used,
        limit=warning.limit,
    )
    note = current_note()
    if str(warning) not in note.warnings:
        note.warnings.append(str(warning))


@asynccontextmanager
async def quota_warnings(call: Call) -> AsyncIterator[None]:
    """Send what was noted."""
    yield
    if call.note.warnings:
        call.context.set_trailing_metadata(
            tuple((QUOTA_WARNING_KEY, text) for text in call.note.warnings)
        )
