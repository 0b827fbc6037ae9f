"""Templates that networks are made from."""

from __future__ import annotations

from collections.abc import AsyncIterator

from hanami.kyouko.v1 import template_service_pb2 as pb
from hanami.kyouko.v1 import template_service_pb2_grpc

from hanami_sdk.areas.pages import walk_pages
from hanami_sdk.connection import Connection
from hanami_sdk.names import template_name


class Templates:
    """Reads the templates that come with Hanami, and checks new ones."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = template_service_pb2_grpc.TemplateServiceStub(connection.channel)

    async def parse(self, yaml: str) -> pb.NetworkTemplate:
        """Check a template written in YAML and return what it means.

        Raises:
            InvalidArgument: a mistake; `metadata` has its `line` and `column`
                (TEMPLATE_INVALID).
        """
        request = pb.ParseTemplateRequest(yaml=yaml)
        return await self._connection.unary(self._stub.ParseTemplate, request, pb.NetworkTemplate)

    async def get(self, template: str) -> pb.Template:
        """Return one of the templates that come with Hanami."""
        request = pb.GetTemplateRequest(name=template_name(template))
        return await self._connection.unary(self._stub.GetTemplate, request, pb.Template)

    def list(self) -> AsyncIterator[pb.Template]:
        """Iterate over the templates that come with Hanami."""
        return walk_pages(
            self._connection,
            self._stub.ListTemplates,
            pb.ListTemplatesRequest(page_size=1000),
            pb.ListTemplatesResponse,
            lambda page: page.templates,
        )
