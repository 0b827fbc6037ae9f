"""Journals in NATS JetStream: one stream, a subject for each network."""

import asyncio
import re
import time
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nats
import nats.errors
import structlog
from nats.aio.client import Client
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError, ServiceUnavailableError

from kyouko.storage.journal.batches import BatchReader
from kyouko.storage.journal.claim import Claim, NotClaimed, this_process
from kyouko.storage.journal.jetstream_journal import (
    JetStreamJournal,
    Sending,
    Surroundings,
    problem_with_nats,
)
from kyouko.storage.journal.jetstream_messages import Subject, subjects_of
from kyouko.storage.journal.pending import Backlog
from kyouko.storage.journal.problems import journal_unavailable
from kyouko.storage.journal.waiting import Changes

_log = structlog.get_logger(__name__)
_UID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CONNECT_SECONDS: Final = 5
_RECONNECT_SECONDS: Final = 0.25
_ANSWER_SECONDS: Final = 2.0
# Of a message's length, for headers.
_HEADERS_BYTES: Final = 1024
# The first one whose answers hold many messages.
_OLDEST_SERVER: Final = (2, 11)
_CREDENTIALS: Final = "-----BEGIN NATS USER JWT-----"


@dataclass(frozen=True)
class NatsOptions:
    """What a NATS server needs besides its address.

    Attributes:
        credentials_file: a NATS credentials file, or `user:password`, or a token.
        stream: the stream that holds the journals, and the first part of all subjects.
        replicas: servers that keep a copy of it; used when the stream is made.
        patience_seconds: how long the server may be away before callers are told.
        lease_seconds: how long the claim of a process that died keeps others away; used when
            the claims' bucket is made.
    """

    credentials_file: Path | None = None
    stream: str = "hanami-journal"
    replicas: int = 1
    patience_seconds: float = 5.0
    lease_seconds: float = 15.0


