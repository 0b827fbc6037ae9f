"""A network is created, learns and predicts: asynchronous Python, frames sent ahead.

    python docs/examples/python_async.py NETWORK

Where and who: HANAMI_URL, HANAMI_USER and HANAMI_PASSWORD (or `hanami login`), HANAMI_PROJECT.
"""

import asyncio
import csv
import json
import os
import sys
from pathlib import Path

from hanami_sdk import AsyncClient, Frame

TAUGHT = 160


async def main(network: str) -> None:
    """Teach the first rows of machine.csv, and print what the network says of the others."""
    inputs, labels = read_rows()
    async with AsyncClient(project=os.environ["HANAMI_PROJECT"]) as client:
        await client.networks.create(network, template="flat", channels=4)
        frames = (
            Frame(inputs[start : start + 16], labels=labels[start : start + 16])
            for start in range(0, TAUGHT, 16)
        )
        async with client.learn(network) as stream:
            # Answers come in order while later frames are on their way.
            async for result in stream.results(frames):
                print(result.correct_rows, "of 16 were right before they were learned")
        async with client.learn(network, mode="PREDICT", return_outputs=True) as stream:
            result = await stream.send(inputs[TAUGHT:])
    print(json.dumps({"predicted": result.predicted_labels, "outputs": result.outputs.tolist()}))


def read_rows() -> tuple[list[list[float]], list[str]]:
    """Return the measurements and the states of a machine."""
    text = Path(__file__).with_name("machine.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))[1:]
    return [[float(value) for value in row[:-1]] for row in rows], [row[-1] for row in rows]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
