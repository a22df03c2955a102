"""The state that a whole process shares, which no part may change: chance, printing, threads, switches of libraries.

A library that nobody has loaded is not loaded to look at it. States are first put to values of our own, since a part
may have changed them before anyone looked.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import sys
import warnings
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from patchcore_conformance.context import Context

_THREAD_SETTINGS = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "PYTHONHASHSEED",
    "CUDA_VISIBLE_DEVICES", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)  # fmt: skip

_ERRORS: dict[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}  # NumPy's defaults

# What to call in a library that is loaded: its module, the words for reports, how to read it.
_LIBRARIES: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("torch", "torch's random state", lambda torch: torch.get_rng_state().numpy().tobytes()),
    ("torch", "torch's number of threads", lambda torch: torch.get_num_threads()),
    ("torch", "torch's default dtype", lambda torch: str(torch.get_default_dtype())),
    ("torch", "torch's default device", lambda torch: str(torch.get_default_device())),
    ("torch", "torch's grad mode", lambda torch: torch.is_grad_enabled()),
    ("torch", "torch's inference mode", lambda torch: torch.is_inference_mode_enabled()),
    ("torch", "torch's anomaly detection", lambda torch: torch.is_anomaly_enabled()),
    ("torch", "torch's deterministic algorithms", lambda torch: torch.are_deterministic_algorithms_enabled()),
    ("torch", "torch's precision of matrix products", lambda torch: torch.get_float32_matmul_precision()),
    ("torch", "torch's autocast", lambda torch: torch.is_autocast_enabled()),
    ("torch", "torch's autocast on the CPU", lambda torch: torch.is_autocast_cpu_enabled()),
    ("torch", "torch's TF32 switch", lambda torch: torch.backends.cuda.matmul.allow_tf32),
    ("torch", "cuDNN's TF32 switch", lambda torch: torch.backends.cudnn.allow_tf32),
    ("torch", "cuDNN's benchmark switch", lambda torch: torch.backends.cudnn.benchmark),
    ("torch", "cuDNN's deterministic switch", lambda torch: torch.backends.cudnn.deterministic),
    ("torch", "cuDNN's enabled switch", lambda torch: torch.backends.cudnn.enabled),
    ("torch", "torch's print options", lambda torch: repr(vars(torch._tensor_str.PRINT_OPTS))),
    ("numba", "numba's number of threads", lambda numba: numba.get_num_threads()),
    ("faiss", "faiss's number of threads", lambda faiss: faiss.omp_get_max_threads()),
    ("cv2", "OpenCV's number of threads", lambda cv2: cv2.getNumThreads()),
    ("threadpoolctl", "threads of BLAS", lambda pools: [pool["num_threads"] for pool in pools.threadpool_info()]),
)

# How to read and to write a library's number of threads. Numba sets torch's when it starts its own.
_THREADS = (
    ("numba", "get_num_threads", "set_num_threads"),
    ("torch", "get_num_threads", "set_num_threads"),
    ("faiss", "omp_get_max_threads", "omp_set_num_threads"),
    ("cv2", "getNumThreads", "setNumThreads"),
)


def chance() -> dict[str, Any]:
    """Read the random states, and how small numbers are computed with: what loading a library leaves alone."""
    name, words, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - the global state is what is looked at
    return {
        "NumPy's random state": (name, np.asarray(words).tobytes(), *rest),
        "random's state": random.getstate(),
        "what becomes of numbers next to zero": _next_to_zero(),
    }


def _next_to_zero() -> float:
    """Halve a number that float32 holds with few digits: a processor can be told to take it for 0."""
    return float((np.full(4, 1e-40, dtype=np.float32) * np.float32(0.5)).max())


def _restore_next_to_zero() -> None:
    """Take back what torch told the processor; nobody else can."""
    if _next_to_zero() == 0 and "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


def state() -> dict[str, Any]:
    """Read everything."""
    root = logging.getLogger()
    found = chance() | {
        "NumPy's print options": repr(sorted(np.get_printoptions().items(), key=str)),
        "NumPy's handling of errors": np.geterr(),
        "the current folder": os.getcwd(),  # noqa: PTH109 - compared, not used
        "the recursion limit": sys.getrecursionlimit(),
        "garbage collection": gc.isenabled(),
        "the warning filters": [str(one) for one in warnings.filters],
        "logging": (root.level, len(root.handlers), logging.root.manager.disable),
        "where output goes": (id(sys.stdout), id(sys.stderr)),
        "settings of the environment": {name: os.environ.get(name) for name in _THREAD_SETTINGS},
    }
    for module, name, read in _LIBRARIES:
        if module in sys.modules:
            found[name] = _read(read, sys.modules[module])
    return found


def require_unchanged(ctx: Context, before: dict[str, object], after: dict[str, object]) -> None:
    """Hold the process to the state, or the chance, that was read before."""
    for name, value in before.items():
        told = "" if len(repr(value)) > 80 else f" from {value!r} to {after[name]!r}"
        ctx.require(value == after[name], f"{name} changed{told}")


def _read(read: Callable[[Any], Any], module: Any) -> Any:
    # Versions differ in what they have, and newer ones refuse to tell old switches once new ones were used.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read(module)
        except (AttributeError, RuntimeError):
            return None


@contextmanager
def unusual() -> Iterator[None]:
    """Put chance, printing and threads to values that no part would choose, and switches to their defaults; restore."""
    state()  # Numba starts its threads when first asked about them, and sets torch's number while it does
    with ExitStack() as stack:
        _set_chance(stack)
        stack.enter_context(np.printoptions(precision=11, edgeitems=5))
        stack.enter_context(np.errstate(**_ERRORS))
        if "torch" in sys.modules:
            _set_torch(stack, sys.modules["torch"])
        yield


def _keep_chance(stack: ExitStack) -> None:
    stack.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002
    stack.callback(random.setstate, random.getstate())


def _set_chance(stack: ExitStack) -> None:
    _keep_chance(stack)
    np.random.seed(20_220_619)  # noqa: NPY002
    random.seed(20_220_619)


def _set_torch(stack: ExitStack, torch: Any) -> None:
    stack.callback(torch.set_rng_state, torch.get_rng_state())
    torch.manual_seed(20_220_619)
    for read, write, value in (
        (torch.get_num_threads, torch.set_num_threads, (os.cpu_count() or 1) + 1),
        (torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        (torch.is_grad_enabled, torch.set_grad_enabled, True),
        (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, False),
    ):
        stack.callback(_put, read, write, read())
        _put(read, write, value)
    for name in ("benchmark", "deterministic"):
        with suppress(AttributeError, RuntimeError):
            stack.callback(setattr, torch.backends.cudnn, name, getattr(torch.backends.cudnn, name))
            setattr(torch.backends.cudnn, name, False)


def _put(read: Callable[[], Any], write: Callable[[Any], Any], value: Any) -> None:
    """Set a switch where it stands otherwise: writing may load much of a library that nobody has asked for."""
    if read() != value:
        write(value)


@contextmanager
def restored() -> Iterator[None]:
    """Begin with NumPy's own handling of errors; restore it, chance, printing and the path, whatever a part does."""
    with ExitStack() as stack:
        _keep_chance(stack)
        stack.callback(_restore_next_to_zero)
        stack.callback(sys.path.__setitem__, slice(None), list(sys.path))
        stack.enter_context(np.printoptions())
        stack.enter_context(np.errstate(**_ERRORS))
        yield


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Tell of so many processors, and let each library that is loaded work with so many threads; restore both."""
    with ExitStack() as stack:
        for name in ("cpu_count", "process_cpu_count"):
            if hasattr(os, name):
                stack.callback(setattr, os, name, getattr(os, name))
                setattr(os, name, lambda: count)
        for module, read, write in _THREADS:
            with suppress(AttributeError, RuntimeError, KeyError):
                library = sys.modules[module]
                stack.callback(getattr(library, write), getattr(library, read)())
                most = library.config.NUMBA_NUM_THREADS if module == "numba" else count
                getattr(library, write)(min(count, most))
        if "threadpoolctl" in sys.modules:
            stack.enter_context(sys.modules["threadpoolctl"].threadpool_limits(count))
        yield


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed all global chance, as other code in the process may have done, and restore it."""
    with ExitStack() as stack:
        _set_chance(stack)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        if "torch" in sys.modules:
            torch = sys.modules["torch"]
            stack.callback(torch.set_rng_state, torch.get_rng_state())
            torch.manual_seed(seed)
        yield
