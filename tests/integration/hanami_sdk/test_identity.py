"""People, devices and programs by the client, through Envoy."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from hanami_sdk import (
    Aborted,
    AsyncClient,
    Client,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Tokens,
    Unauthenticated,
)
from tests.integration.hanami_sdk.conftest import RunningMesh

PASSWORD = "a-long-password"
OTHER_PASSWORD = "another-long-password"
PARSE = "/hanami.kyouko.v1.TemplateService/ParseTemplate"


@pytest.fixture
def alice(client: Client, project: str) -> str:
    """Return the id of a fresh user, a member of the fresh project."""
    user_id = f"u-{uuid.uuid4().hex[:10]}"
    client.users.create(user_id, password=PASSWORD)
    client.projects.add_member(project, user_id)
    return user_id


def within_seconds(what: Callable[[], object], error: type[Exception]) -> None:
    """Wait until something is refused: services hear of changes in a moment."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            what()
        except error:
            return
        time.sleep(0.05)
    pytest.fail(f"nobody raised {error.__name__}")


def test_a_user_is_renamed_promoted_disabled_and_let_in_again(
    mesh: RunningMesh, client: Client, alice: str
) -> None:
    """Only what is given changes; who is disabled cannot log in."""
    named = client.users.update(alice, display_name="Alice")
    promoted = client.users.update(alice, admin=True)
    disabled = client.users.disable(alice)
    with Client(mesh.url) as stranger, pytest.raises(Unauthenticated):
        stranger.login(alice, PASSWORD)
    enabled = client.users.enable(alice)
    with Client(mesh.url, user=alice, password=PASSWORD) as again:
        own = again.users.get()

    assert ("Alice", False) == (named.display_name, named.admin)
    assert ("Alice", True) == (promoted.display_name, promoted.admin)
    assert (True, False) == (disabled.disabled, enabled.disabled)
    assert f"users/{alice}" == own.name
    with pytest.raises(Aborted):
        client.users.update(alice, display_name="Late", etag=named.etag)


def test_passwords_are_changed_and_reset(mesh: RunningMesh, client: Client, alice: str) -> None:
    """The old one is asked for; an admin does without, but not for oneself."""
    with Client(mesh.url, user=alice, password=PASSWORD) as own:
        with pytest.raises(Unauthenticated):
            own.users.change_password("not-the-old-one", OTHER_PASSWORD)
        own.users.change_password(PASSWORD, OTHER_PASSWORD)
        own.login(alice, OTHER_PASSWORD)
        changed = own.users.get().name
    client.users.reset_password(alice, PASSWORD)
    with Client(mesh.url, user=alice, password=PASSWORD) as again:
        reset = again.users.get().name

    assert [f"users/{alice}"] * 2 == [changed, reset]
    with pytest.raises(FailedPrecondition):
        client.users.reset_password("admin", PASSWORD)
    with pytest.raises(InvalidArgument):
        client.users.reset_password(alice, "password")


def test_projects_and_roles_are_changed(mesh: RunningMesh, client: Client, project: str) -> None:
    """A new role counts at once, without another login."""
    user_id = f"u-{uuid.uuid4().hex[:10]}"
    client.users.create(user_id, password=PASSWORD)
    client.projects.add_member(project, user_id, "VIEWER")

    renamed = client.projects.update(project, display_name="Ours")
    with Client(mesh.url, project=project, user=user_id, password=PASSWORD) as member:
        with pytest.raises(PermissionDenied):
            member.projects.update(project, display_name="Theirs")
        role = client.projects.update_member(project, user_id, "PROJECT_ADMIN").role
        theirs = member.projects.update(project, display_name="Theirs")

    assert ("Ours", 2, "Theirs") == (renamed.display_name, role, theirs.display_name)


def test_logins_are_listed_and_ended(mesh: RunningMesh, alice: str) -> None:
    """The one that asks is marked; an ended one is refused, and so is a token taken back."""
    with (
        Client(mesh.url) as here,
        Client(mesh.url) as there,
        Client(mesh.url) as elsewhere,
    ):
        for somewhere in (here, there, elsewhere):
            somewhere.login(alice, PASSWORD)
        names = [next(s.name for s in c.sessions.list() if s.current) for c in (here, there)]
        here.sessions.revoke(names[1].rpartition("/")[2])
        within_seconds(there.users.get, Unauthenticated)
        assert elsewhere.tokens is not None
        here.sessions.revoke_token(elsewhere.tokens.refresh)
        within_seconds(elsewhere.users.get, Unauthenticated)
        left = [session.name for session in here.sessions.list()]

    assert [names[0]] == left


