"""Networks: made from a template, grown by learning."""

from __future__ import annotations

from collections.abc import AsyncIterator

from google.protobuf import empty_pb2, field_mask_pb2
from hanami.kyouko.v1 import network_service_pb2 as pb
from hanami.kyouko.v1 import network_service_pb2_grpc, template_service_pb2

from hanami_sdk.areas.pages import walk_pages
from hanami_sdk.connection import Connection
from hanami_sdk.errors import InvalidArgument
from hanami_sdk.names import Namespace, template_name
from hanami_sdk.visibility import Visibility, visibility_number


class Networks:
    """Creates, reads and deletes networks."""

    def __init__(self, connection: Connection, namespace: Namespace) -> None:
        self._connection = connection
        self._namespace = namespace
        self._stub = network_service_pb2_grpc.NetworkServiceStub(connection.channel)

    async def create(
        self,
        network_id: str,
        *,
        project: str | None = None,
        template: str | None = None,
        template_yaml: str | None = None,
        structure: template_service_pb2.NetworkTemplate | None = None,
        channels: int | None = None,
        seed: int | None = None,
        visibility: Visibility | None = None,
    ) -> pb.Network:
        """Create a network that has not one connection yet.

        Args:
            network_id: last part of its name.
            project: where to create it; the client's project by default.
            template: name of a template that comes with Hanami. Give this,
                `template_yaml` or `structure`.
            template_yaml: a template in YAML.
            structure: a template as a message.
            channels: inputs of the one population whose number is left open.
            seed: where randomness starts, instead of the template's seed.
            visibility: who may know of it; SHARED by default.

        Raises:
            AlreadyExists: the id is taken (RESOURCE_EXISTS).
            InvalidArgument: the template has a mistake (TEMPLATE_INVALID).
        """
        if sum(source is not None for source in (template, template_yaml, structure)) != 1:
            raise InvalidArgument(
                "A network is made from exactly one of template, template_yaml and structure.",
                reason="FIELD_INVALID",
            )
        request = pb.CreateNetworkRequest(
            parent=self._namespace.parent(project),
            network_id=network_id,
            structure=structure,
            channels=channels,
            seed=seed,
            visibility=visibility_number(visibility),
        )
        if template is not None:
            request.template = template_name(template)
        if template_yaml is not None:
            request.template_yaml = template_yaml
        return await self._connection.unary(self._stub.CreateNetwork, request, pb.Network)

    async def get(self, network: str) -> pb.Network:
        """Return one network and how far it has grown."""
        request = pb.GetNetworkRequest(name=self._namespace.network(network))
        return await self._connection.unary(self._stub.GetNetwork, request, pb.Network)

    def list(self, project: str | None = None) -> AsyncIterator[pb.Network]:
        """Iterate over the networks of a project."""
        return walk_pages(
            self._connection,
            self._stub.ListNetworks,
            pb.ListNetworksRequest(parent=self._namespace.parent(project), page_size=1000),
            pb.ListNetworksResponse,
            lambda page: page.networks,
        )

    def growth_events(self, network: str) -> AsyncIterator[pb.GrowthEvent]:
        """Iterate over what changed in a network's structure, oldest first; the latest 256."""
        return walk_pages(
            self._connection,
            self._stub.ListGrowthEvents,
            pb.ListGrowthEventsRequest(parent=self._namespace.network(network), page_size=1000),
            pb.ListGrowthEventsResponse,
            lambda page: page.events,
        )

    async def update(self, network: str, *, visibility: Visibility, etag: str = "") -> pb.Network:
        """Change who may know of a network (its owner, project admins).

        Streams of those who may not any more end. With an etag, only if it is still the same.
        """
        request = pb.UpdateNetworkRequest(
            network=pb.Network(
                name=self._namespace.network(network),
                visibility=visibility_number(visibility),
                etag=etag,
            ),
            update_mask=field_mask_pb2.FieldMask(paths=["visibility"]),
        )
        return await self._connection.unary(self._stub.UpdateNetwork, request, pb.Network)

    async def snapshot(self, network: str) -> pb.NetworkSnapshot:
        """Take a snapshot now; one that holds all that was learned already is the answer itself."""
        request = pb.SnapshotNetworkRequest(name=self._namespace.network(network))
        return await self._connection.unary(self._stub.SnapshotNetwork, request, pb.NetworkSnapshot)

    async def delete(self, network: str, *, etag: str = "") -> None:
        """Delete a network with its tasks; with an etag, only if it is still the same."""
        request = pb.DeleteNetworkRequest(name=self._namespace.network(network), etag=etag)
        await self._connection.unary(self._stub.DeleteNetwork, request, empty_pb2.Empty)
