"""Hidden neurons that lead to other hidden neurons.

A hidden neuron is a source as a section is: its activity is the drive of one weight row for each
block that it reaches, in the same pool and the same buckets. Blocks are in an order in which every
source comes before its targets, so one pass in order computes all activities, and one in reverse
all derivatives. The weight row of inner edge e is row e.
"""

import math

import numpy as np

from kyouko.kernels.compile import growth_kernel, hot_part, hot_piece
from kyouko.kernels.forward import add_up, read_out
from kyouko.kernels.indices import SPIKING_ON, SPIKING_SHARE, USED_ROWS
from kyouko.kernels.randomness import draw_normal
from kyouko.kernels.spiking import LEAST_TRACE

__all__ = ["compute_scores", "pass_back", "start_inner_rows"]


@growth_kernel
def start_inner_rows(
    inner_first: np.ndarray,
    block_neurons: np.ndarray,
    weights: np.ndarray,
    slow_weights: np.ndarray,
    counters: np.ndarray,
    random_state: np.ndarray,
) -> None:
    """Draw the first weights between hidden neurons: sums of about the sources' own variance.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        block_neurons: int32, shape (blocks,), neurons in use; the others keep weight zero.

    Source: He et al. 2015, "Delving Deep into Rectifiers", section 2.2.
    """
    for block in range(block_neurons.shape[0]):
        first = inner_first[block]
        stop = inner_first[block + 1]
        scale = math.sqrt(2.0 / max(stop - first, 1))
        for edge in range(first, stop):
            for neuron in range(block_neurons[block]):
                weight = np.float32(scale * draw_normal(random_state))
                weights[edge, neuron] = weight
                slow_weights[edge, neuron] = weight
        counters[USED_ROWS] += stop - first


@hot_part
def _push_inner(
    block: int,
    inner_first: np.ndarray,
    inner_source: np.ndarray,
    inner_length: np.ndarray,
    spiking: np.ndarray,
    inner_trace: np.ndarray,
    hidden: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
) -> None:
    """Add the active hidden sources of a block to its bucket, in place of those of before."""
    count = np.int64(bucket_length[block]) - inner_length[block]
    start = count
    keeps = spiking.shape[0] > 0
    for edge in range(inner_first[block], inner_first[block + 1]):
        drive = hidden[inner_source[edge]]
        if keeps:
            trace = spiking[block, SPIKING_SHARE] * inner_trace[edge]
            if abs(trace) >= np.float32(LEAST_TRACE):
                drive += trace
        if drive != 0.0:
            bucket_row[block, count] = edge
            bucket_drive[block, count] = drive
            count += 1
    bucket_length[block] = count
    inner_length[block] = count - start


@hot_part
def _add_up_graph(
    weights: np.ndarray,
    bias: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    leak: float,
    inner_first: np.ndarray,
    inner_source: np.ndarray,
    inner_length: np.ndarray,
    spiking: np.ndarray,
    inner_trace: np.ndarray,
    raised: np.ndarray,
    silent: np.ndarray,
    lowered: np.ndarray,
    hidden: np.ndarray,
    hidden_blocks: np.ndarray,
) -> None:
    """Compute hidden activities block by block, sources before targets.

    A spiking neuron fires by what its potential exceeds its raised threshold, unless it is silent
    after a spike. May be called again for the same row: the buckets' inner part is made anew.

    Args are those of `kyouko.kernels.forward.add_up` and arrays of the layout table.
    """
    spikes = spiking.shape[0] > 0
    for block in range(bias.shape[0]):
        _push_inner(
            block, inner_first, inner_source, inner_length, spiking, inner_trace, hidden,
            bucket_row, bucket_drive, bucket_length,
        )  # fmt: skip
        offset = bias
        if spikes and spiking[block, SPIKING_ON] != 0.0:
            offset = lowered
            for n in range(bias.shape[1]):
                lowered[block, n] = bias[block, n] - raised[block, n]
        add_up(
            block, block + 1, weights, offset, bucket_row, bucket_drive, bucket_length, leak,
            hidden_blocks,
        )  # fmt: skip
        if spikes:
            for n in range(bias.shape[1]):
                if silent[block, n] > 0:
                    hidden_blocks[block, n] = 0.0


@hot_piece
def compute_scores(
    weights: np.ndarray,
    bias: np.ndarray,
    output_weights: np.ndarray,
    output_bias: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    known: int,
    leak: float,
    inner_first: np.ndarray,
    inner_source: np.ndarray,
    inner_length: np.ndarray,
    spiking: np.ndarray,
    inner_trace: np.ndarray,
    raised: np.ndarray,
    silent: np.ndarray,
    lowered: np.ndarray,
    hidden: np.ndarray,
    hidden_blocks: np.ndarray,
    scores: np.ndarray,
) -> None:
    """Compute hidden activities and scores, whether or not hidden neurons lead to others.

    Args are those of `add_up` and `read_out` in `kyouko.kernels.forward` and arrays of the layout
    table; `hidden` and `hidden_blocks` are the same memory.
    """
    if spiking.shape[0] > 0 or inner_source.shape[0] > 0:
        _add_up_graph(
            weights, bias, bucket_row, bucket_drive, bucket_length, leak, inner_first, inner_source,
            inner_length, spiking, inner_trace, raised, silent, lowered, hidden, hidden_blocks,
        )  # fmt: skip
    else:
        add_up(
            0, bias.shape[0], weights, bias, bucket_row, bucket_drive, bucket_length, leak,
            hidden_blocks,
        )  # fmt: skip
    read_out(output_weights, output_bias, known, hidden, scores)


@hot_part
def pass_back(
    block: int,
    weights: np.ndarray,
    inner_source: np.ndarray,
    inner_length: np.ndarray,
    bucket_row: np.ndarray,
    bucket_length: np.ndarray,
    hidden_delta: np.ndarray,
    hidden_delta_blocks: np.ndarray,
) -> None:
    """Add what the hidden sources of a block owe to its derivatives; blocks come in reverse.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        block: the block.
        hidden_delta: float32, shape (blocks * block width,), derivatives of the loss by the
            neurons' activities; those of the block itself by its sums.
        hidden_delta_blocks: the same memory, shape (blocks, block width).
    """
    stop = np.int64(bucket_length[block])
    for item in range(stop - inner_length[block], stop):
        row = np.uint32(bucket_row[block, item])
        total = np.float32(0.0)
        for n in range(hidden_delta_blocks.shape[1]):
            total += weights[row, n] * hidden_delta_blocks[block, n]
        hidden_delta[inner_source[row]] += total
