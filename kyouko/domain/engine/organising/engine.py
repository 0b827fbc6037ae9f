"""A growing network that adds local populations once it knows which channels are neighbours."""

import enum
import itertools
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.arrays import check_inputs, check_targets
from kyouko.domain.engine.errors import EngineMemoryError, EngineStateError, EngineStructureError
from kyouko.domain.engine.growing.engine import GrowingEngine
from kyouko.domain.engine.growing.topology import locate_channels
from kyouko.domain.engine.interface import (
    EngineState,
    EngineStatistics,
    GrowthEvent,
    GrowthKind,
    Scored,
)
from kyouko.domain.engine.memory import find_least_limit
from kyouko.domain.engine.organising.finding import find_reaches
from kyouko.domain.engine.structure import (
    Arrival,
    InputPopulation,
    NetworkStructure,
    Organisation,
    Population,
    Reach,
    ReachKind,
    TaskKind,
)

__all__ = ["OrganisingEngine"]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Reaches = tuple[tuple[int, ...], ...]

_ENGINE: Final = "organising"
_FORMAT: Final = 1
_INNER: Final = "growing/"
_ROWS: Final = "organising/rows"
_SIZES: Final = "organising/reach_sizes"
_CHANNELS: Final = "organising/reach_channels"
# Rows and codes in double precision: what the search needs at its height, in sizes of the rows.
_SEARCH_SIZES: Final = 10
# Share of the memory limit that rows and search may take.
_SEARCH_SHARE: Final = 8
_FEWEST_ROWS: Final = 64
_MOST_ROWS: Final = 4096  # more rows tell hardly more about who goes with whom
_NO_ROOM: Final = "the memory limit leaves no room for populations that the network finds by itself"


class _Phase(enum.Enum):
    """What has become of the search for a topology."""

    WAITING = "waiting"
    FOUND = "found"
    NOTHING = "nothing found"
    NO_ROOM = "no room"


