"""Work spread over processes: each starts clean, as a user's would, and none keeps the others waiting."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, TypeVar

from patchcore_conformance.violation import KitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

Answer = TypeVar("Answer")


def spread(work: Callable[..., Answer], tasks: Sequence[tuple[Any, ...]], workers: int | None = None) -> list[Answer]:
    """Call a function of a module once a task; return the answers in the order of the tasks.

    Args:   workers: how many processes; None: one a processor. With one, everything runs in this process.
    Raises: KitError when a process ends before its time, as for want of memory; whatever the function raises.
    """
    count = min(workers or os.cpu_count() or 1, len(tasks))
    if count <= 1:
        return [work(*task) for task in tasks]
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = [pool.submit(work, *task) for task in tasks]
        try:
            return [one.result() for one in waiting]
        except BrokenProcessPool:
            at = next(task for task, one in zip(tasks, waiting, strict=True) if not one.done() or one.exception())
            raise KitError(
                f"a process was ended from outside, or for want of memory, at {at} or soon after. Try again, or with "
                "one process."
            ) from None
