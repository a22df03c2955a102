"""What greedy samplers share on their way to a number of rows or a radius: when it is reached, and how far it is."""

from __future__ import annotations

from math import inf, log, nextafter, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_STEPS = 1000  # in which progress towards a radius is told


def largest_square(radius: float) -> float:
    """Return the largest number whose root is at most ``radius``: rounding must not decide who lies within it."""
    square = float(radius) ** 2
    while sqrt(nextafter(square, inf)) <= radius:
        square = nextafter(square, inf)
    return square


def teller(
    progress: Callable[[int, int], None] | None, most: int, radius: float | None
) -> Callable[[int, float], None]:
    """Make what hears (rows done, squared radius) and tells ``progress`` (done, all).

    Rows are counted; or, towards a radius, equal steps of the logarithm, in which the radius falls steadily.
    """
    start: list[float] = []

    def tell(done: int, top: float) -> None:
        if progress is None:
            return
        if radius is None:
            progress(min(done, most), most)
            return
        start.append(top)
        way = log(start[0] / radius**2) if start[0] > radius**2 else 1.0
        gone = log(start[0] / top) / way if top > 0 else 1.0
        progress(min(_STEPS, int(_STEPS * gone)), _STEPS)

    return tell
