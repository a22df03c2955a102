"""Figures that others published, shown beside ours only where they were measured in the same way."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.resources import files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Published:
    """One figure of another's paper or code; ``published.toml`` says what the fields mean.

    Units:  image_auroc 0..1; shots None for all images.
    """

    layout: str
    categories: int
    seeds: int
    shots: int | None
    image_auroc: float
    method: str
    backbone: str
    source: str


@dataclass(frozen=True)
class Comparison:
    """The published figures that may stand beside ours, and, where some may not, why."""

    figures: tuple[Published, ...]
    left_out: str = ""


def all_published() -> tuple[Published, ...]:
    """Read ``published.toml``."""
    text = (files("patchcore_plugin.benchmark") / "published.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["figure"]
    return tuple(Published(**row | {"shots": None if row["shots"] == "all" else row["shots"]}) for row in rows)


def comparable(layout: str, *, categories: int, seeds: int, shots: int | None) -> Comparison:
    """Choose the figures for a benchmark of so many categories and seeds that learned from so many images (None: all).

    A mean over all categories, or over several random splits, is compared with nothing less.
    """
    found = [one for one in all_published() if (one.layout, one.shots) == (layout, shots)]
    same = tuple(one for one in found if one.categories == categories and one.seeds <= seeds)
    if len(same) == len(found):
        return Comparison(same)
    needed = max((one for one in found if one not in same), key=lambda one: (one.categories, one.seeds))
    means = _extent(needed.categories, needed.seeds, "split")
    return Comparison(
        same,
        f"{len(found) - len(same)} published figure(s) are not shown: they are means over {means}, "
        f"and this is {_extent(categories, seeds, 'seed')}.",
    )


def _extent(categories: int, draws: int, draw: str) -> str:
    """Say over how much a figure is a mean."""
    several = f"{categories} categories" if categories > 1 else "1 category"
    return f"{several} and {draws} {draw}{'s' if draws > 1 else ''}"
