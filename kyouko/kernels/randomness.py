"""Random numbers whose state is a part of the network."""

import math

import numpy as np

from kyouko.kernels.compile import growth_kernel, growth_part

__all__ = ["draw_normal", "draw_uniform"]


@growth_part
def draw_uniform(random_state: np.ndarray) -> float:
    """Draw from (0, 1) with a 64-bit xorshift generator.

    Args:
        random_state: uint64, shape (1,), never zero, advanced.

    Source: Marsaglia 2003, "Xorshift RNGs", section 3, triple (13, 7, 17).
    """
    state = random_state[0]
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    random_state[0] = state
    return (np.float64(state >> np.uint64(11)) + 0.5) / 9007199254740992.0


@growth_kernel
def draw_normal(random_state: np.ndarray) -> float:
    """Draw from N(0, 1).

    Source: Box & Muller 1958, "A Note on the Generation of Random Normal Deviates".
    """
    radius = math.sqrt(-2.0 * math.log(draw_uniform(random_state)))
    return radius * math.cos(2.0 * math.pi * draw_uniform(random_state))
