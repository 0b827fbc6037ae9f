"""Logging in, being known, and another key: what identity costs.

* Logins are bound by Argon2id, on purpose. Beside them stands the bare hash with the same
  parameters, in turn; the rest of a login should be little.
* For an authorised call see `tests.bench.authorised_calls`.
* A key is rotated in a mesh that runs. Everybody keeps calling with tokens of the old key, and
  asks with one of the new key until it is taken, which has to be before misaki signs with it.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from argon2 import PasswordHasher

from mesh.logs import set_up_logs
from misaki.settings import MisakiSettings
from tests.bench.authorised_calls import CallCosts, call_costs, median
from tests.bench.mnist import Mnist
from tests.bench.report import Figure, at_most
from tests.bench.rotation import Rotation, rotate
from tests.integration.meshes import ADMIN_PASSWORD, RunningMisaki, start_misaki

_LOGINS = 24
_ROUNDS_OF_CALLS = 16
_MOST_OVERHEAD = 0.1
_MOST_BESIDE_THE_HASH = 1.25
_MICROSECONDS = 1e6
_MILLISECONDS = 1e3
_BARE = "identity.call.bare"


def measure(data: Mnist, runs: int) -> list[Figure]:
    """Measure all three; the data are not needed."""
    # As services do; a line for each call would be measured as well, and nobody reads it.
    set_up_logs("bench", "WARNING")
    with tempfile.TemporaryDirectory() as folder:
        logins, hashes, rate = asyncio.run(_logins(Path(folder), runs))
    costs = asyncio.run(call_costs(runs * _ROUNDS_OF_CALLS))
    with tempfile.TemporaryDirectory() as folder:
        rotation = rotate(Path(folder))
    return [
        *_login_figures(logins, hashes, rate),
        *_call_figures(costs),
        *_rotation_figures(rotation),
    ]


async def _logins(
    folder: Path, runs: int
) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
    """Return processor milliseconds of a login and of a bare hash, and logins a second."""
    memory = MisakiSettings.model_fields["password_memory_kib"].default
    hasher = PasswordHasher(memory_cost=memory)
    hashed = hasher.hash(ADMIN_PASSWORD)
    logins, hashes, rates = [], [], []
    async with start_misaki(folder, password_memory_kib=memory) as misaki:
        with ThreadPoolExecutor(2) as threads:
            for _ in range(runs):
                started, clock = time.process_time(), time.perf_counter()
                await _log_in_often(misaki)
                logins.append((time.process_time() - started) / _LOGINS * _MILLISECONDS)
                rates.append(_LOGINS / (time.perf_counter() - clock))
                started = time.process_time()
                list(threads.map(lambda _: hasher.verify(hashed, ADMIN_PASSWORD), range(_LOGINS)))
                hashes.append((time.process_time() - started) / _LOGINS * _MILLISECONDS)
    return logins, hashes, rates


async def _log_in_often(misaki: RunningMisaki) -> None:
    await asyncio.gather(*(misaki.log_in() for _ in range(_LOGINS)))


def _login_figures(
    logins: Sequence[float], hashes: Sequence[float], rates: Sequence[float]
) -> list[Figure]:
    ratio = median([login / bare for login, bare in zip(logins, hashes, strict=True)])
    return [
        Figure("identity.login.bare_hash", median(hashes), "CPU ms", runs=hashes),
        Figure(
            "identity.login",
            median(logins),
            "CPU ms",
            "identity.login.bare_hash",
            ratio,
            goal=at_most(_MOST_BESIDE_THE_HASH, of="ratio"),
            runs=logins,
            note="client and server together, SQLite",
        ),
        Figure(
            "identity.login.rate",
            median(rates),
            "logins/s",
            runs=rates,
            note="two at a time, by the clock, with whatever else the machine does",
        ),
    ]


def _call_figures(costs: CallCosts) -> list[Figure]:
    checked = _share(
        "identity.call.token_and_policy",
        costs,
        costs.shares(costs.authorised, costs.token_sent),
        "authorised less token_sent: what it costs to look who calls, and whether they may",
    )
    return [
        _call(_BARE, costs.bare),
        _call("identity.call.layers", costs.layered, _BARE, costs.bare),
        _call("identity.call.token_sent", costs.token_sent, _BARE, costs.bare),
        _call("identity.call.authorised", costs.authorised, _BARE, costs.bare),
        replace(checked, must=at_most(_MOST_OVERHEAD, of="ratio")),
        _share(
            "identity.call.token_on_the_wire",
            costs,
            costs.shares(costs.token_sent, costs.layered),
            "token_sent less layers: a longer header, written and read",
        ),
        _call("identity.token.first_use", costs.first_use),
        _call("identity.token.further_use", costs.further_use),
    ]


def _share(name: str, costs: CallCosts, shares: Sequence[float], note: str) -> Figure:
    bare = median(costs.bare) * _MICROSECONDS
    values = [share * bare for share in shares]
    return Figure(name, median(values), "CPU µs", _BARE, median(shares), runs=values, note=note)


def _call(
    name: str, seconds: Sequence[float], reference: str = "", compared: Sequence[float] = ()
) -> Figure:
    ratios = [a / b for a, b in zip(seconds, compared, strict=True)] if compared else []
    values = [each * _MICROSECONDS for each in seconds]
    ratio = median(ratios) if ratios else None
    return Figure(name, median(values), "CPU µs", reference, ratio, runs=values)


def _rotation_figures(rotation: Rotation) -> list[Figure]:
    slowest = max(rotation.taken_after, key=lambda name: rotation.taken_after[name])
    services = [seconds for name, seconds in rotation.taken_after.items() if name != "gateway"]
    return [
        Figure(
            "identity.rotation.services",
            max(services),
            "s",
            must=at_most(5.0),
            runs=services,
            note="until the slowest service takes tokens of the new key",
        ),
        Figure(
            "identity.rotation.all",
            rotation.taken_after[slowest],
            "s",
            must=at_most(rotation.signs_after),
            note=f"until the last one does, here {slowest}; the new key signs after the must",
        ),
        Figure(
            "identity.rotation.refused",
            float(rotation.refused),
            "calls",
            must=at_most(0),
            note=f"of {rotation.calls:,} with tokens of the old key meanwhile",
        ),
    ]
