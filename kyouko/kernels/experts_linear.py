"""Linear experts: outputs that are weighted sums of a row's standardised channels.

Recursive least squares for numbers and its sibling for classes, both with forgetting, so that
correlated channels do not slow learning and no step size has to be chosen; and a normalised
gradient step for numbers that follows at once.
"""

import math

import numpy as np

from kyouko.kernels.compile import hot_kernel, hot_part

__all__ = ["add_evidence", "answer_linearly", "follow_linearly"]


@hot_part
def add_evidence(
    covariance: np.ndarray,
    direction: np.ndarray,
    weight: float,
    forgetting: float,
    widest: float,
    gain: np.ndarray,
    stretch: np.ndarray,
) -> float:
    """Update the inverse of a discounted sum of weight * direction * direction'.

    Forgetting widens the covariance, but no entry of its diagonal beyond `widest`: a direction
    that is not met any more cannot grow without bound. Stretching rows and columns alike keeps
    the matrix positive, and there being only one half of it keeps it symmetric; without that
    rounding errors would grow for ever.

    Args:
        covariance: float64, shape (n, n), positive; only the lower half is used, and updated.
        direction: float64, shape (n,).
        weight: of the new evidence, at least 0.
        forgetting: share of the old evidence that stays, up to 1.
        widest: bound of the diagonal.
        gain: float64, shape (n,), written: old covariance * direction.
        stretch: float64, shape (n,), scratch.

    Returns:
        What `gain` has to be multiplied with to be new covariance * direction, before forgetting.

    Source: the matrix inversion lemma; Haykin 2002, "Adaptive Filter Theory", chapter 9.
    """
    # Unsigned, because the test for negative indices keeps the loops from being vectorised.
    size = np.uint64(direction.shape[0])
    none, one = np.uint64(0), np.uint64(1)
    for place in range(none, size):
        drive = direction[place]
        total = covariance[place, place] * drive
        for other in range(none, place):
            total += covariance[place, other] * direction[other]
            gain[other] += covariance[place, other] * drive
        gain[place] = total
    spread = 0.0
    for place in range(none, size):
        spread += gain[place] * direction[place]
    if not (spread >= 0.0 and spread < 1e300):
        # Rounding has made it useless: begin again.
        for place in range(none, size):
            for other in range(none, place):
                covariance[place, other] = 0.0
            covariance[place, place] = widest
        return 0.0
    factor = weight / (1.0 + weight * spread)
    widening = 1.0 / math.sqrt(forgetting)
    for place in range(none, size):
        entry = covariance[place, place] - factor * gain[place] * gain[place]
        stretch[place] = widening if entry * widening * widening <= widest else 1.0
    for place in range(none, size):
        share = factor * gain[place]
        wider = stretch[place]
        for other in range(none, place + one):
            entry = covariance[place, other] - share * gain[other]
            covariance[place, other] = entry * (wider * stretch[other])
    return 1.0 - factor * spread


@hot_part
def _score(
    row: int, known: int, standard: np.ndarray, weights: np.ndarray, scores: np.ndarray
) -> None:
    for output in range(known):
        total = 0.0
        for place in range(np.uint64(weights.shape[1])):
            total += weights[output, place] * standard[row, place]
        scores[output] = total


@hot_part
def _answer_number(score: float, middle: float, unit: float) -> float:
    """Keep an answer where the targets were, and inside float32."""
    near = min(max(score, middle - 10.0 * unit), middle + 10.0 * unit)
    return min(max(near, -3e38), 3e38)


@hot_part
def _spread_probabilities(known: int, scores: np.ndarray) -> None:
    highest = -1e300
    for output in range(known):
        highest = max(highest, scores[output])
    total = 0.0
    for output in range(known):
        scores[output] = math.exp(scores[output] - highest)
        total += scores[output]
    for output in range(known):
        scores[output] /= total


