"""Structured logs: one JSON object a line on stderr, with the trace's id."""

import logging
import sys

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger

from mesh import calls, redaction

# They log what they carry: statements with their parameters, frames with their tokens.
_TALKATIVE = (
    "aiosqlite",
    "alembic",
    "asyncio",
    "asyncpg",
    "grpc",
    "httpcore",
    "httpx",
    "numba",
    "obstore",
    "opentelemetry",
    "sqlalchemy",
    "uvicorn",
    "websockets",
)


def set_up_logs(service: str, level: str) -> None:
    """Make structlog and the standard library write the same JSON lines.

    Whatever the level, libraries tell their warnings only.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        _hide_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.contextvars.bind_contextvars(service=service)


def _add_trace(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = format(context.trace_id, "032x")
    return event


def _hide_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Take what the call at hand holds of secrets out of a line about an error."""
    if event.get("level") not in ("error", "critical"):
        return event
    if event.get("exc_info"):
        event = structlog.processors.format_exc_info(logger, method, event)
    secrets = calls.secrets()
    for key, value in event.items():
        if isinstance(value, str) and key not in ("level", "timestamp", "trace_id", "incident"):
            event[key] = redaction.hidden(value, secrets)
    return event
