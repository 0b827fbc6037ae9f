"""Messages of a JetStream subject: reading all of them, and writing them in strict order."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import Header
from nats.js.errors import APIError, NotFoundError

_READ_MESSAGES: Final = 256
_READ_BYTES: Final = 8 * 2**20
_READ_ATTEMPTS: Final = 5
_READ_SECONDS: Final = 5.0
_EXPECTED_SEQUENCE: Final = "Nats-Expected-Last-Subject-Sequence"
_SEQUENCE: Final = "Nats-Sequence"
# What a server answers when the subject has got a message that we do not know of.
_WRONG_SEQUENCE: Final = frozenset({10071, 10164})


class Overtaken(Exception):
    """Another process has written to the journal since it was opened here."""

    def __init__(self) -> None:
        super().__init__("another process writes this journal")


@dataclass(frozen=True)
class Subject:
    """The messages of one journal.

    Attributes:
        stream: the stream they are kept in.
        name: the subject itself.
    """

    client: Client
    jetstream: JetStreamContext
    stream: str
    name: str

    async def last_sequence(self) -> int:
        """Return the sequence of the newest message, 0 when there is none."""
        try:
            return (await self.jetstream.get_last_msg(self.stream, self.name)).seq or 0
        except NotFoundError:
            return 0

    async def messages(self, through: int) -> AsyncIterator[tuple[int, bytes]]:
        """Yield sequence and content of all messages up to a sequence, oldest first.

        Raises:
            nats.errors.Error: They cannot be read now.
        """
        last = 0
        attempts = 0
        while last < through:
            found = await self._some(last + 1)
            attempts = 0 if found else attempts + 1
            # A replica that answers may be a little behind the one that took the messages.
            if attempts == _READ_ATTEMPTS:
                raise nats.errors.TimeoutError
            for sequence, data in found:
                last = sequence
                yield sequence, data

    async def write(self, data: bytes, *, message_id: str, behind: int, seconds: float) -> int:
        """Add a message behind the one with a sequence; returns its own.

        Raises:
            Overtaken: Something else is behind that one.
            nats.errors.Error: It is not known whether the message is there; writing it again
                does no harm.
        """
        headers = {Header.MSG_ID.value: message_id, _EXPECTED_SEQUENCE: str(behind)}
        try:
            acknowledged = await self.jetstream.publish(
                self.name, data, timeout=seconds, stream=self.stream, headers=headers
            )
        except APIError as error:
            if error.err_code not in _WRONG_SEQUENCE:
                raise
            return await self._own_sequence(message_id)
        return acknowledged.seq

    async def forget(self, *, before: int | None = None) -> None:
        """Delete all messages, or those before a sequence."""
        await self.jetstream.purge_stream(self.stream, subject=self.name, seq=before)

    async def _own_sequence(self, message_id: str) -> int:
        """Return where a message is that was written before, when its answer was lost."""
        try:
            newest = await self.jetstream.get_last_msg(self.stream, self.name)
        except NotFoundError:
            raise Overtaken from None
        if newest.seq is None or (newest.headers or {}).get(Header.MSG_ID.value) != message_id:
            raise Overtaken
        return newest.seq

    async def _some(self, start: int) -> list[tuple[int, bytes]]:
        """Return the next messages from a sequence on, as many as come in one answer."""
        inbox = self.client.new_inbox()
        answers = await self.client.subscribe(inbox)
        wanted = {
            "seq": start,
            "next_by_subj": self.name,
            "batch": _READ_MESSAGES,
            "max_bytes": _READ_BYTES,
        }
        found: list[tuple[int, bytes]] = []
        try:
            await self.client.publish(
                f"$JS.API.DIRECT.GET.{self.stream}", json.dumps(wanted).encode(), reply=inbox
            )
            while True:
                answer = await answers.next_msg(timeout=_READ_SECONDS)
                headers = answer.headers or {}
                if _SEQUENCE not in headers or not answer.subject:
                    return found
                found.append((int(headers[_SEQUENCE]), answer.data))
        finally:
            await answers.unsubscribe()


async def subjects_of(client: Client, stream: str) -> set[str]:
    """Return all subjects of a stream that have messages.

    Raises:
        nats.errors.Error: They cannot be listed now.
    """
    names: set[str] = set()
    while True:
        wanted = {"subjects_filter": ">", "offset": len(names)}
        answer = await client.request(
            f"$JS.API.STREAM.INFO.{stream}", json.dumps(wanted).encode(), timeout=_READ_SECONDS
        )
        content = json.loads(answer.data)
        if "error" in content:
            raise APIError.from_error(content["error"])
        found = set(content["state"].get("subjects") or {})
        if not found - names:
            return names
        names |= found
