"""The hot path: drives, forward pass, score, normalised step, averaged weights, rehearsal.

Longer than other files because these kernels call one another for each row and share their
argument order; the growth of the input coding is in `growth`, the scan of raw rows in `scanning`.
"""

import math

import numpy as np

from kyouko.kernels.compile import growth_kernel, growth_part, hot_kernel, hot_part
from kyouko.kernels.growth import draw_uniform, observe_value
from kyouko.kernels.indices import (
    ALARM_LONG,
    ALARM_ROWS,
    ALARM_SHORT,
    ALARMS,
    AVERAGINGS,
    COMPARE_EVERY,
    COMPARE_RATE,
    DRIVE_ENERGY,
    ERROR_SCALED,
    ERROR_SLOW,
    HORIZON,
    KNOWN_OUTPUTS,
    LEAK,
    LEARNED_ROWS,
    LOSS_FAST,
    LOSS_SLOW,
    NOISE_ADAPTED,
    REHEARSAL_DEBT,
    REHEARSAL_STEPS,
    REHEARSE_BALANCED,
    REHEARSE_HARD_ONLY,
    RESTART_DUE,
    RING_FILLED,
    RING_NEXT,
    SECTIONS,
    SHOW_CHOSEN,
    SHOWN_ERROR,
    SHOWN_LOSS,
    SINCE_AVERAGING,
    SKIP,
    SLOW_TOLERANCE,
    STEP,
    STEP_FACTOR,
    STEP_LIMIT,
    UPDATED_ROWS,
    USED_ROWS,
)
from kyouko.kernels.pruning import add_use, is_sampled

__all__ = ["learn_rows", "predict_rows"]


@hot_part
def _push_plain(
    slot: int,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
    hot: np.ndarray,
    reach_first: np.ndarray,
    reach_block: np.ndarray,
    row_table: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    others: np.ndarray,
) -> tuple[int, float]:
    """Fill the blocks' buckets from channels that have one frozen section and a usual value.

    Returns:
        The number of list items left to `_push_sections`, whose places are in `others`, and the
        sum of squared drives.
    """
    # Unsigned indices spare the test for negative ones: twice the speed of this loop.
    one_place = np.uint32(1)
    left = np.uintp(0)
    filled = np.uintp(0)
    energy = np.float32(0.0)
    zero = np.float32(0.0)
    one = np.float32(1.0)
    for block in range(bucket_length.shape[0]):
        bucket_length[block] = 0
    single = bucket_length.shape[0] == 1
    for item in range(list_length[slot]):
        channel = np.uint32(list_channel[slot, item])
        value = list_value[slot, item]
        if not (value >= hot[channel, 3] and value <= hot[channel, 4]):
            others[left] = item
            left += np.uintp(1)
            continue
        band_end = hot[channel, 6] if value > hot[channel, 6] else hot[channel, 5]
        drive = (value - band_end - hot[channel, 0]) * hot[channel, 1]
        drive = min(max(drive, zero), one) - hot[channel, 2]
        energy += drive * drive
        if single:
            edge = np.uint32(reach_first[channel])
            bucket_row[0, filled] = row_table[0, edge]
            bucket_drive[0, filled] = drive
            filled += np.uintp(np.uint32(reach_first[channel + one_place]) - edge)
        else:
            for place_of_edge in range(reach_first[channel], reach_first[channel + one_place]):
                edge = np.uint32(place_of_edge)
                target = np.uint32(reach_block[edge])
                place = np.uint32(bucket_length[target])
                bucket_row[target, place] = row_table[0, edge]
                bucket_drive[target, place] = drive
                bucket_length[target] = place + one_place
    if single:
        bucket_length[0] = filled
    return int(left), np.float64(energy)


