"""No image stands on two sides of a split: it would be judged by what was learned from itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchcore_plugin.datasets.content_hash import equal_files
from patchcore_plugin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from patchcore_plugin.datasets.split import Split

_SHOWN = 10  # pairs that an error names


def without_overlap(split: Split) -> Split:
    """Return the split as it is, once its sides are known to share no image, by the bytes of the files.

    Raises: InputError that names the pairs.
    Cost:   as ``equal_files``.
    """
    sides = [(path, "to learn from") for path in split.fit]
    sides += [(path, "for the threshold") for path in split.calibrate]
    sides += [(image.path, "to test") for image in split.test]
    pairs = mixed_pairs(sides)
    if pairs:
        raise InputError(
            f"{split.category}: {len(pairs)} image(s) stand on two sides of the split, so the figures would flatter:\n"
            f"{_listed(pairs)}\n"
            "Remove one of each pair, or name the images that shall take part in a CSV manifest (layout csv)."
        )
    return split


def require_one_meaning(category: str, images: Sequence[tuple[Path, str]]) -> None:
    """Refuse an image that is both good and defective: which side it falls on would depend on the seed.

    Raises: InputError that names the pairs.
    Cost:   as ``equal_files``.
    """
    pairs = mixed_pairs(images)
    if pairs:
        raise InputError(
            f"{category}: {len(pairs)} image(s) are both good and defective:\n{_listed(pairs)}\n"
            "Remove the wrong one of each pair."
        )


Pair = tuple[tuple["Path", str], tuple["Path", str]]


def mixed_pairs(images: Sequence[tuple[Path, str]]) -> list[Pair]:
    """Find files with the same bytes and different words beside them: each with the first of its group."""
    groups = equal_files([path for path, _ in images])
    return [
        (images[first], images[other])
        for first, *others in groups
        for other in others
        if images[other][1] != images[first][1]
    ]


def _listed(pairs: list[Pair]) -> str:
    lines = [f"  {one} ({side}) = {other} ({where})" for (one, side), (other, where) in pairs[:_SHOWN]]
    more = [f"  and {len(pairs) - _SHOWN} more"] if len(pairs) > _SHOWN else []
    return "\n".join(lines + more)