class JetStreamJournals:
    """The journals of this process in a JetStream; call `prepare` first.

    Args:
        servers: `nats://` or `tls://` URLs without credentials.
        owner: who keeps journals there; the same one gets its stream again at once.
        options: what else is to be known.
        flush_seconds: how long records are gathered before they are sent.
        pending_bytes: most memory for what is not acknowledged, of all journals together.
    """

    def __init__(
        self,
        servers: list[str],
        options: NatsOptions | None = None,
        *,
        owner: str,
        flush_seconds: float = 0.01,
        pending_bytes: int = 64 * 2**20,
    ) -> None:
        self._servers = servers
        self._options = options or NatsOptions()
        self._stream = self._options.stream
        self._flush_seconds = flush_seconds
        self._client = Client()
        self._problem = ""
        self._open: dict[str, JetStreamJournal] = {}
        self._backlog = Backlog(
            lambda: [journal.pending for journal in self._open.values()],
            most_bytes=pending_bytes,
            now=time.monotonic,
        )
        self._jetstream = self._client.jetstream(timeout=_CONNECT_SECONDS)
        self._claim = Claim(
            self._jetstream,
            self._stream,
            this_process(owner),
            lease_seconds=self._options.lease_seconds,
            replicas=self._options.replicas,
            lost=self._lost,
        )
        self._surroundings: Surroundings | None = None

    async def prepare(self) -> None:
        """Connect, make the stream when it is missing, and claim it.

        Raises:
            SystemExit: That is not possible; the message says why.
        """
        try:
            await self._connect()
            await self._prepare_stream()
            await self._claim.take()
        except BaseException as error:
            await self._client.close()
            if not isinstance(error, nats.errors.Error | OSError | ValueError | NotClaimed):
                raise
            place = ", ".join(self._servers)
            raise SystemExit(f"cannot keep journals in {place}: {_at_start(error)}") from error
        sending = Sending(
            flush_seconds=self._flush_seconds,
            answer_seconds=_ANSWER_SECONDS,
            patience_seconds=self._options.patience_seconds,
            message_bytes=self._client.max_payload - _HEADERS_BYTES,
        )
        changes = Changes(asyncio.get_running_loop())
        self._surroundings = Surroundings(
            sending,
            changes,
            self._claim,
            self._backlog.is_full,
            self._backlog.has_shrunk,
            self._left,
        )

    async def open(self, uid: str, *, after: int) -> JetStreamJournal:
        """Open the journal of a network whose snapshot knows of all positions up to `after`."""
        subject, surroundings = self._subject(uid), self._prepared()
        if uid in self._open:
            raise RuntimeError(f"the journal of {uid} is open already")
        self._check_claim()
        reader = BatchReader(self._stream, after=after)
        try:
            end = await subject.last_sequence()
            async for sequence, data in subject.messages(end):
                for _ in reader.take(sequence, data):
                    pass
        except nats.errors.Error as error:
            _log.error("cannot open a journal", journal=uid, problem=repr(error))
            raise journal_unavailable(problem_with_nats(error)) from error
        reader.end()
        if reader.damage:
            _log.error("a journal is damaged", journal=uid, damage=repr(reader.damage))
        journal = JetStreamJournal(uid, subject, reader, end, surroundings)
        self._open[uid] = journal
        return journal

    async def delete(self, uid: str) -> None:
        """Forget a network's journal."""
        subject = self._subject(uid)
        self._check_claim()
        journal = self._open.get(uid)
        if journal is not None:
            await journal.discard()
        try:
            await subject.forget()
        except nats.errors.Error as error:
            _log.error("cannot delete a journal", journal=uid, problem=repr(error))
            raise journal_unavailable(problem_with_nats(error)) from error

    async def uids(self) -> Set[str]:
        """Return the networks that have a journal."""
        self._prepared()
        try:
            names = await subjects_of(self._client, self._stream)
        except nats.errors.Error as error:
            raise journal_unavailable(problem_with_nats(error)) from error
        return {name.removeprefix(f"{self._stream}.") for name in names}

    async def check(self) -> None:
        """Raise when nothing can be made durable at this moment."""
        self._prepared()
        self._check_claim()
        problems = [journal.pending.problem for journal in self._open.values()]
        if problems and all(problems):
            raise journal_unavailable(problems[0])
        try:
            await self._jetstream.stream_info(self._stream)
        except nats.errors.Error as error:
            raise journal_unavailable(problem_with_nats(error)) from error

    async def close(self) -> None:
        """Close all journals, and the connection."""
        if self._surroundings is None:
            return
        await asyncio.gather(*(journal.close() for journal in tuple(self._open.values())))
        self._surroundings = None
        await self._claim.give_back()
        await self._client.close()

    async def _connect(self) -> None:
        known = await asyncio.to_thread(_credentials, self._options.credentials_file)
        try:
            # The client never gives up, which is right for later, but not for a wrong address.
            async with asyncio.timeout(self._options.patience_seconds):
                await self._client.connect(
                    self._servers,
                    name="kyouko journals",
                    connect_timeout=_CONNECT_SECONDS,
                    # What is not acknowledged is kept and sent again here, in order; the client's
                    # own memory for a lost connection would send it without that.
                    pending_size=0,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=_RECONNECT_SECONDS,  # type: ignore[arg-type] # any number
                    error_cb=self._note_error,
                    reconnected_cb=self._note_connection,
                    **known,
                )
        except TimeoutError as error:
            raise nats.errors.Error(self._problem or "no connection") from error

    async def _prepare_stream(self) -> None:
        version = self._client.connected_server_version
        if (version.major, version.minor) < _OLDEST_SERVER:
            raise nats.errors.Error("the server is older than 2.11")
        wanted = StreamConfig(
            name=self._stream,
            description="What the networks of Hanami learned since their last snapshots",
            subjects=[f"{self._stream}.*"],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            num_replicas=self._options.replicas,
            allow_direct=True,
        )
        try:
            await self._jetstream.account_info()
        except ServiceUnavailableError as error:
            raise nats.errors.Error("JetStream is off") from error
        try:
            found = (await self._jetstream.stream_info(self._stream)).config
        except NotFoundError:
            await self._jetstream.add_stream(wanted)
            return
        problem = _unfit(found, wanted)
        if problem:
            raise nats.errors.Error(f"the stream {self._stream} is not fit: {problem}")

    def _prepared(self) -> Surroundings:
        if self._surroundings is None:
            raise RuntimeError("the journals are not prepared, or closed")
        return self._surroundings

    def _check_claim(self) -> None:
        try:
            self._claim.check()
        except NotClaimed as error:
            raise journal_unavailable(str(error)) from error

    def _lost(self, problem: str) -> None:
        _log.error("the stream of journals was taken over", stream=self._stream, problem=problem)
        for journal in self._open.values():
            journal.fail(problem)

    def _subject(self, uid: str) -> Subject:
        self._prepared()
        if not _UID.fullmatch(uid):
            raise ValueError(f"{uid!r} cannot be the name of a journal")
        return Subject(self._client, self._jetstream, self._stream, f"{self._stream}.{uid}")

    async def _note_error(self, error: Exception) -> None:
        problem = str(error) or type(error).__name__
        # What the server said tells more than how the connection ended afterwards.
        if problem != self._problem and (isinstance(error, nats.errors.Error) or not self._problem):
            _log.warning("trouble with NATS", problem=problem)
            self._problem = problem

    async def _note_connection(self) -> None:
        _log.info("connected to NATS again")
        self._problem = ""

    def _left(self, uid: str) -> None:
        self._open.pop(uid, None)


def _unfit(found: StreamConfig, wanted: StreamConfig) -> str:
    """Return why a stream that is there would lose records; empty when it would not."""
    if found.subjects != wanted.subjects:
        return f"it has other subjects than {wanted.subjects}"
    if found.storage != StorageType.FILE or found.retention != RetentionPolicy.LIMITS:
        return "it does not keep its messages in files"
    limits = (found.max_age, found.max_msgs_per_subject)
    if found.discard != DiscardPolicy.NEW or any(limit and limit > 0 for limit in limits):
        return "it discards old messages"
    if not found.allow_direct:
        return "it does not allow direct access"
    return ""


def _credentials(path: Path | None) -> dict[str, Any]:
    """Return what the client needs to show who it is."""
    if path is None:
        return {}
    content = path.read_text(encoding="utf-8").strip()
    if content.startswith(_CREDENTIALS):
        return {"user_credentials": str(path)}
    user, colon, password = content.partition(":")
    return {"user": user, "password": password} if colon else {"token": content}


def _at_start(error: BaseException) -> str:
    if isinstance(error, NotClaimed):
        return (
            f"{error}; give each a stream of its own (HANAMI_JOURNAL_STREAM), "
            "or start again when the claim of one that is gone has lapsed"
        )
    return problem_with_nats(error) if isinstance(error, nats.errors.Error) else str(error)
