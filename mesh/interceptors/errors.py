"""Turns every error of a call into a status; what is not ours to tell stays in the log."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import structlog
from google.rpc import status_pb2
from grpc_status import rpc_status

from mesh import status
from mesh.errors import DomainError
from mesh.interceptors.chain import Call

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def errors(call: Call) -> AsyncIterator[None]:
    """End a failed call with the right status."""
    try:
        yield
    except DomainError as error:
        await _abort(call, status.status_of(error))
    except grpc.aio.AbortError:
        raise
    except Exception as error:
        incident = uuid.uuid4().hex
        _log.exception("unexpected error", method=call.method, incident=incident, error=repr(error))
        call.note.incident = incident
        await _abort(call, status.internal_status(incident))


async def _abort(call: Call, ending: status_pb2.Status) -> None:
    call.note.code, call.note.reason = ending.code, status.error_info(ending).reason
    await call.context.abort_with_status(rpc_status.to_status(ending))
