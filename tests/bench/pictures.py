"""Draw the pictures of the documentation from real runs.

    python -m tests.bench.pictures [growth] [ramp] [curves] [drift] [topology]

Writes docs/pictures/NAME.svg: transparent, in colours that stand out on white and on black, the
same bytes for the same numbers. Not a measurement: figures with demands are in `make bench`.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine import Arrival, Engine, create_engine
from kyouko.kernels.warmup import warm_up
from tests.bench.dense_network import DenseNetwork
from tests.bench.mnist import Mnist, load_mnist
from tests.bench.networks import flat_structure, structure_of
from tests.bench.progress import follow

FOLDER = Path("docs") / "pictures"

# Grey and colours whose contrast is above 4 on white and on GitHub's black.
_GREY = "#767676"
_COLOURS = ("#1f7ad1", "#c9581a", "#2c8a3f", "#8f5bd6", "#b0782a", "#d1467a")
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "hanami",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.color": _GREY,
    "axes.edgecolor": _GREY,
    "axes.labelcolor": _GREY,
    "axes.titlecolor": _GREY,
    "text.color": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
    "legend.frameon": False,
    "legend.labelcolor": "linecolor",
}
_WINDOW = 500
_DRIFT_ROWS = 20_000

Float32 = npt.NDArray[np.float32]


def main() -> int:
    """Draw the pictures asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pictures", description=__doc__)
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help=f"of {', '.join(PICTURES)}")
    given = parser.parse_args()
    unknown = set(given.pictures) - set(PICTURES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PICTURES)}")
    warm_up()
    data = load_mnist()
    for name in given.pictures or PICTURES:
        print(f"drawing {FOLDER / name}.svg", file=sys.stderr, flush=True)
        PICTURES[name](data)
    return 0


def draw_growth(data: Mnist) -> None:
    """Draw connections and sections over the rows of MNIST."""
    rows = _logarithmic(1, len(data.train_images), 120)
    networks = {"flat, 128 neurons": "templates/flat", "local, 512 neurons": "templates/grid"}
    with _picture("growth", columns=2, height=3.0) as (left, right):
        for place, (label, template) in enumerate(networks.items()):
            engine = create_engine(structure_of(template))
            seen = []
            for _ in _learning(engine, data, rows):
                seen.append(engine.statistics())
            colour = _COLOURS[place]
            left.plot(rows, [item.connections for item in seen], color=colour, label=label)
            right.plot(rows, [item.sections for item in seen], color=colour, label=label)
        left.set_ylabel("connections")
        left.yaxis.set_major_formatter("{x:,.0f}")
        right.set_ylabel("sections")
        for axes in (left, right):
            axes.set_xscale("log")
            axes.set_xlabel("rows of MNIST learned")
            axes.set_ylim(bottom=0)
        left.legend(loc="lower right")


def draw_ramp(_: Mnist) -> None:
    """Draw how one channel of a real table is coded: band, knots, drives."""
    from sklearn.datasets import load_breast_cancer

    table = load_breast_cancer()
    order = np.random.default_rng(42).permutation(len(table.data))
    rows = table.data[order].astype(np.float32)
    engine = create_engine(flat_structure(rows.shape[1], 64))
    engine.learn(rows, table.target[order].astype(np.int32), arrival=Arrival.STORED)
    channel = list(table.feature_names).index("mean radius")
    low, high, knots, zero = _coding(engine, channel)
    values = np.linspace(rows[:, channel].min() - 1, rows[:, channel].max() + 1, 600)
    with _picture("ramp", lines=2, height=4.2) as (upper, lower):
        upper.hist(rows[:, channel], bins=60, color=_COLOURS[0], alpha=0.6)
        upper.set_ylabel("rows")
        upper.set_title("mean radius of cell nuclei (breast cancer data)", loc="left")
        for place in range(len(knots) - 1):
            drives = ramp_drives(values, low, high, knots[place], knots[place + 1])
            drives[drives == 0.0] = np.nan
            lower.plot(values, drives, color=_COLOURS[place % len(_COLOURS)])
        lower.axhline(0.0, color=_GREY, linewidth=1.0)
        lower.annotate("resting band", (high, -0.9), (8, 0), textcoords="offset points")
        lower.set_ylabel("drive of each section")
        lower.set_xlabel("raw value of the channel")
        for axes in (upper, lower):
            axes.axvspan(low, high + 1e-9, color=_GREY, alpha=0.25, linewidth=1.5)
            for place, knot in enumerate(knots):
                edge = low + knot if place < zero else high + knot
                axes.axvline(edge, color=_GREY, linewidth=0.8, linestyle=":")
        upper.sharex(lower)


