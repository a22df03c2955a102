"""Generated inputs that are the same for the same seed, whatever else is installed, loaded or was run before."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, errors, given, seed, settings

from patchcore_conformance.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypothesis.strategies import SearchStrategy


def search(
    inputs: SearchStrategy[Any], judge: Callable[[Any], object], *, examples: int, chance: int, shrinking: bool
) -> None:
    """Judge generated inputs; of those that a judge refuses, raise what it raised for the smallest that was found.

    Raises: Violation when the same input is refused at one time and not at another.
    """

    def judged(drawn: Any) -> None:  # whatever a judge is made of, and whatever it returns
        judge(drawn)

    limits = settings(
        max_examples=examples,
        database=None,
        deadline=None,  # the first call may compile
        derandomize=True,
        phases=(Phase.generate, Phase.shrink) if shrinking else (Phase.generate,),
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        with _no_constants_of_loaded_files():
            seed(chance)(limits(given(inputs)(judged)))()
    except errors.Flaky as problem:
        raise Violation(f"the same input was answered in different ways: {problem}") from problem


@contextmanager
def _no_constants_of_loaded_files() -> Iterator[None]:
    """Keep Hypothesis from drawing numbers that stand in source files which happen to be loaded.

    It looks for them in all modules outside of site-packages, so that a run by pytest would generate other inputs than
    a replay on the command line; and it writes what it finds into the current folder. Older versions do not.
    """
    providers: Any = import_module("hypothesis.internal.conjecture.providers")
    original = getattr(providers, "_get_local_constants", None)
    if original is None:
        yield
        return
    nothing = providers.Constants()
    providers._get_local_constants = lambda: nothing
    providers.CONSTANTS_CACHE.cache.clear()  # it holds those of other tests in the same process
    try:
        yield
    finally:
        providers._get_local_constants = original
        providers.CONSTANTS_CACHE.cache.clear()
