"""Slow twins of the experts and of their mixture, in plain numpy with explicit matrices.

Each follows its definition row by row from nothing; none reads the state of the real ones.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


@dataclass
class Units:
    """Running mean and variance, the newest values counting with at least `least`."""

    least: float
    mean: float = 0.0
    variance: float = 0.0
    count: int = 0

    def follow(self, value: float) -> None:
        """Take in one value."""
        self.count += 1
        rate = max(1.0 / self.count, self.least)
        step = value - self.mean
        self.mean += rate * step
        self.variance = (1.0 - rate) * (self.variance + rate * step**2)

    @property
    def deviation(self) -> float:
        """Standard deviation; for constant values their size, or 1."""
        found = float(np.sqrt(self.variance))
        if found > 1e-6 * abs(self.mean):
            return found
        return abs(self.mean) if self.mean != 0.0 else 1.0


@dataclass
class RobustUnits(Units):
    """Units that outliers hardly move; see `standardise_rows`."""

    block: list[float] = field(default_factory=list)

    def follow(self, value: float) -> None:
        """Take in one value."""
        deviation = float(np.sqrt(self.variance))
        usual = value
        if self.count >= 16 and deviation > 0.0:
            usual = self.mean + float(np.clip(value - self.mean, -8 * deviation, 8 * deviation))
        super().follow(usual)
        self.block.append(value)
        if len(self.block) == 64:
            variance = float(np.var(self.block))
            if 0.0 < variance < 1e-4 * self.variance:
                self.mean, self.variance = float(np.mean(self.block)), variance
            self.block.clear()


def standardise(rows: npt.NDArray[np.float32]) -> Float64:
    """Rows in standard deviations from the mean before them, with a last column of 1."""
    units = [RobustUnits(0.001) for _ in range(rows.shape[1])]
    found = np.zeros((len(rows), rows.shape[1] + 1))
    found[:, -1] = 1.0
    for place, row in enumerate(rows.astype(np.float64)):
        for channel, value in enumerate(row):
            unit = units[channel]
            if not np.isfinite(value):
                continue
            if unit.variance > 0.0:
                distance = (value - unit.mean) / np.sqrt(unit.variance)
                found[place, channel] = np.clip(distance, -5.0, 5.0)
            unit.follow(float(value))
    return found


@dataclass
class Evidence:
    """The inverse of a discounted sum of outer products, by inverting nothing cleverly."""

    size: int
    widest: float
    forgetting: float
    covariance: Float64 = field(init=False)

    def __post_init__(self) -> None:
        self.covariance = self.widest * np.eye(self.size)

    def add(self, direction: Float64, weight: float) -> Float64:
        """Add weight * direction * direction' and return new covariance * direction."""
        precision = np.linalg.inv(self.covariance) + weight * np.outer(direction, direction)
        self.covariance = np.linalg.inv(precision)
        gain: Float64 = self.covariance @ direction
        fits = np.diag(self.covariance) / self.forgetting <= self.widest
        stretch = np.where(fits, 1.0 / np.sqrt(self.forgetting), 1.0)
        self.covariance *= np.outer(stretch, stretch)
        return gain


def softmax(scores: Float64) -> Float64:
    """Probabilities of scores."""
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def answer_classes(
    standard: Float64, labels: npt.NDArray[np.int32], *, forgetting: float, most_noise: float
) -> Float64:
    """Probabilities before each row, by the linear expert for classes that may be mislabelled."""
    most = int(labels.max()) + 1
    evidence = Evidence(standard.shape[1], 1.0, forgetting)
    weights = np.zeros((most, standard.shape[1]))
    noise = 0.05 if most_noise > 0.0 else 0.0
    known = 0
    found = np.zeros((len(labels), most))
    for place, (row, label) in enumerate(zip(standard, labels, strict=True)):
        chances = softmax(weights[:known] @ row) if known else np.zeros(0)
        found[place, :known] = (1.0 - noise) * chances + noise / max(known, 1)
        meant = 1.0
        if label < known and noise > 0.0:
            meant = float((1.0 - noise) * chances[label] / found[place, label])
        known = max(known, int(label) + 1)
        chances = np.append(chances, np.zeros(known - len(chances)))
        heard = max(meant, 0.02)
        gain = evidence.add(row, max(heard * float((chances * (1.0 - chances)).max()), 0.02))
        goal = np.arange(known) == label
        weights[:known] -= heard * np.outer(chances - goal, gain)
        if place >= 20:
            noise = float(np.clip(noise + 0.002 * (1.0 - meant - noise), 0.001, None))
            noise = min(noise, most_noise)
    return found


