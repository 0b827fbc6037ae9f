"""The audit log and the error log through the gateway, from Python and the command."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from hanami_sdk import Client, errors
from hanami_sdk.areas.logs import AuditQuery
from tests.integration.hanami_sdk.conftest import Command, RunningMesh


def test_audit_tells_who_did_what_from_where(client: Client, project: str) -> None:
    """An entry has the address that the gateway saw, and that of the gateway."""
    client.networks.create("roses", template="flat", channels=4)
    query = AuditQuery(project=project, method="CreateNetwork", outcome="SUCCEEDED")

    entry = next(iter(client.audit.watch(query, after_sequence=0)))
    (listed,) = client.audit.list(query)

    assert entry == listed
    assert ("users/admin", f"projects/{project}/networks/roses") == (
        entry.principal,
        entry.resource,
    )
    # Envoy tells the address of its machine where the caller is on it, too.
    own = {a.address for interface in psutil.net_if_addrs().values() for a in interface}
    assert (True, "127.0.0.1") == (entry.address in own, entry.via)


def test_times_bound_a_listing(client: Client) -> None:
    """Nothing is listed of before the beginning, or from the end on."""
    moment = datetime.now(UTC) + timedelta(hours=1)

    assert [] == list(client.audit.list(AuditQuery(start=moment)))
    assert [] == list(client.errors.list(end=moment - timedelta(days=9)))


def test_unknown_incident_is_not_found(client: Client) -> None:
    """An id that nobody got leads nowhere."""
    with pytest.raises(errors.NotFound):
        client.errors.get("0" * 32)


def test_command_lists_entries_for_people_and_programs(
    client: Client, project: str, hanami: Command
) -> None:
    """A table with who, what and how it ended; the same as JSON."""
    client.networks.create("lilies", template="flat", channels=4)
    entries = client.audit.watch(AuditQuery(project=project), after_sequence=0)
    next(entry for entry in entries if entry.method.endswith("/CreateNetwork"))

    shown = hanami("audit", "list", "--project", project, "--since", "5m")
    data = hanami("audit", "list", "--project", project, "--json")
    none = hanami("audit", "list", "--project", project, "--outcome", "refused")

    assert (0, 0, 0) == (shown.exit_code, data.exit_code, none.exit_code)
    for word in ("users/admin", "CreateNetwork", f"projects/{project}/networks/lilies", "OK"):
        assert word in shown.stdout
    entries = json.loads(data.stdout)
    assert "users/admin" in {entry["principal"] for entry in entries}
    assert "No entries." in none.stderr


def test_command_watches(mesh: RunningMesh, client: Client, project: str, hanami: Command) -> None:
    """A watch shows an entry as soon as it arrives, one JSON value a line."""
    assert hanami("audit", "list").exit_code == 0
    command = [sys.executable, "-c", "from hanami_sdk.cli import main; main()"]
    words = ["audit", "watch", "--json", "--after", "0", "--project", project]
    with subprocess.Popen([*command, *words], stdout=subprocess.PIPE, text=True) as watching:
        client.networks.create("daisies", template="flat", channels=4)
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        watching.kill()

    assert f"projects/{project}" == first["project"]


def test_command_lists_errors(hanami: Command) -> None:
    """The error log can be listed, filtered, and asked for an incident."""
    listed = hanami("errors", "list", "--since", "1h", "--json")
    unknown = hanami("errors", "get", "0" * 32)

    assert (0, 1) == (listed.exit_code, unknown.exit_code)
    assert isinstance(json.loads(listed.stdout), list)
    assert "not found" in unknown.stderr


def test_command_refuses_odd_times(hanami: Command) -> None:
    """A time that is none is told, with examples."""
    refused = hanami("audit", "list", "--since", "yesterday")

    assert refused.exit_code == 2
    assert "30m" in refused.stderr
