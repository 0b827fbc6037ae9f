"""From a template to the structure of a new network."""

from dataclasses import replace

from kyouko.domain.engine import NetworkStructure
from kyouko.domain.template.problems import problems_of
from kyouko.domain.template.template import (
    NetworkTemplate,
    TemplateInput,
    structure_of,
    template_invalid,
)
from mesh.errors import InvalidArgument


def check(template: NetworkTemplate) -> None:
    """Refuse a template from which no network can be made.

    Raises:
        InvalidArgument: TEMPLATE_INVALID.
    """
    problems = list(problems_of(template))
    if problems:
        raise template_invalid(problems)


def resolve(
    template: NetworkTemplate, *, channels: int | None = None, seed: int | None = None
) -> NetworkStructure:
    """Return the structure of a new network, every choice filled in.

    Args:
        template: The template.
        channels: The channels of the one input population that leaves its number open.
        seed: Overrides the template's seed.

    Raises:
        InvalidArgument: TEMPLATE_INVALID, or FIELD_INVALID for `channels`.
    """
    check(template)
    chosen = replace(template, inputs=_close(template.inputs, channels))
    if seed is not None:
        chosen = replace(chosen, options=replace(chosen.options, seed=seed))
    if chosen != template:
        check(chosen)
    return structure_of(chosen)


def _close(inputs: tuple[TemplateInput, ...], channels: int | None) -> tuple[TemplateInput, ...]:
    names = [item.name for item in inputs if item.known_channels is None]
    if not names:
        total = sum(item.known_channels or 0 for item in inputs)
        if channels not in (None, total):
            raise InvalidArgument.for_field(
                "channels",
                f"the template fixes {total} channels and leaves none open, not {channels}",
                metadata={"expected": str(total), "actual": str(channels)},
            )
        return inputs
    if channels is None:
        raise InvalidArgument.for_field(
            "channels", f"the template leaves the channels of input {names[0]!r} open; say how many"
        )
    return tuple(
        replace(item, channels=channels) if item.known_channels is None else item for item in inputs
    )
