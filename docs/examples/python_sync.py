"""A network is created, learns and predicts: ordinary Python.

    python docs/examples/python_sync.py NETWORK

Where and who: HANAMI_URL, HANAMI_USER and HANAMI_PASSWORD (or `hanami login`), HANAMI_PROJECT.
"""

import csv
import json
import os
import sys
from pathlib import Path

from hanami_sdk import Client

TAUGHT = 160


def main(network: str) -> None:
    """Teach the first rows of machine.csv, and print what the network says of the others."""
    inputs, labels = read_rows()
    with Client(project=os.environ["HANAMI_PROJECT"]) as client:
        client.networks.create(network, template="flat", channels=4)
        with client.learn(network) as stream:
            for start in range(0, TAUGHT, 16):
                rows = slice(start, start + 16)
                result = stream.send(inputs[rows], labels=labels[rows])
                print(result.correct_rows, "of 16 were right before they were learned")
        with client.learn(network, mode="PREDICT", return_outputs=True) as stream:
            result = stream.send(inputs[TAUGHT:])
    print(json.dumps({"predicted": result.predicted_labels, "outputs": result.outputs.tolist()}))


def read_rows() -> tuple[list[list[float]], list[str]]:
    """Return the measurements and the states of a machine."""
    text = Path(__file__).with_name("machine.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))[1:]
    return [[float(value) for value in row[:-1]] for row in rows], [row[-1] for row in rows]


if __name__ == "__main__":
    main(sys.argv[1])
