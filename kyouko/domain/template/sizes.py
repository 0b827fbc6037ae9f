"""How large a network a template may ask for; counted before anything is laid out."""

from collections.abc import Iterator, Mapping

from kyouko.domain.engine import Organisation
from kyouko.domain.engine.growing.topology import choose_block_width, expected_populations
from kyouko.domain.template import limits
from kyouko.domain.template.template import NetworkTemplate, TemplateInput, TemplateProblem

__all__ = ["count_channels", "problems_of_size"]


def count_channels(inputs: tuple[TemplateInput, ...]) -> int:
    """Return the channels that are known, each delayed copy counted."""
    return sum((item.known_channels or 0) * (1 + len(item.delays)) for item in inputs)


def problems_of_size(
    template: NetworkTemplate, found: Organisation | None
) -> Iterator[TemplateProblem]:
    """Refuse what would take seconds and gigabytes only to be laid out.

    Args:
        template: the template.
        found: its organisation, unless that is wrong itself.
    """
    populations = template.populations
    channels = count_channels(template.inputs) * (1 + _count_copies(template))
    width = choose_block_width(populations + expected_populations(found)) if populations else 8
    blocks = {item.name: -(-item.neurons // width) for item in populations}
    neurons = {item.name: item.neurons for item in populations}
    total = sum(blocks.values())
    if found is not None:
        total += found.populations * -(-found.neurons // width)
    edges = total * channels
    for item in populations:
        edges += blocks[item.name] * sum(neurons.get(name, 0) for name in item.inputs)
    for connection in template.connections:
        edges += blocks.get(connection.target, 0) * neurons.get(connection.source, 0)
    if edges > limits.MOST_EDGES:
        yield TemplateProblem(
            "populations",
            f"{total} blocks of {width} neurons with {channels} channels make "
            f"{edges} possible connections, too many to lay out; at most {limits.MOST_EDGES}: take "
            "fewer populations, neurons or channels",
        )
    pairs = _count_pairs(template, blocks)
    if pairs > limits.MOST_PAIRS:
        yield TemplateProblem(
            "populations",
            f"{pairs} pairs of {width} neurons and a population that is drawn by chance or named, "
            f"each delay of it apart, too many to lay out; at most {limits.MOST_PAIRS}: take fewer "
            "populations, neurons, connections or delays",
        )


def _count_copies(template: NetworkTemplate) -> int:
    """Return what a pipeline puts beside each channel."""
    return template.pipeline.copies if template.pipeline is not None else 0


def _count_pairs(template: NetworkTemplate, blocks: Mapping[str, int]) -> int:
    """Count blocks times the populations that lead to each of them one by one."""
    more = _count_copies(template)
    copies = {item.name: 1 + more + len(item.delays) for item in template.inputs}
    everything = sum(copies.values())
    pairs = 0
    for item in template.populations:
        named = sum(copies.get(name, 1) for name in item.inputs)
        drawn = 0 if item.reach.falloff is None or item.inputs else everything
        pairs += blocks[item.name] * (named + drawn)
    for connection in template.connections:
        pairs += blocks.get(connection.target, 0) * copies.get(connection.source, 1)
    return pairs
