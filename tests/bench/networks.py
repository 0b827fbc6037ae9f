"""Networks made from the shipped templates, without a mesh around them."""

from kyouko.domain.engine import (
    InputPopulation,
    NetworkStructure,
    OutputPopulation,
    Population,
    TaskKind,
)
from kyouko.domain.template import resolve
from kyouko.templates.shipped import shipped_templates


def structure_of(template: str, *, seed: int | None = None) -> NetworkStructure:
    """Return the structure that a shipped template makes of 784 channels.

    Args:
        template: The resource name, `templates/{template}`.
        seed: Overrides the template's seed.
    """
    shipped = shipped_templates()[template.removeprefix("templates/")]
    return resolve(shipped.template, channels=784, seed=seed)


def flat_structure(channels: int, neurons: int) -> NetworkStructure:
    """Return one population of classes that may connect to every channel."""
    return NetworkStructure(
        inputs=(InputPopulation("input", channels, (channels, 1, 1), (0.0, 0.0, 0.0)),),
        populations=(Population("hidden", (0.0, 0.0, 1.0), neurons),),
        output=OutputPopulation("label", TaskKind.CLASSES),
    )
