"""How the kit asks an extractor: made-up pixels of sizes that networks take, and what a well-formed answer is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.drivers.once import once_a_factory
from patchcore_conformance.plain import plain
from patchcore_conformance.violation import Violation

if TYPE_CHECKING:
    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.driver import Array

# How far two right maps may be apart, as a share of the map's largest value: the contract's 1e-4 in float32.
SHARES = {"float64": 1e-4, "float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}

_CELLS = (32, 28, 48, 40, 36, 56, 64)  # pixels; laws think in 32, patches of 14 need 28, windows of 12 need 48


def scaled(ctx: Context, length: int) -> int:
    """Return how many pixels stand for a length, where images of 32 x 32 are refused for their size."""
    return length * cell(ctx) // 32


@once_a_factory
def cell(ctx: Context) -> int:
    """Find out of which size the part takes images: 32 x 32, or the next of some sizes that many networks need."""
    part = ctx.raw()
    for size in _CELLS:
        try:
            for height, width in ((size, size), (3 * size, 5 * size)):
                part.extract(drawn(np.random.default_rng(0), 1, height, width))
        except (ValueError, TypeError):
            continue
        except Exception:  # noqa: BLE001 - whatever else goes wrong is for a law to say
            break
        return size
    return _CELLS[0]


def pixels(ctx: Context, rng: np.random.Generator, images: int, height: int, width: int) -> Array:
    """Draw images as ``drawn`` does, of a scaled height and width."""
    return drawn(rng, images, scaled(ctx, height), scaled(ctx, width))


def drawn(rng: np.random.Generator, images: int, height: int, width: int) -> Array:
    """Draw images (B, 3, H, W) float32 in the range of normalised photographs, each of its own contrast."""
    found = rng.standard_normal((images, 3, height, width)) * rng.uniform(0.4, 0.9, (images, 1, 1, 1))
    return np.clip(found, -2.1, 2.6).astype(np.float32)


def maps_of(ctx: Context, part: Any, images: Array) -> list[Array]:
    """Ask, and hold the answer to what every law takes for granted; the part gets a copy of the images."""
    return well_formed(ctx, part, part.extract(images.copy()), images)


def well_formed(ctx: Context, part: Any, answer: Any, images: Array) -> list[Array]:
    """Hold an answer to one finite map (B, C_l, H_l, W_l) for each layer that the part names."""
    ctx.require(isinstance(answer, (tuple, list)), f"the answer is a {type(answer).__name__}, but a tuple is needed")
    maps = [plain(one, f"map {place}") for place, one in enumerate(answer)]
    names, channels = declared(part)
    counts = {len(names), len(channels), len(maps)}
    ctx.require(
        len(counts) == 1 and maps,
        f"{len(names)} layers and {len(channels)} numbers of channels are named, but {len(maps)} maps were answered",
    )
    for name, count, found in zip(names, channels, maps, strict=True):
        good = found.ndim == 4 and found.shape[:2] == (len(images), count) and 0 not in found.shape
        ctx.require(
            good and found.dtype.kind == "f",
            f"the map of layer {name} is {found.dtype} {found.shape}, but real numbers ({len(images)}, {count}, h, w) "
            "are needed",
            pixels=images,
        )
        ctx.require(np.isfinite(found).all(), f"the map of layer {name} holds NaN or infinity", pixels=images)
    return maps


def declared(part: Any) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Read which layers a part names, and how many channels each has."""
    try:
        return tuple(part.layers), tuple(int(count) for count in part.channels)
    except (AttributeError, TypeError, ValueError) as problem:
        raise Violation(f"layers and channels cannot be read from the part: {problem}") from problem


def share(ctx: Context) -> float:
    """Return how far two right maps may be apart, as a share of the map's largest value."""
    return SHARES[ctx.claims.dtype]


def require_equal_maps(ctx: Context, one: list[Array], two: list[Array], message: str, **told: Any) -> None:
    """Hold two lists of maps to each other, each within a share of its largest value."""
    for place, (left, right) in enumerate(zip(one, two, strict=True)):
        where = f"{message} (map {place})"
        ctx.require(left.shape == right.shape, f"{where}: shapes {left.shape} and {right.shape}", **told)
        wide, other = left.astype(np.float64), right.astype(np.float64)
        size = float(np.abs(wide).max(initial=0.0))
        ctx.within(np.abs(wide - other), share(ctx) * size, where, expected=left, answered=right, **told)


def differ(one: Array, two: Array) -> bool:
    """Say whether two maps differ by more than rounding."""
    size = max(float(np.abs(one).max(initial=0.0)), float(np.abs(two).max(initial=0.0)))
    return one.shape != two.shape or bool(np.abs(one.astype(np.float64) - two).max(initial=0.0) > 1e-4 * size)
