"""Rows, frames and uploads that the end-to-end tests send."""

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from hanami.kyouko.v1 import learning_service_pb2 as learning
from hanami.shiori.v1 import dataset_service_pb2 as shiori
from hanami.type.v1 import tensor_pb2

_TYPES = {
    "uint8": tensor_pb2.DATA_TYPE_UINT8,
    "int32": tensor_pb2.DATA_TYPE_INT32,
    "float32": tensor_pb2.DATA_TYPE_FLOAT32,
}


def blobs(rows: int, *, seed: int = 1) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Return rows of four channels from two clouds, with their labels."""
    random = np.random.default_rng(seed)
    kinds = random.integers(0, 2, rows)
    centres = np.where(kinds[:, None] == 0, [100.0, -3.0, 0.02, 7.0], [400.0, 5.0, 0.09, 7.0])
    spread = np.array([20.0, 1.0, 0.01, 0.5])
    inputs = (centres + spread * random.standard_normal((rows, 4))).astype(np.float32)
    return inputs, ["quiet" if kind == 0 else "loud" for kind in kinds]


def tensor(array: npt.NDArray[np.generic]) -> tensor_pb2.Tensor:
    """Return an array as a packed tensor."""
    return tensor_pb2.Tensor(
        data_type=_TYPES[array.dtype.name], shape=array.shape, packed=array.tobytes()
    )


def opening(network: str, mode: str = "LEARN") -> learning.LearnRequest:
    """Return the message that opens a stream."""
    return learning.LearnRequest(
        open=learning.LearnOpen(
            network=network, mode=learning.LearnMode.Value(f"LEARN_MODE_{mode}")
        )
    )


def frame(
    sequence: int, inputs: npt.NDArray[np.generic], labels: Iterable[str] | None = None
) -> learning.LearnRequest:
    """Return a frame, with labels when there are any."""
    message = learning.LearnFrame(sequence=sequence, inputs=tensor(inputs))
    if labels is not None:
        message.labels.values.extend(labels)
    return learning.LearnRequest(frame=message)


def closing() -> learning.LearnRequest:
    """Return the message that closes a stream."""
    return learning.LearnRequest(close=learning.LearnClose())


def conversation(
    network: str, *, frames: int = 20, rows: int = 16
) -> Iterator[learning.LearnRequest]:
    """Yield the messages of a whole learning stream."""
    inputs, labels = blobs(frames * rows)
    yield opening(network)
    for number in range(frames):
        part = slice(number * rows, (number + 1) * rows)
        yield frame(number + 1, inputs[part], labels[part])
    yield closing()


def csv_of(rows: int) -> bytes:
    """Return rows of two clouds as CSV with a header; the last column is the label."""
    inputs, labels = blobs(rows)
    lines = ["a,b,c,d,kind"]
    lines += [
        ",".join([*(f"{value:.6g}" for value in row), label])
        for row, label in zip(inputs, labels, strict=True)
    ]
    return ("\n".join(lines) + "\n").encode()


def upload(
    parent: str,
    dataset_id: str,
    content: bytes,
    *,
    target: str = "",
    size_bytes: int | None = None,
    sha256: str | None = None,
    chunk_bytes: int = 2**20,
) -> Iterator[shiori.UploadDatasetRequest]:
    """Yield the messages of a CSV upload; size and checksum may be falsified."""
    yield shiori.UploadDatasetRequest(
        open=shiori.UploadOpen(
            parent=parent,
            dataset_id=dataset_id,
            format=shiori.FILE_FORMAT_CSV,
            target_column=target,
            files=[
                shiori.UploadFile(
                    role="data",
                    size_bytes=len(content) if size_bytes is None else size_bytes,
                    sha256=hashlib.sha256(content).hexdigest() if sha256 is None else sha256,
                )
            ],
        )
    )
    for start in range(0, len(content), chunk_bytes):
        yield shiori.UploadDatasetRequest(
            chunk=shiori.UploadChunk(role="data", data=content[start : start + chunk_bytes])
        )