@hot_part
def _push_sections(
    channel: int,
    value: float,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    inverse: np.ndarray,
    zero_section: np.ndarray,
    section_count: np.ndarray,
    reach_first: np.ndarray,
    reach_block: np.ndarray,
    row_table: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
) -> float:
    """Fill the buckets with all sections that one channel's value drives.

    Returns:
        The sum of squared drives.
    """
    energy = np.float32(0.0)
    raw = np.float32(value)
    up = raw > resting_high[channel]
    if not up and not raw < resting_low[channel]:
        return 0.0
    offset = raw - resting_high[channel] if up else raw - resting_low[channel]
    offset = min(max(offset, np.float32(-3e37)), np.float32(3e37))
    section = zero_section[channel]
    if not up:
        section -= 1
    while section >= 0 and section < section_count[channel]:
        near = knots[channel, section] if up else knots[channel, section + 1]
        drive = (offset - near) * inverse[channel, section]
        drive = min(max(drive, np.float32(-1.0)), np.float32(1.0))
        if (up and drive <= 0.0) or (not up and drive >= 0.0):
            break
        energy += drive * drive
        index = np.uint32(section)
        for place_of_edge in range(reach_first[channel], reach_first[channel + 1]):
            edge = np.uint32(place_of_edge)
            target = np.uint32(reach_block[edge])
            place = np.uint32(bucket_length[target])
            bucket_row[target, place] = row_table[index, edge]
            bucket_drive[target, place] = drive
            bucket_length[target] = place + np.uint32(1)
        section += 1 if up else -1
    return np.float64(energy)


@hot_part
def _forward(
    weights: np.ndarray,
    bias: np.ndarray,
    output_weights: np.ndarray,
    output_bias: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    known: int,
    leak: float,
    hidden: np.ndarray,
    hidden_blocks: np.ndarray,
    scores: np.ndarray,
) -> None:
    """Compute the hidden activities and the outputs' scores from the filled buckets.

    Eight weight rows a pass: the sums then stay in registers long enough to run at twice to three
    times the speed of one row a pass.

    Args:
        weights: float32, shape (capacity, block width).
        bias: float32, shape (blocks, block width).
        output_weights: float32, shape (most outputs, blocks * block width).
        output_bias: float32, shape (most outputs,).
        bucket_row: int32, shape (blocks, places), weight rows that are driven.
        bucket_drive: float32, same shape, their drives.
        bucket_length: int32, shape (blocks,).
        known: outputs in use.
        leak: slope of the activation below zero.
        hidden: float32, shape (blocks * block width,), written.
        hidden_blocks: the same memory, shape (blocks, block width). With one flat array the index
            start + n might be negative for all the compiler knows, and nothing is vectorised.
        scores: float32, shape (most outputs,), written up to `known`.
    """
    blocks = bias.shape[0]
    width = bias.shape[1]
    slope = np.float32(leak)
    for block in range(blocks):
        count = bucket_length[block]
        for n in range(width):
            hidden_blocks[block, n] = bias[block, n]
        whole = count - count % 8
        for item in range(0, whole, 8):
            r0 = np.uint32(bucket_row[block, item])
            r1 = np.uint32(bucket_row[block, item + 1])
            r2 = np.uint32(bucket_row[block, item + 2])
            r3 = np.uint32(bucket_row[block, item + 3])
            r4 = np.uint32(bucket_row[block, item + 4])
            r5 = np.uint32(bucket_row[block, item + 5])
            r6 = np.uint32(bucket_row[block, item + 6])
            r7 = np.uint32(bucket_row[block, item + 7])
            d0 = bucket_drive[block, item]
            d1 = bucket_drive[block, item + 1]
            d2 = bucket_drive[block, item + 2]
            d3 = bucket_drive[block, item + 3]
            d4 = bucket_drive[block, item + 4]
            d5 = bucket_drive[block, item + 5]
            d6 = bucket_drive[block, item + 6]
            d7 = bucket_drive[block, item + 7]
            for n in range(width):
                hidden_blocks[block, n] += (
                    d0 * weights[r0, n] + d1 * weights[r1, n]
                    + d2 * weights[r2, n] + d3 * weights[r3, n]
                    + d4 * weights[r4, n] + d5 * weights[r5, n]
                    + d6 * weights[r6, n] + d7 * weights[r7, n]
                )  # fmt: skip
        for item in range(whole, count):
            row = np.uint32(bucket_row[block, item])
            drive = bucket_drive[block, item]
            for n in range(width):
                hidden_blocks[block, n] += drive * weights[row, n]
        for n in range(width):
            hidden_blocks[block, n] = max(hidden_blocks[block, n], slope * hidden_blocks[block, n])
    for output in range(known):
        total = np.float32(0.0)
        for n in range(blocks * width):
            total += output_weights[output, n] * hidden[n]
        scores[output] = total + output_bias[output]


