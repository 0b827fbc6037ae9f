"""NetworkService."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from google.protobuf.empty_pb2 import Empty
from hanami.kyouko.v1 import network_service_pb2 as pb
from hanami.kyouko.v1 import network_service_pb2_grpc

from kyouko.convert.networks import (
    event_message,
    network_ids,
    network_message,
    snapshot_message,
)
from kyouko.convert.templates import network_template_of
from kyouko.domain.networks.catalogue import Networks, NewNetwork
from kyouko.domain.template import NetworkTemplate
from kyouko.servicers.templates import shipped_template
from kyouko.templates import ShippedTemplate, TemplateTurns
from mesh.calls import current_caller
from mesh.masks import check_mask
from mesh.names import project_id
from mesh.pages import PageRequest, number_after, page_of, page_request
from mesh.visibility_messages import visibility_of

# Networks of many populations or labels are large: a page of them has to fit into one message.
_PAGE_BYTES = 8 * 2**20


class NetworkServicer(network_service_pb2_grpc.NetworkServiceServicer):
    """Serves networks."""

    def __init__(
        self, networks: Networks, shipped: Mapping[str, ShippedTemplate], turns: TemplateTurns
    ) -> None:
        self._networks = networks
        self._shipped = shipped
        self._turns = turns

    async def CreateNetwork(self, request: pb.CreateNetworkRequest, context: Any) -> pb.Network:
        """Create a network."""
        new = NewNetwork(
            project_id=project_id(request.parent, field="parent"),
            network_id=request.network_id,
            template=await self._template(request),
            channels=request.channels if request.HasField("channels") else None,
            seed=request.seed if request.HasField("seed") else None,
            visibility=visibility_of(request.visibility),
        )
        return network_message(await self._networks.create(current_caller(), new))

    async def GetNetwork(self, request: pb.GetNetworkRequest, context: Any) -> pb.Network:
        """Return one network."""
        network = await self._networks.get(current_caller(), *network_ids(request.name))
        return network_message(network)

    async def ListNetworks(
        self, request: pb.ListNetworksRequest, context: Any
    ) -> pb.ListNetworksResponse:
        """List the networks of a project."""
        project = project_id(request.parent, field="parent")
        listing = f"networks of {request.parent}"
        asked = page_request(request.page_size, request.page_token, listing=listing)
        found = await self._networks.list(
            current_caller(), project, after=asked.after, limit=asked.limit + 1
        )
        asked, messages = bounded(asked, [network_message(network) for network in found])
        page = page_of(asked, messages, key=lambda message: network_ids(message.name)[1])
        return pb.ListNetworksResponse(networks=page.items, next_page_token=page.next_page_token)

    async def ListGrowthEvents(
        self, request: pb.ListGrowthEventsRequest, context: Any
    ) -> pb.ListGrowthEventsResponse:
        """List what changed in a network's structure."""
        asked = page_request(
            request.page_size, request.page_token, listing=f"growth events of {request.parent}"
        )
        found = await self._networks.growth_events(
            current_caller(),
            *network_ids(request.parent, field="parent"),
            after=number_after(asked),
            limit=asked.limit + 1,
        )
        page = page_of(asked, found, key=lambda event: str(event.number))
        return pb.ListGrowthEventsResponse(
            events=[event_message(event) for event in page.items],
            next_page_token=page.next_page_token,
        )

    async def UpdateNetwork(self, request: pb.UpdateNetworkRequest, context: Any) -> pb.Network:
        """Change who may know of a network."""
        check_mask(request.update_mask, ["visibility"])
        network = await self._networks.update(
            current_caller(),
            *network_ids(request.network.name, field="network.name"),
            visibility=visibility_of(request.network.visibility),
            etag=request.network.etag,
        )
        return network_message(network)

    async def SnapshotNetwork(
        self, request: pb.SnapshotNetworkRequest, context: Any
    ) -> pb.NetworkSnapshot:
        """Take a snapshot of a network."""
        taken = await self._networks.snapshot(current_caller(), *network_ids(request.name))
        return snapshot_message(taken)

    async def DeleteNetwork(self, request: pb.DeleteNetworkRequest, context: Any) -> Empty:
        """Delete a network."""
        ids = network_ids(request.name)
        await self._networks.delete(current_caller(), *ids, etag=request.etag)
        return Empty()

    async def _template(self, request: pb.CreateNetworkRequest) -> NetworkTemplate:
        source = request.WhichOneof("source")
        if source == "template":
            return shipped_template(self._shipped, request.template).template
        if source == "template_yaml":
            return await self._turns.read(request.template_yaml)
        return network_template_of(request.structure)


def bounded(
    asked: PageRequest, messages: Sequence[pb.Network], *, limit_bytes: int = _PAGE_BYTES
) -> tuple[PageRequest, Sequence[pb.Network]]:
    """Return a page request with a limit low enough, and one message more than that if need be.

    Args:
        asked: What was asked for.
        messages: The messages found, one more than the limit if there are that many.
        limit_bytes: The most bytes on a page; one message is on it, however large.
    """
    size = 0
    for index, message in enumerate(messages[: asked.limit]):
        size += message.ByteSize()
        if size > limit_bytes and index > 0:
            return replace(asked, limit=index), messages[: index + 1]
    return asked, messages
