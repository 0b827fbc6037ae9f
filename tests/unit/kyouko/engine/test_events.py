"""Growth events: what is told, how long it is kept, and that it adds up."""

import numpy as np
import pytest

from kyouko.domain.engine import (
    Arrival,
    EngineOptions,
    EngineStateError,
    GrowingEngine,
    GrowthKind,
    InputPopulation,
    TaskKind,
    restore_engine,
)
from kyouko.kernels import indices
from tests.reference.structures import curve, flat, pictures, table

OF_CHANNELS = {
    GrowthKind.CHANNEL_GREW,
    GrowthKind.SECTION_ADDED,
    GrowthKind.CHANNEL_PRUNED,
    GrowthKind.BAND_MOVED,
}


def kinds(engine: GrowingEngine, since: int = 0) -> list[GrowthKind]:
    """The kinds of an engine's events, oldest first."""
    return [event.kind for event in engine.events(since)]


def test_the_kernels_kinds_are_those_of_the_interface() -> None:
    """Every kind of event has one number, in kernels and interface alike."""
    named = {kind.name: kind.value for kind in GrowthKind}

    found = {name: getattr(indices, f"EVENT_{name}") for name in named}

    assert named == found


def test_a_new_network_has_no_events() -> None:
    """Before the first row nothing has happened."""
    engine = GrowingEngine(flat(6))

    assert () == engine.events()


@pytest.mark.parametrize("kind", list(TaskKind))
def test_the_connections_of_all_events_are_those_of_the_network(kind: TaskKind) -> None:
    """What events gained and lost adds up to the connections that there are."""
    classes = kind is TaskKind.CLASSES
    rows, targets = table(200) if classes else curve(200)
    engine = GrowingEngine(flat(rows.shape[1], kind=kind, size=0 if classes else 1))
    engine.learn(rows, targets, arrival=Arrival.STREAMED)

    events = engine.events()

    assert list(range(1, len(events) + 1)) == [event.number for event in events]
    assert GrowthKind.STARTED in {event.kind for event in events}
    assert engine.statistics().connections == sum(event.connections for event in events)


def test_events_tell_row_and_subject() -> None:
    """A label opens its output and a channel grows at the very row that shows them first."""
    rows = np.zeros((80, 2), np.float32)
    rows[70:, 1] = 5.0
    labels = np.zeros(80, np.int32)
    labels[75:] = 1
    engine = GrowingEngine(flat(2))
    engine.learn(rows, labels, arrival=Arrival.STORED)

    found = [(event.row, event.kind, event.subject) for event in engine.events()]

    assert [
        (1, GrowthKind.STARTED, -1),
        (1, GrowthKind.OUTPUT_OPENED, 0),
        (71, GrowthKind.CHANNEL_GREW, 1),
        (76, GrowthKind.OUTPUT_OPENED, 1),
    ] == found


def test_only_later_events_are_asked_for() -> None:
    """Events up to a number that the caller knows are left out; none lie in the future."""
    engine = GrowingEngine(flat(6))
    engine.learn(*table(100), arrival=Arrival.STREAMED)
    events = engine.events()

    assert events[5:] == engine.events(5)
    assert () == engine.events(len(events) + 7)


def test_the_oldest_events_are_forgotten() -> None:
    """The ring keeps the newest events, with their numbers."""
    rows = np.random.default_rng(0).random((300, 3), np.float32)
    engine = GrowingEngine(flat(3, options=EngineOptions(max_outputs=300)))
    engine.learn(rows, np.arange(300, dtype=np.int32), arrival=Arrival.STORED)
    total = int(engine.state.counters[indices.EVENTS])

    events = engine.events()

    assert total > indices.EVENT_ROWS
    assert list(range(total - indices.EVENT_ROWS + 1, total + 1)) == [e.number for e in events]