@hot_part
def _softmax(scores: np.ndarray, known: int, chances: np.ndarray) -> None:
    """Turn scores into probabilities over the known classes."""
    if known == 0:
        return
    highest = scores[0]
    for output in range(1, known):
        highest = max(highest, scores[output])
    total = np.float32(0.0)
    for output in range(known):
        chances[output] = math.exp(scores[output] - highest)
        total += chances[output]
    scale = np.float32(1.0) / total
    for output in range(known):
        chances[output] *= scale


@hot_part
def _update(
    settings: np.ndarray,
    factor: float,
    known: int,
    weights: np.ndarray,
    bias: np.ndarray,
    output_weights: np.ndarray,
    output_bias: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    hidden: np.ndarray,
    hidden_blocks: np.ndarray,
    delta: np.ndarray,
    hidden_delta: np.ndarray,
    hidden_delta_blocks: np.ndarray,
) -> None:
    """Take one gradient step whose size is bounded by the curvature along it.

    With T the squared length of the gradient of the scores, per unit of delta, a step of
    lr * T < 2 cannot overshoot on squared error (< 8 on softmax): that is what makes one setting
    serve all data. T = 1 + |h|^2 + sum_b (1 + sum_b d^2) |dh_b|^2 / |delta|^2.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        settings: the preset vector, see `indices`.
        factor: what the running error or noise makes of the step, 0 to 1.
        delta: float32, shape (most outputs,), derivative of the loss by each score.
        hidden_delta: float32, shape (blocks * block width,), scratch.

    Source: normalised steps after Nagumo & Noda 1967, "A Learning Method for System
    Identification"; the extension to hidden layers is our own.
    """
    blocks = bias.shape[0]
    width = bias.shape[1]
    size = blocks * width
    leak = settings[LEAK]
    delta_square = np.float32(0.0)
    for n in range(size):
        hidden_delta[n] = 0.0
    for output in range(known):
        change = delta[output]
        delta_square += change * change
        if abs(change) >= np.float32(1e-3):
            for n in range(size):
                hidden_delta[n] += change * output_weights[output, n]
    if not delta_square > 0.0:
        return
    length = np.float32(1.0)
    for n in range(size):
        length += hidden[n] * hidden[n]
    for block in range(blocks):
        square = np.float32(0.0)
        for n in range(width):
            slope = np.float32(1.0) if hidden_blocks[block, n] > 0.0 else leak
            change = hidden_delta_blocks[block, n] * slope
            hidden_delta_blocks[block, n] = change
            square += change * change
        drives = np.float32(1.0)
        for item in range(bucket_length[block]):
            drives += bucket_drive[block, item] * bucket_drive[block, item]
        length += drives * square / delta_square
    rate = min(settings[STEP_LIMIT], settings[STEP] / length) * np.float32(factor)
    # An infinite length (weights near overflow) gives rate 0; a NaN must not reach the weights.
    if not (rate > 0.0 and rate < np.float32(3e37)):
        return
    for output in range(known):
        change = rate * delta[output]
        output_bias[output] -= change
        if abs(delta[output]) >= np.float32(1e-3):
            for n in range(size):
                output_weights[output, n] -= change * hidden[n]
    for n in range(size):
        hidden_delta[n] *= rate
    for block in range(blocks):
        for n in range(width):
            bias[block, n] -= hidden_delta_blocks[block, n]
        for item in range(bucket_length[block]):
            row = np.uint32(bucket_row[block, item])
            drive = bucket_drive[block, item]
            for n in range(width):
                weights[row, n] -= drive * hidden_delta_blocks[block, n]