def test_a_logout_ends_the_login_at_the_mesh(mesh: RunningMesh, alice: str) -> None:
    """The client goes on as nobody, and whoever kept the tokens cannot use them."""
    with Client(mesh.url) as client:
        kept = client.login(alice, PASSWORD)
        client.logout()
        nobody = client.tokens

    assert nobody is None
    with Client(mesh.url, tokens=kept) as thief:
        within_seconds(thief.users.get, Unauthenticated)


def test_a_login_is_narrowed_and_widened(mesh: RunningMesh, client: Client, alice: str) -> None:
    """In one project the others are not found; back in all of them they are."""
    elsewhere = f"p-{uuid.uuid4().hex[:10]}"
    client.projects.create(elsewhere)
    client.projects.add_member(elsewhere, alice)

    with Client(mesh.url) as own:
        own.login(alice, PASSWORD, project=elsewhere)
        at_login = [p.name for p in own.projects.list()]
        own.switch_project()
        widened = len(list(own.projects.list()))
        own.switch_project(elsewhere)
        narrowed = [p.name for p in own.projects.list()]
        with pytest.raises(NotFound):
            own.switch_project("nobody-knows-it")

    assert [f"projects/{elsewhere}"] == at_login == narrowed
    assert 2 == widened


def test_a_device_does_what_its_key_allows_and_nothing_else(
    mesh: RunningMesh, client: Client, project: str
) -> None:
    """It predicts with its network; a deleted key is good for nothing."""
    client.networks.create("n1", template="flat", channels=2)
    client.networks.create("n2", template="flat", channels=2)
    end = datetime.now(UTC) + timedelta(days=1)
    made = client.api_keys.create("sensor", actions=["LEARN"], network="n1", expire_time=end)

    with Client(mesh.url, project=project, api_key=made.secret) as device:
        with device.learn("n1") as stream:
            learned = stream.send([1.0, 2.0], labels=["x"]).learned_rows
        with pytest.raises(NotFound), device.learn("n2") as stream:
            stream.send([1.0, 2.0], labels=["x"])
        with pytest.raises(PermissionDenied):
            device.networks.get("n1")
        who = device.tokens
        client.api_keys.delete("sensor")
        with pytest.raises(InvalidArgument):
            device.switch_project()

    assert 1 == learned
    assert who is not None
    assert f"projects/{project}/apiKeys/sensor" == who.user
    assert made.secret not in repr(made)
    with Client(mesh.url, api_key=made.secret) as late, pytest.raises(Unauthenticated) as caught:
        list(late.projects.list())
    assert "CREDENTIALS_INVALID" == caught.value.reason


def test_keys_are_listed_without_their_secrets(client: Client, project: str) -> None:
    """What a key allows can be read, as often as one likes."""
    made = client.api_keys.create("display", actions=["PREDICT"], display_name="Display")

    listed = list(client.api_keys.list())
    found = client.api_keys.get("display")

    assert [made.api_key] == listed == [found]
    assert f"projects/{project}/apiKeys/display" == found.name
    with pytest.raises(Aborted):
        client.api_keys.delete("display", etag="another")


def test_a_program_has_a_role_of_its_own(mesh: RunningMesh, client: Client, project: str) -> None:
    """A viewer reads; its short name is enough where the project is known."""
    made = client.clients.create("report", "VIEWER")
    name = f"projects/{project}/clients/report"

    with Client(
        mesh.url, project=project, client_id="report", client_secret=lambda: made.secret
    ) as program:
        seen = list(program.networks.list())
        with pytest.raises(PermissionDenied):
            program.networks.create("n1", template="flat", channels=2)
        program.logout()

    assert ([], name) == (seen, made.client.name)
    assert [made.client.name] == [found.name for found in client.clients.list()]
    assert client.clients.get("report").HasField("last_use_time")
    client.clients.delete("report")
    with (
        Client(mesh.url, client_id=name, client_secret=made.secret) as late,
        pytest.raises(Unauthenticated),
    ):
        list(late.projects.list())


