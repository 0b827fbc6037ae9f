"""Static layers by torch, one row at a time, in the order of `kyouko.kernels.dense`.

One row is too little work for a GPU: starting its operations one by one takes far longer than
they do. So a whole step is recorded once as a CUDA graph, which starts them together; nothing in
it depends on the host, not even which row of the frame comes next.

Results agree with the processor's up to rounding, not to the bit.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from kyouko.domain.engine.interface import Scored
from kyouko.domain.engine.static.backend import FRAME_ROWS, Weights
from kyouko.domain.engine.static.layers import Plan
from kyouko.domain.engine.static.scaling import FAULT, LIMIT
from kyouko.kernels import dense_indices as indices

__all__ = ["TorchBackend"]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
# torch brings types, but is an extra: where it is absent they cannot be checked.
Tensor: TypeAlias = Any

_WARM_UPS: Final = 3
_LARGEST_WEIGHT: Final = 1e6
_KEEP_FIRST: Final = 0.9
_KEEP_SECOND: Final = 0.999
_TINY: Final = 1e-30


class TorchBackend:
    """Weights, one frame of rows and its results in the memory of a torch device."""

    def __init__(
        self,
        plan: Plan,
        settings: Float64,
        weights: Weights,
        device: torch.device,
        *,
        classes: bool,
    ) -> None:
        """Copy weights to the device and record what is done for each row."""
        self._plan = plan
        self._device = device
        self._classes = classes
        self._rate = float(settings[indices.LEARNING_RATE])
        self._limit = float(settings[indices.STEP_LIMIT])
        self._adam = settings[indices.OPTIMIZER] == indices.ADAM
        self._known_outputs = 0
        self._allocate(weights)
        self._step = self._record(self._learn_row)
        self._show = self._record(self._predict_row)
        self._load(weights)

    @property
    def known_outputs(self) -> int:
        """Outputs known now."""
        return int(self._known_outputs)

    def set_scale(self, center: Float64, inverse: Float64) -> None:
        """Scale the rows from now on by (value - center) * inverse."""
        self._center.copy_(torch.from_numpy(center))
        self._inverse.copy_(torch.from_numpy(inverse))

    def learn(self, rows: Array, targets: Array, first: int, scored: Scored) -> int:
        """Predict, score and learn rows in order; see `Backend`."""
        count = len(rows)
        missing = self._stage(rows)
        wanted = np.array(targets, np.int64 if self._classes else np.float32)
        self._targets[:count].copy_(torch.from_numpy(wanted))
        for _ in range(count):
            self._step()
        if self._classes:
            self._known_outputs = max(self._known_outputs, int(wanted.max()) + 1)
        known, last = self._known_outputs, first + count
        scored.outputs[first:last, :known] = self._outputs[:count, :known].cpu().numpy()
        scored.loss[first:last] = self._losses[:count].cpu().numpy()
        if self._classes:
            scored.predicted[first:last] = self._predicted[:count].cpu().numpy()
            scored.correct[first:last] = scored.predicted[first:last] == wanted
        return missing

    def predict(self, rows: Array, first: int, outputs: Float32) -> None:
        """Write the predictions for rows, computed one by one as when learning; see `Backend`."""
        self._stage(rows)
        for _ in range(len(rows)):
            self._show()
        found = self._outputs[: len(rows), : self._known_outputs]
        outputs[first : first + len(rows)] = found.cpu().numpy()

    def rescale_outputs(self, ratio: Float64, shift: Float64) -> None:
        """Make score * ratio + shift of each output's score, in weights and moments."""
        scale = torch.from_numpy(ratio).to(self._device)[:, None]
        matrix = self._matrices[-1]
        changed = matrix.double() * scale
        changed[:, -1] += torch.from_numpy(shift).to(self._device)
        matrix.copy_(changed.clamp_(-_LARGEST_WEIGHT, _LARGEST_WEIGHT))
        if self._adam:
            for power, moment in enumerate((self._firsts[-1], self._seconds[-1]), 1):
                moment.copy_((moment.double() * scale**power).clamp_(-1e30, 1e30))

    def read(self) -> Weights:
        """Return copies of the weights."""
        counters, meters = self.read_counters()
        return Weights(
            parameters=self._parameters.cpu().numpy().copy(),
            first_moment=self._first_moment.cpu().numpy().copy(),
            second_moment=self._second_moment.cpu().numpy().copy(),
            counters=counters,
            meters=meters,
        )

    def read_counters(self) -> tuple[npt.NDArray[np.int64], Float64]:
        """Return counters and meters alone."""
        counters = self._counters.cpu().numpy().copy()
        return counters, self._meters.cpu().numpy().copy()

    def _allocate(self, weights: Weights) -> None:
        device, plan = self._device, self._plan
        outputs = plan.output.neurons

        def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        self._parameters = zeros(plan.parameters)
        self._first_moment = zeros(len(weights.first_moment))
        self._second_moment = zeros(len(weights.second_moment))
        self._matrices = self._cut(self._parameters)
        self._firsts = self._cut(self._first_moment) if self._adam else []
        self._seconds = self._cut(self._second_moment) if self._adam else []
        self._counters = zeros(indices.COUNTERS, dtype=torch.int64)
        self._meters = zeros(indices.METERS, dtype=torch.float64)
        # Each layer's inputs end with the constant 1 for the biases.
        self._inputs = [
            torch.ones(layer.inputs, dtype=torch.float32, device=device) for layer in plan.layers
        ]
        channels = plan.layers[0].inputs - 1
        self._center = zeros(channels, dtype=torch.float64)
        self._inverse = zeros(channels, dtype=torch.float64)
        self._frame = zeros(FRAME_ROWS, channels)
        shape = (FRAME_ROWS,) if self._classes else (FRAME_ROWS, outputs)
        self._targets = zeros(*shape, dtype=torch.int64 if self._classes else torch.float32)
        self._cursor = zeros(1, dtype=torch.int64)
        self._outputs = zeros(FRAME_ROWS, outputs)
        self._losses = zeros(FRAME_ROWS)
        self._predicted = zeros(FRAME_ROWS, dtype=torch.int64)
        self._places = torch.arange(outputs, device=device)

    def _cut(self, values: Tensor) -> list[Tensor]:
        """Look at flat values as one matrix for each layer, a row for each neuron."""
        return [
            values[layer.first_weight : layer.first_weight + layer.weights].view(
                layer.neurons, layer.inputs
            )
            for layer in self._plan.layers
        ]

    def _load(self, weights: Weights) -> None:
        self._parameters.copy_(torch.from_numpy(weights.parameters))
        self._first_moment.copy_(torch.from_numpy(weights.first_moment))
        self._second_moment.copy_(torch.from_numpy(weights.second_moment))
        self._counters.copy_(torch.from_numpy(weights.counters))
        self._meters.copy_(torch.from_numpy(weights.meters))
        self._known_outputs = int(weights.counters[indices.KNOWN_OUTPUTS])

    def _record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record work on the device's arrays, to be started again and again as one.

        The recording itself runs the work a few times first: torch chooses and allocates then.
        """
        if self._device.type != "cuda":
            return work
        stream = torch.cuda.Stream(self._device)
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                work()
        torch.cuda.current_stream(self._device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Other networks' threads may use the GPU meanwhile.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            work()
        replay: Callable[[], None] = graph.replay
        return replay

    def _stage(self, rows: Array) -> int:
        """Bring raw rows to the device and scale them; return how many values are missing."""
        raw = torch.from_numpy(np.array(rows)).to(self._device)
        scaled = (raw.double() - self._center) * self._inverse
        usable = scaled.abs() <= FAULT
        self._frame[: len(rows)].copy_(torch.where(usable, scaled.clamp(-LIMIT, LIMIT), 0.0))
        self._cursor.zero_()
        return 0 if rows.dtype == np.uint8 else int(np.count_nonzero(~np.isfinite(rows)))

    def _forward(self) -> Tensor:
        """Compute the scores of the row at the cursor."""
        self._inputs[0][:-1].copy_(self._frame.index_select(0, self._cursor)[0])
        last = len(self._plan.layers) - 1
        for place, layer in enumerate(self._plan.layers[:last]):
            sums = torch.mv(self._matrices[place], self._inputs[place])
            if layer.activation == indices.RECTIFIED:
                sums = sums.clamp(min=0.0)
            elif layer.activation == indices.TANH:
                sums = sums.tanh()
            else:
                sums = 0.5 + 0.5 * (0.5 * sums).tanh()
            self._inputs[place + 1][:-1].copy_(sums)
        return torch.mv(self._matrices[last], self._inputs[last])

    def _softmax(self, scores: Tensor) -> Tensor:
        """Turn the scores of the known outputs into probabilities; the others have none."""
        known = self._places < self._counters[indices.KNOWN_OUTPUTS]
        chances = torch.softmax(torch.where(known, scores, -torch.inf), 0)
        return torch.where(known, chances, 0.0)

    def _put(self, target: Tensor, value: Tensor) -> None:
        """Write what belongs to the row at the cursor."""
        target.index_copy_(0, self._cursor, value.to(target.dtype).reshape(1, *target.shape[1:]))

    def _predict_row(self) -> None:
        scores = self._forward()
        self._put(self._outputs, self._softmax(scores) if self._classes else scores)
        self._cursor += 1

    def _learn_row(self) -> None:
        scores = self._forward()
        self._counters[indices.LEARNED_ROWS] += 1
        score = self._score_class if self._classes else self._score_numbers
        loss, error, delta, learns = score(scores)
        self._put(self._losses, loss)
        rate = (1.0 / self._counters[indices.LEARNED_ROWS].double()).clamp(min=0.001)
        shown = torch.stack((loss, error))
        self._meters += rate * (shown - self._meters)
        self._update(delta, learns)
        self._cursor += 1

    def _score_class(self, scores: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return loss, error, the loss's derivative by the scores, and whether to learn."""
        label = self._targets.index_select(0, self._cursor)[0]
        known = self._counters[indices.KNOWN_OUTPUTS]
        chances = self._softmax(scores)
        self._put(self._outputs, chances)
        best = torch.where(known > 0, chances.argmax(), -1)
        self._put(self._predicted, best)
        chance = chances.index_select(0, label.reshape(1))[0].double()
        loss = torch.where(label < known, -chance.clamp(min=1e-6).log(), 13.8)
        error = (best != label).double()
        known.copy_(torch.maximum(known, label + 1))
        delta = self._softmax(scores) - (self._places == label).float()
        return loss, error, delta, known > 0

    def _score_numbers(self, scores: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the same for numbers; without a second target there is nothing to learn yet."""
        self._put(self._outputs, scores)
        difference = (scores - self._targets.index_select(0, self._cursor)[0]).double()
        learns = self._counters[indices.LEARNED_ROWS] > 1
        delta = difference.clamp(-3.0, 3.0)
        loss = (difference * difference).mean().clamp(max=3e37)
        error = delta.abs().mean().clamp(max=1.0)
        return (
            torch.where(learns, loss, 0.0),
            torch.where(learns, error, 0.0),
            delta.float(),
            learns,
        )

    def _update(self, delta: Tensor, learns: Tensor) -> None:
        """Carry the derivative back through the layers and take the step."""
        total = delta.double().square().sum()
        deltas = [delta]
        length = torch.zeros((), dtype=torch.float64, device=self._device)
        for place in range(len(self._plan.layers) - 1, -1, -1):
            values = self._inputs[place]
            length = length + values.double().square().sum() * deltas[0].double().square().sum()
            if place > 0:
                back = torch.mv(self._matrices[place][:, :-1].t(), deltas[0])
                slope = self._slope(values[:-1], self._plan.layers[place - 1].activation)
                deltas.insert(0, back * slope)
        # False also for NaN: then the step is left out, and the weights stay finite.
        takes = learns & (length > 0.0) & (length < 1e30)
        self._counters[indices.UPDATED_ROWS] += takes.long()
        if self._adam:
            self._adapt(deltas, takes)
        else:
            rate = (self._limit * total / length).clamp(max=self._rate)
            self._descend(deltas, torch.where(takes, rate, 0.0).float(), takes)

    @staticmethod
    def _slope(values: Tensor, activation: int) -> Tensor:
        """Return the activation's derivative, given its values."""
        if activation == indices.RECTIFIED:
            return (values > 0.0).float()
        if activation == indices.TANH:
            return 1.0 - values * values
        return values * (1.0 - values)

    def _descend(self, deltas: list[Tensor], rate: Tensor, takes: Tensor) -> None:
        for matrix, values, delta in zip(self._matrices, self._inputs, deltas, strict=True):
            step = torch.where(takes, rate * delta, 0.0)
            matrix.addcmul_(step[:, None], values[None, :], value=-1.0)

    def _adapt(self, deltas: list[Tensor], takes: Tensor) -> None:
        """Take one step of Adam; see `kyouko.kernels.dense`."""
        steps = self._counters[indices.UPDATED_ROWS].double()
        correction = (1.0 - _KEEP_SECOND**steps).sqrt()
        scale = (self._rate * correction / (1.0 - _KEEP_FIRST**steps)).float()
        guard = (1e-8 * correction).float()
        parts = zip(self._matrices, self._firsts, self._seconds, self._inputs, deltas, strict=True)
        for matrix, first, second, values, delta in parts:
            slope = delta[:, None] * values[None, :]
            mean = _KEEP_FIRST * first + (1.0 - _KEEP_FIRST) * slope
            mean = torch.where(mean.abs() > _TINY, mean, 0.0)
            square = _KEEP_SECOND * second + (1.0 - _KEEP_SECOND) * (slope * slope)
            square = torch.where(square > _TINY, square, 0.0)
            changed = matrix - scale * mean / (square.sqrt() + guard)
            matrix.copy_(torch.where(takes, changed, matrix))
            first.copy_(torch.where(takes, mean, first))
            second.copy_(torch.where(takes, square, second))