def ramp_drives(
    values: npt.NDArray[np.float64], low: float, high: float, start: float, stop: float
) -> npt.NDArray[np.float64]:
    """Return the drive of the section between two knots for raw values; see docs/engine.md."""
    above = np.where(values > high, values - high, 0.0)
    offset = np.where(values < low, values - low, above)
    rest = np.clip((0.0 - start) / (stop - start), 0.0, 1.0)
    drives: npt.NDArray[np.float64] = np.clip((offset - start) / (stop - start), 0.0, 1.0) - rest
    return drives


def draw_curves(data: Mnist) -> None:
    """Draw the test accuracy over the rows of MNIST, one pass, beside the dense peer."""
    rows = _logarithmic(20, len(data.train_images), 40)
    with _picture("curves", height=3.4) as (axes,):
        for place, (label, template) in enumerate(
            {"local, 512 neurons": "templates/grid", "flat, 128 neurons": "templates/flat"}.items()
        ):
            engine = create_engine(structure_of(template))
            accuracy = [
                _percent(engine.predict(data.test_images).argmax(axis=1), data.test_labels)
                for _ in _learning(engine, data, rows)
            ]
            axes.plot(rows, accuracy, color=_COLOURS[place], label=label)
        dense = "dense 784-128-10, inputs / 255"
        axes.plot(rows, _dense_curve(data, rows), color=_COLOURS[2], label=dense)
        axes.set_xscale("log")
        axes.set_xlabel("rows of MNIST learned, one pass, batch size one")
        axes.set_ylabel("test accuracy (%)")
        axes.set_ylim(0, 100)
        axes.legend(loc="lower right")


def draw_drift(_: Mnist) -> None:
    """Draw the prequential accuracy on a stream whose concept changes, beside River's models."""
    rows, labels = _drifting_rows()
    engine = create_engine(flat_structure(rows.shape[1], 128))
    hits = engine.learn(rows, labels, arrival=Arrival.STREAMED).correct.astype(np.float64)
    with _picture("drift", height=3.4) as (axes,):
        _plot_windows(axes, hits, _COLOURS[0], "Hanami, defaults")
        for place, (label, model) in enumerate(_river_models().items(), 1):
            right = []
            for row, target in follow(
                list(zip(rows.tolist(), labels.tolist(), strict=True)), label
            ):
                named = dict(enumerate(row))
                right.append(float(model.predict_one(named) == target))
                model.learn_one(named, target)
            _plot_windows(axes, np.asarray(right), _COLOURS[place], label)
        axes.axvline(_DRIFT_ROWS / 2, color=_GREY, linestyle=":")
        axes.set_xlabel("rows (Agrawal's generator, function 0, from the dotted line on 6)")
        axes.set_ylabel(f"correct of {_WINDOW} rows (%)")
        axes.set_ylim(45, 101)
        axes.legend(loc="lower right", ncols=2)


def draw_topology(data: Mnist) -> None:
    """Draw which pixels the populations reach that a network found among shuffled pixels."""
    shuffled = np.random.default_rng(42).permutation(data.train_images.shape[1])
    engine = create_engine(structure_of("templates/self-organised"))
    engine.learn(
        data.train_images[:1000, shuffled], data.train_labels[:1000], arrival=Arrival.STORED
    )
    reaches = _found_reaches(engine)
    strokes = data.train_images.mean(axis=0).reshape(28, 28) / 255.0
    with _picture("topology", lines=2, columns=8, height=2.4) as every_axes:
        for place, axes in enumerate(every_axes):
            axes.axis("off")
            if place >= len(reaches):
                continue
            reached = np.zeros(784)
            reached[shuffled[reaches[place]]] = 1.0
            axes.imshow(_tint(_GREY, 0.15 + 0.85 * strokes), interpolation="none")
            colour = _COLOURS[place % len(_COLOURS)]
            found = _tint(colour, 0.75 * reached.reshape(28, 28))
            axes.imshow(found, interpolation="none")


def _found_reaches(engine: Engine) -> list[npt.NDArray[np.int32]]:
    """Return the channels of each population that a network found by itself."""
    arrays = {
        name.partition("organising/")[2]: array
        for name, array in engine.export_state().arrays.items()
    }
    borders = np.cumsum(arrays["reach_sizes"])[:-1]
    return np.split(arrays["reach_channels"], borders)


