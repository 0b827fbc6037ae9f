"""The templates that come with Hanami: the YAML files beside this module."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kyouko.domain.template import NetworkTemplate
from kyouko.templates.reading import read_template


@dataclass(frozen=True)
class ShippedTemplate:
    """A template with the text it was read from; `template_id` is the file's name."""

    template_id: str
    yaml: str
    template: NetworkTemplate


def shipped_templates() -> Mapping[str, ShippedTemplate]:
    """Read the shipped templates, ordered by id.

    Raises:
        InvalidArgument: TEMPLATE_INVALID: one of the files has a mistake.
    """
    shipped = {}
    for path in sorted(Path(__file__).parent.glob("*.yaml"), key=lambda path: path.stem):
        text = path.read_text(encoding="utf-8")
        shipped[path.stem] = ShippedTemplate(path.stem, text, read_template(text))
    return shipped
