"""TemplateService."""

from collections.abc import Mapping
from typing import Any

from hanami.kyouko.v1 import template_service_pb2 as pb
from hanami.kyouko.v1 import template_service_pb2_grpc

from kyouko.convert.templates import network_template_message, template_message
from kyouko.templates import ShippedTemplate, TemplateTurns
from mesh import names
from mesh.errors import NotFound
from mesh.pages import page_of, page_request


class TemplateServicer(template_service_pb2_grpc.TemplateServiceServicer):
    """Serves the shipped templates and reads new ones."""

    def __init__(self, shipped: Mapping[str, ShippedTemplate], turns: TemplateTurns) -> None:
        self._shipped = shipped
        self._turns = turns

    async def ParseTemplate(
        self, request: pb.ParseTemplateRequest, context: Any
    ) -> pb.NetworkTemplate:
        """Read a template."""
        return network_template_message(await self._turns.read(request.yaml))

    async def GetTemplate(self, request: pb.GetTemplateRequest, context: Any) -> pb.Template:
        """Return one shipped template."""
        return template_message(shipped_template(self._shipped, request.name))

    async def ListTemplates(
        self, request: pb.ListTemplatesRequest, context: Any
    ) -> pb.ListTemplatesResponse:
        """List the shipped templates."""
        asked = page_request(request.page_size, request.page_token, listing="templates")
        found = [item for key, item in sorted(self._shipped.items()) if key > asked.after]
        page = page_of(asked, found[: asked.limit + 1], key=lambda item: item.template_id)
        return pb.ListTemplatesResponse(
            templates=[template_message(item) for item in page.items],
            next_page_token=page.next_page_token,
        )


def shipped_template(shipped: Mapping[str, ShippedTemplate], name: str) -> ShippedTemplate:
    """Return the shipped template of a name.

    Raises:
        NotFound: RESOURCE_NOT_FOUND.
    """
    (template_id,) = names.parse("templates/*", name)
    if template_id not in shipped:
        raise NotFound(name)
    return shipped[template_id]
