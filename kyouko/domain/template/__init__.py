"""Templates: what a network is to be made from, and whether that can work.

A template may leave the number of channels open; `resolve` closes it and gives
the structure that an engine is made from.
"""

from kyouko.domain.template.problems import problems_of
from kyouko.domain.template.resolving import check, resolve
from kyouko.domain.template.template import (
    Extent,
    NetworkTemplate,
    TemplateInput,
    TemplateProblem,
    Vector,
    template_invalid,
)

__all__ = [
    "Extent",
    "NetworkTemplate",
    "TemplateInput",
    "TemplateProblem",
    "Vector",
    "check",
    "problems_of",
    "resolve",
    "template_invalid",
]
