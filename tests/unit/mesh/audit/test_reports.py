"""Errors in the log become records."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from hanami.misaki.v1 import token_service_pb2
from hanami.shiori.v1.audit_service_pb2 import AuditEntry
from hanami.shiori.v1.error_service_pb2 import ErrorRecord

from mesh import calls
from mesh.audit.reports import reporting_errors
from mesh.audit.trail import AuditTrail
from mesh.calls import CallNote
from mesh.logs import set_up_logs
from tests.factories import caller, principal
from tests.signing import Signer

PASSWORD = "open sesame, please"


class Trail(AuditTrail):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.service = "garden"
        self.reported: list[ErrorRecord] = []

    def write(self, entry: AuditEntry) -> None:
        """Take no entries."""
        raise AssertionError("an error is no entry")

    def report(self, error: ErrorRecord) -> None:
        """Keep a record."""
        self.reported.append(error)


@pytest.fixture
async def trail(logs_as_before: None) -> AsyncIterator[Trail]:
    """Return a trail that gets the errors of the log."""
    trail = Trail()
    set_up_logs("garden", "INFO")
    async with reporting_errors(trail):
        yield trail


@pytest.fixture
def logs_as_before() -> Iterator[None]:
    """Leave the logs as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in root.manager.loggerDict}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in root.manager.loggerDict:
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def wither(text: str) -> None:
    """Fail, and log it as the chassis does."""
    try:
        raise KeyError(text)
    except KeyError as error:
        log = structlog.get_logger("mesh.garden")
        log.exception("unexpected error", incident="a" * 32, error=repr(error))


async def test_record_tells_of_the_call(trail: Trail) -> None:
    """Who called what, and where in the code it went wrong, under the caller's incident."""
    calls.set_caller(caller(principal("users/alice")), "a-token")
    calls.set_note(CallNote(method="/hanami.Garden/Grow", resource="projects/p/networks/n"))

    wither("rose")

    (record,) = trail.reported
    assert ("errorRecords/" + "a" * 32, "garden") == (record.name, record.service)
    assert ("unexpected error", "KeyError('rose')") == (record.event, record.error)
    assert ("hanami.Garden/Grow", "users/alice") == (record.method, record.principal)
    assert ("projects/p/networks/n", "projects/p") == (record.resource, record.project)
    assert "in wither" in record.stack_trace


async def test_secrets_of_the_call_are_in_neither_record_nor_log(trail: Trail) -> None:
    """An error that repeats the password, or a token, is told without them."""
    handler = logging.getLogger().handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.stream = written = io.StringIO()
    token = Signer().token()
    request = token_service_pb2.LoginRequest(user_id="alice", password=PASSWORD)
    calls.set_note(CallNote(method="/Login", request=request))

    wither(f"{PASSWORD} and {token}")

    (record,) = trail.reported
    line = json.loads(written.getvalue().splitlines()[-1])
    for text in (str(record), json.dumps(line)):
        assert PASSWORD not in text
        assert token not in text
    assert "KeyError('[hidden] and [hidden]')" == record.error == line["error"]
    assert "in wither" in record.stack_trace


async def test_libraries_errors_are_reported_too(trail: Trail) -> None:
    """What asyncio says of a task that failed unseen becomes a record."""
    context = {"message": "Task exception was never retrieved", "exception": ValueError("weeds")}

    asyncio.get_running_loop().default_exception_handler(context)

    (record,) = trail.reported
    assert ("Task exception was never retrieved", "ValueError('weeds')") == (
        record.event,
        record.error,
    )


async def test_task_of_nobodys_call_is_named(trail: Trail) -> None:
    """Work that no call waits for says itself what it is about."""
    structlog.get_logger("kyouko").error("task failed", task="projects/p/networks/n/tasks/t")

    (record,) = trail.reported
    assert ("projects/p", "") == (record.project, record.method)


async def test_own_complaints_and_warnings_are_no_records(trail: Trail) -> None:
    """The trail does not report itself, nor what is no error."""
    structlog.get_logger("mesh.audit.trail").error("audit entries are lost")
    structlog.get_logger("mesh.garden").warning("it is dry")

    assert [] == trail.reported


async def test_flood_of_errors_is_bounded(trail: Trail) -> None:
    """Sixty errors a minute that no caller heard of are enough; incidents always count."""
    log = structlog.get_logger("mesh.garden")
    for _ in range(200):
        log.error("weeds")
    log.error("unexpected error", incident="b" * 32)

    # A minute may end in between.
    assert 61 <= len(trail.reported) <= 121
    assert "errorRecords/" + "b" * 32 == trail.reported[-1].name


async def test_nothing_is_reported_without_a_trail() -> None:
    """A service without a trail logs as ever."""
    before = logging.getLogger().handlers[:]

    async with reporting_errors(None):
        during = logging.getLogger().handlers[:]

    assert before == during
