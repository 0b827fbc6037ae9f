"""Templates as people write them: reading YAML, and the templates that come with Hanami."""

from kyouko.templates.reading import read_template
from kyouko.templates.shipped import ShippedTemplate, shipped_templates
from kyouko.templates.turns import TemplateTurns

__all__ = ["ShippedTemplate", "TemplateTurns", "read_template", "shipped_templates"]
