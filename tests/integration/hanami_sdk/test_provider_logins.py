"""Logging in with accounts of a real OpenID Connect provider, by the client and the command."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

# The provider speaks plain HTTP on a loopback address here.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import httpx
import pytest

from hanami_sdk import AsyncClient, DeadlineExceeded, InvalidArgument, NotFound, Unauthenticated
from hanami_sdk.logins import LoginFile
from tests.integration.meshes import ADMIN_ID, ADMIN_PASSWORD, RunningMisaki, start_misaki
from tests.oidc import CLIENT_ID, CLIENT_SECRET, OidcServer, running_oidc

pytestmark = pytest.mark.filterwarnings("ignore::authlib.deprecate.AuthlibDeprecationWarning")


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcServer]:
    """Run one provider for all tests: its key takes a while to make."""
    with running_oidc() as running:
        yield running


@pytest.fixture
async def misaki(tmp_path: Path, provider: OidcServer) -> AsyncIterator[RunningMisaki]:
    """Run a misaki that lets people in with accounts of the provider."""
    secret, file = tmp_path / "client-secret", tmp_path / "oidc.toml"
    secret.write_text(CLIENT_SECRET)
    file.write_text(
        f'[providers.company]\nissuer = "{provider.issuer}"\nclient_id = "{CLIENT_ID}"\n'
        f'client_secret_file = "{secret}"\ndisplay_name = "The company"\n'
        'redirect_uris = ["http://127.0.0.1:1/login"]\n'
    )
    async with start_misaki(tmp_path, oidc_file=file) as running:
        yield running


@pytest.fixture
async def client(misaki: RunningMisaki) -> AsyncIterator[AsyncClient]:
    """Return a client of nobody yet."""
    async with AsyncClient(f"http://{misaki.address}") as opened:
        yield opened


@dataclass(frozen=True)
class Ended:
    """What a command came to."""

    exit_code: int
    stdout: str
    stderr: str


Command = Callable[..., Awaitable[Ended]]
Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
def start(misaki: RunningMisaki, tmp_path: Path) -> Start:
    """Return what starts the command for the misaki, in a process with a browser beside it."""
    browser = tmp_path / "browser"
    browser.write_text(
        f"#!{sys.executable}\nimport httpx, sys\nhttpx.get(sys.argv[1], follow_redirects=True)\n"
    )
    browser.chmod(0o700)
    own = {name: value for name, value in os.environ.items() if not name.startswith("HANAMI_")}
    own |= {"HANAMI_HOME": str(tmp_path / "home"), "HANAMI_URL": f"http://{misaki.address}"}
    own |= {"COLUMNS": "200", "BROWSER": str(browser)}

    async def run(*words: str) -> asyncio.subprocess.Process:
        call = "from hanami_sdk.cli import main; main()"
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", call, *words, env=own, stdin=pipe, stdout=pipe, stderr=pipe
        )

    return run


@pytest.fixture
def hanami(start: Start) -> Command:
    """Return the command from beginning to end."""

    async def run(*words: str, stdin: str = "") -> Ended:
        process = await start(*words)
        out, err = await process.communicate(stdin.encode())
        return Ended(process.returncode or 0, out.decode(), err.decode())

    return run


def browse(url: str) -> bool:
    """Go where a browser would go, to the end."""
    page = httpx.get(url, follow_redirects=True)
    return page.status_code == 200 and "close this window" in page.text


async def test_a_browser_brings_the_login_back(client: AsyncClient) -> None:
    """The only provider is the one that is meant; a first login makes the user."""
    (known,) = [found async for found in client.providers.list()]

    tokens = await client.login_with_provider(open_url=browse)

    assert ("loginProviders/company", "The company") == (known.name, known.display_name)
    assert "users/alice" == tokens.user
    assert "users/alice" == (await client.users.get()).name
    assert tokens == client.tokens


async def test_web_applications_take_the_steps_themselves(client: AsyncClient) -> None:
    """The code comes to an address of theirs; the handle is theirs alone, and good once."""
    started = await client.providers.start("company", "http://127.0.0.1:1/login")
    answer = await asyncio.to_thread(httpx.get, started.authorization_url)
    brought = parse_qs(urlsplit(answer.headers["location"]).query)
    state, code = brought["state"][0], brought["code"][0]

    tokens = await client.providers.finish(state=state, code=code, handle=started.handle)
    with pytest.raises(Unauthenticated):
        await client.providers.finish(state=state, code=code, handle=started.handle)

    assert "users/alice" == tokens.user
    assert started.handle not in repr(started)
    with pytest.raises(InvalidArgument):
        await client.providers.start("company", "https://elsewhere.example.org/login")
    with pytest.raises(NotFound):
        await client.providers.start("nobody", "http://127.0.0.1:1/login")


async def test_strangers_at_the_door_disturb_nobody(client: AsyncClient) -> None:
    """Other paths and other logins are turned away; the right one still comes in."""
    answers: list[int] = []
    idle: list[socket.socket] = []

    def disturbed(url: str) -> None:
        home = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        answers.append(httpx.get(f"{home.rpartition('/')[0]}/favicon.ico").status_code)
        answers.append(httpx.get(f"{home}?state=guessed&code=stolen").status_code)
        answers.append(httpx.post(home).status_code)
        port = urlsplit(home).port
        for noise in (b"", b"GET http://[ HTTP/1.1\r\n\r\n", b"x" * 20_000):
            with socket.create_connection(("127.0.0.1", port)) as stranger:
                stranger.sendall(noise)
        idle.append(socket.create_connection(("127.0.0.1", port)))
        browse(url)

    tokens = await client.login_with_provider("company", open_url=disturbed)

    for stranger in idle:
        stranger.close()
    assert [404, 400, 404] == answers
    assert "users/alice" == tokens.user


async def test_a_no_of_the_provider_is_told(client: AsyncClient) -> None:
    """Its own words are in the error."""

    def refused(url: str) -> None:
        query = parse_qs(urlsplit(url).query)
        parameters = {"state": query["state"][0], "error": "access_denied"}
        httpx.get(query["redirect_uri"][0], params=parameters)

    with pytest.raises(Unauthenticated, match="access_denied"):
        await client.login_with_provider("company", open_url=refused)


async def test_nobody_is_waited_for_without_end(client: AsyncClient) -> None:
    """Whoever closes the browser is not waited for for ever."""
    with pytest.raises(DeadlineExceeded):
        await client.login_with_provider("company", open_url=len, wait_seconds=0.05)


async def test_the_command_logs_in_with_a_provider(
    hanami: Command, misaki: RunningMisaki, tmp_path: Path
) -> None:
    """The URL is shown and opened; the login is kept as every other."""
    listed = await hanami("provider", "list")
    done = await hanami("login", "--provider", "company", "--json")
    own = await hanami("user", "get", "--json")

    assert "The company" in listed.stdout
    assert 0 == done.exit_code, done.stderr
    assert "users/alice" == json.loads(done.stdout)["user"] == json.loads(own.stdout)["name"]
    assert misaki.address in (tmp_path / "home" / "credentials.json").read_text()
    assert "Open this in a browser" in done.stderr


async def test_a_browser_elsewhere_brings_an_address(start: Start, hanami: Command) -> None:
    """The URL is told, and the address that the browser ends at is taken back."""
    process = await start("login", "--provider", "company", "--no-browser")
    assert process.stderr is not None
    url = ""
    while not url.startswith("http"):
        url = (await process.stderr.readline()).decode().strip()
    page = await asyncio.to_thread(httpx.get, url)

    out, _ = await process.communicate(f"{page.headers['location']}\n".encode())
    refused = await hanami(
        "login", "--provider", "company", "--no-browser", stdin="http://x/?error=access_denied\n"
    )

    assert "users/alice is logged in" in out.decode()
    assert 1 == refused.exit_code
    assert "access_denied" in refused.stderr


async def test_keys_in_wrong_hands_end_every_login(
    hanami: Command, misaki: RunningMisaki, client: AsyncClient, tmp_path: Path
) -> None:
    """A rotation at once, asked about or not, voids all tokens."""
    await client.login(ADMIN_ID, ADMIN_PASSWORD)
    assert client.tokens is not None
    LoginFile(tmp_path / "home" / "credentials.json").save(
        f"http://{misaki.address}", client.tokens
    )

    done = await hanami("signing-key", "rotate", "--immediately", "--yes", "--json")

    assert "STATE_CURRENT" == json.loads(done.stdout)["state"]
    assert "hanami login" in done.stderr
    with pytest.raises(Unauthenticated):
        await client.users.get()
    await client.login(ADMIN_ID, ADMIN_PASSWORD)
    again = await client.signing_keys.rotate()
    assert again.name != json.loads(done.stdout)["name"]
