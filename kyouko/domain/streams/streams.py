"""Opens learning streams, knows all that are open, and ends them."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from kyouko.domain.engine import NetworkStructure
from kyouko.domain.networks.ledger import Ledger, broken_network
from kyouko.domain.networks.live import LiveNetworks
from kyouko.domain.networks.live_network import LiveNetwork, shutting_down
from kyouko.domain.networks.network import Network
from kyouko.domain.networks.seeing import SeenNetworks
from kyouko.domain.networks.session_keys import key_of, new_token
from kyouko.domain.networks.sessions import MOST_WAITING_BYTES, taken_over
from kyouko.domain.networks.waiting import count_row_bytes
from kyouko.domain.pipeline.lags import widest_row
from kyouko.domain.quotas import Quotas
from kyouko.domain.rates import Pace
from kyouko.domain.scoring import ScoringOptions, StreamScorer
from kyouko.domain.streams.authority import Authority
from kyouko.domain.streams.pieces import Hold, StreamMode
from kyouko.domain.streams.places import Places
from kyouko.domain.streams.scorers import Scorers
from kyouko.domain.streams.stream import LearnStream, SessionTerms, StreamTerms
from kyouko.ports import CheckCaller, Clock, VerifyToken
from mesh.access import Caller, Principal
from mesh.errors import DomainError, InvalidArgument, NotFound, ResourceExhausted

_log = structlog.get_logger(__name__)
# A client that reads nothing holds its stream up; after this it is cut off.
_END_SECONDS: Final = 5.0


@dataclass(frozen=True)
class StreamLimits:
    """Bounds of streams.

    Attributes:
        streams: most streams at once.
        frame_rows: most rows in a frame.
        window_rows: most rows of a stream under way.
        window_bytes: most memory for these rows.
        memory_bytes: the same for all streams together.
        message_bytes: most memory for the outputs of one frame.
        idle_seconds: quiet time after which a stream gets a progress message.
    """

    streams: int = 256
    frame_rows: int = 4096
    window_rows: int = 8192
    window_bytes: int = 32 * 2**20
    memory_bytes: int = 512 * 2**20
    message_bytes: int = 8 * 2**20
    idle_seconds: float = 15.0


@dataclass(frozen=True)
class Opening:
    """What a client asks of a stream; a window of 0 leaves it to us.

    Attributes:
        resume_token: of the session to go on with; empty for a new one.
        label_horizon_rows: rows that may get their targets later.
        scoring: what else to say of the rows; None for nothing.
    """

    project_id: str
    network_id: str
    mode: StreamMode
    max_outstanding_rows: int = 0
    return_outputs: bool = False
    resume_token: str = ""
    label_horizon_rows: int = 0
    scoring: ScoringOptions | None = None

    @property
    def network(self) -> str:
        """The name of the network, `projects/{project}/networks/{network}`."""
        return f"projects/{self.project_id}/networks/{self.network_id}"


class Streams:
    """All open learning streams."""

    def __init__(
        self,
        networks: LiveNetworks,
        seen: SeenNetworks,
        verify: VerifyToken,
        check_caller: CheckCaller,
        quotas: Quotas,
        *,
        clock: Clock,
        limits: StreamLimits,
    ) -> None:
        self._networks = networks
        self._seen = seen
        self._verify = verify
        self._check_caller = check_caller
        self._quotas = quotas
        self._clock = clock
        self._limits = limits
        self._places = Places(quotas, streams=limits.streams, memory_bytes=limits.memory_bytes)
        self._open: dict[LearnStream, asyncio.Task[Any] | None] = {}
        # Streams that did not end in time, and what they end with.
        self._cut_off: dict[LearnStream, DomainError] = {}
        self._scorers = Scorers()
        self._numbers = itertools.count(1)
        self._is_draining = False
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def opened(self, caller: Caller, opening: Opening) -> AsyncIterator[LearnStream]:
        """Open a stream for as long as the context lasts.

        Raises:
            DomainError: RESOURCE_NOT_FOUND, ROLE_INSUFFICIENT, SCOPE_INSUFFICIENT,
                TOKEN_REVOKED, LIMIT_REACHED, QUOTA_EXCEEDED, SHUTTING_DOWN, NETWORK_RELOADING.
        """
        authority = Authority(
            caller,
            self._verify,
            lambda who, action: self._seen.check(
                who, opening.project_id, opening.network_id, action
            ),
            is_learning=opening.mode is StreamMode.LEARN,
        )
        network = await authority.network()
        if self._is_draining:
            raise shutting_down()
        await self._make_place(opening, caller.principal)
        async with (
            self._places.taken(opening.project_id, caller.principal) as place,
            self._networks.using(opening.project_id, opening.network_id, uid=network.uid) as live,
        ):
            if opening.mode is StreamMode.LEARN:
                self._quotas.holdings.check_room_to_grow(live.network)
            terms = self._terms(live, opening, place.pace)
            scorer = await self._scorer(live, opening)
            session = await self._session(live, opening, terms, caller.principal)
            if scorer is not None and session is not None and opening.scoring is not None:
                self._scorers.keep(live.network.uid, session.hold.key, opening.scoring, scorer)
            self._check_still_open(live, session)
            stream = LearnStream(
                live,
                authority,
                terms,
                session,
                place.pace,
                scorer=scorer,
                share=place.share,
                clock=self._clock,
            )
            self._open[stream] = asyncio.current_task()
            tell = partial(self._end_soon, stream, broken_network())
            live.on_break.add(tell)
            try:
                # Who has been shut out since the call came is not among those told of it.
                self._check_caller(stream.caller)
                await stream.check_network()
                yield stream
            except asyncio.CancelledError:
                if stream not in self._cut_off:
                    raise
                # The client has to hear of it as soon as it reads: a cancelled call never ends.
                raise self._cut_off[stream] from None
            finally:
                live.on_break.discard(tell)
                del self._open[stream]
                self._cut_off.pop(stream, None)
                place.share.close()
                stream.ended.set()

    async def _make_place(self, opening: Opening, user: Principal) -> None:
        """End the stream that a session comes from; after a break it may not know of its end."""
        if opening.resume_token:
            key = key_of(opening.resume_token)
            before = [
                stream
                for stream in self._open
                if stream.session is not None
                and stream.session.hold.key == key
                and stream.caller.principal.is_same_as(user)
            ]
            await self._end(before, taken_over(0))

    def _check_still_open(self, live: LiveNetwork, session: SessionTerms | None) -> None:
        """Refuse a stream for which it is too late: whoever ends streams does not know it yet."""
        if self._is_draining:
            raise shutting_down()
        live.check_there()
        if self._networks.is_deleting(live.network.uid):
            raise NotFound(live.network.name)
        if session is not None:
            live.owner.ledger.sessions.find(session.hold.key).held_by(session.hold.holder)

    async def _scorer(self, live: LiveNetwork, opening: Opening) -> StreamScorer | None:
        """Return the scorer of the session that the stream goes on with, or a new one."""
        options, known = opening.scoring, None
        if options is None:
            return None
        if opening.resume_token:
            key = key_of(opening.resume_token)
            known = self._scorers.find(live.network.uid, key, options)
        # In the network's thread: what scores are made of takes a second to import.
        return await live.owner.run(lambda ledger: _going_on(ledger, options, known))

    async def _session(
        self, live: LiveNetwork, opening: Opening, terms: StreamTerms, user: Principal
    ) -> SessionTerms | None:
        """Take a session for a stream that learns, from another stream if need be."""
        if opening.mode is not StreamMode.LEARN:
            _check_is_learning(opening)
            return None
        _check_horizon(live, opening, terms)
        await live.journal.room()
        token = opening.resume_token or new_token()
        hold = Hold(key_of(token), next(self._numbers))
        async with self._networks.for_session(live, hold.key, opening.label_horizon_rows):
            last_sequence = await live.owner.run(
                lambda ledger: ledger.open_session(
                    hold.key,
                    user.name,
                    since=user.since,
                    is_new=not opening.resume_token,
                    horizon=opening.label_horizon_rows,
                    holder=hold.holder,
                )
            )
        for stream in self._open:
            if stream.session is not None and stream.session.hold.key == hold.key:
                stream.end(taken_over(last_sequence))
        # All up to here is durable then, and the session itself.
        await live.journal.flush()
        return SessionTerms(hold, token, last_sequence)

    async def end_network(self, network: Network) -> None:
        """End the streams of a network that is being deleted."""
        self._scorers.forget(network.uid)
        found = [stream for stream in self._open if stream.uid == network.uid]
        await self._end(found, NotFound(network.name))

    async def check_network(self, network: Network) -> None:
        """End the streams of those who may not know of a network any more."""
        for stream in [stream for stream in self._open if stream.uid == network.uid]:
            try:
                await stream.check_network()
            except DomainError as error:
                await self._end([stream], error)

    def check_callers(self) -> None:
        """End the streams of those who may not stream any more; called after every change."""
        for stream in list(self._open):
            try:
                self._check_caller(stream.caller)
            except DomainError as error:
                self._end_soon(stream, error)

    def end_learning(self, network: Network, error: DomainError) -> None:
        """End the streams that teach a network; their sessions stay."""
        for stream in list(self._open):
            if stream.uid == network.uid and stream.session is not None:
                self._end_soon(stream, error)

    def _end_soon(self, stream: LearnStream, error: DomainError) -> None:
        ending = asyncio.create_task(self._end([stream], error))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def drain(self) -> None:
        """End all streams."""
        self._is_draining = True
        await self._end(list(self._open), shutting_down())

    async def _end(self, streams: Iterable[LearnStream], error: DomainError) -> None:
        ending = {}
        for stream in streams:
            stream.end(error)
            ending[asyncio.create_task(stream.ended.wait())] = stream
        if not ending:
            return
        _, stuck = await asyncio.wait(ending, timeout=_END_SECONDS)
        for waiting in stuck:
            handler = self._open.get(ending[waiting])
            if handler is not None:
                self._cut_off[ending[waiting]] = error
                handler.cancel()
            await waiting

    def _terms(self, live: LiveNetwork, opening: Opening, pace: Pace) -> StreamTerms:
        limits, structure = self._limits, live.network.structure
        rows_in_window = max(1, limits.window_bytes // (4 * structure.most_channels))
        rows_in_message = max(1, limits.message_bytes // (4 * structure.most_outputs))
        most = min(limits.window_rows, rows_in_window)
        return StreamTerms(
            mode=opening.mode,
            channels=structure.channels,
            window_rows=min(opening.max_outstanding_rows or most, most),
            window_bytes=limits.window_bytes,
            max_frame_rows=min(
                limits.frame_rows, rows_in_window, rows_in_message, pace.most_frame_rows()
            ),
            return_outputs=opening.return_outputs,
            idle_seconds=limits.idle_seconds,
            widths=range(structure.least_channels, structure.most_channels + 1),
        )


def _going_on(ledger: Ledger, options: ScoringOptions, known: StreamScorer | None) -> StreamScorer:
    learner = ledger.learner
    if known is not None and known.learned_rows <= learner.learned_rows:
        return known
    # None is known, or the network has lost rows that it scored.
    return StreamScorer(options, learner.structure, learned_rows=learner.learned_rows)


def _check_is_learning(opening: Opening) -> None:
    for field, value in (
        ("open.resume_token", opening.resume_token),
        ("open.label_horizon_rows", opening.label_horizon_rows),
    ):
        if value:
            raise InvalidArgument.for_field(field, "only streams of the mode LEARN have sessions")


def _check_horizon(live: LiveNetwork, opening: Opening, terms: StreamTerms) -> None:
    field, rows = "open.label_horizon_rows", opening.label_horizon_rows
    structure = live.network.structure
    problem = _why_never_late(structure)
    if rows and problem:
        raise InvalidArgument.for_field(field, problem)
    needed = rows * count_row_bytes(widest_row(structure))
    most = min(terms.window_bytes, MOST_WAITING_BYTES)
    if needed > most:
        raise ResourceExhausted(
            f"{field}: {rows} rows of this network are {needed} bytes; "
            f"at most {most} may wait for targets",
            reason="LIMIT_REACHED",
            metadata={"limit": str(most), "actual": str(needed)},
        )


def _why_never_late(structure: NetworkStructure) -> str:
    """Return why targets cannot come later than their rows; empty when they can."""
    if structure.teaches_itself:
        return (
            "the network's pipeline teaches it from its rows alone; no labels or targets may come"
        )
    if structure.has_engine_past:
        return (
            "a network with delays or spiking populations sees each row after those before it, and "
            "could not go back to where it was when the row came; it learns it then, or never"
        )
    return ""
