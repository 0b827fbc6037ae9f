"""Networks and templates on the wire."""

import uuid
from typing import Any

import grpc
import pytest
from hanami.kyouko.v1 import network_service_pb2 as pb
from hanami.kyouko.v1 import template_service_pb2

from kyouko.templates import shipped_templates
from mesh.pages import page_of, page_request
from tests.integration.kyouko.servers import (
    NETWORK,
    PARENT,
    RunningKyouko,
    info_of,
    rows_of_two_kinds,
)
from tests.integration.meshes import RunningMisaki

YAML = """\
inputs:
  - name: sensors
    channels: 3
populations:
  - name: all
    neurons: 16
outputs:
  - name: state
    kind: classes
"""


async def test_a_new_network_has_no_connections(kyouko: RunningKyouko) -> None:
    """A network from a shipped template tells its structure, and has yet to grow."""
    network = await kyouko.create_network(template="templates/flat", channels=784)

    assert NETWORK == network.name
    assert 784 == network.structure.inputs[0].channels
    assert 128 == network.structure.populations[0].neurons
    assert (1, 256) == (network.structure.options.seed, network.structure.options.max_labels)
    assert (0, 0, 0) == (
        network.statistics.connections,
        network.statistics.learned_rows,
        network.kept_rows,
    )
    assert "users/alice" == network.creator
    assert network.etag


async def test_a_network_can_be_made_from_yaml_or_a_message(kyouko: RunningKyouko) -> None:
    """The three sources make the same structure."""
    parsed = await kyouko.templates.ParseTemplate(
        template_service_pb2.ParseTemplateRequest(yaml=YAML), metadata=kyouko.alice
    )

    from_yaml = await kyouko.create_network("from-yaml", template_yaml=YAML)
    from_message = await kyouko.create_network("from-message", structure=parsed)

    assert from_yaml.structure == from_message.structure
    assert [3, 1, 1] == [
        getattr(from_yaml.structure.inputs[0].extent, axis) for axis in ("x", "y", "z")
    ]


