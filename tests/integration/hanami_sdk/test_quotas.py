"""Quotas through the gateway: by client library, blocking and not, by command and by JSON."""

import asyncio
import json
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest

from hanami_sdk import (
    AsyncClient,
    Client,
    PermissionDenied,
    QuotaWarning,
    ResourceExhausted,
)
from tests.integration.hanami_sdk.conftest import Command, RunningMesh

PASSWORD = "a-long-password"
PUSH_SECONDS = 30.0


@pytest.fixture
def project_admin(client: Client, project: str, mesh: RunningMesh) -> Client:
    """Return a client of somebody who runs the project."""
    user_id = f"u-{uuid.uuid4().hex[:10]}"
    client.users.create(user_id, password=PASSWORD)
    client.projects.add_member(project, user_id, "PROJECT_ADMIN")
    return Client(mesh.url, project=project, user=user_id, password=PASSWORD)


def until_known(client: Client, **limits: int) -> None:
    """Wait until those who count have heard of the limits."""
    deadline = time.monotonic() + PUSH_SECONDS
    while True:
        told = {use.quota: use.limit for use in client.quotas.usage()}
        if limits.items() <= told.items():
            return
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


def test_project_admins_go_as_far_as_is_granted(client: Client, project_admin: Client) -> None:
    """Below it they choose, above it is for admins, and nothing chosen is what is granted."""
    with project_admin:
        lowered = project_admin.quotas.update({"networks": 5})
        with pytest.raises(PermissionDenied) as refused:
            project_admin.quotas.update({"networks": 2000})
        granted = client.quotas.update({"networks": 2000})
        raised = project_admin.quotas.update({"networks": 1500}, etag=granted.etag)
        back = project_admin.quotas.update({"networks": None})
        own = project_admin.quotas.get_user()

    assert "ROLE_INSUFFICIENT" == refused.value.reason
    assert [(5, 1000), (2000, 2000), (1500, 2000), (2000, 2000)] == [
        (quota.limits.networks, quota.granted.networks)
        for quota in (lowered, granted, raised, back)
    ]
    assert 32 == own.limits.streams


def test_what_is_used_up_is_told_first_and_refused_then(client: Client, rows_csv: Path) -> None:
    """Networks and bytes: a warning near the limit, an error at it, usage all along."""
    client.quotas.update({"networks": 1, "dataset_bytes": 1})
    until_known(client, networks=1, dataset_bytes=1)

    with pytest.warns(QuotaWarning, match="has 1 of 1 networks"):
        client.networks.create("first", template="flat", channels=2)
    with pytest.raises(ResourceExhausted) as network:
        client.networks.create("second", template="flat", channels=2)
    with pytest.raises(ResourceExhausted) as rows:
        client.datasets.upload_csv("rows", rows_csv, target_column="larger")

    assert [("QUOTA_EXCEEDED", "networks"), ("QUOTA_EXCEEDED", "dataset_bytes")] == [
        (error.value.reason, error.value.metadata["quota"]) for error in (network, rows)
    ]
    used = {use.quota: (use.used, use.limit) for use in client.quotas.usage()}
    assert [
        "networks",
        "synapses",
        "dataset_bytes",
        "snapshots",
        "streams",
        "rows_per_second",
        "queued_tasks",
    ] == list(used)
    assert ((1, 1), (0, 1)) == (used["networks"], used["dataset_bytes"])


def test_stream_waits_for_its_rows_per_second(client: Client) -> None:
    """The library sends no faster than the quota lets in, and loses nothing."""
    client.networks.create("slow", template="flat", channels=2)
    client.quotas.update({"rows_per_second": 100})
    until_known(client, rows_per_second=100)
    started = time.monotonic()

    with client.learn("slow") as stream:
        for number in range(300):
            stream.send([[float(number % 7), 1.0]], labels=["odd" if number % 2 else "even"])
    seconds = time.monotonic() - started

    assert 300 == client.networks.get("slow").statistics.learned_rows
    assert seconds > 1.5


def test_asynchronous_client_has_the_same(mesh: RunningMesh, project: str) -> None:
    """Limits and usage of a project and of oneself."""

    async def ask() -> tuple[int, int, int]:
        async with AsyncClient(mesh.url, project=project, tokens=mesh.tokens) as client:
            changed = await client.quotas.update({"snapshots": 7})
            read = await client.quotas.get()
            uses = await client.quotas.user_usage()
            return changed.limits.snapshots, read.limits.snapshots, len(uses)

    assert (7, 7, 7) == asyncio.run(ask())


def test_commands_show_set_and_count(hanami: Command, project: str) -> None:
    """`hanami quota`: set with units, shown as a table and as JSON, refused in words."""
    changed = hanami("quota", "set", "networks=1", "dataset_bytes=5GiB", "--json")
    shown = hanami("quota", "show")
    wrong = hanami("quota", "set", "nets=1")
    deadline = time.monotonic() + PUSH_SECONDS
    while "100%" not in hanami("quota", "usage").stdout:
        hanami("network", "create", "first", "--template", "flat", "--channels", "2")
        assert time.monotonic() < deadline
    refused = hanami("network", "create", "second", "--template", "flat", "--channels", "2")
    counted = hanami("quota", "usage", "--json")
    given_back = hanami("quota", "set", "networks=default", "--json")
    warned = hanami("quota", "set", "networks=2")
    mine = hanami("quota", "show", "--user", "me", "--json")

    assert [0, 0, 1, 1, 0, 0, 0, 0] == [
        done.exit_code
        for done in (changed, shown, wrong, refused, counted, given_back, warned, mine)
    ]
    limits = json.loads(changed.stdout)["limits"]
    assert (1, 5 * 2**30) == (limits["networks"], limits["dataset_bytes"])
    assert "networks" in shown.stdout
    assert f"{5 * 2**30:,}" in shown.stdout
    assert "'nets' is no quota" in wrong.stderr
    assert "may have 1 networks" in refused.stderr
    assert "hanami quota usage" in refused.stderr
    uses = {use["quota"]: use for use in json.loads(counted.stdout)}
    assert 1 == uses["networks"]["used"]
    assert 1000 == json.loads(given_back.stdout)["limits"]["networks"]
    assert "users/admin/quota" == json.loads(mine.stdout)["name"]


def test_json_speakers_have_the_same(mesh: RunningMesh, project: str) -> None:
    """Limits and usage by plain HTTP, and the details of a refusal."""

    def ask(path: str, body: object = None, method: str = "GET") -> tuple[int, dict[str, object]]:
        request = urllib.request.Request(  # noqa: S310  the test's own gateway
            f"{mesh.url}/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {mesh.tokens.access}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    name = f"projects/{project}/quota"
    mask = "updateMask=limits.networks,limits.datasetBytes"
    code, changed = ask(f"{name}?{mask}", {"limits": {"networks": "0"}}, "PATCH")
    read = ask(name)[1]
    uses = [ask(f"projects/{project}/{part}")[1] for part in ("networkUsage", "datasetUsage")]

    assert (200, changed) == (code, read)
    assert "0" == read["limits"]["networks"]  # type: ignore[index]  # it is JSON
    assert [6, 1] == [len(use["usages"]) for use in uses]  # type: ignore[arg-type]