def _tint(colour: str, strength: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return an image of one colour, shape (28, 28, 4), as opaque as it is strong."""
    from matplotlib.colors import to_rgb

    image = np.empty((*strength.shape, 4))
    image[..., :3] = to_rgb(colour)
    image[..., 3] = strength
    return image


def _coding(engine: Engine, channel: int) -> tuple[float, float, Float32, int]:
    """Return a channel's resting band, its knots and the place of the knot 0."""
    arrays = engine.export_state().arrays
    named = {
        name.rpartition("/")[2]: array[channel]
        for name, array in arrays.items()
        if name.rpartition("/")[2] in _CODING
    }
    knots: Float32 = named["knots"][: int(named["section_count"]) + 1]
    low, high = float(named["resting_low"]), float(named["resting_high"])
    return low, high, knots, int(named["zero_section"])


_CODING = ("resting_low", "resting_high", "knots", "section_count", "zero_section")


def _learning(engine: Engine, data: Mnist, rows: Sequence[int]) -> Iterator[int]:
    """Learn MNIST and yield when as many rows have been learned."""
    done = 0
    for stop in rows:
        part = slice(done, stop)
        engine.learn(data.train_images[part], data.train_labels[part], arrival=Arrival.STORED)
        done = stop
        yield stop


def _dense_curve(data: Mnist, rows: Sequence[int]) -> list[float]:
    inputs = data.train_images.astype(np.float32) / np.float32(255)
    tests = data.test_images.astype(np.float32) / np.float32(255)
    network = DenseNetwork.create(inputs.shape[1], 128, 10, seed=1)
    accuracy, done = [], 0
    for stop in rows:
        network.learn(inputs[done:stop], data.train_labels[done:stop])
        done = stop
        accuracy.append(_percent(network.predict(tests), data.test_labels))
    return accuracy


def _drifting_rows() -> tuple[Float32, npt.NDArray[np.int32]]:
    from river.datasets.synth import Agrawal

    rows, labels = [], []
    for function in (0, 6):
        for row, label in Agrawal(function, seed=42).take(_DRIFT_ROWS // 2):
            rows.append(list(row.values()))
            labels.append(int(label))
    return np.asarray(rows, np.float32), np.asarray(labels, np.int32)


def _river_models() -> dict[str, Any]:
    from river.forest import ARFClassifier
    from river.linear_model import LogisticRegression
    from river.preprocessing import StandardScaler
    from river.tree import HoeffdingAdaptiveTreeClassifier

    return {
        "River, adaptive random forest": ARFClassifier(10, seed=1),
        "River, Hoeffding adaptive tree": HoeffdingAdaptiveTreeClassifier(seed=1),
        "River, logistic regression, scaled": StandardScaler() | LogisticRegression(),
    }


def _plot_windows(axes: Any, hits: npt.NDArray[np.float64], colour: str, label: str) -> None:
    means = 100 * hits.reshape(-1, _WINDOW).mean(axis=1)
    axes.plot(np.arange(1, len(means) + 1) * _WINDOW, means, color=colour, label=label)


def _logarithmic(first: int, last: int, count: int) -> list[int]:
    return sorted({int(value) for value in np.geomspace(first, last, count).round()})


def _percent(predicted: npt.NDArray[Any], labels: npt.NDArray[np.int32]) -> float:
    return 100 * float(np.mean(predicted == labels))


@contextmanager
def _picture(
    name: str, *, lines: int = 1, columns: int = 1, height: float
) -> Iterator[tuple[Any, ...]]:
    """Hand out axes and write what was drawn on them."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    with pyplot.rc_context(_STYLE):
        figure, axes = pyplot.subplots(lines, columns, figsize=(7.2, height), squeeze=False)
        yield tuple(axes.ravel())
        figure.tight_layout()
        FOLDER.mkdir(parents=True, exist_ok=True)
        path = FOLDER / f"{name}.svg"
        figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    # matplotlib ends some lines with a space.
    text = "\n".join(line.rstrip() for line in path.read_text(encoding="utf-8").splitlines())
    path.write_text(text + "\n", encoding="utf-8")


PICTURES: dict[str, Callable[[Mnist], None]] = {
    "growth": draw_growth,
    "ramp": draw_ramp,
    "curves": draw_curves,
    "drift": draw_drift,
    "topology": draw_topology,
}


if __name__ == "__main__":
    sys.exit(main())