@hot_kernel
def _average(
    beta: float,
    known: int,
    counters: np.ndarray,
    row_used: np.ndarray,
    row_top: int,
    weights: np.ndarray,
    bias: np.ndarray,
    output_weights: np.ndarray,
    output_bias: np.ndarray,
    slow_weights: np.ndarray,
    slow_bias: np.ndarray,
    slow_output_weights: np.ndarray,
    slow_output_bias: np.ndarray,
) -> None:
    """Move the averaged weights towards the present ones by the share `beta`.

    Source: Polyak & Juditsky 1992, "Acceleration of Stochastic Approximation by Averaging".
    """
    share = np.float32(beta)
    for row in range(row_top):
        if row_used[row] != 0:
            for n in range(weights.shape[1]):
                slow_weights[row, n] += share * (weights[row, n] - slow_weights[row, n])
    for block in range(bias.shape[0]):
        for n in range(bias.shape[1]):
            slow_bias[block, n] += share * (bias[block, n] - slow_bias[block, n])
    for output in range(known):
        slow_output_bias[output] += share * (output_bias[output] - slow_output_bias[output])
        for n in range(output_weights.shape[1]):
            slow_output_weights[output, n] += share * (
                output_weights[output, n] - slow_output_weights[output, n]
            )


@growth_kernel
def _track_targets(
    list_target: np.ndarray,
    slot: int,
    row_number: int,
    target_mean: np.ndarray,
    target_variance: np.ndarray,
    scale_mean: np.ndarray,
    scale_deviation: np.ndarray,
    output_weights: np.ndarray,
    output_bias: np.ndarray,
    slow_output_weights: np.ndarray,
    slow_output_bias: np.ndarray,
) -> None:
    """Follow the targets' mean and variance, and rescale the outputs without changing them.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        list_target: float32, shape (slots, outputs).
        slot: slot of this row.
        row_number: number of this row, from 1.
        target_mean: float64, shape (outputs,), running mean.
        target_variance: float64, shape (outputs,), running variance.
        scale_mean: float64, shape (outputs,), offset that the outputs use now.
        scale_deviation: float64, shape (outputs,), unit that the outputs use now.

    Source: van Hasselt et al. 2016, "Learning values across many orders of magnitude", section 2.1.
    """
    rate = max(1.0 / row_number, 0.002)
    power = row_number & (row_number - 1) == 0
    due = row_number < 8 or power or row_number % 256 == 0
    for output in range(list_target.shape[1]):
        step = np.float64(list_target[slot, output]) - target_mean[output]
        target_mean[output] += rate * step
        target_variance[output] += rate * (step * step * (1.0 - rate) - target_variance[output])
        if not due:
            continue
        mean = target_mean[output]
        deviation = math.sqrt(target_variance[output])
        # A constant target: any unit serves, one of the target's own size keeps sums in range.
        if not deviation > 1e-6 * abs(mean):
            deviation = abs(mean) if mean != 0.0 else 1.0
        deviation = max(deviation, 1e-30)
        old = scale_deviation[output]
        if abs(deviation - old) < 0.02 * old and abs(mean - scale_mean[output]) < 0.02 * old:
            continue
        # Beyond these limits nothing worth keeping was learned, and float32 would overflow.
        ratio = min(old / deviation, 1e6)
        shift = min(max((scale_mean[output] - mean) / deviation, -1e6), 1e6)
        if row_number == 1:
            ratio = 1.0
            shift = 0.0
        for n in range(output_weights.shape[1]):
            output_weights[output, n] *= ratio
            slow_output_weights[output, n] *= ratio
        output_bias[output] = output_bias[output] * ratio + shift
        slow_output_bias[output] = slow_output_bias[output] * ratio + shift
        scale_mean[output] = mean
        scale_deviation[output] = deviation


@growth_part
def _choose_slot(
    label: int,
    ring_size: int,
    list_label: np.ndarray,
    tally: np.ndarray,
    random_state: np.ndarray,
) -> int:
    """Choose which kept row makes room for one of class `label`, so that classes share evenly.

    Args:
        label: class of the new row.
        ring_size: kept rows, all in use.
        list_label: int32, shape (slots,), classes of the kept rows come first.
        tally: int64, shape (most outputs,), scratch.
        random_state: uint64, shape (1,).

    Returns:
        A random slot of the same class once that class has its share, else one of the largest.

    Source: after Chrysakis & Moens 2020, "Online Continual Learning from Imbalanced Data".
    """
    most_outputs = tally.shape[0]
    for output in range(most_outputs):
        tally[output] = 0
    for slot in range(ring_size):
        tally[list_label[slot]] += 1
    present = 0
    largest = 0
    for output in range(most_outputs):
        present += int(tally[output] > 0 or output == label)
        if tally[output] > tally[largest]:
            largest = output
    leaving = label if tally[label] * present >= ring_size else largest
    place = int(draw_uniform(random_state) * tally[leaving])
    for slot in range(ring_size):
        if list_label[slot] == leaving:
            if place == 0:
                return slot
            place -= 1
    return 0


