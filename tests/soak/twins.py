"""What a network has to be in the end: the same rows, learned without any interruption."""

from pathlib import Path

from kyouko.domain.engine import Arrival
from kyouko.domain.networks.learner import Labels, Learner, Numbers, Rows
from kyouko.domain.networks.network import SnapshotContent
from kyouko.domain.template import resolve
from kyouko.storage.snapshots import BlobSnapshotStore
from kyouko.templates import shipped_templates
from mesh.blobs import BlobStore
from mesh.encryption.keys import Encryption, KeyRing
from tests.soak.rows import CHANNELS, Plan, frames_of


def uninterrupted(plan: Plan) -> SnapshotContent:
    """Learn all frames of a plan in this process."""
    template = shipped_templates()[plan.template.removeprefix("templates/")].template
    structure = resolve(template, channels=CHANNELS, seed=plan.seed)
    learner = Learner(structure, None)
    for _, frame in frames_of(plan):
        target: Labels | Numbers | None = None
        if frame.labels is not None:
            target = Labels([str(label) for label in frame.labels])
        elif frame.targets is not None:
            target = Numbers(frame.targets)  # type: ignore[arg-type]  # made by us, an array
        learner.learn(Rows(frame.inputs, target), Arrival.STREAMED)  # type: ignore[arg-type]
    return learner.export()


async def newest_snapshot(data: Path, uid: str, *, keys: Path | None = None) -> SnapshotContent:
    """Return the snapshot with the most of a network's journal.

    Args:
        data: kyouko's data folder.
        uid: the network's.
        keys: the file with the keys that snapshots are encrypted with, if they are.
    """
    encryption = Encryption(KeyRing.read(keys)) if keys is not None else None
    store = BlobSnapshotStore(
        BlobStore.at("", service="kyouko", default=data / "snapshots", encryption=encryption)
    )
    found = [await store.load(name) for name in await store.names(uid)]
    return max(found, key=lambda content: content.journal_position)


def differences(one: SnapshotContent, other: SnapshotContent) -> list[str]:
    """Return the names of what is not the same, bit for bit."""
    arrays, others = one.engine.arrays, other.engine.arrays
    names = sorted(arrays.keys() ^ others.keys())
    names += [
        name
        for name in arrays.keys() & others.keys()
        if arrays[name].tobytes() != others[name].tobytes()
    ]
    if one.engine.header != other.engine.header:
        names.append("header")
    if one.labels != other.labels:
        names.append("labels")
    if dict(one.target_scale) != dict(other.target_scale):
        names.append("target_scale")
    return names
