"""The arrays that are a network: their layout, and what they take in bytes."""

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.memory import count_gaps, count_lent_bytes
from kyouko.kernels import indices

__all__ = ["STATE_GAPS", "NetworkState", "count_frame_slots"]

Array = npt.NDArray[Any]

# Rows scanned ahead of learning. Their lists, 8 bytes for each active channel, stay in the cache,
# and one call into the kernels for many rows costs less than many calls.
_MOST_FRAME_SLOTS: Final = 256
_FEWEST_FRAME_SLOTS: Final = 64
_FRAME_CHANNELS: Final = 1 << 18  # channels of all slots together


def count_frame_slots(channels: int) -> int:
    """Return how many rows of so many channels are scanned ahead of learning."""
    return min(max(_FRAME_CHANNELS // channels, _FEWEST_FRAME_SLOTS), _MOST_FRAME_SLOTS)


@dataclass(frozen=True)
class NetworkState:
    """All arrays of one network. They are allocated once and never move.

    C channels, E edges (channel, block), I inner edges (hidden neuron, block), N blocks of B
    neurons, H = N * B, P weight rows in the pool, O outputs with room, K = MOST_SECTIONS, R
    rehearsed rows, F = count_frame_slots(C).
    "Saved" marks what a snapshot holds; the rest is scratch or follows from the structure.

    ==================  =======  ==========  =====================================================
    name                dtype    shape       meaning (unit); invariant
    ==================  =======  ==========  =====================================================
    start_values        float32  (64, C)     raw first rows, later the newest sampled rows; saved
    scan_low_bytes      int16    (C,)        resting band in the dtype of uint8 rows; saved
    scan_high_bytes     int16    (C,)        likewise, upper end; saved
    resting_low         float32  (C,)        resting band (input unit); <= resting_high; saved
    resting_high        float32  (C,)        likewise, upper end; saved
    knots               float32  (C, K+1)    ends of the sections as offsets from the band,
                                             ascending, one of them 0; saved
    inverse             float32  (C, K)      1 / width of each section; saved
    zero_section        int32    (C,)        position of the knot 0; saved
    section_count       int32    (C,)        sections of the channel, 0 to K; saved
    hot                 float32  (C, 8)      record of a channel with one frozen section (see
                                             `indices`); valid low > valid high: not valid; saved
    active_values       float32  (C, 64)     offsets seen before the sections froze; saved
    active_count        int32    (C,)        how many, 0 to 64; saved
    overflow_values     float32  (C, 2, 8)   offsets beyond the knots, below and above; saved
    overflow_count      int32    (C, 2)      how many, 0 to 7; saved
    watch_low           float32  (C,)        interval in which the channel's values are compared
                                             between groups of rows (input unit); saved
    watch_high          float32  (C,)        likewise, upper end; < watch_low: not watched; saved
    watch_sums          float32  (16, 3, C)  rows inside, places in it (-1 to 1) and distances from
                                             its middle, summed by group of rows; saved
    watch_squares       float32  (C,)        sum of squared places; saved
    watch_targets       float64  (O', 3)     of sampled numeric targets: running mean, mean
                                             distance from it, rows; saved
    shares              float64  (5, 16)     what targets came, by line (see `indices`): rows of
                                             each class modulo 16, or rows in four bins of each
                                             of the first four numbers; last line: of each
                                             number rows, mean and mean distance from it; saved
    trial               uint8    (C,)        0 no, 1 on trial, 2 silenced (see `indices`); saved
    trial_drive         float32  (C, K)      mean drive of each section (-1 to 1), while on trial;
                                             saved
    use                 float32  (C,)        sum of squared drives of a sixteenth of the rows; half
                                             of it is forgotten at each review; saved
    phase               uint8    (C,)        0 new, 1 reviewed, 2 pruned (see `indices`); saved
    reach_first         int32    (C+1,)      edges of channel c: reach_first[c] to [c+1]
    reach_block         int32    (E,)        block of an edge
    home_row            int32    (E,)        weight row kept for the edge's first section, or -1;
                                             neighbours in a block are neighbours in memory;
                                             saved
    edge_neurons        int32    (E,)        neurons in use in the edge's block
    row_table           int32    (K, E)      weight row of section k on edge e, for k below the
                                             channel's section_count; no row occurs twice; saved
    weights             float32  (P, B)      section to neuron; padding neurons 0; saved
    slow_weights        float32  (P, B)      averaged copy; saved
    row_used            uint8    (P,)        1 for rows in row_table and of inner edges; saved
    free_rows           int32    (P,)        stack of returned rows, length in counters; saved
    bias                float32  (N, B)      of the neurons; saved
    slow_bias           float32  (N, B)      averaged copy; saved
    output_weights      float32  (O, H)      neuron to output; saved
    slow_output_weights float32  (O, H)      averaged copy; saved
    output_bias         float32  (O,)        saved
    slow_output_bias    float32  (O,)        averaged copy; saved
    target_mean         float64  (O,)        running mean of numeric targets; saved
    target_variance     float64  (O,)        running variance; >= 0; saved
    scale_mean          float64  (O,)        offset of the outputs in use; saved
    scale_deviation     float64  (O,)        unit of the outputs in use; > 0; saved
    counters            int64    (32,)       see `indices`; saved
    events              int64    (256, 4)    ring of growth events: learned rows, kind, subject,
                                             connections; event n is in row (n - 1) % 256; saved
    meters              float64  (24,)       see `indices`; saved
    random_state        uint64   (1,)        never 0; saved
    list_channel        int32    (R+F, C)    active channels of a row; slots below R saved
    list_value          float32  (R+F, C)    their raw values; slots below R saved
    list_length         int32    (R+F,)      how many; slots below R saved
    list_label          int32    (R+F,)      class of the row; slots below R saved
    list_target         float32  (R+F, O')   numeric targets; for classes, O' = 1, the row's error
                                             when it was last learned; likewise
    scan_flags          uint8    (C',)       scratch: 1 for channels outside their band; C' is
                                             C rounded up to a multiple of 8
    bucket_row          int32    (N, L)      scratch: driven weight rows of each block, L = K *
                                             most edges of a block
    bucket_drive        float32  (N, L)      scratch: their drives (-1 to 1)
    bucket_length       int32    (N,)        scratch
    others              int32    (C,)        scratch: list items outside the fast path
    hidden              float32  (H,)        scratch: activities
    hidden_delta        float32  (H,)        scratch: derivative of the loss by them
    scores              float32  (O,)        scratch
    slow_scores         float32  (O,)        scratch
    delta               float32  (O,)        scratch: derivative of the loss by the scores
    tally               int64    (O,)        scratch: rehearsed rows of each class
    utility             float64  (C,)        scratch: what each channel moves the scores by
    heard               float64  (H,)        scratch: what each neuron moves the scores by
    scratch             float64  (31, 64)    scratch of growth, lines named in `indices`
    inner_first         int32    (N+1,)      inner edges that lead to block b: inner_first[b] to
                                             [b+1]; the weight row of inner edge e is row e
    inner_source        int32    (I,)        hidden neuron (of H) at which an inner edge starts;
                                             its block comes before the target's
    inner_length        int32    (N,)        scratch: last items of a bucket that come from there
    spiking             float32  (N', 4)     record of a block (see `indices`); N' is N if some
                                             population spikes, else 0
    inner_trace         float32  (I',)       what inner edges drove in the last row; I' is I or 0
                                             likewise; saved
    trace_row           int32    (N', L)     buckets of the last row, without inner ones; saved
    trace_drive         float32  (N', L)     likewise (drives, traces of earlier ones added); saved
    trace_length        int32    (N',)       likewise; saved
    trace_place         int32    (P',)       scratch: 0, or 1 + place of a weight row in a bucket
    raised              float32  (N', B)     what spikes have added to the thresholds; >= 0; saved
    silent              int32    (N', B)     rows of silence left; saved
    lowered             float32  (N', B)     scratch: biases less the raised thresholds
    ==================  =======  ==========  =====================================================
    """

    start_values: Array
    scan_low_bytes: Array
    scan_high_bytes: Array
    resting_low: Array
    resting_high: Array
    knots: Array
    inverse: Array
    zero_section: Array
    section_count: Array
    hot: Array
    active_values: Array
    active_count: Array
    overflow_values: Array
    overflow_count: Array
    watch_low: Array
    watch_high: Array
    watch_sums: Array
    watch_squares: Array
    watch_targets: Array
    shares: Array
    trial: Array
    trial_drive: Array
    use: Array
    phase: Array
    reach_first: Array
    reach_block: Array
    home_row: Array
    edge_neurons: Array
    row_table: Array
    weights: Array
    slow_weights: Array
    row_used: Array
    free_rows: Array
    bias: Array
    slow_bias: Array
    output_weights: Array
    slow_output_weights: Array
    output_bias: Array
    slow_output_bias: Array
    target_mean: Array
    target_variance: Array
    scale_mean: Array
    scale_deviation: Array
    counters: Array
    events: Array
    meters: Array
    random_state: Array
    list_channel: Array
    list_value: Array
    list_length: Array
    list_label: Array
    list_target: Array
    scan_flags: Array
    bucket_row: Array
    bucket_drive: Array
    bucket_length: Array
    others: Array
    hidden: Array
    hidden_delta: Array
    scores: Array
    slow_scores: Array
    delta: Array
    tally: Array
    utility: Array
    heard: Array
    scratch: Array
    inner_first: Array
    inner_source: Array
    inner_length: Array
    spiking: Array
    inner_trace: Array
    trace_row: Array
    trace_drive: Array
    trace_length: Array
    trace_place: Array
    raised: Array
    silent: Array
    lowered: Array

    @property
    def scan_words(self) -> Array:
        """Eight flags each, the same memory as `scan_flags`."""
        return self.scan_flags.view(np.uint64)

    @property
    def hidden_blocks(self) -> Array:
        """The activities by block, the same memory as `hidden`."""
        return self.hidden.reshape(self.bias.shape)

    @property
    def hidden_delta_blocks(self) -> Array:
        """The derivatives by block, the same memory as `hidden_delta`."""
        return self.hidden_delta.reshape(self.bias.shape)

    @property
    def ring_rows(self) -> int:
        """Room for rehearsed rows."""
        return len(self.list_length) - count_frame_slots(self.list_channel.shape[1])

    def pick(self, names: tuple[str, ...]) -> tuple[Array, ...]:
        """Return the arrays of these names, such as a kernel's arguments."""
        return tuple(getattr(self, name) for name in names)

    def count_bytes(self) -> int:
        """Sum of all arrays, touched or not, and the gaps; never above the declared limit."""
        return sum(int(getattr(self, item.name).nbytes) for item in fields(self)) + STATE_GAPS

    def count_touched_bytes(self) -> int:
        """Sum of what the system has lent so far: the pages on which something was written."""
        unused_rows = len(self.row_used) - int(self.counters[indices.USED_ROWS])
        unused_slots = self.ring_rows - int(self.counters[indices.RING_FILLED])
        pool = (self.weights, self.slow_weights, self.row_used, self.free_rows)
        lists = (self.list_channel, self.list_value)
        unused = [unused_rows * array.strides[0] for array in pool]
        unused += [unused_slots * array.strides[0] for array in lists]
        if len(self.trace_place):
            unused.append(unused_rows * self.trace_place.strides[0])
        return count_lent_bytes(self.count_bytes(), unused)


# bytes lost between the arrays of a state: they begin at multiples of a cache line
STATE_GAPS: Final = count_gaps({item.name: ((), np.uint8) for item in fields(NetworkState)})