def answer_numbers(
    standard: Float64, targets: npt.NDArray[np.float32], *, forgetting: float | None
) -> Float64:
    """Numbers before each row, by least squares with forgetting, or None: by the last row."""
    goals = targets.astype(np.float64)
    evidence = Evidence(standard.shape[1], 10.0, forgetting or 1.0)
    weights = np.zeros((goals.shape[1], standard.shape[1]))
    units = [Units(0.002) for _ in range(goals.shape[1])]
    found = np.zeros_like(goals)
    for place, (row, goal) in enumerate(zip(standard, goals, strict=True)):
        if place == 0:
            weights[:, -1] = goal
        score = weights @ row
        middle = np.array([unit.mean for unit in units])
        deviation = np.array([unit.deviation for unit in units])
        if place > 0:
            found[place] = np.clip(score, middle - 10 * deviation, middle + 10 * deviation)
        error = np.zeros_like(goal) if place == 0 else goal - score
        if place > 10:
            error = np.clip(error, -3 * deviation, 3 * deviation)
        gain = row / (1.0 + row @ row) if forgetting is None else evidence.add(row, 1.0)
        weights += np.outer(error, gain)
        for unit, value in zip(units, goal, strict=True):
            unit.follow(float(value))
    return found


def recall(
    rows: npt.NDArray[np.float32], targets: npt.NDArray[np.generic], *, kept: int, asked: int
) -> Float64:
    """Answers before each row, by the `asked` nearest of the `kept` rows before it.

    Args:
        rows: float32, shape (rows, channels); NaN for missing values.
        targets: int32, shape (rows,), labels; or float32, shape (rows, outputs).
        kept: rows remembered.
        asked: neighbours.
    """
    units = [RobustUnits(0.001) for _ in range(rows.shape[1])]
    classes = targets.ndim == 1
    found = np.zeros((len(rows), int(targets.max()) + 1 if classes else targets.shape[1]))
    exact = rows.astype(np.float64)
    for place in range(len(rows)):
        start = max(0, place - kept)
        deviation = np.sqrt([unit.variance for unit in units])
        compared = (deviation > 0.0) & np.isfinite(exact[place])
        steps = exact[start:place, compared] - exact[place, compared]
        squares = np.minimum((steps / deviation[compared]) ** 2, 16.0)
        distance = np.where(np.isnan(squares), 2.0, squares).sum(axis=1)
        nearest = start + np.argsort(distance, kind="stable")[:asked]
        weights = 1.0 / np.sqrt(np.sort(distance, kind="stable")[:asked] + 1e-9)
        if classes:
            known = int(targets[:place].max()) + 1 if place else 0
            spread = 0.5 * weights.sum() / asked
            for slot, weight in zip(nearest, weights, strict=True):
                found[place, targets[slot]] += weight
            found[place, :known] += spread / max(known, 1)
            found[place] /= max(weights.sum() + spread, 1e-300)
        elif place:
            found[place] = weights @ targets[nearest] / weights.sum()
        for unit, value in zip(units, exact[place], strict=True):
            if np.isfinite(value):
                unit.follow(float(value))
    return found


def mix_classes(opinions: Float64, labels: npt.NDArray[np.int32]) -> Float64:
    """Mixed probabilities before each row; opinions have shape (members, rows, classes)."""
    members, rows, _ = opinions.shape
    evidence = Evidence(members, 0.1, 0.998)
    trust = np.full(members, 1.0 / members)
    known = 0
    found = np.zeros(opinions.shape[1:])
    for place in range(rows):
        label = int(labels[place])
        if known:
            least = min(0.02, 0.1 / known)
            logs = np.log(np.maximum(opinions[:, place, :known], least))
            chances = softmax(trust @ logs)
            found[place, :known] = chances
        if label >= known:
            known = label + 1
            continue
        if known < 2:
            continue
        best, second = np.argsort(-chances, kind="stable")[:2]
        contrast = logs[:, best] - logs[:, second]
        evidence.add(contrast, float(chances[best] * chances[second]))
        trust = trust - evidence.covariance @ (logs @ chances - logs[:, label])
    return found


def mix_numbers(opinions: Float64, targets: npt.NDArray[np.float32], unit: Float64) -> Float64:
    """Mixed numbers before each row; opinions have shape (members, rows, outputs)."""
    members, rows, outputs = opinions.shape
    goals = targets.astype(np.float64)
    patient, plain = Evidence(members, 0.3, 0.998), Evidence(members, 0.3, 1.0)
    trust = np.full(members, 1.0 / members)
    usual = np.zeros(outputs)
    found = np.zeros((rows, outputs))
    for place in range(rows):
        for output in range(outputs):
            contrast = opinions[:, place, output] - opinions[0, place, output]
            answer = opinions[0, place, output] + trust @ contrast
            found[place, output] = answer
            if place == 0:
                continue
            error = goals[place, output] - answer
            before = usual[output]
            usual[output] += max(0.002, 1.0 / place) * (abs(error) - before)
            if before <= 0.0:
                continue
            evidence = patient if output == 0 else plain
            evidence.covariance = patient.covariance
            gain = evidence.add(np.clip(contrast / before, -10.0, 10.0), 1.0 / outputs)
            patient.covariance = evidence.covariance
            trust += np.clip(error / before, -3.0, 3.0) / outputs * gain
    return found