class OrganisingEngine:
    """A growing network whose local populations are found at one learned row.

    Until then the rows are kept, and count as memory; then they are let go. The new neurons start
    unheard by the outputs, so predictions do not jump. Where the channels have no neighbours, the
    network stays as declared.
    """

    def __init__(self, structure: NetworkStructure) -> None:
        """Make an empty network.

        Raises:
            EngineStructureError: if the structure cannot be built within its memory limit.
        """
        structure.check()
        self.structure = structure
        self._phase = _Phase.WAITING
        self._reaches: Reaches = ()
        self._rows = _make_room(structure)
        self._seen = 0
        try:
            self._inner = GrowingEngine(self._inner_structure(structure, self._rows))
        except EngineMemoryError as error:
            least = find_least_limit(
                error.needed_bytes, lambda limit: _count_search_bytes(structure, limit)
            )
            raise EngineMemoryError(structure.options.memory_limit_bytes, least) from error

    @property
    def channels(self) -> int:
        """Width of a row."""
        return self.structure.channels

    @property
    def outputs(self) -> int:
        """Outputs known now."""
        return self._inner.outputs

    def learn(self, inputs: Array, targets: Array, *, arrival: Arrival) -> Scored:
        """Predict, score and learn each row in order; at one of them, find the topology.

        Raises:
            EngineInputError: if an array does not fit; then nothing was learned.
        """
        rows = check_inputs(inputs, self.channels)
        known = check_targets(
            targets, rows, classes=self.structure.output.kind is TaskKind.CLASSES,
            known=self.outputs, most=self.structure.most_outputs,
        )  # fmt: skip
        if not self._is_waiting:
            return self._inner.learn(inputs, targets, arrival=arrival)
        border = _organisation(self.structure).at_row - self._seen
        if rows < border:
            self._keep(inputs)
            return self._inner.learn(inputs, targets, arrival=arrival)
        self._keep(inputs[:border])
        before = self._inner.learn(inputs[:border], targets[:border], arrival=arrival)
        self._organise()
        after = self._inner.learn(inputs[border:], targets[border:], arrival=arrival)
        outputs = np.zeros((rows, known), np.float32)
        outputs[:border, : before.outputs.shape[1]] = before.outputs
        outputs[border:, : after.outputs.shape[1]] = after.outputs
        return Scored(
            outputs=outputs,
            loss=np.concatenate([before.loss, after.loss]),
            correct=np.concatenate([before.correct, after.correct]),
            predicted=np.concatenate([before.predicted, after.predicted]),
        )

    def predict(self, inputs: Array) -> Float32:
        """Predict each row; changes nothing.

        Raises:
            EngineInputError: if the array does not fit.
        """
        return self._inner.predict(inputs)

    def observe(self, inputs: Array) -> Float32:
        """Predict each row in order, and let it pass without learning from it."""
        return self._inner.observe(inputs)

    def statistics(self) -> EngineStatistics:
        """Describe the network and the rows that it keeps to find its topology."""
        inner = self._inner.statistics()
        stopped = self._phase is _Phase.NO_ROOM and not inner.growth_stopped
        return replace(
            inner,
            memory_bytes=inner.memory_bytes + self._rows.nbytes,
            memory_limit_bytes=self.structure.options.memory_limit_bytes,
            growth_stopped=inner.growth_stopped or stopped,
            growth_stop_reason=_NO_ROOM if stopped else inner.growth_stop_reason,
        )

    def events(self, since: int = 0) -> tuple[GrowthEvent, ...]:
        """Return the latest growth events whose number is above `since`, oldest first."""
        return self._inner.events(since)

    def export_state(self) -> EngineState:
        """Copy everything that a network needs to continue exactly as this one."""
        inner = self._inner.export_state()
        arrays = {_INNER + name: array for name, array in inner.arrays.items()}
        arrays[_ROWS] = self._rows[: self._kept].copy()
        arrays[_SIZES] = np.array([len(reach) for reach in self._reaches], np.int32)
        arrays[_CHANNELS] = np.array(sum(self._reaches, ()), np.int32)
        header = {
            "engine": _ENGINE,
            "format": _FORMAT,
            "channels": self.channels,
            "phase": self._phase.value,
            "inner": inner.header,
        }
        return EngineState(arrays, header)

    def import_state(self, saved: EngineState) -> None:
        """Become the exported network.

        Raises:
            EngineStateError: if the state does not belong to this structure or version.
        """
        header, arrays = saved.header, saved.arrays
        expected = {"engine": _ENGINE, "format": _FORMAT, "channels": self.channels}
        for key, value in expected.items():
            if header.get(key) != value:
                raise EngineStateError(f"{key} is {header.get(key)!r}, expected {value!r}")
        if header.get("phase") not in [phase.value for phase in _Phase]:
            raise EngineStateError(f"phase is {header.get('phase')!r}")
        inner = header.get("inner")
        if not isinstance(inner, dict):
            raise EngineStateError("inner is missing")
        self._phase = _Phase(header["phase"])
        self._reaches = _read_reaches(arrays, self.structure)
        self._rows = _make_room(self.structure) if self._is_waiting else _no_rows(self.channels)
        try:
            self._inner = GrowingEngine(self._inner_structure(self.structure, self._rows))
        except EngineStructureError as error:
            raise EngineStateError(f"the populations found cannot be built: {error}") from error
        names = [name for name in arrays if name.startswith(_INNER)]
        members = {name.removeprefix(_INNER): arrays[name] for name in names}
        self._inner.import_state(EngineState(members, inner))
        self._seen = self._inner.statistics().learned_rows
        if self._is_waiting and self._seen >= _organisation(self.structure).at_row:
            raise EngineStateError(f"phase is still {self._phase.value!r} after {self._seen} rows")
        rows, shape = arrays.get(_ROWS), (self._kept, self.channels)
        if rows is None or rows.dtype != np.float32 or rows.shape != shape:
            raise EngineStateError(f"array {_ROWS} is not float32 of {self._kept} rows")
        self._rows[: self._kept] = rows

    def add_channels(self, population: InputPopulation) -> None:
        """Widen the rows by a new input population; what was learned stays as it is.

        The declared populations reach it as declared. Those that were found do not; in rows that
        are still kept to find them, it is missing.

        Raises:
            EngineStructureError: if the wider network cannot be built within its memory limit.
        """
        structure = replace(self.structure, inputs=(*self.structure.inputs, population))
        structure.check()
        rows = _make_room(structure) if self._is_waiting else _no_rows(structure.channels)
        kept = _count_kept(structure, rows, self._seen)
        rows[:kept] = np.nan
        rows[:kept, : self.channels] = self._rows[self._kept - kept : self._kept]
        self._inner.widen(self._inner_structure(structure, rows))
        self._inner.note(GrowthKind.CHANNELS_ADDED, subject=self.channels)
        self.structure, self._rows = structure, rows

    @property
    def _is_waiting(self) -> bool:
        return self._phase is _Phase.WAITING

    @property
    def _kept(self) -> int:
        """Rows kept so far to find the topology."""
        return _count_kept(self.structure, self._rows, self._seen)

    def _keep(self, inputs: Array) -> None:
        """Keep the rows that come shortly before the topology is found; count all of them."""
        kept = self._kept
        self._seen += len(inputs)
        added = self._kept - kept
        if added > 0:
            self._rows[kept : kept + added] = inputs[len(inputs) - added :]

    def _inner_structure(self, structure: NetworkStructure, rows: Float32) -> NetworkStructure:
        """Return what the inner network is made of, and what the search leaves it of memory."""
        limit = structure.options.memory_limit_bytes - _SEARCH_SIZES * rows.nbytes
        structure = replace(structure, options=replace(structure.options, memory_limit_bytes=limit))
        if self._phase is not _Phase.FOUND:
            return structure
        found = _name_populations(structure, self._reaches)
        return replace(structure, populations=structure.populations + found, organisation=None)

    def _organise(self) -> None:
        """Find the topology in the kept rows, let them go, and add the populations."""
        rows, inner = self._rows, self._inner
        self._rows = _no_rows(self.channels)
        before = inner.statistics().connections
        self._phase = _Phase.NO_ROOM
        if len(rows) > 0:
            self._reaches = find_reaches(rows, _organisation(self.structure))
            self._phase = _Phase.FOUND if self._reaches else _Phase.NOTHING
        try:
            inner.widen(self._inner_structure(self.structure, self._rows))
        except EngineStructureError:
            self._phase, self._reaches = _Phase.NO_ROOM, ()
            inner.widen(self._inner_structure(self.structure, self._rows))
        if self._phase is _Phase.FOUND:
            gained = inner.statistics().connections - before
            inner.note(GrowthKind.POPULATIONS_ADDED, connections=gained)
        if self._phase is _Phase.NO_ROOM:
            inner.note(GrowthKind.GROWTH_STOPPED)


