"""faiss on one thread, without a setting that others would notice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import faiss

if TYPE_CHECKING:
    from collections.abc import Callable

Built = TypeVar("Built")


def on_one_thread(work: Callable[[], Built]) -> Built:
    """Let faiss work on one core, so that what it builds does not depend on how many there are.

    OpenMP keeps the number of threads for each thread that starts parallel work. So a thread is started for this alone,
    and the number is set there; it ends with the thread.
    """
    with ThreadPoolExecutor(1, initializer=faiss.omp_set_num_threads, initargs=(1,)) as alone:
        return alone.submit(work).result()