async def test_an_unknown_field_is_refused_with_its_place(kyouko: RunningKyouko) -> None:
    """TEMPLATE_INVALID tells line, column and path, and which field may have been meant."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await kyouko.create_network(template_yaml=YAML.replace("neurons", "neuronz"))

    info = info_of(refused.value)
    assert "TEMPLATE_INVALID" == info.reason
    assert ("6", "5", "populations[0].neuronz") == (
        info.metadata["line"],
        info.metadata["column"],
        info.metadata["field"],
    )
    assert "did you mean 'neurons'" in (refused.value.details() or "")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"template": "templates/none"}, "RESOURCE_NOT_FOUND"),
        ({"template": "templates/grid", "channels": 10}, "FIELD_INVALID"),
        ({"template_yaml": YAML + "options: {memory_limit_bytes: 4294967296}\n"}, "LIMIT_REACHED"),
        ({"template_yaml": YAML.replace("16", "65536")}, "OK"),
        (
            {
                "template_yaml": YAML.replace("3", "9000")
                + "options: {memory_limit_bytes: 1048576}\n"
            },
            "TEMPLATE_INVALID",
        ),
        ({"structure": template_service_pb2.NetworkTemplate()}, "FIELD_INVALID"),
    ],
)
async def test_networks_that_cannot_be(
    kyouko: RunningKyouko, fields: dict[str, object], reason: str
) -> None:
    """Each impossible wish gets its own reason, and a large possible one is granted."""
    try:
        await kyouko.create_network(**fields)
        actual = "OK"
    except grpc.aio.AioRpcError as error:
        actual = info_of(error).reason

    assert reason == actual


async def test_open_channels_have_to_be_given(kyouko: RunningKyouko) -> None:
    """The flat template without a number of channels is FIELD_INVALID for `channels`."""
    request = pb.CreateNetworkRequest(parent=PARENT, network_id="net", template="templates/flat")

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await kyouko.networks.CreateNetwork(request, metadata=kyouko.alice)

    assert ("FIELD_INVALID", "channels") == (
        info_of(refused.value).reason,
        info_of(refused.value).metadata["field"],
    )


async def test_shipped_templates_are_listed_and_read(kyouko: RunningKyouko) -> None:
    """All come with a description, and their YAML parses to their structure."""
    listed = await kyouko.templates.ListTemplates(
        template_service_pb2.ListTemplatesRequest(), metadata=kyouko.alice
    )
    one = await kyouko.templates.GetTemplate(
        template_service_pb2.GetTemplateRequest(name="templates/grid"), metadata=kyouko.alice
    )
    parsed = await kyouko.templates.ParseTemplate(
        template_service_pb2.ParseTemplateRequest(yaml=one.yaml), metadata=kyouko.alice
    )

    assert [f"templates/{name}" for name in sorted(shipped_templates())] == [
        template.name for template in listed.templates
    ]
    assert all(template.description for template in listed.templates)
    assert one.structure == parsed
    assert (16, 784) == (len(parsed.populations), parsed.inputs[0].channels)


async def test_a_name_is_taken_once(kyouko: RunningKyouko) -> None:
    """A second network of the name is RESOURCE_EXISTS; a repeated call is not a second one."""
    request_id = str(uuid.uuid4())
    first = await kyouko.create_network(request_id=request_id)

    again = await kyouko.create_network(request_id=request_id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await kyouko.create_network()

    assert first == again
    assert "RESOURCE_EXISTS" == info_of(refused.value).reason


async def test_networks_are_listed_page_by_page(kyouko: RunningKyouko) -> None:
    """Pages follow the ids, and a token of another listing is refused."""
    for network_id in ("cc", "aa", "bb"):
        await kyouko.create_network(network_id)
    request = pb.ListNetworksRequest(parent=PARENT, page_size=2)

    first = await kyouko.networks.ListNetworks(request, metadata=kyouko.alice)
    request.page_token = first.next_page_token
    second = await kyouko.networks.ListNetworks(request, metadata=kyouko.alice)

    names = [network.name for network in [*first.networks, *second.networks]]
    assert [f"{PARENT}/networks/{network_id}" for network_id in ("aa", "bb", "cc")] == names
    assert "" == second.next_page_token


async def test_a_stale_etag_guards_a_deletion(kyouko: RunningKyouko) -> None:
    """The etag of an earlier network of the same name does not delete the new one."""
    old = await kyouko.create_network()
    await kyouko.networks.DeleteNetwork(
        pb.DeleteNetworkRequest(name=NETWORK, etag=old.etag), metadata=kyouko.alice
    )
    new = await kyouko.create_network()

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await kyouko.networks.DeleteNetwork(
            pb.DeleteNetworkRequest(name=NETWORK, etag=old.etag), metadata=kyouko.alice
        )

    assert "ETAG_MISMATCH" == info_of(refused.value).reason
    assert new.etag == (await kyouko.network()).etag


async def test_a_snapshot_on_demand_holds_all_rows(kyouko: RunningKyouko) -> None:
    """The answer says how many rows, up to where in the journal, and how large; once by an id."""
    await kyouko.create_network()
    inputs, labels = rows_of_two_kinds(128)
    request = pb.SnapshotNetworkRequest(name=NETWORK, request_id=str(uuid.uuid4()))
    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, inputs, labels)
        await stream.read()
        first = await kyouko.networks.SnapshotNetwork(request, metadata=kyouko.alice)
        await stream.send(2, inputs[:2], labels[:2])
        await stream.read()
        repeated = await kyouko.networks.SnapshotNetwork(request, metadata=kyouko.alice)
        request.request_id = ""
        second = await kyouko.networks.SnapshotNetwork(request, metadata=kyouko.alice)
        unchanged = await kyouko.networks.SnapshotNetwork(request, metadata=kyouko.alice)

    files = list((kyouko.folder / "snapshots").rglob("*.safetensors"))
    assert first == repeated
    assert second == unchanged
    # The session is in the journal as well.
    assert [(128, 2), (130, 3)] == [
        (taken.learned_rows, taken.journal_position) for taken in (first, second)
    ]
    assert {first.size_bytes, second.size_bytes} == {file.stat().st_size for file in files}
    assert first.create_time.ToNanoseconds() <= second.create_time.ToNanoseconds()


async def test_roles_and_projects_are_kept_apart(
    kyouko: RunningKyouko, misaki: RunningMisaki
) -> None:
    """A viewer reads and does not create, delete or keep; a stranger finds nothing at all."""
    await kyouko.create_network()
    await misaki.create_project("rocks")
    viewer = await misaki.create_user("victor", flowers="VIEWER")
    stranger = await misaki.create_user("steve", rocks="PROJECT_ADMIN")
    get, delete = pb.GetNetworkRequest(name=NETWORK), pb.DeleteNetworkRequest(name=NETWORK)
    snapshot = pb.SnapshotNetworkRequest(name=NETWORK)

    seen = await kyouko.networks.GetNetwork(get, metadata=viewer)
    reasons = []
    for call in (
        kyouko.create_network("other", metadata=viewer),
        kyouko.networks.DeleteNetwork(delete, metadata=viewer),
        kyouko.networks.SnapshotNetwork(snapshot, metadata=viewer),
        kyouko.create_network("other", metadata=stranger),
        kyouko.networks.GetNetwork(get, metadata=stranger),
        kyouko.networks.DeleteNetwork(delete, metadata=stranger),
        kyouko.networks.SnapshotNetwork(snapshot, metadata=stranger),
        kyouko.networks.GetNetwork(get),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        reasons.append(info_of(refused.value).reason)

    assert NETWORK == seen.name
    assert [
        *["ROLE_INSUFFICIENT"] * 3,
        *["RESOURCE_NOT_FOUND"] * 4,
        "TOKEN_INVALID",
    ] == reasons


async def test_growth_is_listed_page_by_page(kyouko: RunningKyouko) -> None:
    """Channels that got connections and labels that opened outputs are told with their rows."""
    await kyouko.create_network()
    inputs, labels = rows_of_two_kinds(128)
    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, inputs, labels)
        await stream.read()
        await stream.close()

    whole = await growth(kyouko)
    first = await growth(kyouko, page_size=2)
    rest = await growth(kyouko, page_token=first.next_page_token)

    assert list(range(1, len(whole.events) + 1)) == [event.number for event in whole.events]
    kinds = [event.kind for event in whole.events]
    assert pb.GROWTH_KIND_STARTED == kinds[0]
    assert 2 == kinds.count(pb.GROWTH_KIND_OUTPUT_OPENED)
    grown = [event for event in whole.events if event.kind == pb.GROWTH_KIND_CHANNEL_GREW]
    assert len({event.row for event in grown}) == len(grown) > 0
    assert all(event.connections > 0 for event in grown)
    assert list(whole.events) == [*first.events, *rest.events]


@pytest.mark.parametrize("key", ["x", "-1", "1e3", "²"])
async def test_a_forged_page_of_growth_is_refused(kyouko: RunningKyouko, key: str) -> None:
    """A key that is no number is PAGE_TOKEN_INVALID."""
    await kyouko.create_network()
    asked = page_request(1, "", listing=f"growth events of {NETWORK}")
    token = page_of(asked, [key, key], lambda item: item).next_page_token

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await growth(kyouko, page_token=token)

    assert "PAGE_TOKEN_INVALID" == info_of(refused.value).reason


async def growth(kyouko: RunningKyouko, **fields: Any) -> pb.ListGrowthEventsResponse:
    """List growth events as alice."""
    request = pb.ListGrowthEventsRequest(parent=NETWORK, **fields)
    return await kyouko.networks.ListGrowthEvents(request, metadata=kyouko.alice)
