"""Work spread over processes: each starts clean, as a user's would, and none keeps the others waiting."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

Answer = TypeVar("Answer")


def spread(work: Callable[..., Answer], tasks: Sequence[tuple[Any, ...]], workers: int | None = None) -> list[Answer]:
    """Call a function of a module once a task; return the answers in the order of the tasks.

    Args: workers: how many processes; None: one a processor. With one, everything runs in this process.
    """
    count = min(workers or os.cpu_count() or 1, len(tasks))
    if count <= 1:
        return [work(*task) for task in tasks]
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = [pool.submit(work, *task) for task in tasks]
        return [one.result() for one in waiting]
