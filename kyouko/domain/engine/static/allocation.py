"""The memory of a static network: how much it takes, and on which device it lies."""

import numpy as np

from kyouko.domain.engine.static.backend import Backend, Weights
from kyouko.domain.engine.static.cpu import CpuBackend, count_cpu_bytes
from kyouko.domain.engine.static.events import KEPT_EVENTS
from kyouko.domain.engine.static.layers import Plan, choose_settings
from kyouko.domain.engine.static.outputs import TargetScale
from kyouko.domain.engine.static.scaling import Scaling
from kyouko.domain.engine.structure import Device, NetworkStructure, Optimizer, TaskKind
from kyouko.kernels import dense_indices as indices

__all__ = ["allocate_weights", "count_bytes", "make_backend"]


def count_bytes(structure: NetworkStructure, plan: Plan) -> int:
    """Bytes of all arrays of the network, on whatever device; they never grow."""
    copies = 3 if structure.options.optimizer is Optimizer.ADAM else 1
    total = 4 * plan.parameters * copies + 8 * (indices.COUNTERS + indices.METERS)
    total += Scaling.count_bytes(structure.channels) + 32 * KEPT_EVENTS + 8
    if structure.output.kind is TaskKind.NUMBERS:
        total += TargetScale.count_bytes(structure.output.size)
    if structure.options.device is Device.GPU:
        from kyouko.domain.engine.static.gpu import count_gpu_bytes

        return total + count_gpu_bytes(plan, adam=copies == 3)
    return total + count_cpu_bytes(plan)


def allocate_weights(structure: NetworkStructure, plan: Plan) -> Weights:
    """Allocate zeros, with the outputs that are known from the start."""
    adam = structure.options.optimizer is Optimizer.ADAM
    moments = plan.parameters if adam else 0
    weights = Weights(
        parameters=np.zeros(plan.parameters, np.float32),
        first_moment=np.zeros(moments, np.float32),
        second_moment=np.zeros(moments, np.float32),
        counters=np.zeros(indices.COUNTERS, np.int64),
        meters=np.zeros(indices.METERS),
    )
    weights.counters[indices.KNOWN_OUTPUTS] = structure.output.size
    return weights


def make_backend(structure: NetworkStructure, plan: Plan, weights: Weights) -> Backend:
    """Put the weights onto the device that the structure asks for.

    Raises:
        EngineStructureError: if that device is not there.
    """
    classes = structure.output.kind is TaskKind.CLASSES
    settings = choose_settings(structure, classes=classes)
    if structure.options.device is Device.GPU:
        # Only here: torch is an extra, and takes seconds to import.
        from kyouko.domain.engine.static.gpu import make_gpu_backend

        return make_gpu_backend(plan, settings, weights, classes=classes)
    return CpuBackend(plan, settings, weights, classes=classes)
