"""Whether a static network can be put onto a GPU, and what it takes there; torch stays unloaded."""

import importlib.util

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.errors import EngineStructureError
from kyouko.domain.engine.static.backend import FRAME_ROWS, Backend, Weights
from kyouko.domain.engine.static.layers import Plan

__all__ = ["count_gpu_bytes", "make_gpu_backend"]


def count_gpu_bytes(plan: Plan, *, adam: bool) -> int:
    """Bytes on the device beside the weights: rows, results, and what a step computes with."""
    channels = plan.layers[0].inputs - 1
    outputs = plan.output.neurons
    frame = FRAME_ROWS * (24 * (channels + 1) + 8 * outputs + 40)
    largest = max(layer.weights for layer in plan.layers)
    return frame + 16 * channels + 32 * plan.places + (24 * largest if adam else 0)


def make_gpu_backend(
    plan: Plan, settings: npt.NDArray[np.float64], weights: Weights, *, classes: bool
) -> Backend:
    """Put weights onto the GPU.

    Raises:
        EngineStructureError: if torch or a GPU is missing, or its memory does not suffice.
    """
    if importlib.util.find_spec("torch") is None:
        raise EngineStructureError(
            "options.device",
            "gpu, but torch is not installed",
            "cpu; or gpu where kyouko is installed as hanami[torch]",
        )
    import torch

    from kyouko.domain.engine.static.torch_backend import TorchBackend

    if not torch.cuda.is_available():
        raise EngineStructureError(
            "options.device", "gpu, but torch finds no GPU", "cpu; or gpu on a machine that has one"
        )
    try:
        backend: Backend = TorchBackend(
            plan, settings, weights, torch.device("cuda"), classes=classes
        )
    except torch.cuda.OutOfMemoryError as error:
        raise EngineStructureError(
            "options.device", "gpu, but its memory is taken", "cpu, or a smaller network"
        ) from error
    return backend
