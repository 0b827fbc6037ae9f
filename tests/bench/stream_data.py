"""The streams that the engine is compared on: rows as they come, nothing scaled or shuffled anew.

River brings the generators and the small files, scikit-learn two data sets that are shuffled
once. Other streams than these decided the engine's settings too; none has settings of its own.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["STREAMS", "Stream", "load"]

_ROWS: Final = 20_000


@dataclass(frozen=True)
class Stream:
    """Rows to be predicted, scored and learned one after the other.

    Attributes:
        name: as in the figures.
        inputs: float32, shape (rows, channels), raw.
        targets: int32, shape (rows,), classes numbered as they appear; or float32, shape
            (rows, 1), numbers.
    """

    name: str
    inputs: npt.NDArray[np.float32]
    targets: npt.NDArray[np.int32] | npt.NDArray[np.float32]

    @property
    def is_classes(self) -> bool:
        """Whether the targets are classes."""
        return self.targets.ndim == 1


Pairs = Iterable[tuple[dict[Any, Any], Any]]


def _chain(parts: Iterable[Pairs], rows: int) -> Iterator[tuple[dict[Any, Any], Any]]:
    """Yield the first `rows` of each part: an abrupt drift between two of them."""
    return itertools.chain.from_iterable(itertools.islice(part, rows) for part in parts)


def _phishing() -> Pairs:
    from river import datasets

    return datasets.Phishing()


def _bananas() -> Pairs:
    from river import datasets

    return datasets.Bananas()


def _sea_noisy() -> Pairs:
    """Two concepts, a tenth of the labels wrong."""
    from river.datasets import synth

    parts = (synth.SEA(variant=variant, noise=0.1, seed=seed) for variant, seed in ((0, 1), (2, 2)))
    return _chain(parts, _ROWS // 2)


def _sea_abrupt() -> Pairs:
    """Four concepts without noise."""
    from river.datasets import synth

    return _chain((synth.SEA(variant=item, noise=0.0, seed=42 + item) for item in range(4)), 2500)


def _agrawal() -> Pairs:
    from river.datasets import synth

    return itertools.islice(synth.Agrawal(classification_function=4, seed=1), _ROWS)


def _agrawal_drift() -> Pairs:
    """Two concepts, one after the other."""
    from river.datasets import synth

    parts = (
        synth.Agrawal(classification_function=function, seed=seed)
        for function, seed in ((0, 1), (6, 2))
    )
    return _chain(parts, _ROWS // 2)


def _random_rbf() -> Pairs:
    from river.datasets import synth

    stream = synth.RandomRBF(
        seed_model=1, seed_sample=1, n_classes=5, n_features=10, n_centroids=50
    )
    return itertools.islice(stream, _ROWS)


def _digits() -> Pairs:
    from sklearn import datasets

    return _shuffled(datasets.load_digits())


def _breast_cancer() -> Pairs:
    from sklearn import datasets

    return _shuffled(datasets.load_breast_cancer())


def _shuffled(data: Any) -> Pairs:
    order = np.random.RandomState(42).permutation(len(data.data))
    return ((dict(enumerate(data.data[row])), data.target[row]) for row in order)


def _trump_approval() -> Pairs:
    from river import datasets

    return datasets.TrumpApproval()


def _friedman() -> Pairs:
    from river.datasets import synth

    return itertools.islice(synth.Friedman(seed=1), _ROWS)


_CLASSES: Final[dict[str, Callable[[], Pairs]]] = {
    "phishing": _phishing,
    "bananas": _bananas,
    "sea_noisy": _sea_noisy,
    "sea_abrupt": _sea_abrupt,
    "agrawal": _agrawal,
    "agrawal_drift": _agrawal_drift,
    "random_rbf": _random_rbf,
    "digits": _digits,
    "breast_cancer": _breast_cancer,
}
_NUMBERS: Final[dict[str, Callable[[], Pairs]]] = {
    "trump_approval": _trump_approval,
    "friedman": _friedman,
}
STREAMS: Final = (*_CLASSES, *_NUMBERS)


def load(name: str) -> Stream:
    """Make a stream; the same rows every time.

    Raises:
        ModuleNotFoundError: without the `bench` extra.
    """
    rows, answers = zip(*(_CLASSES | _NUMBERS)[name](), strict=True)
    inputs = np.array([[float(value) for value in row.values()] for row in rows], np.float32)
    if name in _NUMBERS:
        return Stream(name, inputs, np.array(answers, np.float32)[:, None])
    numbers: dict[Any, int] = {}
    labels = [numbers.setdefault(answer, len(numbers)) for answer in answers]
    return Stream(name, inputs, np.array(labels, np.int32))
