"""Whole detectors as a question of two arrays: photographs to fit and photographs to score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.drivers.driver import Case, Driver
from patchcore_conformance.drivers.pipeline import fed

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_conformance.drivers.pipeline import Images


class _Pipeline(Driver):
    """Asks by ``fit`` and ``score``: image and patch scores."""

    def ready(self, part: Any, case: Case) -> Callable[[], tuple[Any, ...]]:
        good, asked = ([*stack] for stack in case.arrays)
        detector = fed(part, good)

        def ask() -> tuple[Any, ...]:
            found = detector.score(asked)
            return found.image, found.patch

        return ask


def fit_and_score(good: Images, asked: Images, overrides: list[str]) -> Case:
    """Return the question what a detector that was fitted to photographs of one size scores others."""
    return Case("fit and score", (np.stack(good), np.stack(asked)), {"overrides": overrides})


DRIVER = _Pipeline