def test_many_channels_leave_room_for_other_events() -> None:
    """Channels to which the same happens in one row share an event that names none of them."""
    random = np.random.default_rng(0)
    rows = random.random((100, 300), np.float32)
    rows[:, 0] = 0.0
    rows[99, 0] = 7.0
    engine = GrowingEngine(flat(300))

    engine.learn(rows, np.arange(100, dtype=np.int32) % 3, arrival=Arrival.STORED)

    events = engine.events()
    assert 3 == kinds(engine).count(GrowthKind.OUTPUT_OPENED)
    assert len(events) < 30
    of_channels = [(event.row, event.kind) for event in events if event.kind in OF_CHANNELS]
    assert len(set(of_channels)) == len(of_channels)
    grown = [event for event in events if event.kind is GrowthKind.CHANNEL_GREW]
    assert -1 in {event.subject for event in grown}
    assert (100, 0) == (grown[-1].row, grown[-1].subject)
    assert engine.statistics().connections == sum(event.connections for event in events)


def test_a_drift_alarm_is_an_event() -> None:
    """There are as many alarms among the events as in the statistics."""
    rows, labels = pictures(3000)
    labels[2000:] = (labels[2000:] + 3) % 10
    engine = GrowingEngine(flat(144))
    for start in range(0, 3000, 100):
        engine.learn(rows[start : start + 100], labels[start : start + 100], arrival=Arrival.STORED)

    alarms = kinds(engine).count(GrowthKind.DRIFT_ALARM)

    assert 0 < alarms == engine.statistics().drift_alarms


def test_pruning_loses_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """A removed channel is an event with negative connections."""
    monkeypatch.setattr(indices, "PRUNE_EVERY", 300)
    rows, labels = table(900)
    rows = np.hstack([rows, np.zeros((900, 1), np.float32)])
    rows[:20, 6] = np.arange(20) % 2
    engine = GrowingEngine(flat(7))
    engine.learn(rows, labels, arrival=Arrival.STREAMED)

    pruned = [event for event in engine.events() if event.kind is GrowthKind.CHANNEL_PRUNED]

    assert 6 in [event.subject for event in pruned]
    assert -engine.statistics().pruned_connections == sum(event.connections for event in pruned)


def test_growth_stops_once() -> None:
    """A full pool of weights is one event, however often growth fails."""
    least = GrowingEngine(flat(144, options=EngineOptions(rehearsal_rows=0))).state
    pool = least.weights.nbytes + least.slow_weights.nbytes + 5 * len(least.row_used)
    limit = least.count_bytes() - pool + 120 * (8 * least.weights.shape[1] + 5)
    options = EngineOptions(memory_limit_bytes=limit, rehearsal_rows=0)
    engine = GrowingEngine(flat(144, options=options))
    engine.learn(*pictures(300), arrival=Arrival.STORED)

    assert engine.statistics().growth_stopped
    assert 1 == kinds(engine).count(GrowthKind.GROWTH_STOPPED)


def test_added_channels_are_an_event() -> None:
    """New channels are told with the first of them, and the older events stay."""
    rows, labels = table(100)
    engine = GrowingEngine(flat(6))
    engine.learn(rows, labels, arrival=Arrival.STREAMED)
    before = engine.events()

    engine.add_channels(InputPopulation("more", 2, (2, 1, 1), (0.0, 0.0, 0.0)))

    assert before == engine.events()[: len(before)]
    (event,) = engine.events(len(before))
    assert (100, GrowthKind.CHANNELS_ADDED, 6, 0) == (
        event.row, event.kind, event.subject, event.connections
    )  # fmt: skip


def test_a_restored_network_remembers_its_events() -> None:
    """Events survive a restart, and their numbers go on."""
    rows, labels = table(300)
    engine = GrowingEngine(flat(6))
    engine.learn(rows[:60], labels[:60], arrival=Arrival.STREAMED)

    copy = restore_engine(engine.structure, engine.export_state())

    assert engine.events() == copy.events()
    for each in (engine, copy):
        each.learn(rows[60:], labels[60:], arrival=Arrival.STREAMED)
    assert engine.events() == copy.events()


def test_unknown_kinds_are_refused() -> None:
    """A state whose events have no meaning is not taken."""
    engine = GrowingEngine(flat(6))
    engine.learn(*table(10), arrival=Arrival.STREAMED)
    state = engine.export_state()
    state.arrays["events"][0, 1] = 99

    with pytest.raises(EngineStateError, match="kind of an event"):
        restore_engine(engine.structure, state)
