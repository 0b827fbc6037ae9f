"""Decorators that compile the kernels, and the place of their cache.

This is the only file that touches numba's untyped decorator. Numba's own cache looks at the file
of the compiled function alone and misses a change in a function called from another file; here
the cache folder carries a stamp over all kernel sources, so a stale kernel cannot be loaded.
"""

import atexit
import hashlib
import inspect
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import config, types
from numba.core import cgutils
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.extending import intrinsic

__all__ = [
    "SOURCE_STAMP",
    "Arguments",
    "argument_names",
    "cache_folder",
    "growth_kernel",
    "growth_part",
    "hot_kernel",
    "hot_part",
    "hot_piece",
    "is_cached",
    "vector_part",
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


def _is_writable(folder: Path) -> bool:
    """Tell by trying, as numba does; the permission bits alone say nothing about volumes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _find_cache_folder() -> Path:
    """Return the first writable folder for compiled kernels.

    numba refuses a cache that it cannot write. So a read-only folder that is warm, as in an image
    built with it, is copied to the folder in use: half a megabyte instead of a compilation.
    """
    name = f"kernels-{SOURCE_STAMP}-py{sys.version_info[0]}{sys.version_info[1]}"
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    first = Path(chosen) if chosen else Path(__file__).parent / "__pycache__"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    warm: Path | None = None
    for base in (first, Path(__file__).parent / "__pycache__", home / "hanami"):
        folder = base / name
        was_there = folder.is_dir() and any(folder.rglob("*.nbi"))
        if _is_writable(folder):
            break
        warm = warm or (folder if was_there else None)
    else:
        # Private to this process: the cache holds code, so no shared folder under /tmp will do.
        folder = Path(tempfile.mkdtemp(prefix="kernels-")) / name
        folder.mkdir()
        atexit.register(shutil.rmtree, folder.parent, ignore_errors=True)
    if warm is not None and not any(folder.rglob("*.nbi")):
        shutil.copytree(warm, folder, dirs_exist_ok=True)
    return folder


_CACHE_FOLDER = _find_cache_folder()


def cache_folder() -> Path:
    """Return the folder that holds the compiled kernels of exactly these sources."""
    return _CACHE_FOLDER


def is_cached() -> bool:
    """Tell whether a former process left compiled kernels for these sources (no guarantee)."""
    return any(_CACHE_FOLDER.rglob("*.nbc"))


class _NoEnvironments:
    """Takes the place of the engine that runs code, for code that never runs by itself."""

    def set_env(self, name: str, environment: object) -> None:
        """Forget it: an environment serves whoever calls from Python."""


class _PartLibrary(JITCodeLibrary):
    """What is compiled of a part: optimised, ready to be linked, but no machine code.

    The kernels that call a part take it in as a whole. Machine code of its own, which numba makes
    of everything, would never run, and making it takes an eighth of all compiling.
    """

    @property
    def codegen(self) -> Any:
        """What numba asks to register the environment of a function that it has compiled."""
        return _NoEnvironments()

    def get_pointer_to_function(self, name: str) -> int:
        """Return 0, numba's word for a function that cannot be called from outside."""
        return 0

    def _finalize_final_module(self) -> None:
        untyped: Any = self
        untyped._finalize_dynamic_globals()
        untyped._verify_declare_only_symbols()
        self._finalized = True


class _PartCompiler(CompilerBase):
    """numba's usual passes, into a library of the kind above."""

    def define_pipelines(self) -> list[Any]:
        library: Any = _PartLibrary
        usual: Any = DefaultPassBuilder
        state = self.state
        state.library = library(state.targetctx.codegen(), state.func_id.func_qualname)
        return [usual.define_nopython_pipeline(state)]


def _compile(
    function: Function,
    fastmath: set[str],
    *,
    callable_from_python: bool,
    laid_open: bool = False,
) -> Function:
    # numba's stubs know neither its settings nor what a decorated function still is.
    settings: Any = config
    options: Any = {
        "fastmath": fastmath or False,
        # A division by zero gives infinity, not a Python error that stops vectorising.
        "error_model": "numpy",
        # What is never called from C, or from Python, needs no glue: a tenth of compiling.
        "no_cfunc_wrapper": True,
        "no_cpython_wrapper": not callable_from_python,
        "forceinline": laid_open,
        # Kernels allocate nothing and keep no array: counting references only costs time.
        "_nrt": False,
        # A kernel in the cache holds its parts: nobody asks for them again.
        "cache": callable_from_python,
    }
    if not callable_from_python:
        options["pipeline_class"] = _PartCompiler
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(_CACHE_FOLDER)
    try:
        return cast(Function, _take_no_literals(numba.njit(nogil=True, **options)(function)))
    finally:
        settings.CACHE_DIR = before


def _take_no_literals(dispatcher: Any) -> Any:
    """Let kernels that call this one with 0 or True use what is compiled for any such value."""
    if hasattr(dispatcher, "get_call_template"):  # a plain function where numba is disabled
        find = dispatcher.get_call_template
        widen: Any = types.unliteral
        dispatcher.get_call_template = lambda kinds, named: find(
            [widen(kind) for kind in kinds],
            {name: widen(kind) for name, kind in named.items()},
        )
    return dispatcher


def hot_kernel(function: Function) -> Function:
    """Compile a function of the per-sample path; its sums may be reassociated."""
    return _compile(function, _FAST_MATH, callable_from_python=True)


def hot_part(function: Function) -> Function:
    """Compile what only other kernels of the per-sample path call, never Python."""
    return _compile(function, _FAST_MATH, callable_from_python=False)


def hot_piece(function: Function) -> Function:
    """Compile like `hot_part` what always becomes text of its caller.

    To pass some forty arrays takes a hundred nanoseconds: much for what only keeps a kernel short.
    """
    return _compile(function, _FAST_MATH, callable_from_python=False, laid_open=True)


def growth_kernel(function: Function) -> Function:
    """Compile a rarely called function with exact IEEE order of operations."""
    return _compile(function, set(), callable_from_python=True)


def growth_part(function: Function) -> Function:
    """Compile what only other kernels call, never Python, like `growth_kernel`."""
    return _compile(function, set(), callable_from_python=False)


@dataclass(frozen=True)
class Arguments:
    """The arguments of a vector part by name, as LLVM values."""

    scalars: dict[str, Any]
    pointers: dict[str, Any]
    extents: dict[str, list[Any]]

    def __getitem__(self, name: str) -> Any:
        """Return a scalar: i64 for integers, float for others."""
        return self.scalars[name]

    def data(self, name: str) -> Any:
        """Return the pointer to the first element of an array."""
        return self.pointers[name]

    def extent(self, name: str, axis: int) -> Any:
        """Return the length of an array along an axis, as i64."""
        return self.extents[name][axis]


def _canonical(kind: Any) -> Any:
    if isinstance(kind, types.Array):
        return kind
    return types.int64 if isinstance(kind, types.Integer) else types.float32


def vector_part(emit: Callable[[Any, Arguments], None]) -> Callable[[Function], Function]:
    """Let kernels run LLVM code written by `emit` in place of a plain function.

    The function says what the code does, and runs itself where numba is disabled.

    Args:
        emit: writes the code with an llvmlite builder and the arguments. Arrays are contiguous.
    """

    def decorate(function: Function) -> Function:
        settings: Any = config
        if settings.DISABLE_JIT:
            return function
        names = argument_names(function)

        def define(_context: Any, *kinds: Any) -> Any:
            signature = types.void(*map(_canonical, kinds))

            def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                code: Any = cgutils
                arguments = Arguments({}, {}, {})
                for name, kind, value in zip(names, signature.args, values, strict=True):
                    if isinstance(kind, types.Array):
                        array = context.make_array(kind)(context, builder, value)
                        arguments.pointers[name] = array.data
                        arguments.extents[name] = code.unpack_tuple(builder, array.shape)
                    else:
                        arguments.scalars[name] = value
                emit(builder, arguments)
                return context.get_dummy_value()

            return signature, generate

        define.__name__ = function.__name__
        parameters = [inspect.Parameter("context", inspect.Parameter.POSITIONAL_ONLY)]
        parameters += inspect.signature(function).parameters.values()
        # numba looks here for the names of the parameters
        setattr(define, "__signature__", inspect.Signature(parameters))  # noqa: B010
        return cast(Function, intrinsic(define))

    return decorate


def argument_names(kernel: Callable[..., object]) -> tuple[str, ...]:
    """Return a kernel's parameter names in order, so that arrays can be passed by name."""
    code = getattr(kernel, "py_func", kernel).__code__
    return tuple(code.co_varnames[: code.co_argcount])
