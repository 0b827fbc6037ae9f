"""The commands about people, devices and programs, at work on a real mesh."""

import json
import os
import stat
import uuid
from pathlib import Path

import pytest

from hanami_sdk import Client, Unauthenticated
from hanami_sdk.logins import LoginFile
from tests.integration.hanami_sdk.conftest import Command, RunningMesh
from tests.integration.hanami_sdk.test_identity import within_seconds

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


def log_in(hanami: Command, user: str, *words: str, password: str = PASSWORD) -> None:
    """Log in by the command."""
    done = hanami("login", user, "--password-file", "-", *words, stdin=f"{password}\n")
    assert done.exit_code == 0, done.stderr


def test_users_are_changed_by_command(hanami: Command, alice: str) -> None:
    """Renamed, promoted, disabled and enabled: the table tells the state."""
    renamed = hanami("user", "update", alice, "--display-name", "Alice L.", "--admin", "--json")
    disabled = hanami("user", "disable", alice)
    listed = hanami("user", "list").stdout
    enabled = hanami("user", "enable", alice, "--json")
    nothing = hanami("user", "update", alice)

    assert ("Alice L.", True) == tuple(
        json.loads(renamed.stdout)[name] for name in ("display_name", "admin")
    )
    assert "State    disabled" in disabled.stdout
    (line,) = [line for line in listed.splitlines() if alice in line]
    assert ["users/" + alice, "Alice", "L.", "admin", "disabled"] == line.split()
    assert json.loads(enabled.stdout)["disabled"] is False
    assert 2 == nothing.exit_code
    assert "users/admin" in hanami("user", "get").stdout


def test_a_changed_password_is_the_login_of_this_command(
    hanami: Command, mesh: RunningMesh, alice: str
) -> None:
    """Both passwords by stdin; the kept login goes on, an earlier one is refused."""
    with Client(mesh.url) as elsewhere:
        elsewhere.login(alice, PASSWORD)
        log_in(hanami, alice)
        words = ("--old-password-file", "-", "--password-file", "-")
        changed = hanami("user", "change-password", *words, stdin=f"{PASSWORD}\n{OTHER_PASSWORD}\n")
        wrong = hanami("user", "change-password", *words, stdin=f"{PASSWORD}\n{PASSWORD}\n")
        within_seconds(elsewhere.users.get, Unauthenticated)

    assert 0 == changed.exit_code, changed.stderr
    assert 1 == wrong.exit_code
    assert f"users/{alice}" in hanami("user", "get").stdout
    log_in(hanami, "admin", password=mesh.password)
    reset = hanami("user", "reset-password", alice, "--password-file", "-", stdin=f"{PASSWORD}\n")
    assert 0 == reset.exit_code
    assert PASSWORD not in changed.stdout + changed.stderr + reset.stdout + reset.stderr
    log_in(hanami, alice)


