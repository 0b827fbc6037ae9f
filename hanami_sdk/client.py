"""The blocking client of a Hanami mesh.

Each area offers the methods of its asynchronous twin (`hanami_sdk.areas`)
without `await`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hanami_sdk.areas import datasets, logs, networks, tasks, templates
from hanami_sdk.async_client import AsyncClient
from hanami_sdk.blocking import Face, LoopThread, blocking, blocking_iterator
from hanami_sdk.blocking_identity import (
    ApiKeys,
    Clients,
    Policies,
    Projects,
    Providers,
    Quotas,
    Sessions,
    SigningKeys,
    Users,
)
from hanami_sdk.blocking_streams import BlockingLearnStream
from hanami_sdk.browser_login import OpenUrl
from hanami_sdk.exchange import Mode, StreamOptions
from hanami_sdk.retries import RetryPolicy
from hanami_sdk.scoring import Scoring

if TYPE_CHECKING:
    from hanami_sdk.sessions import PasswordProvider, Tokens


class Datasets(Face[datasets.Datasets]):
    """Uploads, reads and deletes data sets."""

    upload_csv = blocking(datasets.Datasets.upload_csv)
    upload_idx = blocking(datasets.Datasets.upload_idx)
    get = blocking(datasets.Datasets.get)
    list = blocking_iterator(datasets.Datasets.list)
    read = blocking_iterator(datasets.Datasets.read)
    update = blocking(datasets.Datasets.update)
    delete = blocking(datasets.Datasets.delete)


class Templates(Face[templates.Templates]):
    """Reads the templates that come with Hanami, and checks new ones."""

    parse = blocking(templates.Templates.parse)
    get = blocking(templates.Templates.get)
    list = blocking_iterator(templates.Templates.list)


class Networks(Face[networks.Networks]):
    """Creates, reads and deletes networks."""

    create = blocking(networks.Networks.create)
    get = blocking(networks.Networks.get)
    list = blocking_iterator(networks.Networks.list)
    growth_events = blocking_iterator(networks.Networks.growth_events)
    update = blocking(networks.Networks.update)
    snapshot = blocking(networks.Networks.snapshot)
    delete = blocking(networks.Networks.delete)


class Tasks(Face[tasks.Tasks]):
    """Queues tasks and follows them."""

    create = blocking(tasks.Tasks.create)
    get = blocking(tasks.Tasks.get)
    list = blocking_iterator(tasks.Tasks.list)
    cancel = blocking(tasks.Tasks.cancel)
    watch = blocking_iterator(tasks.Tasks.watch)
    wait = blocking(tasks.Tasks.wait)


class Audit(Face[logs.Audit]):
    """Reads the audit log: admins all of it, others what they did themselves."""

    list = blocking_iterator(logs.Audit.list)
    watch = blocking_iterator(logs.Audit.watch)


class Errors(Face[logs.Errors]):
    """Reads the error log: admins all of it, others what went wrong in their own calls."""

    get = blocking(logs.Errors.get)
    list = blocking_iterator(logs.Errors.list)


class Client:
    """Talks to a mesh from ordinary code; safe to use from several threads.

    Use it as a context manager, or call `close` at the end.

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
        on_tokens: called with every new pair of tokens, in the client's thread.
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
        async def make() -> AsyncClient:
            return AsyncClient(
                url,
                project=project,
                user=user,
                password=password,
                api_key=api_key,
                client_id=client_id,
                client_secret=client_secret,
                tokens=tokens,
                on_tokens=on_tokens,
                ca_file=ca_file,
                timeout=timeout,
                retries=retries,
            )

        self._thread = LoopThread()
        try:
            self._core = self._thread.run(make())
        except BaseException:
            self._thread.close()
            raise
        self.users = Users(self._core.users, self._thread)
        self.projects = Projects(self._core.projects, self._thread)
        self.sessions = Sessions(self._core.sessions, self._thread)
        self.api_keys = ApiKeys(self._core.api_keys, self._thread)
        self.clients = Clients(self._core.clients, self._thread)
        self.providers = Providers(self._core.providers, self._thread)
        self.policies = Policies(self._core.policies, self._thread)
        self.quotas = Quotas(self._core.quotas, self._thread)
        self.signing_keys = SigningKeys(self._core.signing_keys, self._thread)
        self.datasets = Datasets(self._core.datasets, self._thread)
        self.templates = Templates(self._core.templates, self._thread)
        self.networks = Networks(self._core.networks, self._thread)
        self.tasks = Tasks(self._core.tasks, self._thread)
        self.audit = Audit(self._core.audit, self._thread)
        self.errors = Errors(self._core.errors, self._thread)

    @property
    def url(self) -> str:
        """Where the mesh listens."""
        return self._core.url

    @property
    def tokens(self) -> Tokens | None:
        """The tokens in use; `None` before the first login."""
        return self._core.tokens

    def login(self, user: str, password: str, *, project: str = "") -> Tokens:
        """Log in now; see `AsyncClient.login`."""
        return self._thread.run(self._core.login(user, password, project=project))

    def login_with_api_key(self, secret: str) -> Tokens:
        """Log in now as the device whose key's secret it is."""
        return self._thread.run(self._core.login_with_api_key(secret))

    def login_with_client(self, client: str, secret: str) -> Tokens:
        """Log in now as a program, by the name of its client and its secret."""
        return self._thread.run(self._core.login_with_client(client, secret))

    def login_with_provider(
        self,
        provider: str = "",
        *,
        project: str = "",
        open_url: OpenUrl | None = None,
        wait_seconds: float = 300.0,
    ) -> Tokens:
        """Log in now, in the browser of this machine; see `AsyncClient.login_with_provider`."""
        return self._thread.run(
            self._core.login_with_provider(
                provider, project=project, open_url=open_url, wait_seconds=wait_seconds
            )
        )

    def logout(self) -> None:
        """End the login at the mesh: its tokens are refused at once; go on as nobody."""
        self._thread.run(self._core.logout())

    def switch_project(self, project: str = "") -> Tokens:
        """Let the tokens speak of one project only; see `AsyncClient.switch_project`."""
        return self._thread.run(self._core.switch_project(project))

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
    ) -> BlockingLearnStream:
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
        return BlockingLearnStream(self._core.exchange(network, options), self._thread)

    def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        try:
            self._thread.run(self._core.close())
        finally:
            self._thread.close()

    def __enter__(self) -> Self:
        """Return the client itself; nothing is sent yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()
