"""How the kit asks a whole detector: settings as words, images that it makes, scores as plain arrays."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_conformance.drivers.once import once_a_factory
from patchcore_conformance.plain import plain
from patchcore_conformance.violation import NotOffered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from patchcore_conformance.context import Context
    from patchcore_conformance.watched import Watched

Images = list[npt.NDArray[np.uint8]]
Scores = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]  # image (B,), patch (B, h, w)

_SIDE = 64
# Small images, and none of them put aside, so that it is known what is remembered; who does not know these has others.
_WISHES = ("images.size=64", "calibration.holdout=0")
KEEP_ALL = "sampler.keep=1.0"
_FILE = "model.safetensors"


def images_of(
    ctx: Context, count: int, salt: str = "good", strange: bool = False, sides: tuple[int, int] = (_SIDE, _SIDE)
) -> Images:
    """Make photographs of multiples of 8 pixels: soft random textures over a common pattern.

    ``strange`` ones carry a block.
    """
    found = []
    for place in range(count):
        rng = ctx.rng(f"{salt} {place}")
        coarse = rng.normal(0, 30, (sides[0] // 8, sides[1] // 8, 3)).repeat(8, axis=0).repeat(8, axis=1)
        stripes = 40 * np.sin(np.arange(sides[1]) / 3)[None, :, None]
        picture = 120 + stripes + coarse + rng.normal(0, 12, (*sides, 3))
        if strange:
            top, left = (rng.integers(8, side - 24) for side in sides)
            picture[top : top + 16, left : left + 16] = rng.integers(0, 256, 3)
        found.append(np.clip(picture, 0, 255).astype(np.uint8))
    return found


def accepts(ctx: Context, *overrides: str) -> bool:
    """Say whether the factory makes a detector with these settings; a library that is missing is a no."""
    known = _tried(ctx)
    if overrides not in known:
        known[overrides] = _made(ctx, overrides)
    return known[overrides]


@once_a_factory
def _tried(ctx: Context) -> dict[tuple[str, ...], bool]:  # noqa: ARG001 - kept for the context's factory
    """Return what is known of settings; it grows as they are tried."""
    return {}


def _made(ctx: Context, overrides: tuple[str, ...]) -> bool:
    try:
        ctx.factory(overrides=[*overrides])
    except (TypeError, ValueError, ImportError, LookupError):
        return False
    return True


def settings(ctx: Context, *needed: str, wishes: Sequence[str] = _WISHES) -> list[str]:
    """Return the words for a small detector with what is needed; NotOffered where that cannot be said in words."""
    chosen = [wish for wish in wishes if accepts(ctx, wish)]
    for word in needed:
        if not accepts(ctx, *chosen, word):
            raise NotOffered(f"this detector cannot be made with {word}")
        chosen.append(word)
    return chosen


def fitted(ctx: Context, images: Images, overrides: Sequence[str], as_they_are: bool = False) -> Watched:
    """Return a detector that was fitted, to copies unless they are given ``as_they_are``; watched from then on."""
    return ctx.watch(lambda: _fit(ctx, images, overrides, as_they_are), f"{sorted(overrides)} on {_digest(images)}")


def fitted_again(ctx: Context, first: Images, images: Images, overrides: Sequence[str]) -> Watched:
    """Return a detector that was fitted, has scored, and was fitted anew."""

    def make() -> Any:
        detector = _fit(ctx, first, overrides)
        detector.score([image.copy() for image in images])
        return fed(detector, [image.copy() for image in images])

    return ctx.watch(make, f"{sorted(overrides)} on {_digest(images)}, after another fit")


def copied(ctx: Context, images: Images, overrides: Sequence[str], copy: Callable[[Any], Any]) -> Watched:
    """Return a copy of a detector that was fitted."""
    return ctx.watch(lambda: copy(_fit(ctx, images, overrides)), f"{sorted(overrides)} on {_digest(images)}, copied")


def saved(ctx: Context, images: Images, overrides: Sequence[str]) -> Watched:
    """Return a detector that was fitted and saved."""

    def make() -> Any:
        detector = _fit(ctx, images, overrides)
        with tempfile.TemporaryDirectory() as folder:
            detector.save(Path(folder, _FILE))
            ctx.require(any(Path(folder).iterdir()), "save wrote nothing")
        return detector

    return ctx.watch(make, f"{sorted(overrides)} on {_digest(images)}, saved")


def loaded(ctx: Context, images: Images, overrides: Sequence[str]) -> Watched:
    """Return a detector that was fitted, saved over an older one, and loaded once the file had been moved."""

    def make() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            here, there = Path(folder, "here"), Path(folder, "there")
            here.mkdir()
            detector, older = _fit(ctx, images, overrides), _fit(ctx, images[:-1], overrides)
            older.save(here / _FILE)
            name = _saved_over(detector, here)
            here.rename(there)  # whoever keeps models by their path, and not in the file, finds none there
            _fit(ctx, images[1:], overrides)  # what is kept for the process is another's by now
            return ctx.raw(overrides=[]).load(there / name)

    return ctx.watch(make, f"{sorted(overrides)} on {_digest(images)}, loaded")


def _saved_over(detector: Any, folder: Path) -> str:
    """Save where an older detector lies; beside it, where that is refused. Return the file's name."""
    try:
        detector.save(folder / _FILE)
    except (OSError, ValueError):
        detector.save(folder / f"newer-{_FILE}")
        return f"newer-{_FILE}"
    return _FILE


def _fit(ctx: Context, images: Images, overrides: Sequence[str], as_they_are: bool = False) -> Any:
    return fed(ctx.raw(overrides=[*overrides]), images if as_they_are else [image.copy() for image in images])


def fed(detector: Any, images: Images) -> Any:
    """Fit a detector; return what ``fit`` answers, or the detector where that is nothing to score with."""
    answer = detector.fit(images)
    return answer if hasattr(answer, "score") else detector


def _digest(images: Images) -> str:
    return hashlib.sha256(b"".join(image.tobytes() for image in images)).hexdigest()[:16]


def scores(ctx: Context, detector: Any, images: Images) -> Scores:
    """Score, and hold the answer to its form."""
    answer = detector.score([image.copy() for image in images])
    for name in ("image", "patch"):
        ctx.require(hasattr(answer, name), f"the scores are a {type(answer).__name__} without {name}")
    image, patch = plain(answer.image, "scores.image"), plain(answer.patch, "scores.patch")
    good = image.shape == (len(images),) and patch.ndim == 3 and len(patch) == len(images)
    told = f"scores.image is {image.shape} and scores.patch {patch.shape}, for {len(images)} images"
    ctx.require(good, told, images=images)
    finite = np.isfinite(image).all() and np.isfinite(patch).all()
    ctx.require(finite, "scores hold NaN or infinity", images=images)
    largest = patch.astype(np.float64).max(axis=(1, 2))
    told = "an image scores higher than its largest patch score, which its own is at most (Eq. 7)"
    ctx.within(np.maximum(image - largest, 0), 1e-5 * largest, told, image=image, largest=largest)
    return image.astype(np.float64), patch.astype(np.float64)
