"""Keep NumPy's BLAS to one thread where its matrices are small and compiled loops follow.

Threads of a BLAS go on looking for work for some time after a product, and so do those of Numba after a loop. Two such
crowds on the cores of a small machine make each other wait: what comes next takes up to five times as long.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Iterator

_alone = threading.Lock()  # the limit is the process's own: of two callers, the second would restore the first's limit


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit the BLAS to one thread, for all threads of the process, and restore its number afterwards.

    Cost: 0.02 ms, and some milliseconds once to find the library.
    """
    with _alone, _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
