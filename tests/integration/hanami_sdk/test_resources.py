"""Users, projects, data sets, templates and networks, by the client, through Envoy."""

import hashlib
import struct
import uuid
from pathlib import Path

import numpy as np
import pytest

from hanami_sdk import (
    AlreadyExists,
    AsyncClient,
    Client,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Tokens,
    Unauthenticated,
)
from tests.integration.hanami_sdk.conftest import RunningMesh


def test_users_come_and_go(client: Client) -> None:
    """What was created is found, listed and deleted."""
    user_id = f"u-{uuid.uuid4().hex[:10]}"

    client.users.create(user_id, password="a-long-password", display_name="Alice")

    assert client.users.get(user_id).display_name == "Alice"
    assert f"users/{user_id}" in [user.name for user in client.users.list()]
    client.users.delete(user_id)
    with pytest.raises(NotFound) as caught:
        client.users.get(user_id)
    assert caught.value.reason == "RESOURCE_NOT_FOUND"


def test_members_have_roles(mesh: RunningMesh, client: Client, project: str) -> None:
    """A viewer sees the project, but may make nothing in it."""
    user_id = f"u-{uuid.uuid4().hex[:10]}"
    client.users.create(user_id, password="a-long-password")
    client.projects.add_member(project, user_id, "VIEWER")

    with Client(mesh.url, project=project, user=user_id, password="a-long-password") as viewer:
        seen = [found.name for found in viewer.projects.list()]
        with pytest.raises(PermissionDenied):
            viewer.networks.create("n1", template="flat", channels=2)

    assert seen == [f"projects/{project}"]
    assert [m.user for m in client.projects.list_members(project)] == [f"users/{user_id}"]
    client.projects.remove_member(project, user_id)
    assert list(client.projects.list_members(project)) == []


def test_strangers_find_nothing(mesh: RunningMesh, client: Client) -> None:
    """Another project's network answers like a missing one."""
    client.networks.create("secret", template="flat", channels=2)
    name = client.networks.get("secret").name
    user_id = f"u-{uuid.uuid4().hex[:10]}"
    client.users.create(user_id, password="a-long-password")
    elsewhere = f"p-{uuid.uuid4().hex[:10]}"
    client.projects.create(elsewhere)
    client.projects.add_member(elsewhere, user_id)

    with (
        Client(mesh.url, user=user_id, password="a-long-password") as stranger,
        pytest.raises(NotFound),
    ):
        stranger.networks.get(name)


def test_a_wrong_password_is_told(mesh: RunningMesh) -> None:
    """User and password do not fit: nothing more is said."""
    with Client(mesh.url) as client, pytest.raises(Unauthenticated) as caught:
        client.login("admin", "wrong-password")

    assert caught.value.reason == "CREDENTIALS_INVALID"


def test_an_ended_token_is_renewed(mesh: RunningMesh) -> None:
    """The refresh token is enough to go on."""
    now = mesh.tokens
    ended = Tokens(now.access, 1.0, now.refresh, now.refresh_expires, now.user)
    kept: list[Tokens] = []

    with Client(mesh.url, tokens=ended, on_tokens=kept.append) as client:
        user = client.users.get("admin")

    assert user.admin
    assert len(kept) == 1
    assert kept[0].access_expires > 1.0


def test_a_token_that_the_mesh_refuses_is_renewed(mesh: RunningMesh) -> None:
    """A damaged access token costs one more call, not an error."""
    now = mesh.tokens
    damaged = Tokens(
        now.access[:-8] + "AAAAAAAA", now.access_expires, now.refresh, now.refresh_expires, now.user
    )

    with Client(mesh.url, tokens=damaged) as client:
        assert client.users.get("admin").admin
        assert client.tokens != damaged


def test_invalid_fields_are_told_one_by_one(client: Client) -> None:
    """The error names every field and its rule."""
    with pytest.raises(InvalidArgument) as caught:
        client.networks.create("Not A Name", template="flat", channels=0)

    fields = {violation.field for violation in caught.value.violations}
    assert {"network_id", "channels"} <= fields


