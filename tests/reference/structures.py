"""Small networks and made-up data for the engine's tests; the same seed gives the same rows."""

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine import (
    Activation,
    Connection,
    EngineOptions,
    InputPopulation,
    NetworkKind,
    NetworkStructure,
    Optimizer,
    Organisation,
    OutputPopulation,
    Population,
    Reach,
    ReachKind,
    Spiking,
    TaskKind,
)

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]

SIDE = 12
_SPIKING: Final = Spiking(leak=0.6, cooldown=0.4, refractory=1)


def flat(
    channels: int,
    neurons: int = 16,
    *,
    kind: TaskKind = TaskKind.CLASSES,
    size: int = 0,
    options: EngineOptions | None = None,
) -> NetworkStructure:
    """One population that may connect to every channel."""
    return NetworkStructure(
        inputs=(InputPopulation("input", channels, (channels, 1, 1), (0.0, 0.0, 0.0)),),
        populations=(Population("hidden", (0.0, 0.0, 1.0), neurons),),
        output=OutputPopulation("output", kind, size),
        options=options or EngineOptions(),
    )


def local(
    neurons: int = 16,
    *,
    kind: TaskKind = TaskKind.CLASSES,
    size: int = 0,
    options: EngineOptions | None = None,
) -> NetworkStructure:
    """Four populations over a picture of SIDE x SIDE channels, each sees a window of 8 x 8."""
    places = (3.5, 7.5)
    return NetworkStructure(
        inputs=(InputPopulation("picture", SIDE * SIDE, (SIDE, SIDE, 1), (0.0, 0.0, 0.0)),),
        populations=tuple(
            Population(
                f"hidden {x} {y}",
                (x, y, 0.0),
                neurons,
                reach=Reach(ReachKind.WINDOW, window=(7.0, 7.0, 0.0)),
            )
            for y in places
            for x in places
        ),
        output=OutputPopulation("output", kind, size),
        options=options or EngineOptions(),
    )


def delayed(structure: NetworkStructure, *delays: int) -> NetworkStructure:
    """Give every channel of a structure the same delays."""
    inputs = tuple(replace(item, delays=delays) for item in structure.inputs)
    return replace(structure, inputs=inputs)


def static(
    structure: NetworkStructure,
    *neurons: int,
    activation: Activation = Activation.RECTIFIED,
    optimizer: Optimizer = Optimizer.SGD,
    learning_rate: float | None = None,
) -> NetworkStructure:
    """Make classical layers of a flat structure: its own neurons, then layers of `neurons`."""
    sizes = (structure.populations[0].neurons, *neurons)
    return replace(
        structure,
        kind=NetworkKind.STATIC,
        populations=tuple(
            Population(f"layer {place}", (0.0, 0.0, 1.0 + place), size, activation=activation)
            for place, size in enumerate(sizes)
        ),
        options=replace(structure.options, optimizer=optimizer, learning_rate=learning_rate),
    )


def bricks(
    neurons: int = 16,
    *,
    kind: TaskKind = TaskKind.CLASSES,
    size: int = 0,
    options: EngineOptions | None = None,
) -> NetworkStructure:
    """A brick of bricks: the four populations of `local`, and one that sees only them."""
    below = local(neurons, kind=kind, size=size, options=options)
    names = tuple(item.name for item in below.populations)
    above = Population("above", (5.5, 5.5, 1.0), neurons + 4, inputs=names)
    return replace(below, populations=(*below.populations, above))


def far(neurons: int = 16, *, options: EngineOptions | None = None) -> NetworkStructure:
    """Populations that also hear of what lies far away, or only now and then of what is near."""
    near = Reach(ReachKind.RADIUS, radius=2.0)
    return NetworkStructure(
        inputs=(InputPopulation("input", 6, (6, 1, 1), (0.0, 0.0, 0.0)),),
        populations=(
            Population("left", (0.0, 0.0, 1.0), neurons, reach=near),
            Population("faint", (5.0, 0.0, 1.0), neurons, reach=Reach(falloff=4.0)),
            Population("right", (5.0, 0.0, 2.0), neurons, ("input", "faint"), near),
        ),
        output=OutputPopulation("output", TaskKind.CLASSES),
        options=options or EngineOptions(),
        connections=(Connection("left", "right", 0.5), Connection("input", "right", 0.5)),
    )