def test_an_ended_token_of_a_device_is_exchanged_again(mesh: RunningMesh, client: Client) -> None:
    """The secret buys the next token, and the application hears of it."""
    secret = client.clients.create("nightly").secret
    kept: list[Tokens] = []
    with Client(mesh.url) as first:
        now = first.login_with_client(client.clients.get("nightly").name, secret)
    ended = Tokens(now.access, 1.0, now.refresh, now.refresh_expires, now.user)

    with Client(mesh.url, tokens=ended, on_tokens=kept.append) as program:
        projects = [found.name for found in program.projects.list()]

    assert 1 == len(projects) == len(kept)
    assert now.user == kept[0].user
    assert secret not in repr(kept[0])


def test_the_policy_is_changed_tested_and_rolled_back(client: Client, project: str) -> None:
    """Every change is a version; a late one is refused; the reason is told."""
    before = client.policies.get()
    try:
        made = client.policies.update({PARSE: ["ADMIN"]}, etag=before.etag)
        refused = client.policies.test(PARSE, role="MEMBER", project=project)
        with pytest.raises(Aborted):
            client.policies.update({}, etag=before.etag)
        with pytest.raises(InvalidArgument):
            client.policies.update({"/nothing/like/it": ["ADMIN"]})
        rules = {rule.method: rule for rule in client.policies.methods()}
        dry = client.policies.import_prototype(
            "[kyouko]\nv1/template/upload\n    - POST: admin\nv1/nothing\n    - GET: admin\n",
            validate_only=True,
        )
    finally:
        back = client.policies.rollback(int(before.name.rpartition("/")[2]))

    assert (False, "ROLE_INSUFFICIENT") == (refused.allowed, refused.reason)
    assert made.name == refused.source
    assert [1] == list(rules[PARSE].roles) != list(rules[PARSE].contract_roles)
    assert "" == dry.policy.name
    assert 5 in [remark.line for remark in dry.remarks]
    assert list(before.rules) == list(back.rules)
    assert back.name == next(client.policies.list()).name
    assert client.policies.test("/hanami.misaki.v1.UserService/ListUsers", user="admin").allowed
    with pytest.raises(InvalidArgument):
        client.policies.test(PARSE)


def test_signing_keys_rotate_without_refusing_anybody(client: Client) -> None:
    """The next key waits; a second call returns the same one."""
    made = client.signing_keys.rotate()

    again = client.signing_keys.rotate()
    names = [key.name for key in client.signing_keys.list()]

    assert made.name == again.name
    assert made.name in names
    assert len(names) >= 2
    assert client.users.get().admin


def test_one_way_to_log_in_at_a_time(mesh: RunningMesh) -> None:
    """A mistake is told before anything is sent."""
    with pytest.raises(InvalidArgument):
        Client(mesh.url, user="alice", api_key="hanami-key-x")
    with pytest.raises(InvalidArgument):
        Client(mesh.url, client_id="projects/p1/clients/c1")


def test_the_environment_names_devices_and_programs(
    mesh: RunningMesh, client: Client, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HANAMI_API_KEY, or HANAMI_CLIENT_ID with HANAMI_CLIENT_SECRET, when nobody is named."""
    monkeypatch.setenv("HANAMI_HOME", str(mesh.home.root))
    for name in ("HANAMI_USER", "HANAMI_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    program = client.clients.create("nightly")
    monkeypatch.setenv("HANAMI_CLIENT_ID", program.client.name)
    monkeypatch.setenv("HANAMI_CLIENT_SECRET", program.secret)
    with Client(mesh.url) as by_client:
        seen = [found.name for found in by_client.projects.list()]
    monkeypatch.setenv("HANAMI_API_KEY", client.api_keys.create("sensor").secret)
    with Client(mesh.url) as by_key, pytest.raises(PermissionDenied):
        list(by_key.projects.list())

    assert [f"projects/{project}"] == seen


async def test_asynchronous_code_has_the_same_methods(mesh: RunningMesh, project: str) -> None:
    """Every area by the asynchronous client."""
    async with AsyncClient(mesh.url, project=project, tokens=mesh.tokens) as client:
        key = await client.api_keys.create("sensor")
        program = await client.clients.create("report", "VIEWER")
        keys = [found.name async for found in client.api_keys.list()]
        programs = [found.name async for found in client.clients.list(project)]
        sessions = [found async for found in client.sessions.list()]
        providers = [found async for found in client.providers.list()]
        signing = [found async for found in client.signing_keys.list()]
        versions = [found async for found in client.policies.list()]
        me = await client.users.get()

    assert ([key.api_key.name], [program.client.name]) == (keys, programs)
    assert (1, []) == (sum(session.current for session in sessions), providers)
    assert (True, True, "users/admin") == (bool(signing), bool(versions), me.name)
