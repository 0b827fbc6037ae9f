"""The engine alone: accuracy, speed, cold and cached start of the kernels."""

import statistics

from kyouko.kernels.warmup import warm_up
from tests.bench.engine_speed import measure_engine
from tests.bench.mnist import Mnist
from tests.bench.report import Figure


def measure(data: Mnist, runs: int) -> list[Figure]:
    """Measure the flat network of 128 neurons on raw MNIST, one pass, one thread."""
    warm = warm_up()
    found = [
        measure_engine(
            data.train_images, data.train_labels, data.test_images, data.test_labels, repeats=1
        )
        for _ in range(runs)
    ]

    def median(key: str) -> float:
        return statistics.median(run[key] for run in found)

    learn, predict = median("learn_rows_per_second"), median("predict_rows_per_second")
    return [
        Figure("engine.warm_up", warm, "s"),
        Figure("engine.flat128.test_accuracy", 100 * median("accuracy"), "%"),
        Figure("engine.flat128.learn", learn, "rows/s"),
        Figure(
            "engine.flat128.predict", predict, "rows/s", "engine.flat128.learn", predict / learn
        ),
    ]