def spiking(
    channels: int,
    neurons: int = 16,
    *,
    spikes: Spiking = _SPIKING,
    kind: TaskKind = TaskKind.CLASSES,
    size: int = 0,
    options: EngineOptions | None = None,
) -> NetworkStructure:
    """A plain population, a spiking one beside it, and a spiking one above both."""
    populations = (
        Population("plain", (0.0, 0.0, 1.0), neurons),
        Population("spiking", (0.0, 0.0, 1.0), neurons, spiking=spikes),
        Population("above", (0.0, 0.0, 2.0), neurons, ("plain", "spiking"), spiking=spikes),
    )
    below = flat(channels, kind=kind, size=size, options=options)
    return replace(below, populations=populations)


def pictures(rows: int, *, seed: int = 7, classes: int = 10) -> tuple[Float32, Int32]:
    """Sparse noisy pictures of `classes` random shapes, values 0 to 255, mostly 0."""
    random = np.random.default_rng(99)
    shapes = random.random((classes, SIDE * SIDE)) < 0.35
    strength = random.uniform(60.0, 255.0, (classes, SIDE * SIDE))
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows).astype(np.int32)
    flipped = random.random((rows, SIDE * SIDE)) < 0.5
    lit = shapes[labels] ^ (flipped & (random.random((rows, SIDE * SIDE)) < 0.8))
    values = strength[labels] * lit + flipped * lit * random.normal(0.0, 60.0, lit.shape)
    return np.clip(np.round(values), 0, 255).astype(np.float32), labels


def table(rows: int, *, seed: int = 3, channels: int = 6) -> tuple[Float32, Int32]:
    """Continuous channels on different scales; the class is a curved function of three of them."""
    random = np.random.default_rng(seed)
    plain = random.normal(size=(rows, channels))
    score = plain[:, 0] * plain[:, 1] + plain[:, 2]
    labels = (score > 0).astype(np.int32) + (score > 1.5).astype(np.int32)
    scale = 10.0 ** np.linspace(-2, 3, channels)
    return (plain * scale + 3.0 * scale).astype(np.float32), labels


def curve(rows: int, *, seed: int = 5, outputs: int = 1) -> tuple[Float32, Float32]:
    """Ten uniform channels and a smooth function of five of them with unit noise.

    Source: Friedman 1991, "Multivariate Adaptive Regression Splines", equation 61.
    """
    random = np.random.default_rng(seed)
    x = random.random((rows, 10))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    y = y + 10 * x[:, 3] + 5 * x[:, 4] + random.normal(size=rows)
    targets = np.stack([y * (place + 1) for place in range(outputs)], axis=1)
    return x.astype(np.float32), targets.astype(np.float32)


def organising(
    channels: int,
    neurons: int = 16,
    *,
    organisation: Organisation | None = None,
    options: EngineOptions | None = None,
) -> NetworkStructure:
    """One population that reaches all channels, and four that the network finds by itself."""
    found = organisation or Organisation(populations=4, neurons=8, channels=36, at_row=150)
    return replace(flat(channels, neurons, options=options), organisation=found)


def scrambled_pictures(rows: int, *, seed: int = 11) -> tuple[Float32, Int32, Int32]:
    """Pictures of SIDE x SIDE channels with three soft spots, their channels in random order.

    Returns:
        The rows; the quarter of the picture that is brightest; the place of each channel in the
        picture, y * SIDE + x.
    """
    random = np.random.default_rng(seed)
    y, x = np.divmod(np.arange(SIDE * SIDE), SIDE)
    centre = random.uniform(-0.5, SIDE - 0.5, (rows, 3, 2))
    distance = (x - centre[:, :, :1]) ** 2 + (y - centre[:, :, 1:]) ** 2
    light = np.exp(-distance / 4.0).sum(axis=1)
    quarter = (y >= SIDE // 2) * 2 + (x >= SIDE // 2)
    brightness = np.stack([light[:, quarter == place].sum(axis=1) for place in range(4)], axis=1)
    values = np.round(255 * light + random.normal(0.0, 8.0, light.shape))
    order = np.random.default_rng(5).permutation(SIDE * SIDE)
    scrambled = np.clip(values[:, order], 0, None).astype(np.float32)
    return scrambled, brightness.argmax(axis=1).astype(np.int32), order.astype(np.int32)
