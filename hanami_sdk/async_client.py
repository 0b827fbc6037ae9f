"""The asynchronous client of a Hanami mesh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hanami_sdk import surroundings
from hanami_sdk.areas.api_keys import ApiKeys
from hanami_sdk.areas.clients import Clients
from hanami_sdk.areas.datasets import Datasets
from hanami_sdk.areas.logs import Audit, Errors
from hanami_sdk.areas.networks import Networks
from hanami_sdk.areas.policies import Policies
from hanami_sdk.areas.projects import Projects
from hanami_sdk.areas.providers import Providers
from hanami_sdk.areas.quotas import Quotas
from hanami_sdk.areas.sessions import Sessions
from hanami_sdk.areas.signing_keys import SigningKeys
from hanami_sdk.areas.tasks import Tasks
from hanami_sdk.areas.templates import Templates
from hanami_sdk.areas.users import Users
from hanami_sdk.browser_login import OpenUrl, login_in_browser
from hanami_sdk.connection import Connection, ConnectionOptions
from hanami_sdk.credentials import Credentials
from hanami_sdk.exchange import Exchange, Mode, StreamOptions
from hanami_sdk.logins import KeptLogin
from hanami_sdk.names import Namespace, project_name, user_name
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
        user: who logs in; the login happens with the first call. When nobody is named,
            HANAMI_USER with HANAMI_PASSWORD, HANAMI_API_KEY, HANAMI_CLIENT_ID with
            HANAMI_CLIENT_SECRET, else the login that `hanami login` keeps.
        password: the password, or a function that returns it when it is needed.
        api_key: the secret of a device's key, instead of a user; or a function.
        client_id: a program that has a client, `projects/{project}/clients/{client}` or
            the last part of it, instead of a user.
        client_secret: the secret of the client, or a function that returns it.
        tokens: tokens of an earlier login, instead of all these.
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
        api_key: str | PasswordProvider | None = None,
        client_id: str | None = None,
        client_secret: str | PasswordProvider | None = None,
        tokens: Tokens | None = None,
        on_tokens: Callable[[Tokens], None] | None = None,
        ca_file: str | Path | None = None,
        timeout: float = 60.0,
        retries: RetryPolicy | None = None,
    ) -> None:
        place = url or surroundings.mesh_url()
        trusted = ca_file or surroundings.authority_of(place)
        credentials = Credentials(user, password, api_key, client_id, client_secret)
        shared: KeptLogin | None = None
        if credentials.is_empty and tokens is None:
            credentials, tokens, on_tokens = _known_login(place, on_tokens)
            if tokens is not None:
                shared = KeptLogin(surroundings.kept_logins(), place)
        options = ConnectionOptions(place, trusted, timeout, retries or RetryPolicy())
        self._namespace = Namespace(project)
        self._connection = Connection(options, on_tokens=on_tokens)
        if shared is not None:
            self._connection.session.share_tokens(shared)
        if tokens is not None:
            self._connection.session.use_tokens(tokens)
        if (log_in := credentials.login(self._connection, self._namespace)) is not None:
            self._connection.session.use_login(log_in)
        self.users = Users(self._connection)
        self.projects = Projects(self._connection)
        self.sessions = Sessions(self._connection)
        self.api_keys = ApiKeys(self._connection, self._namespace)
        self.clients = Clients(self._connection, self._namespace)
        self.providers = Providers(self._connection)
        self.policies = Policies(self._connection)
        self.signing_keys = SigningKeys(self._connection)
        self.quotas = Quotas(self._connection, self._namespace)
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

    async def login(self, user: str, password: str, *, project: str = "") -> Tokens:
        """Log in now.

        Args:
            user: id or name.
            password: the password.
            project: the only project that the tokens are to speak of; all when empty.

        Raises:
            Unauthenticated: user and password do not fit (CREDENTIALS_INVALID).
            ResourceExhausted: too many wrong passwords before (LOGIN_THROTTLED).
        """
        user_id = user_name(user).removeprefix("users/")
        only = project_name(project) if project else ""
        return await self._connection.session.keep(self._connection.log_in(user_id, password, only))

    async def login_with_api_key(self, secret: str) -> Tokens:
        """Log in now as the device whose key's secret it is.

        Raises:
            Unauthenticated: there is no such key, or no more (CREDENTIALS_INVALID).
        """
        return await self._connection.session.keep(self._connection.exchange_api_key(secret))

    async def login_with_client(self, client: str, secret: str) -> Tokens:
        """Log in now as a program, by the name of its client and its secret.

        Raises:
            Unauthenticated: they do not fit (CREDENTIALS_INVALID).
        """
        name = self._namespace.client(client)
        return await self._connection.session.keep(
            self._connection.exchange_client_secret(name, secret)
        )

    async def login_with_provider(
        self,
        provider: str = "",
        *,
        project: str = "",
        open_url: OpenUrl | None = None,
        wait_seconds: float = 300.0,
    ) -> Tokens:
        """Log in now with an account of another provider, in the browser of this machine.

        The browser comes back to a free port of 127.0.0.1, where the client waits for it.

        Args:
            provider: id or name; the only one there is when left out.
            project: the only project that the tokens are to speak of; all when empty.
            open_url: opens the URL, or shows it to somebody; the usual browser does it
                when left out.
            wait_seconds: how long to wait for the browser.

        Raises:
            Unauthenticated: the provider says no (CREDENTIALS_INVALID).
            FailedPrecondition: the account fits no user here (STATE_CONFLICT).
            DeadlineExceeded: nobody came back in time.
        """
        return await login_in_browser(
            self.providers, provider, project=project, open_url=open_url, wait_seconds=wait_seconds
        )

    async def logout(self) -> None:
        """End the login at the mesh: its tokens are refused at once; go on as nobody."""
        await self._connection.log_out()

    async def switch_project(self, project: str = "") -> Tokens:
        """Let the tokens speak of one project only from now on; of all when it is empty.

        The names that are completed with the client's `project` stay as they are.

        Raises:
            NotFound: there is no such project, or no role in it (RESOURCE_NOT_FOUND).
        """
        return await self._connection.session.switch(project_name(project or "-"))

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
) -> tuple[Credentials, Tokens | None, OnTokens | None]:
    """Return who this machine knows to work there: credentials, tokens, and who keeps them."""
    if not (named := surroundings.named_credentials()).is_empty:
        return named, None, on_tokens
    logins = surroundings.kept_logins()
    kept = logins.load(url)
    if kept is None:
        return named, None, on_tokens

    def keep(fresh: Tokens) -> None:
        if fresh.user == kept.user:
            logins.save(url, fresh)
        if on_tokens is not None:
            on_tokens(fresh)

    return named, kept, keep
