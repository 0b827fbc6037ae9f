"""A process that writes a journal as fast as it can, and says how far it is durable.

`python crashing.py URL UID FOLDER`: opens the journal, reads all of it, appends from a thread, and
prints `durable POSITION` whenever that has moved. Meant to be killed.
"""

import asyncio
import random
import sys
import time
from pathlib import Path

from kyouko.storage.journal import prepared_journals


def payload(position: int) -> bytes:
    """Return the content of the record at a position; it begins as all entries do."""
    chance = random.Random(position)
    return b"\x01" + chance.randbytes(chance.choice([0, 5, 300, 5000, 60_000]))


async def main(url: str, uid: str, folder: Path) -> None:
    """Write until the process is ended."""
    journals = await prepared_journals(url, folder=folder)
    journal = await journals.open(uid, after=0)
    async for record in journal.read(0):
        if record.data != payload(record.position):
            raise AssertionError(f"record {record.position} is not what was written")
    moved = asyncio.Event()
    journal.watch(moved.set)

    def work() -> None:
        while True:
            position = journal.append([payload(journal.last_position + 1)])
            if position - journal.durable_position > 200:
                time.sleep(0.001)

    worker = asyncio.create_task(asyncio.to_thread(work))
    print("opened", journal.durable_position, journal.damage, flush=True)
    while not worker.done():
        await moved.wait()
        moved.clear()
        print("durable", journal.durable_position, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
