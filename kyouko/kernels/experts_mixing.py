"""One answer from several: how much each member says follows from its errors so far.

Classes: p ~ product of p_i^w_i, numbers: the first member's answer plus weighted differences of
the others from it. The weights are learned like those of a small linear model, with forgetting,
so the mixture does better than its best member where members err differently.
"""

import math

import numpy as np

from kyouko.kernels.compile import hot_kernel
from kyouko.kernels.experts_linear import add_evidence

__all__ = ["mix_classes", "mix_numbers"]


@hot_kernel
def mix_classes(
    rows: int,
    learn: bool,
    known: int,
    seen: int,
    labels: np.ndarray,
    opinions: np.ndarray,
    awake: np.ndarray,
    trust: np.ndarray,
    trust_covariance: np.ndarray,
    contrast: np.ndarray,
    gain: np.ndarray,
    stretch: np.ndarray,
    slope: np.ndarray,
    share: np.ndarray,
    meters: np.ndarray,
    logarithms: np.ndarray,
    scores: np.ndarray,
    outputs: np.ndarray,
    losses: np.ndarray,
    correct: np.ndarray,
    predicted: np.ndarray,
) -> None:
    """Mix the members' probabilities by a weighted geometric mean, and learn the weights.

    The step is Newton's, with the curvature along the two most probable classes.

    Besides the arrays of the layout table in `kyouko.domain.engine.experts.state`:
        rows: number of rows.
        learn: False to predict only; then nothing but `outputs` is written.
        known: classes before the first row; a new label opens more.
        seen: rows learned before.
        labels: int32, shape (rows,).
        opinions: float32, shape (members, rows, classes).
        awake: uint8, shape (members,).
        outputs: float32, shape (rows, classes), written.
        losses: float32, shape (rows,), written.
        correct: uint8, shape (rows,), written.
        predicted: int32, shape (rows,), written, -1 where no class is known.

    Source: Mattern 2012, "Mixing Strategies in Data Compression" (geometric weighting); Hinton
    2002, "Training Products of Experts by Minimizing Contrastive Divergence".
    """
    members = opinions.shape[0]
    for row in range(rows):
        highest = -1e300
        least = min(0.02, 0.1 / max(known, 1))
        for output in range(known):
            total = 0.0
            for member in range(members):
                if awake[member] != 0:
                    chance = max(np.float64(opinions[member, row, output]), least)
                    logarithms[member, output] = math.log(chance)
                    total += trust[member] * logarithms[member, output]
            scores[output] = total
            highest = max(highest, total)
        total = 0.0
        for output in range(known):
            scores[output] = math.exp(scores[output] - highest)
            total += scores[output]
        best = -1
        second = -1
        for output in range(known):
            scores[output] /= total
            outputs[row, output] = scores[output]
            if best < 0 or scores[output] > scores[best]:
                second = best
                best = output
            elif second < 0 or scores[output] > scores[second]:
                second = output
        if not learn:
            continue
        label = int(np.int64(labels[row]))
        predicted[row] = best
        correct[row] = 1 if best == label else 0
        loss = 13.8
        if label < known:
            loss = -math.log(max(scores[label], 1e-6))
        losses[row] = loss
        rate = max(0.001, 1.0 / (seen + row + 1))
        meters[0] += rate * (loss - meters[0])
        meters[1] += rate * ((0.0 if best == label else 1.0) - meters[1])
        if label >= known:
            known = label + 1
            continue
        if second < 0:
            continue
        says = 0.0
        for member in range(members):
            contrast[member] = 0.0
            slope[member] = 0.0
            if awake[member] != 0:
                contrast[member] = logarithms[member, best] - logarithms[member, second]
                for output in range(known):
                    slope[member] += scores[output] * logarithms[member, output]
                slope[member] -= logarithms[member, label]
            says += abs(trust[member] * contrast[member])
        curvature = scores[best] * scores[second]
        add_evidence(trust_covariance, contrast, curvature, 0.998, 0.1, gain, stretch)
        for member in range(members):
            if says > 0.0:
                part = abs(trust[member] * contrast[member]) / says
                share[member] += max(0.01, 1.0 / (seen + row + 1)) * (part - share[member])
            if awake[member] != 0:
                for other in range(members):
                    # Only the lower half is kept.
                    high, low = max(member, other), min(member, other)
                    trust[member] -= trust_covariance[high, low] * slope[other]


