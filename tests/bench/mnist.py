"""The data that everything is measured with: raw MNIST."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hanami_sdk.cli.demo.mnist_data import fetch, read_idx


@dataclass(frozen=True)
class Mnist:
    """Pictures uint8 [rows, 784], raw 0 to 255; labels int32 [rows]."""

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.int32]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.int32]


def load_mnist() -> Mnist:
    """Fetch the files when they are not in the cache, and read them."""
    files = fetch(print)
    return Mnist(
        train_images=read_idx(files.train_images).reshape(-1, 784),
        train_labels=read_idx(files.train_labels).astype(np.int32),
        test_images=read_idx(files.test_images).reshape(-1, 784),
        test_labels=read_idx(files.test_labels).astype(np.int32),
    )