def test_csv_goes_in_and_comes_out_as_columns(client: Client, tmp_path: Path) -> None:
    """Numbers, gaps and text survive; the progress ends at the file's size."""
    path = tmp_path / "t.csv"
    path.write_text("a,b,kind\n1,0.5,x\n2,,y\n3,1.5,x\n")
    steps: list[tuple[int, int]] = []

    made = client.datasets.upload_csv(
        "table", path, target_column="kind", progress=lambda *step: steps.append(step)
    )
    parts = list(client.datasets.read("table", columns=["b", "kind"], start_row=1))

    assert made.row_count == 3
    assert steps[-1] == (path.stat().st_size, path.stat().st_size)
    values = np.concatenate([part.columns["b"] for part in parts])
    assert np.isnan(values[0])
    assert values[1] == 1.5
    assert [v for part in parts for v in part.columns["kind"]] == ["y", "x"]
    assert parts[0].start == 1


def test_pictures_are_wide_columns(client: Client, tmp_path: Path) -> None:
    """An IDX pair becomes one column of pictures and one of labels."""
    pictures = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2)
    (tmp_path / "i").write_bytes(struct.pack(">IIII", 0x803, 3, 2, 2) + pictures.tobytes())
    (tmp_path / "l").write_bytes(struct.pack(">II", 0x801, 3) + bytes([5, 0, 4]))

    made = client.datasets.upload_idx("tiny", tmp_path / "i", tmp_path / "l")
    part = next(iter(client.datasets.read("tiny")))

    images, labels = (part.columns[column.name] for column in made.columns)
    assert images.tolist() == pictures.reshape(3, 4).tolist()
    assert labels.tolist() == [5, 0, 4]


def test_a_malformed_csv_is_refused_with_its_place(client: Client, tmp_path: Path) -> None:
    """The error names the line, and no data set is left."""
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n3\n")

    with pytest.raises(InvalidArgument) as caught:
        client.datasets.upload_csv("table", path)

    assert caught.value.reason == "FILE_MALFORMED"
    assert list(client.datasets.list()) == []


def test_a_taken_name_is_told(client: Client, rows_csv: Path) -> None:
    """The second upload of a name is refused, the first one stays."""
    client.datasets.upload_csv("table", rows_csv)

    with pytest.raises(AlreadyExists):
        client.datasets.upload_csv("table", rows_csv)
    assert client.datasets.get("table").row_count == 400


def test_templates_can_be_read_and_checked(client: Client) -> None:
    """A template that comes with Hanami passes its own check; a mistake has a place."""
    names = [template.name for template in client.templates.list()]

    flat = client.templates.get("flat")

    assert {"templates/flat", "templates/grid"} <= set(names)
    assert client.templates.parse(flat.yaml) == flat.structure
    with pytest.raises(InvalidArgument) as caught:
        client.templates.parse(flat.yaml + "\nneuronz: 7\n")
    assert caught.value.reason == "TEMPLATE_INVALID"
    assert int(caught.value.metadata["line"]) > 1


def test_networks_start_without_connections(client: Client) -> None:
    """A fresh network has room, and not one connection."""
    made = client.networks.create("n1", template="flat", channels=3, seed=7)

    assert made.statistics.connections == 0
    assert [network.name for network in client.networks.list()] == [made.name]
    client.networks.delete("n1", etag=made.etag)
    assert list(client.networks.list()) == []


def test_a_network_is_made_from_one_thing(client: Client) -> None:
    """Two sources contradict each other, none says nothing."""
    with pytest.raises(InvalidArgument, match="exactly one"):
        client.networks.create("n1", template="flat", template_yaml="inputs: []")


async def test_the_asynchronous_client_does_the_same(mesh: RunningMesh, project: str) -> None:
    """Its methods are those of the blocking one, awaited."""
    async with AsyncClient(mesh.url, project=project, tokens=mesh.tokens) as client:
        made = await client.networks.create("n1", template="flat", channels=2)
        names = [network.name async for network in client.networks.list()]

    assert names == [made.name]


def test_uploads_are_checked(client: Client, tmp_path: Path) -> None:
    """The stored data set has a checksum of its own."""
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")

    made = client.datasets.upload_csv("table", path)

    assert len(made.sha256) == hashlib.sha256().digest_size * 2
