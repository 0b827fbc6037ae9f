"""The asynchronous client of a Hanami mesh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hanami_sdk import surroundings
from hanami_sdk.areas.datasets import Datasets
from hanami_sdk.areas.logs import Audit, Errors
from hanami_sdk.areas.networks import Networks
from hanami_sdk.areas.projects import Projects
from hanami_sdk.areas.tasks import Tasks
from hanami_sdk.areas.templates import Templates
from hanami_sdk.areas.users import Users
from hanami_sdk.connection import Connection, ConnectionOptions
from hanami_sdk.exchange import Exchange, Mode, StreamOptions
from hanami_sdk.logins import KeptLogin
from hanami_sdk.names import Namespace, user_name
from hanami_sdk.retries import RetryPolicy
from hanami_sdk.scoring import Scoring
from hanami_sdk.streams import LearnStream

if TYPE_CHECKING:
    from hanami_sdk.sessions import PasswordProvider, Tokens


class AsyncClient:
    """Talks to a mesh from asynchronous code.

    Make it inside a running event loop, use it as a context manager, and share
    it: it may make any number of calls at once.

    Args:
        url: where the mesh listens, `http://host:port` or `https://host:port`; when
            left out, HANAMI_URL, else the mesh that `hanami up` has started here.
        project: the project that short names of networks and data sets belong to.
        user: who logs in; the login happens with the first call. When left out,
            HANAMI_USER with HANAMI_PASSWORD, else the login that `hanami login` keeps.
        password: the password, or a function that returns it when it is needed.
        tokens: tokens of an earlier login, instead of user and password.
        on_tokens: called with every new pair of tokens, for keeping them.
        ca_file: PEM file of the authority that signed the mesh's certificate; when
            left out, HANAMI_CA_FILE, or that of the local mesh.
        timeout: the longest one call may take, retries included, in seconds;
            uploads and streams may take as long as they need.
        retries: when calls are tried again.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        project: str = "",
        user: str | None = None,
        password: str | PasswordProvider | None = None,
        tokens: Tokens | None = None,
        on_tokens: Callable[[Tokens], None] | None = None,
        ca_file: str | Path | None = None,
        timeout: float = 60.0,
        retries: RetryPolicy | None = None,
    ) -> None:
        place = url or surroundings.mesh_url()
        trusted = ca_file or surroundings.authority_of(place)
        shared: KeptLogin | None = None
        if user is None and tokens is None:
            user, password, tokens, on_tokens = _known_login(place, on_tokens)
            if tokens is not None:
                shared = KeptLogin(surroundings.kept_logins(), place)
        options = ConnectionOptions(place, trusted, timeout, retries or RetryPolicy())
        self._connection = Connection(options, on_tokens=on_tokens)
        if shared is not None:
            self._connection.session.share_tokens(shared)
        self._connection.authenticate(user, password, tokens)
        self._namespace = Namespace(project)
        self.users = Users(self._connection)
        self.projects = Projects(self._connection)
        self.datasets = Datasets(self._connection, self._namespace)
        self.templates = Templates(self._connection)
        self.networks = Networks(self._connection, self._namespace)
        self.tasks = Tasks(self._connection, self._namespace)
        self.audit = Audit(self._connection)
        self.errors = Errors(self._connection)

    @property
    def url(self) -> str:
        """Where the mesh listens."""
        return self._connection.options.url

    @property
    def tokens(self) -> Tokens | None:
        """The tokens in use; `None` before the first login."""
        return self._connection.session.tokens

    async def login(self, user: str, password: str) -> Tokens:
        """Log in now.

        Raises:
            Unauthenticated: user and password do not fit (CREDENTIALS_INVALID).
        """
        user_id = user_name(user).removeprefix("users/")
        return await self._connection.session.login(user_id, password)

    def learn(
        self,
        network: str,
        *,
        mode: Mode = "LEARN",
        max_outstanding_rows: int = 0,
        return_outputs: bool = False,
        resume_token: str = "",
        label_horizon_rows: int = 0,
        reconnect_seconds: float = 60.0,
        scoring: Scoring | None = None,
    ) -> LearnStream:
        """Return a stream of rows into a network; it opens as a context manager.

        Args:
            network: the network, full name, or last part of it with a project.
            mode: `LEARN` learns rows that have labels or targets; `PREDICT`
                leaves the network as it is.
            max_outstanding_rows: the most rows under way unanswered; 0 lets the
                server decide.
            return_outputs: also return every output of every row (classes).
            resume_token: of an earlier stream, to go on with its session.
            label_horizon_rows: rows for which labels or targets may come later.
            reconnect_seconds: how long to try to get back to a server that is lost;
                0 ends the stream at once.
            scoring: what else to say about the rows: figures beside baselines,
                drift alarms, anomaly scores, intervals.
        """
        options = StreamOptions(
            mode,
            max_outstanding_rows,
            return_outputs,
            resume_token,
            label_horizon_rows,
            reconnect_seconds,
            scoring,
        )
        return LearnStream(self.exchange(network, options))

    def exchange(self, network: str, options: StreamOptions) -> Exchange:
        """Return the talk beneath a stream; `learn` is what applications use."""
        return Exchange(self._connection, self._namespace.network(network), options)

    async def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        """Return the client itself; nothing is sent yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        await self.close()


OnTokens = Callable[["Tokens"], None]


def _known_login(
    url: str, on_tokens: OnTokens | None
) -> tuple[str | None, str | None, Tokens | None, OnTokens | None]:
    """Return who this machine knows to work there: user, password, tokens, and who keeps them."""
    if (named := surroundings.named_user()) is not None:
        return *named, None, on_tokens
    logins = surroundings.kept_logins()
    kept = logins.load(url)
    if kept is None:
        return None, None, None, on_tokens

    def keep(fresh: Tokens) -> None:
        if fresh.user == kept.user:
            logins.save(url, fresh)
        if on_tokens is not None:
            on_tokens(fresh)

    return None, None, kept, keep