@hot_kernel
def mix_numbers(
    rows: int,
    learn: bool,
    seen: int,
    targets: np.ndarray,
    unit: np.ndarray,
    opinions: np.ndarray,
    awake: np.ndarray,
    trust: np.ndarray,
    trust_covariance: np.ndarray,
    contrast: np.ndarray,
    gain: np.ndarray,
    stretch: np.ndarray,
    share: np.ndarray,
    meters: np.ndarray,
    miss: np.ndarray,
    outputs: np.ndarray,
    losses: np.ndarray,
) -> None:
    """Add weighted differences of the members to the first one's answer, and learn the weights.

    Differences and errors count in units of the mixture's own running error, so the targets'
    scale does not matter; beyond three of them an error counts no more.

    Besides the arrays of the layout table in `kyouko.domain.engine.experts.state`:
        rows: number of rows.
        learn: False to predict only; then nothing but `outputs` is written.
        seen: rows learned before.
        targets: float32, shape (rows, outputs).
        unit: float64, shape (slots, outputs), standard deviation of the targets before each row.
        opinions: float32, shape (members, rows, outputs).
        awake: uint8, shape (members,).
        outputs: float32, shape (rows, outputs), written.
        losses: float32, shape (rows,), written.

    Source: Breiman 1996, "Stacked Regressions".
    """
    members = opinions.shape[0]
    results = opinions.shape[2]
    for row in range(rows):
        number = seen + row + 1
        loss = 0.0
        off = 0.0
        for output in range(results):
            first = np.float64(opinions[0, row, output])
            answer = 0.0
            for member in range(1, members):
                contrast[member] = 0.0
                if awake[member] != 0:
                    contrast[member] = np.float64(opinions[member, row, output]) - first
                answer += trust[member] * contrast[member]
            answer = min(max(first + answer, -3e38), 3e38)
            outputs[row, output] = answer
            if not learn or number == 1:
                continue
            error = np.float64(targets[row, output]) - answer
            standard = error / unit[row, output]
            loss += standard * standard / results
            off += min(abs(standard), 1e3) / results
            usual = miss[output]
            miss[output] += max(0.002, 1.0 / (number - 1)) * (abs(error) - usual)
            if not usual > 0.0:
                continue
            error = min(max(error / usual, -3.0), 3.0)
            for member in range(1, members):
                contrast[member] = min(max(contrast[member] / usual, -10.0), 10.0)
            forgetting = 0.998 if output == 0 else 1.0
            factor = add_evidence(
                trust_covariance, contrast, 1.0 / results, forgetting, 0.3, gain, stretch
            )
            for member in range(1, members):
                if awake[member] != 0:
                    trust[member] += error * factor / results * gain[member]
        if not learn:
            continue
        losses[row] = min(loss, 3e37)
        rate = max(0.001, 1.0 / number)
        meters[0] += rate * (min(loss, 3e37) - meters[0])
        meters[1] += rate * (min(off, 1.0) - meters[1])
        total = 0.0
        rest = 1.0
        for member in range(1, members):
            if awake[member] != 0:
                total += abs(trust[member])
                rest -= trust[member]
        total += abs(rest)
        for member in range(members):
            part = abs(rest)
            if member > 0:
                part = abs(trust[member]) if awake[member] != 0 else 0.0
            share[member] += max(0.01, 1.0 / number) * (part / max(total, 1e-9) - share[member])