def _organisation(structure: NetworkStructure) -> Organisation:
    if structure.organisation is None:
        raise EngineStructureError("organisation", "none", "populations to be found")
    return structure.organisation


def _no_rows(channels: int) -> Float32:
    return np.zeros((0, channels), np.float32)


def _make_room(structure: NetworkStructure) -> Float32:
    """Allocate room for the rows of the search: none at all where too few would fit."""
    rows = _count_rows(structure, structure.options.memory_limit_bytes)
    return np.zeros((rows, structure.channels), np.float32)


def _count_rows(structure: NetworkStructure, limit: int) -> int:
    """Return how many rows may be kept for the search."""
    wanted = min(_organisation(structure).at_row, _MOST_ROWS)
    room = limit // _SEARCH_SHARE // (4 * structure.channels * _SEARCH_SIZES)
    rows = min(wanted, room)
    return rows if rows >= min(wanted, _FEWEST_ROWS) else 0


def _count_search_bytes(structure: NetworkStructure, limit: int) -> int:
    """Return what rows and search take of a memory limit."""
    return _SEARCH_SIZES * 4 * structure.channels * _count_rows(structure, limit)


def _count_kept(structure: NetworkStructure, rows: Float32, seen: int) -> int:
    return max(0, min(seen - _organisation(structure).at_row, 0) + len(rows))


def _name_populations(structure: NetworkStructure, reaches: Reaches) -> tuple[Population, ...]:
    """Return the populations that were found, each in the middle of its channels."""
    neurons = _organisation(structure).neurons
    taken = {item.name for item in structure.inputs} | {item.name for item in structure.populations}
    free = (name for name in map("found {}".format, itertools.count(1)) if name not in taken)
    positions = locate_channels(structure)
    populations = []
    for name, reach in zip(free, reaches, strict=False):
        x, y, z = positions[list(reach)].mean(axis=0).tolist()
        populations.append(
            Population(name, (x, y, z), neurons, reach=Reach(ReachKind.CHANNELS, channels=reach))
        )
    return tuple(populations)


def _read_reaches(arrays: dict[str, Array], structure: NetworkStructure) -> Reaches:
    """Read the channels of each population; their order is checked with the structure."""
    sizes, channels = arrays.get(_SIZES), arrays.get(_CHANNELS)
    for name, array in ((_SIZES, sizes), (_CHANNELS, channels)):
        if array is None or array.dtype != np.int32 or array.ndim != 1:
            raise EngineStateError(f"array {name} is not a list of int32")
    if sizes is None or channels is None:
        raise EngineStateError("the populations found are missing")
    total = int(sizes.sum())
    most = _organisation(structure).populations
    if len(sizes) > most or (sizes < 1).any() or total != len(channels):
        raise EngineStateError(f"array {_SIZES} does not divide array {_CHANNELS}")
    if (channels < 0).any() or (channels >= structure.channels).any():
        raise EngineStateError(f"array {_CHANNELS} points outside the channels")
    parts = np.split(channels, np.cumsum(sizes)[:-1])
    return tuple(tuple(part.tolist()) for part in parts) if len(sizes) else ()
