"""Decorators that compile the kernels, and the place of their cache.

This is the only file that touches numba's untyped decorator. Numba's own cache looks at the file
of the compiled function alone and misses a change in a function called from another file; here
the cache folder carries a stamp over all kernel sources, so a stale kernel cannot be loaded.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import config

__all__ = [
    "SOURCE_STAMP",
    "argument_names",
    "cache_folder",
    "growth_kernel",
    "hot_kernel",
    "is_cached",
]

Function = TypeVar("Function", bound=Callable[..., object])

# All but "no NaN" and "no infinity": raw sensor rows hold both, and the kernels test for them.
_FAST_MATH = {"reassoc", "contract", "nsz", "arcp", "afn"}


def _stamp_sources() -> str:
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


SOURCE_STAMP = _stamp_sources()


def _find_cache_folder() -> Path | None:
    """Return the first writable folder for compiled kernels, or None if there is none."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    bases = [Path(chosen)] if chosen else [Path(__file__).parent / "__pycache__"]
    bases.append(home / "hanami" / "kernels")
    for base in bases:
        folder = base / f"kernels-{SOURCE_STAMP}-py{sys.version_info[0]}{sys.version_info[1]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        # An existing but read-only folder still serves, as in an image that was built warm.
        if os.access(folder, os.W_OK) or any(folder.rglob("*.nbi")):
            return folder
    return None


_CACHE_FOLDER = _find_cache_folder()


def cache_folder() -> Path | None:
    """Return the folder that holds the compiled kernels of exactly these sources."""
    return _CACHE_FOLDER


def is_cached() -> bool:
    """Tell whether a former process left compiled kernels for these sources (no guarantee)."""
    return _CACHE_FOLDER is not None and any(_CACHE_FOLDER.rglob("*.nbc"))


def _compile(function: Function, fastmath: set[str]) -> Function:
    # numba's stubs know neither its settings nor what a decorated function still is.
    settings: Any = config
    # "numpy": a division by zero gives infinity instead of a Python error that stops vectorising.
    options: Any = {"fastmath": fastmath or False, "error_model": "numpy"}
    if _CACHE_FOLDER is None:
        return cast(Function, numba.njit(nogil=True, **options)(function))
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(_CACHE_FOLDER)
    try:
        return cast(Function, numba.njit(cache=True, nogil=True, **options)(function))
    finally:
        settings.CACHE_DIR = before


def hot_kernel(function: Function) -> Function:
    """Compile a function of the per-sample path; its sums may be reassociated."""
    return _compile(function, _FAST_MATH)


def growth_kernel(function: Function) -> Function:
    """Compile a rarely called function with exact IEEE order of operations."""
    return _compile(function, set())


def argument_names(kernel: Callable[..., object]) -> tuple[str, ...]:
    """Return a kernel's parameter names in order, so that arrays can be passed by name."""
    code = getattr(kernel, "py_func", kernel).__code__
    return tuple(code.co_varnames[: code.co_argcount])
