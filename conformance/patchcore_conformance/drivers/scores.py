"""How the kit asks for image scores, and how it holds them to what Eq. 6 and 7 allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_conformance.drivers.driver import SHARES
from patchcore_conformance.numerics import Doubles, Numerics, rounded_to
from patchcore_conformance.plain import plain
from patchcore_conformance.score_certificates import Choices, choices_of

if TYPE_CHECKING:
    from patchcore_conformance.context import Context

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Question:
    """Patches of B images (B, P, D), a bank (M, D), and b."""

    embeddings: Array
    bank: Array
    neighbors: int

    @property
    def seen(self) -> dict[str, Any]:
        """What was asked, as evidence."""
        return {"embeddings": self.embeddings, "bank": self.bank, "neighbors": self.neighbors}

    def told(self) -> str:
        """Put the sizes into words."""
        images, patches, width = self.embeddings.shape
        return f"{images} x {patches} patches of {width}, {len(self.bank)} rows, neighbors={self.neighbors}"


def question(
    ctx: Context, family: Any, images: int, patches: int, rows: int, width: int, neighbors: int, scale: float = 1.0
) -> Question:
    """Draw patches and a bank from one family of rows, in values that the claimed dtype holds."""
    drawn = family(images * patches + rows, width) * np.float32(scale)
    drawn = drawn[ctx.rng(f"{family.__name__} {len(drawn)} {width}").permutation(len(drawn))]
    return of_rows(ctx, drawn[: images * patches].reshape(images, patches, width), drawn[images * patches :], neighbors)


def of_rows(ctx: Context, embeddings: Any, bank: Any, neighbors: int) -> Question:
    """Bring patches and a bank to values that the claimed dtype holds, both by one scale."""
    embeddings, bank = np.asarray(embeddings), np.asarray(bank)
    rows = np.concatenate([embeddings.reshape(-1, bank.shape[1]), bank])
    held = rounded_to(rows, ctx.claims.dtype)
    return Question(held[: -len(bank)].reshape(embeddings.shape), held[-len(bank) :].copy(), neighbors)


def asked(ctx: Context, part: Any, one: Question) -> Doubles:
    """Ask, and hold the answer to its form; the part gets copies."""
    return well_formed(ctx, part.image_scores(one.embeddings.copy(), one.bank.copy(), neighbors=one.neighbors), one)


def well_formed(ctx: Context, answer: Any, one: Question) -> Doubles:
    """Hold an answer to (B,) finite real numbers, none below zero but by rounding."""
    found = plain(answer, "the image scores")
    images = len(one.embeddings)
    ctx.require(
        found.shape == (images,) and found.dtype.kind == "f",
        f"the image scores are {found.dtype} {found.shape}, but real numbers ({images},) are needed",
        **one.seen,
    )
    told = f"the image scores {found.tolist()[:5]} are not all finite ({one.told()})"
    ctx.require(np.isfinite(found).all(), told, **one.seen, scores=found)
    return found.astype(np.float64)


def truth(ctx: Context, one: Question) -> list[Choices]:
    """Return what each image may score."""
    numerics, bank = Numerics.of(ctx.claims), one.bank.astype(np.float64)
    share = SHARES[ctx.claims.dtype]
    return [choices_of(patches.astype(np.float64), bank, one.neighbors, numerics, share) for patches in one.embeddings]


def judge(ctx: Context, part: Any, one: Question, what: str = "") -> Doubles:
    """Ask, and hold every score to one of the choices that Eq. 6 and 7 leave."""
    scores = asked(ctx, part, one)
    for image, (score, allowed) in enumerate(zip(scores, truth(ctx, one), strict=True)):
        error, slack = allowed.excess(float(score))
        told = f"{what}image {image} of {one.told()} scores {score:.7g}, but Eq. 6 and 7 give {allowed.lows[0]:.7g}" + (
            f" to {allowed.highs.max():.7g}" if not allowed.settled else ""
        )
        ctx.within(error, slack, told, **one.seen, scores=scores)
        ctx.witness(bool(allowed.settled and allowed.lows[0] > 4 * slack))
    return scores
