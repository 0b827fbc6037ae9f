"""A network that has learned predicts for an unmodified client of KServe and Triton.

    pip install 'tritonclient[grpc]'   # in an environment of its own: it wants an older protobuf
    python docs/examples/open_inference.py NETWORK

Where and who: HANAMI_URL, HANAMI_USER, HANAMI_PASSWORD, HANAMI_PROJECT. The protocol only
predicts, so another example has to have taught the network.
"""

import csv
import json
import os
import sys
import urllib.request
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton

TAUGHT = 160


def main(network: str) -> None:
    """Print what the network says of the last rows of machine.csv."""
    text = Path(__file__).with_name("machine.csv").read_text(encoding="utf-8")
    rows = np.array([row[:-1] for row in list(csv.reader(text.splitlines()))[1:]], np.float32)
    inputs = triton.InferInput("inputs", rows[TAUGHT:].shape, "FP32")
    inputs.set_data_from_numpy(rows[TAUGHT:])

    client = triton.InferenceServerClient(os.environ["HANAMI_URL"].partition("://")[2])
    answer = client.infer(
        f"{os.environ['HANAMI_PROJECT']}/{network}",
        [inputs],
        headers={"authorization": f"Bearer {log_in()}"},
    )
    predicted = [label.decode() for label in answer.as_numpy("predicted")]
    print(json.dumps({"predicted": predicted, "outputs": answer.as_numpy("outputs").tolist()}))


def log_in() -> str:
    """Return a token; logging in is no part of the protocol, but works with plain JSON."""
    login = {"user_id": os.environ["HANAMI_USER"], "password": os.environ["HANAMI_PASSWORD"]}
    request = urllib.request.Request(
        f"{os.environ['HANAMI_URL']}/v1/tokens:login",
        data=json.dumps(login).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["access_token"])


if __name__ == "__main__":
    main(sys.argv[1])