def test_a_new_password_comes_from_its_own_variable(
    hanami: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password that logs in never becomes that of somebody else."""
    user = f"u-{uuid.uuid4().hex[:10]}"
    monkeypatch.setenv("HANAMI_PASSWORD", "of-the-administrator")

    refused = hanami("user", "create", user)
    monkeypatch.setenv("HANAMI_NEW_PASSWORD", PASSWORD)
    made = hanami("user", "create", user)

    assert (2, 0) == (refused.exit_code, made.exit_code)
    assert "HANAMI_NEW_PASSWORD" in refused.stderr


def test_projects_and_roles_are_changed_by_command(
    hanami: Command, project: str, alice: str
) -> None:
    """A project is renamed, a member gets another role."""
    renamed = hanami("project", "update", project, "--display-name", "Ours", "--json")
    role = hanami("project", "member", "update", project, alice, "--role", "project-admin")

    assert "Ours" == json.loads(renamed.stdout)["display_name"]
    assert "Role  project-admin" in role.stdout
    assert "project-admin" in hanami("project", "member", "list", project).stdout


def test_logins_by_command(hanami: Command, mesh: RunningMesh, alice: str) -> None:
    """They are listed with their program; others end, this one stays."""
    with Client(mesh.url) as elsewhere, Client(mesh.url) as nowhere:
        for client in (elsewhere, nowhere):
            client.login(alice, PASSWORD)
        log_in(hanami, alice)
        sessions = json.loads(hanami("session", "list", "--json").stdout)
        first = next(s["name"] for s in sessions if not s["current"]).rpartition("/")[2]
        one = hanami("session", "revoke", first, "--json")
        table = hanami("session", "list").stdout
        asked = hanami("session", "revoke", "--others", stdin="n\n")
        rest = hanami("session", "revoke", "--others", "--yes")
        for client in (elsewhere, nowhere):
            within_seconds(client.users.get, Unauthenticated)

    assert 3 == len(sessions)
    assert all(session["client"].startswith("hanami/") for session in sessions)
    assert {"ended": [first]} == json.loads(one.stdout)
    assert 1 == table.count("this one")
    assert 1 == asked.exit_code
    assert "Ended 1 login.\n" == rest.stdout
    assert 1 == len(json.loads(hanami("session", "list", "--json").stdout))
    assert 2 == hanami("session", "revoke").exit_code


def test_a_login_is_switched_by_command(
    hanami: Command, client: Client, project: str, alice: str
) -> None:
    """One project only, from the login on or later; then all again."""
    elsewhere = f"p-{uuid.uuid4().hex[:10]}"
    client.projects.create(elsewhere)
    client.projects.add_member(elsewhere, alice)

    def projects() -> list[str]:
        return [found["name"] for found in json.loads(hanami("project", "list", "--json").stdout)]

    log_in(hanami, alice, "--only", elsewhere)
    only = projects()
    widened = hanami("session", "switch", "--all")
    both = projects()
    narrowed = hanami("session", "switch", project, "--json")

    assert [f"projects/{elsewhere}"] == only
    assert 0 == widened.exit_code, widened.stderr
    assert 2 == len(both)
    assert {"user": f"users/{alice}", "project": project} == json.loads(narrowed.stdout)
    assert [f"projects/{project}"] == projects()
    assert 2 == hanami("session", "switch").exit_code


def test_a_logout_ends_the_login_at_the_mesh(
    hanami: Command, mesh: RunningMesh, alice: str
) -> None:
    """Whoever copied the file of logins has nothing."""
    log_in(hanami, alice)
    kept = LoginFile(mesh.home.credentials_file).load(mesh.url)

    done = hanami("logout", "--json")
    again = hanami("logout", "--json")

    assert (True, True) == tuple(json.loads(done.stdout)[name] for name in ("removed", "ended"))
    assert (False, False) == tuple(json.loads(again.stdout)[n] for n in ("removed", "ended"))
    with Client(mesh.url, tokens=kept) as thief:
        within_seconds(thief.users.get, Unauthenticated)


def test_a_device_by_command(
    hanami: Command, mesh: RunningMesh, client: Client, project: str, tmp_path: Path
) -> None:
    """A key is made, its secret shown once; the device logs in with it and learns."""
    client.networks.create("n1", template="flat", channels=2)
    words = ("key", "create", "pump-7", "--allow", "learn", "--network", "n1", "--expires", "90d")
    made = hanami(*words, "--secret-to", str(tmp_path / "pump.key"))
    shown = hanami("key", "create", "display", "--allow", "predict", "--json")
    table = hanami("key", "list").stdout
    file = tmp_path / "pump.key"

    assert 0 == made.exit_code, made.stderr
    secret = file.read_text().strip()
    assert secret not in made.stdout + made.stderr
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert "ONCE" in shown.stderr
    assert json.loads(shown.stdout)["secret"].startswith("hanami-key-")
    assert ["pump-7", "pump-7", "learn", "n1"] == next(
        line.split()[:4] for line in table.splitlines() if line.startswith("pump-7")
    )
    assert "secret" not in json.loads(hanami("key", "get", "pump-7", "--json").stdout)
    login = hanami("login", "--api-key", "--secret-file", str(file), "--json")
    assert f"projects/{project}/apiKeys/pump-7" == json.loads(login.stdout)["user"]
    learned = hanami("learn", "n1", "--label", "c", stdin="a,b,c\n1,2,x\n2,1,y\n")
    assert 0 == learned.exit_code, learned.stderr
    rows = tmp_path / "rows.csv"
    rows.write_text("a,b,c\n1,2,x\n2,1,y\n")
    streamed = hanami("stream", "n1", str(rows), "--label", "c", "--json")
    assert 0 == streamed.exit_code, streamed.stderr
    assert 1 == hanami("network", "list").exit_code
    refused = hanami("session", "list")
    assert "Devices learn and predict, and nothing else." in refused.stderr
    assert 0 == hanami("logout").exit_code


def test_a_secret_is_never_written_over_a_file(hanami: Command, tmp_path: Path) -> None:
    """It is refused before the key is made: a secret cannot be had again."""
    file = tmp_path / "there.key"
    file.write_text("precious")

    done = hanami("key", "create", "pump-7", "--allow", "learn", "--secret-to", str(file))

    assert 2 == done.exit_code
    assert "precious" == file.read_text()
    assert [] == json.loads(hanami("key", "list", "--json").stdout)


def test_keys_are_deleted_when_it_is_meant(hanami: Command, mesh: RunningMesh) -> None:
    """A question first; then the secret is good for nothing."""
    secret = json.loads(hanami("key", "create", "pump-7", "--allow", "learn", "--json").stdout)[
        "secret"
    ]

    asked = hanami("key", "delete", "pump-7", stdin="n\n")
    kept = len(json.loads(hanami("key", "list", "--json").stdout))
    deleted = hanami("key", "delete", "pump-7", "--yes")
    login = hanami("login", "--api-key", "--secret-file", "-", stdin=f"{secret}\n")

    assert (1, 1, 0, 1) == (asked.exit_code, kept, deleted.exit_code, login.exit_code)
    assert "Check the secret" in login.stderr


def test_a_program_by_command(
    hanami: Command, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client logs in and reads as a viewer, by the kept login or the environment."""
    made = hanami("client", "create", "report", "--role", "viewer", "--json")
    secret, name = json.loads(made.stdout)["secret"], f"projects/{project}/clients/report"
    table = hanami("client", "list").stdout
    fields = hanami("client", "get", "report").stdout

    login = hanami("login", "--client", name, "--secret-file", "-", stdin=f"{secret}\n")
    read = hanami("network", "list", "--json")
    refused = hanami("network", "create", "n1", "--channels", "2")
    hanami("logout")
    monkeypatch.setenv("HANAMI_CLIENT_ID", name)
    monkeypatch.setenv("HANAMI_CLIENT_SECRET", secret)
    by_environment = hanami("network", "list", "--json")

    assert ["report", "report", "viewer", "never", "never"] == table.splitlines()[1].split()
    assert "Role     viewer" in fields
    assert f"{name} is logged in" in login.stdout
    assert "[]" == read.stdout.strip() == by_environment.stdout.strip()
    assert 1 == refused.exit_code


def test_clients_are_deleted_when_it_is_meant(hanami: Command, tmp_path: Path) -> None:
    """A question first."""
    made = hanami("client", "create", "report", "--secret-to", str(tmp_path / "s"), "--json")

    asked = hanami("client", "delete", "report", stdin="n\n")
    deleted = hanami("client", "delete", "report", "--yes", "--json")

    assert str(tmp_path / "s") == json.loads(made.stdout)["secret_file"]
    assert 1 == asked.exit_code
    assert {"deleted": "report"} == json.loads(deleted.stdout)
    assert [] == json.loads(hanami("client", "list", "--json").stdout)


def test_the_policy_by_command(
    hanami: Command, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is printed can be edited and given back; mistakes are told with their line."""
    before = json.loads(hanami("policy", "get", "--json").stdout)["name"].rpartition("/")[2]
    file = tmp_path / "policy.txt"
    file.write_text(f"{hanami('policy', 'get').stdout}ParseTemplate: admin  # and nobody else\n")
    bad = tmp_path / "bad.txt"
    bad.write_text("# nothing\nListUsers: member\n")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "ParseTemplate: admin, viewer" > "$1"\n')
    editor.chmod(0o700)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    try:
        made = hanami("policy", "update", str(file), "--if-version", before, "--json")
        late = hanami("policy", "update", str(file), "--if-version", before)
        wrong = hanami("policy", "update", str(bad))
        denied = hanami("policy", "test", "ParseTemplate", "--role", "member", "-p", project)
        changed = hanami("policy", "methods", "--changed").stdout
        edited = hanami("policy", "edit", "--json")
        versions = hanami("policy", "list").stdout
    finally:
        back = hanami("policy", "rollback", before, "--json")

    assert 0 == made.exit_code, made.stderr
    assert PARSE in [rule["method"] for rule in json.loads(made.stdout)["rules"]]
    assert (1, 1) == (late.exit_code, wrong.exit_code)
    assert "Line 2: " in wrong.stderr
    assert "no (ROLE_INSUFFICIENT)" in denied.stdout
    assert PARSE in changed
    (rule,) = json.loads(edited.stdout)["rules"]
    assert ["ROLE_ADMIN", "ROLE_VIEWER"] == sorted(rule["roles"])
    assert "users/admin" in versions
    assert 0 == back.exit_code
    assert "CreateUser" in hanami("policy", "methods", "UserService/Create").stdout
    allowed = hanami("policy", "test", "ListUsers", "--user", "admin", "--json")
    assert json.loads(allowed.stdout)["allowed"] is True
    assert 2 == hanami("policy", "test", "ListUsers").exit_code


def test_a_policy_file_of_the_prototype_by_command(hanami: Command) -> None:
    """A dry run tells what would come of it, line by line, and changes nothing."""
    before = hanami("policy", "get").stdout
    text = "[kyouko]\nv1/template/upload\n    - POST: admin\nv1/nothing\n    - GET: admin\n"

    dry = hanami("policy", "import", "-", "--dry-run", stdin=text)
    try:
        real = hanami("policy", "import", "-", "--json", stdin=text)
    finally:
        hanami("policy", "rollback", "0")

    assert f"{PARSE}: admin\n" in dry.stdout
    assert "What would be the next version." in dry.stdout
    assert ["5", "-", "GET:", "admin"] == next(
        line.split()[:4] for line in dry.stdout.splitlines() if line.startswith("5 ")
    )
    assert "" != json.loads(real.stdout)["policy"]["name"]
    assert before != ""


def test_signing_keys_by_command(hanami: Command) -> None:
    """A rotation refuses nobody; ending every login is asked about."""
    made = hanami("signing-key", "rotate", "--json")
    asked = hanami("signing-key", "rotate", "--immediately", stdin="n\n")
    listed = hanami("signing-key", "list")

    assert json.loads(made.stdout)["state"] in ("STATE_NEXT", "STATE_CURRENT")
    assert 1 == asked.exit_code
    assert "current" in listed.stdout
    assert 0 == hanami("user", "get").exit_code


@pytest.mark.parametrize(
    "words",
    [
        ("login", "alice", "--api-key"),
        ("login", "--api-key", "--only", "demo"),
        ("login", "--provider", "company", "--client", "projects/p1/clients/c1"),
        ("login", "--api-key", "--secret-file", os.devnull),
    ],
)
def test_logins_that_contradict_themselves_are_refused(
    hanami: Command, words: tuple[str, ...]
) -> None:
    """A usage error, before anything is asked."""
    done = hanami(*words)

    assert 2 == done.exit_code
    assert "" == done.stdout