@hot_kernel
def learn_rows(
    first: int,
    rows: int,
    first_slot: int,
    observe: bool,
    classes: bool,
    settings: np.ndarray,
    outputs: np.ndarray,
    losses: np.ndarray,
    correct: np.ndarray,
    predicted: np.ndarray,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
    list_label: np.ndarray,
    list_target: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    others: np.ndarray,
    hidden: np.ndarray,
    hidden_blocks: np.ndarray,
    hidden_delta: np.ndarray,
    hidden_delta_blocks: np.ndarray,
    scores: np.ndarray,
    slow_scores: np.ndarray,
    delta: np.ndarray,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    inverse: np.ndarray,
    zero_section: np.ndarray,
    section_count: np.ndarray,
    hot: np.ndarray,
    active_values: np.ndarray,
    active_count: np.ndarray,
    overflow_values: np.ndarray,
    overflow_count: np.ndarray,
    phase: np.ndarray,
    use: np.ndarray,
    reach_first: np.ndarray,
    reach_block: np.ndarray,
    home_row: np.ndarray,
    row_table: np.ndarray,
    edge_neurons: np.ndarray,
    weights: np.ndarray,
    slow_weights: np.ndarray,
    row_used: np.ndarray,
    free_rows: np.ndarray,
    bias: np.ndarray,
    slow_bias: np.ndarray,
    output_weights: np.ndarray,
    slow_output_weights: np.ndarray,
    output_bias: np.ndarray,
    slow_output_bias: np.ndarray,
    target_mean: np.ndarray,
    target_variance: np.ndarray,
    scale_mean: np.ndarray,
    scale_deviation: np.ndarray,
    counters: np.ndarray,
    meters: np.ndarray,
    random_state: np.ndarray,
    tally: np.ndarray,
    scratch: np.ndarray,
) -> None:
    """Predict, score and learn `rows` rows in order.

    One long function: each call between kernels costs about as much as a row of a small network
    has to spend, and the order of the steps is the algorithm.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        first: place of the first row in `outputs`, `losses`, `correct` and `predicted`.
        rows: number of rows; their lists are in the slots from `first_slot` on.
        first_slot: also the number of slots that hold rehearsed rows.
        observe: False for a row whose values were already observed by `choose_bands`.
        classes: True for class labels, False for numbers.
        settings: float32, shape (SETTINGS,), preset of the way of arrival.
        outputs: float32, shape (frame rows, outputs), written: predictions before learning.
        losses: float32, shape (frame rows,), written.
        correct: uint8, shape (frame rows,), written for classes.
        predicted: int32, shape (frame rows,), written for classes, -1 where no class is known.
    """
    ring_size = first_slot
    compare_rate = np.float64(settings[COMPARE_RATE])
    leak = np.float64(settings[LEAK])
    for row in range(rows):
        place = first + row
        meters[REHEARSAL_DEBT] = min(meters[REHEARSAL_DEBT], 64.0)
        rehearsals = int(meters[REHEARSAL_DEBT]) if counters[RING_FILLED] > 0 else 0
        meters[REHEARSAL_DEBT] -= rehearsals
        for turn in range(rehearsals + 1):
            fresh = turn == rehearsals
            if fresh:
                slot = first_slot + row
            else:
                slot = int(draw_uniform(random_state) * counters[RING_FILLED])
            left, energy = _push_plain(
                slot, list_channel, list_value, list_length, hot, reach_first, reach_block,
                row_table, bucket_row, bucket_drive, bucket_length, others,
            )  # fmt: skip
            if fresh and observe and left > 0 and counters[SECTIONS] == 0:
                meters[DRIVE_ENERGY] = max(meters[DRIVE_ENERGY], 0.6 * left)
            for other in range(left):
                # 64 bits, as everywhere: a second width would compile all that follows twice.
                channel = int(np.int64(list_channel[slot, others[other]]))
                value = np.float64(list_value[slot, others[other]])
                if fresh and observe:
                    observe_value(
                        channel, value, resting_low, resting_high, knots, inverse, zero_section,
                        section_count, hot, active_values, active_count, overflow_values,
                        overflow_count, phase, reach_first, home_row, row_table, edge_neurons,
                        weights, slow_weights, row_used, free_rows, counters, meters, random_state,
                        scratch,
                    )  # fmt: skip
                energy += _push_sections(
                    channel, value, resting_low, resting_high, knots, inverse, zero_section,
                    section_count, reach_first, reach_block, row_table, bucket_row, bucket_drive,
                    bucket_length,
                )  # fmt: skip
            known = int(counters[KNOWN_OUTPUTS])
            compare = False
            use_slow = False
            if fresh:
                counters[LEARNED_ROWS] += 1
                row_number = counters[LEARNED_ROWS]
                if is_sampled(row_number):
                    add_use(
                        slot, list_channel, list_value, list_length, resting_low, resting_high,
                        knots, inverse, zero_section, section_count, hot, use,
                    )  # fmt: skip
                if row_number <= 2000:
                    rate = max(0.002, 1.0 / row_number)
                    meters[DRIVE_ENERGY] += rate * (energy - meters[DRIVE_ENERGY])
                compare = row_number % int(settings[COMPARE_EVERY]) == 0
                use_slow = (
                    settings[SHOW_CHOSEN] != 0.0
                    and meters[LOSS_SLOW] < settings[SLOW_TOLERANCE] * meters[LOSS_FAST]
                )
                if compare or use_slow:
                    _forward(
                        slow_weights, slow_bias, slow_output_weights, slow_output_bias,
                        bucket_row, bucket_drive, bucket_length, known, leak, hidden, hidden_blocks,
                        slow_scores,
                    )  # fmt: skip
            _forward(
                weights, bias, output_weights, output_bias, bucket_row, bucket_drive,
                bucket_length, known, leak, hidden, hidden_blocks, scores,
            )  # fmt: skip

            error = 0.0
            if classes:
                label = int(np.int64(list_label[slot]))
                _softmax(scores, known, delta)
                if fresh:
                    fast_loss = (
                        -math.log(max(np.float64(delta[label]), 1e-6)) if label < known else 13.8
                    )
                    shown_loss = fast_loss
                    if compare or use_slow:
                        _softmax(slow_scores, known, slow_scores)
                        slow_loss = (
                            -math.log(max(np.float64(slow_scores[label]), 1e-6))
                            if label < known
                            else 13.8
                        )
                        if compare:
                            meters[LOSS_FAST] += compare_rate * (fast_loss - meters[LOSS_FAST])
                            meters[LOSS_SLOW] += compare_rate * (slow_loss - meters[LOSS_SLOW])
                        if use_slow:
                            shown_loss = slow_loss
                    best = -1
                    highest = np.float32(-1.0)
                    for output in range(known):
                        shown = slow_scores[output] if use_slow else delta[output]
                        outputs[place, output] = shown
                        if shown > highest:
                            highest = shown
                            best = output
                    predicted[place] = best
                    correct[place] = 1 if best == label else 0
                    losses[place] = shown_loss
                    shown_error = 0.0 if best == label else 1.0
                    if label >= known:
                        # The new class competes from score 0 with the others in this very row.
                        for output in range(known, label + 1):
                            scores[output] = 0.0
                        known = label + 1
                        counters[KNOWN_OUTPUTS] = known
                        _softmax(scores, known, delta)
                error = 1.0 - np.float64(delta[label])
                delta[label] -= np.float32(1.0)
            else:
                total = 0.0
                fast_loss = 0.0
                slow_loss = 0.0
                for output in range(known):
                    wanted = (
                        np.float64(list_target[slot, output]) - scale_mean[output]
                    ) / scale_deviation[output]
                    difference = np.float64(scores[output]) - wanted
                    fast_loss += difference * difference / known
                    if compare or use_slow:
                        slow_difference = np.float64(slow_scores[output]) - wanted
                        slow_loss += slow_difference * slow_difference / known
                    if fresh:
                        shown = slow_scores[output] if use_slow else scores[output]
                        outputs[place, output] = (
                            np.float64(shown) * scale_deviation[output] + scale_mean[output]
                        )
                    difference = min(max(difference, -3.0), 3.0)
                    delta[output] = difference
                    total += abs(difference)
                error = min(1.0, total / max(known, 1))
                if fresh and counters[LEARNED_ROWS] == 1:
                    # Without a second target there is no unit: nothing to score, or to learn yet.
                    error = 0.0
                    shown_loss = 0.0
                    shown_error = 0.0
                elif fresh:
                    shown_loss = slow_loss if use_slow else fast_loss
                    losses[place] = min(shown_loss, 3e37)
                    shown_error = error
                    if compare:
                        # A single huge error says little about which copy is better.
                        fast_part = min(fast_loss, 9.0)
                        slow_part = min(slow_loss, 9.0)
                        meters[LOSS_FAST] += compare_rate * (fast_part - meters[LOSS_FAST])
                        meters[LOSS_SLOW] += compare_rate * (slow_part - meters[LOSS_SLOW])

            update = error >= settings[SKIP] and error > 0.0
            if update:
                factor = 1.0
                if settings[ERROR_SCALED] != 0.0:
                    factor = min(max(10.0 * meters[ERROR_SLOW], 0.05), 1.0)
                if settings[NOISE_ADAPTED] != 0.0:
                    factor *= meters[STEP_FACTOR]
                _update(
                    settings, factor, known, weights, bias, output_weights, output_bias,
                    bucket_row, bucket_drive, bucket_length, hidden, hidden_blocks, delta,
                    hidden_delta, hidden_delta_blocks,
                )  # fmt: skip
            if not fresh:
                continue

            if update:
                counters[UPDATED_ROWS] += 1
            if settings[REHEARSAL_STEPS] > 0.0 and (update or settings[REHEARSE_HARD_ONLY] == 0.0):
                if counters[RING_FILLED] < ring_size:
                    keep = int(counters[RING_FILLED])
                    counters[RING_FILLED] += 1
                elif settings[REHEARSE_BALANCED] != 0.0:
                    keep = _choose_slot(
                        int(np.int64(list_label[slot])), ring_size, list_label, tally, random_state,
                    )  # fmt: skip
                else:
                    keep = int(counters[RING_NEXT])
                    counters[RING_NEXT] = (keep + 1) % ring_size
                for item in range(list_length[slot]):
                    list_channel[keep, item] = list_channel[slot, item]
                    list_value[keep, item] = list_value[slot, item]
                list_length[keep] = list_length[slot]
                list_label[keep] = list_label[slot]
                for output in range(list_target.shape[1]):
                    list_target[keep, output] = list_target[slot, output]
                meters[REHEARSAL_DEBT] += settings[REHEARSAL_STEPS]

            row_number = counters[LEARNED_ROWS]
            if not classes:
                _track_targets(
                    list_target, slot, row_number, target_mean, target_variance, scale_mean,
                    scale_deviation, output_weights, output_bias, slow_output_weights,
                    slow_output_bias,
                )  # fmt: skip
            meters[ERROR_SLOW] += max(0.001, 1.0 / (row_number + 1)) * (error - meters[ERROR_SLOW])
            shown_rate = max(0.001, 1.0 / row_number)
            meters[SHOWN_LOSS] += shown_rate * (shown_loss - meters[SHOWN_LOSS])
            meters[SHOWN_ERROR] += shown_rate * (shown_error - meters[SHOWN_ERROR])
            if row_number > 100 and row_number % 32 == 0:
                if meters[LOSS_SLOW] < 0.90 * meters[LOSS_FAST]:
                    meters[STEP_FACTOR] = max(meters[STEP_FACTOR] * 0.93, 0.05)
                elif meters[LOSS_SLOW] > 0.95 * meters[LOSS_FAST]:
                    meters[STEP_FACTOR] = min(meters[STEP_FACTOR] * 1.07, 1.0)

            counters[ALARM_ROWS] += 1
            number = counters[ALARM_ROWS]
            meters[ALARM_SHORT] += 0.02 * (error - meters[ALARM_SHORT])
            meters[ALARM_LONG] += max(0.001, 1.0 / number) * (error - meters[ALARM_LONG])
            usual = meters[ALARM_LONG]
            variance = max(usual * (1.0 - usual), 1e-4)
            if number > 200 and meters[ALARM_SHORT] > usual + 3.5 * math.sqrt(variance * 0.01):
                counters[ALARMS] += 1
                counters[ALARM_ROWS] = 50
                counters[RESTART_DUE] = 1
                meters[STEP_FACTOR] = max(meters[STEP_FACTOR], 0.5)
            if counters[RESTART_DUE] == 1 and row_number % 32 == 0:
                # Hard rows raise the alarm too; only where the present weights do better than
                # their average did the concept itself move. On the hard stretches of MNIST an
                # unconditional restart costs 0.5 points.
                if meters[LOSS_SLOW] > (settings[SLOW_TOLERANCE] + 0.25) * meters[LOSS_FAST]:
                    counters[AVERAGINGS] = 0
                    counters[RESTART_DUE] = 0
                elif number > 2000:
                    counters[RESTART_DUE] = 0

            counters[SINCE_AVERAGING] += 1
            interval = min(max(counters[USED_ROWS] * weights.shape[1] // 500, 16), 512)
            if counters[SINCE_AVERAGING] >= interval:
                beta = max(
                    4.0 / (counters[AVERAGINGS] + 4.0),
                    counters[SINCE_AVERAGING] / settings[HORIZON],
                )
                counters[SINCE_AVERAGING] = 0
                counters[AVERAGINGS] += 1
                _average(
                    beta, known, counters, row_used, int(counters[2]), weights, bias,
                    output_weights, output_bias, slow_weights, slow_bias, slow_output_weights,
                    slow_output_bias,
                )  # fmt: skip


@hot_kernel
def predict_rows(
    first: int,
    rows: int,
    first_slot: int,
    classes: bool,
    leak: float,
    known: int,
    outputs: np.ndarray,
    list_channel: np.ndarray,
    list_value: np.ndarray,
    list_length: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    bucket_length: np.ndarray,
    others: np.ndarray,
    hidden: np.ndarray,
    hidden_blocks: np.ndarray,
    scores: np.ndarray,
    resting_low: np.ndarray,
    resting_high: np.ndarray,
    knots: np.ndarray,
    inverse: np.ndarray,
    zero_section: np.ndarray,
    section_count: np.ndarray,
    hot: np.ndarray,
    reach_first: np.ndarray,
    reach_block: np.ndarray,
    row_table: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray,
    output_weights: np.ndarray,
    output_bias: np.ndarray,
    scale_mean: np.ndarray,
    scale_deviation: np.ndarray,
) -> None:
    """Predict `rows` rows; only scratch arrays and `outputs` are written.

    Besides the arrays of the layout table in `kyouko.domain.engine.growing.state`:
        first: place of the first row in `outputs`.
        rows: number of rows; their lists are in the slots from `first_slot` on.
        first_slot: first list slot.
        classes: True for probabilities, False for numbers.
        leak: slope of the activation below zero.
        known: outputs in use.
        outputs: float32, shape (frame rows, outputs), written.
    """
    for row in range(rows):
        slot = first_slot + row
        left, _ = _push_plain(
            slot, list_channel, list_value, list_length, hot, reach_first, reach_block,
            row_table, bucket_row, bucket_drive, bucket_length, others,
        )  # fmt: skip
        for other in range(left):
            item = others[other]
            _push_sections(
                int(np.int64(list_channel[slot, item])), np.float64(list_value[slot, item]),
                resting_low, resting_high, knots, inverse, zero_section, section_count, reach_first,
                reach_block, row_table, bucket_row, bucket_drive, bucket_length,
            )  # fmt: skip
        _forward(
            weights, bias, output_weights, output_bias, bucket_row, bucket_drive, bucket_length,
            known, leak, hidden, hidden_blocks, scores,
        )  # fmt: skip
        if classes:
            _softmax(scores, known, scores)
            for output in range(known):
                outputs[first + row, output] = scores[output]
        else:
            for output in range(known):
                outputs[first + row, output] = (
                    np.float64(scores[output]) * scale_deviation[output] + scale_mean[output]
                )