@hot_kernel
def answer_linearly(
    rows: int,
    learn: bool,
    classes: bool,
    known: int,
    seen: int,
    forgetting: float,
    most_noise: float,
    standard: np.ndarray,
    labels: np.ndarray,
    targets: np.ndarray,
    middle: np.ndarray,
    unit: np.ndarray,
    weights: np.ndarray,
    covariance: np.ndarray,
    noise: np.ndarray,
    gain: np.ndarray,
    stretch: np.ndarray,
    scores: np.ndarray,
    answers: np.ndarray,
) -> None:
    """Predict each row by a linear model, then learn it by a second-order step.

    Classes: softmax. Labels may be wrong: with a chance `noise`, which is learned, a label is
    taken for one drawn blindly. A row then counts by the chance that its label is meant, so
    a confident model learns little from what contradicts it, and its probabilities stay honest.

    Besides the arrays of the layout table in `kyouko.domain.engine.experts.state`:
        rows: number of rows.
        learn: False to predict only.
        classes: True for labels, False for numbers.
        known: outputs before the first row; a new label opens more.
        seen: rows learned before.
        forgetting: share of the evidence that stays from row to row.
        most_noise: bound of the learned chance; 0 to trust all labels.
        standard: float64, shape (slots, channels + 1).
        labels: int32, shape (rows,); read for classes.
        targets: float32, shape (rows, outputs); read for numbers.
        middle: float64, shape (slots, outputs), mean of the targets before each row.
        unit: float64, shape (slots, outputs), their standard deviation.
        weights: float64, shape (most outputs, channels + 1).
        covariance: float64, shape (channels + 1, channels + 1), of the weights of any output.
        noise: float64, shape (1,), chance of a blind label.
        gain: float64, shape (channels + 1,), scratch; likewise `stretch`.
        scores: float64, shape (most outputs,), scratch.
        answers: float32, shape (rows, outputs), written.

    Source: Boehning 1992, "Multinomial Logistic Regression Algorithm" (one curvature for all
    classes); Bootkrajang & Kaban 2012, "Label-Noise Robust Logistic Regression".
    """
    size = weights.shape[1]
    widest = 1.0 if classes else 10.0
    for row in range(rows):
        _score(row, known, standard, weights, scores)
        if not classes:
            if seen + row > 0:
                for output in range(known):
                    answers[row, output] = _answer_number(
                        scores[output], middle[row, output], unit[row, output]
                    )
            if learn:
                if seen + row == 0:
                    for output in range(known):
                        weights[output, size - 1] = targets[row, output]
                        scores[output] = targets[row, output]
                share = add_evidence(
                    covariance, standard[row], 1.0, forgetting, widest, gain, stretch
                )
                for output in range(known):
                    error = np.float64(targets[row, output]) - scores[output]
                    bound = 3.0 * unit[row, output]
                    if seen + row > 10:
                        error = min(max(error, -bound), bound)
                    step = share * error
                    for place in range(np.uint64(size)):
                        weights[output, place] += step * gain[place]
            continue
        _spread_probabilities(known, scores)
        blind = noise[0]
        for output in range(known):
            answers[row, output] = (1.0 - blind) * scores[output] + blind / known
        if not learn:
            continue
        label = int(np.int64(labels[row]))
        meant = 1.0
        if label < known:
            right = (1.0 - blind) * scores[label]
            meant = right / (right + blind / known) if blind > 0.0 else 1.0
        # Never nothing: a concept that turns round must not look like noise for ever.
        heard = max(meant, 0.02)
        for output in range(known, label + 1):
            scores[output] = 0.0
        known = max(known, label + 1)
        curvature = 0.0
        for output in range(known):
            curvature = max(curvature, scores[output] * (1.0 - scores[output]))
        weight = max(curvature * heard, 0.02)
        share = add_evidence(covariance, standard[row], weight, forgetting, widest, gain, stretch)
        for output in range(known):
            slope = scores[output] - (1.0 if output == label else 0.0)
            step = heard * slope * share
            for place in range(np.uint64(size)):
                weights[output, place] -= step * gain[place]
        if seen + row >= 20:
            blind += 0.002 * (1.0 - meant - blind)
            noise[0] = min(max(blind, 0.001), most_noise)


@hot_kernel
def follow_linearly(
    rows: int,
    learn: bool,
    seen: int,
    standard: np.ndarray,
    targets: np.ndarray,
    middle: np.ndarray,
    unit: np.ndarray,
    weights: np.ndarray,
    answers: np.ndarray,
) -> None:
    """Predict numbers by a linear model whose step removes half of the last error or more.

    Besides the arrays of the layout table in `kyouko.domain.engine.experts.state`, those of
    `answer_linearly`:
        weights: float64, shape (outputs, channels + 1).

    Source: Nagumo & Noda 1967, "A Learning Method for System Identification".
    """
    size = weights.shape[1]
    for row in range(rows):
        length = 1.0
        for place in range(size):
            length += standard[row, place] * standard[row, place]
        for output in range(targets.shape[1]):
            score = 0.0
            for place in range(size):
                score += weights[output, place] * standard[row, place]
            if seen + row > 0:
                answers[row, output] = _answer_number(score, middle[row, output], unit[row, output])
            if not learn:
                continue
            if seen + row == 0:
                weights[output, size - 1] = targets[row, output]
                continue
            error = np.float64(targets[row, output]) - score
            bound = 3.0 * unit[row, output]
            if seen + row > 10:
                error = min(max(error, -bound), bound)
            for place in range(size):
                weights[output, place] += error / length * standard[row, place]
