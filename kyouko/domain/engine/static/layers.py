"""From declared populations to layers: their sizes, their places in memory, their first weights."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.errors import EngineStructureError
from kyouko.domain.engine.structure import (
    Activation,
    NetworkStructure,
    Optimizer,
    Reach,
)
from kyouko.kernels import dense_indices as indices

__all__ = [
    "Layer",
    "Plan",
    "check_static",
    "choose_settings",
    "draw_parameters",
    "plan_layers",
    "widen_parameters",
]

_ACTIVATIONS: Final = {
    Activation.RECTIFIED: indices.RECTIFIED,
    Activation.TANH: indices.TANH,
    Activation.SIGMOID: indices.SIGMOID,
}
_RATES: Final = {Optimizer.SGD: 0.01, Optimizer.ADAM: 0.001}
_OPTIMIZERS: Final = {Optimizer.SGD: indices.SGD, Optimizer.ADAM: indices.ADAM}
_HIGHEST_RATE: Final = 10.0
_DRAWN_TOGETHER: Final = 1 << 16
# Half of what makes steps overshoot: 8 for the softmax, 2 for squared errors.
_STEP_LIMIT: Final = {True: 4.0, False: 1.0}


@dataclass(frozen=True)
class Layer:
    """One layer and where it lies.

    Attributes:
        inputs: values that a neuron takes, the constant 1 for its bias included.
        neurons: of the output layer: outputs for which room is kept.
        first_weight: place of the layer's first weight among the parameters.
        first_input: place of its first input among the activities.
        first_neuron: place of its first neuron among the activities.
        activation: number of the activation, see `dense_indices`.
    """

    inputs: int
    neurons: int
    first_weight: int
    first_input: int
    first_neuron: int
    activation: int

    @property
    def weights(self) -> int:
        """Weights and biases of the layer."""
        return self.inputs * self.neurons


@dataclass(frozen=True)
class Plan:
    """All layers, the output layer last.

    Attributes:
        layers: in the order of computation.
        parameters: weights and biases of all layers.
        places: activities of all layers, the inputs and constants included.
    """

    layers: tuple[Layer, ...]
    parameters: int
    places: int

    @property
    def output(self) -> Layer:
        """The last layer."""
        return self.layers[-1]

    @property
    def hidden_connections(self) -> int:
        """Weights of the hidden layers, without biases."""
        return sum((item.inputs - 1) * item.neurons for item in self.layers[:-1])

    def table(self) -> npt.NDArray[np.int64]:
        """Return the layers as the kernels read them, shape (layers, LAYER_COLUMNS)."""
        rows = [
            (
                item.inputs, item.neurons, item.first_weight, item.first_input,
                item.first_neuron, item.activation,
            )
            for item in self.layers
        ]  # fmt: skip
        return np.array(rows, np.int64)

    def used_parameters(self, known: int) -> int:
        """Count the leading parameters that belong to hidden neurons or known outputs."""
        return self.output.first_weight + known * self.output.inputs


def check_static(structure: NetworkStructure) -> None:
    """Raise EngineStructureError at the first thing that a static network cannot have."""
    structure.check()
    before = tuple(item.name for item in structure.inputs)
    for place, item in enumerate(structure.populations):
        where = f"populations[{place}]"
        # Layers follow each other as they are declared; saying so again does no harm.
        fits = not item.inputs or sorted(item.inputs) == sorted(before)
        _require(fits, f"{where}.reach.inputs", item.inputs, f"unset, or {before}")
        _require(item.reach == Reach(), f"{where}.reach", item.reach.kind.value, "all")
        _require(item.spiking is None, f"{where}.spiking", "set", "unset in a static network")
        before = (item.name,)
    growing = "only in a growing network"
    _require(not structure.connections, "connections", "set", growing)
    _require(structure.organisation is None, "organisation", "set", growing)
    options = structure.options
    _require(not options.rehearsal_steps, "options.rehearsal_steps", "set", growing)
    _require(not options.experts, "options.experts", "set", growing)
    rate = options.learning_rate
    good = rate is None or (math.isfinite(rate) and 0.0 < rate <= _HIGHEST_RATE)
    _require(good, "options.learning_rate", rate, f"above 0, up to {_HIGHEST_RATE:g}")


def _require(condition: bool, where: str, problem: object, allowed: str) -> None:
    if not condition:
        raise EngineStructureError(where, str(problem), allowed)


def plan_layers(structure: NetworkStructure) -> Plan:
    """Lay the layers out one after the other."""
    sizes = [(item.neurons, _ACTIVATIONS[item.activation]) for item in structure.populations]
    sizes.append((structure.most_outputs, indices.IDENTITY))
    layers: list[Layer] = []
    inputs, weight, place = structure.channels + 1, 0, 0
    for neurons, activation in sizes:
        layers.append(Layer(inputs, neurons, weight, place, place + inputs, activation))
        weight += inputs * neurons
        place += inputs
        inputs = neurons + 1
    return Plan(tuple(layers), weight, place + structure.most_outputs)


def choose_settings(structure: NetworkStructure, *, classes: bool) -> npt.NDArray[np.float64]:
    """Return the settings that the kernels read, indexed by the names in `dense_indices`."""
    options = structure.options
    rate = options.learning_rate
    settings = np.zeros(indices.SETTINGS)
    settings[indices.LEARNING_RATE] = _RATES[options.optimizer] if rate is None else rate
    settings[indices.STEP_LIMIT] = _STEP_LIMIT[classes]
    settings[indices.OPTIMIZER] = _OPTIMIZERS[options.optimizer]
    return settings


def draw_parameters(plan: Plan, seed: int, parameters: npt.NDArray[np.float32]) -> None:
    """Draw the hidden layers' first weights; biases and output weights start at 0.

    So all classes are equally likely, and numbers are predicted as their mean, until something
    was learned; and a class that is new does not disturb the others.

    Args:
        plan: of the layers.
        seed: of the random numbers.
        parameters: float32, shape (plan.parameters,), zeros, written.

    Source: He et al. 2015, "Delving Deep into Rectifiers", equation 10, for rectified neurons;
    Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural
    networks", equation 12 (as a normal distribution), for the others.
    """
    random = np.random.default_rng(seed & ((1 << 64) - 1))
    for layer in plan.layers[:-1]:
        sources = layer.inputs - 1
        rectified = layer.activation == indices.RECTIFIED
        variance = 2.0 / sources if rectified else 2.0 / (sources + layer.neurons)
        stop = layer.first_weight + layer.weights
        weights = parameters[layer.first_weight : stop].reshape(layer.neurons, layer.inputs)
        together = max(1, _DRAWN_TOGETHER // sources)
        for first in range(0, layer.neurons, together):
            part = weights[first : first + together, :-1]
            part[:] = random.standard_normal(part.shape, np.float32)
            part *= np.float32(math.sqrt(variance))


def widen_parameters(
    old: npt.NDArray[np.float32], before: Plan, after: Plan
) -> npt.NDArray[np.float32]:
    """Copy parameters, or Adam's moments, into a plan with more channels; the new weights are 0."""
    if not len(old):
        return old
    first, wider = before.layers[0], after.layers[0]
    parameters = np.zeros(after.parameters, np.float32)
    source = old[: first.weights].reshape(first.neurons, first.inputs)
    target = parameters[: wider.weights].reshape(wider.neurons, wider.inputs)
    target[:, : first.inputs - 1] = source[:, :-1]
    target[:, -1] = source[:, -1]
    parameters[wider.weights :] = old[first.weights :]
    return parameters
