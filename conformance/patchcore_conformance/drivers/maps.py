"""How the kit asks for anomaly maps, and what a good answer is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_conformance.drivers.driver import SHARES
from patchcore_conformance.numerics import rounded_to
from patchcore_conformance.plain import plain

if TYPE_CHECKING:
    from patchcore_conformance.context import Context

Array = npt.NDArray[Any]
Size = tuple[int, int]


def drawn(ctx: Context, part: Any, scores: Array, size: Size, sigma: float) -> npt.NDArray[np.float64]:
    """Ask, and hold the answer to its form; the part gets a copy."""
    return well_formed(ctx, part.anomaly_map(scores.copy(), size, sigma), scores, size, sigma)


def well_formed(ctx: Context, answer: Any, scores: Array, size: Size, sigma: float) -> npt.NDArray[np.float64]:
    """Hold an answer to (B, H, W) finite real numbers."""
    found = plain(answer, "the map")
    wanted = (len(scores), *size)
    told = f"the map is {found.dtype} {found.shape}, but real numbers {wanted} are needed (size {size}, sigma {sigma})"
    ctx.require(found.shape == wanted and found.dtype.kind == "f", told, **seen(scores, size, sigma))
    told = f"the map holds NaN or infinity (size {size}, sigma {sigma})"
    ctx.require(np.isfinite(found).all(), told, **seen(scores, size, sigma, map=found))
    return found.astype(np.float64)


def seen(scores: Array, size: Size, sigma: float, **more: Any) -> dict[str, Any]:
    """Name what was asked and answered, as evidence."""
    return {"patch_scores": scores, "size": np.array(size), "sigma": sigma, **more}


def share(ctx: Context) -> float:
    """Return how far two right maps may be apart, as a share of the largest score."""
    return SHARES[ctx.claims.dtype]


def held(ctx: Context, scores: Any) -> Array:
    """Bring scores below 65,000 to values that the claimed dtype holds."""
    scores = np.asarray(scores, np.float32)
    if ctx.claims.dtype == "float16":
        return np.asarray(scores.astype(np.float16), dtype=np.float32)
    return rounded_to(scores.reshape(-1, scores.shape[-1]), ctx.claims.dtype).reshape(scores.shape)
