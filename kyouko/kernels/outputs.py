"""The first weights from hidden neurons to outputs."""

import math

import numpy as np

from kyouko.kernels.compile import growth_kernel
from kyouko.kernels.randomness import draw_normal

__all__ = ["start_outputs"]


@growth_kernel
def start_outputs(
    output_weights: np.ndarray,
    slow_output_weights: np.ndarray,
    outputs: int,
    block_neurons: np.ndarray,
    block_width: int,
    random_state: np.ndarray,
) -> None:
    """Draw the first weights from the hidden neurons to `outputs` outputs, small and random.

    Neurons that only pad a block keep weight zero, which keeps them silent for ever.

    Args:
        output_weights: float32, shape (most outputs, blocks * block_width), written.
        slow_output_weights: the averaged copy, written.
        outputs: rows to draw.
        block_neurons: int32, shape (blocks,), real neurons of each block.
        block_width: neurons a block has room for.
        random_state: uint64, shape (1,).
    """
    neurons = 0
    for block in range(block_neurons.shape[0]):
        neurons += block_neurons[block]
    scale = 0.3 / math.sqrt(max(neurons, 1))
    for output in range(outputs):
        for block in range(block_neurons.shape[0]):
            for neuron in range(block_neurons[block]):
                weight = np.float32(scale * draw_normal(random_state))
                output_weights[output, block * block_width + neuron] = weight
                slow_output_weights[output, block * block_width + neuron] = weight
