"""L07 to L11: a detector is fitted anew, leaves photographs and the process alone, refuses, and can be copied."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance import surroundings
from patchcore_conformance.drivers.driver import Refusal, require_refused
from patchcore_conformance.drivers.pipeline import copied, fitted, fitted_again, images_of, scores, settings
from patchcore_conformance.interleaving import many_turns
from patchcore_conformance.laws.pipeline import CLOSE, HIGHER, NOISY, REFUSED_NOTHING, repeated, require_same
from patchcore_conformance.plain import plain
from patchcore_conformance.registry import law
from patchcore_conformance.saboteur import Saboteur

if TYPE_CHECKING:
    from collections.abc import Callable

    from patchcore_conformance.context import Context
    from patchcore_conformance.drivers.pipeline import Images, Scores
    from patchcore_conformance.saboteur import Call


def _scribbled(call: Call, _: np.random.Generator) -> Any:
    """Change a photograph that came in."""
    call.args[0][0][...] = 0
    return call.output if call.error is None else None


def _drawn(call: Call, _: np.random.Generator) -> Any:
    """Draw from global chance."""
    np.random.random()  # noqa: NPY002 - the fault that is looked for
    return call.output


@law(
    "L07",
    "pipeline",
    statement="A second fit forgets the first, and fits of the same photographs give the same detector.",
    why="A model for a new product must not remember the old one; and who fits again must get what was tried out.",
    seen="Rows appended to those of the fit before; a fit that is skipped since a bank is there; unseeded chance.",
    mend="Begin each fit with nothing, and draw from a generator made of the seed in it.",
    witnesses=3,
    saboteurs=(NOISY,),
)
def fits_begin_with_nothing(ctx: Context) -> None:
    """Fit other photographs first, fewer and more of them; then compare with a fresh detector."""
    asked = [*images_of(ctx, 2, "new"), *images_of(ctx, 2, "odd", strange=True)]
    words, good = settings(ctx), images_of(ctx, 5)
    share = repeated(ctx)
    with surroundings.seeded(1):
        fresh = scores(ctx, fitted(ctx, good, words), asked)
    for others in (asked, images_of(ctx, 3, "old"), images_of(ctx, 9, "old", strange=True)):
        again = scores(ctx, fitted_again(ctx, others, good, words), asked)
        told = f"after a fit of {len(others)} other images, a second fit scores otherwise than a first one"
        require_same(ctx, fresh, again, told, share)
        ctx.witness()
    with surroundings.seeded(2):
        second = scores(ctx, fitted(ctx, good, words), asked)
    require_same(ctx, fresh, second, "two fits of the same images with the same settings score otherwise", share)


@law(
    "L08",
    "pipeline",
    statement="Photographs are never changed, may lie in memory in any way, and answers belong to who asked.",
    why="A host shows the photograph beside the heat map, and keeps the scores of a whole shift.",
    seen="Photographs normalised in place; memory read in storage order; one buffer that every call answers in.",
    mend="Copy before computing in place; answer in memory of its own for each call.",
    witnesses=3,
    saboteurs=(NOISY, Saboteur("changes a photograph", "score", _scribbled)),
)
def photographs_stay_as_they_are(ctx: Context) -> None:
    """Fit and score read-only and strided photographs, and compare them with copies."""
    words, good = settings(ctx), images_of(ctx, 4)
    asked = [*images_of(ctx, 2, "new"), *images_of(ctx, 1, "odd", strange=True)]
    expected = scores(ctx, fitted(ctx, good, words), asked)
    for name, lay_out in _LAYOUTS.items():
        given, scored = [lay_out(image) for image in good], [lay_out(image) for image in asked]
        detector = fitted(ctx, given, words, as_they_are=True)
        answer = detector.score(scored)
        kept = _held(answer)
        for before, after in zip([*good, *asked], [*given, *scored], strict=True):
            ctx.require(np.array_equal(before, after), f"a photograph was changed ({name})", photograph=before)
        require_same(ctx, expected, kept, f"photographs that are {name} score otherwise", CLOSE)
        scores(ctx, detector, asked[::-1])
        require_same(ctx, kept, _held(answer), "a later call changed an earlier answer", 0)
        ctx.witness()
    _require_stacks_stay(ctx, asked, words, good)


def _require_stacks_stay(ctx: Context, asked: Images, words: list[str], good: Images) -> None:
    """Score one array of photographs, whole numbers and others, and other photographs in its memory; or be refused."""
    for stack in (np.stack(asked), np.stack(asked).astype(np.float32) / 255, np.stack(asked) / 255):
        detector, given, other = fitted(ctx, good, words), stack.copy(), (stack[::-1] / 2).astype(stack.dtype)
        try:
            detector.score(given)
        except (ValueError, TypeError):
            continue
        told = f"an array of photographs, {stack.dtype} {stack.shape}, was changed"
        ctx.require(np.array_equal(given, stack), told, photographs=stack)
        given[...] = other
        found, expected = _held(detector.score(given)), _held(fitted(ctx, good, words).score(other.copy()))
        told = "other photographs in the same memory score otherwise than by a fresh detector"
        require_same(ctx, expected, found, told, repeated(ctx))


def _held(answer: Any) -> Scores:
    """Copy an answer out of whatever memory it lies in."""
    return np.array(plain(answer.image), dtype=np.float64), np.array(plain(answer.patch), dtype=np.float64)


def _locked(image: Any) -> Any:
    found = image.copy()
    found.flags.writeable = False
    return found


_LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "as they are": lambda image: image.copy(),
    "read-only": _locked,
    "in Fortran order": np.asfortranarray,
    "every other pixel of larger ones": lambda image: image.repeat(2, axis=0).repeat(2, axis=1)[::2, ::2],
}


@law(
    "L09",
    "pipeline",
    statement="What cannot be answered is refused with an error, and a refusal changes nothing.",
    why="A score that was made of nothing looks like any other score.",
    seen="Scores of 0 from a detector that nobody has fitted; NaN that becomes a score; a bank that is dropped "
    "before the new photographs were looked at.",
    mend="Check photographs before anything is changed; raise ValueError or TypeError, unfitted also RuntimeError.",
    witnesses=8,
    saboteurs=(NOISY, REFUSED_NOTHING),
)
def nothing_is_made_of_nothing(ctx: Context) -> None:
    """Ask before a fit; fit and score what is no photograph; then score as before."""
    good, asked = images_of(ctx, 4), images_of(ctx, 2, "new")
    words = settings(ctx)
    unfitted = ctx.watch(lambda: ctx.raw(overrides=[*words]), f"{sorted(words)}, never fitted")
    require_refused(ctx, Refusal("to score before a fit", lambda: unfitted.score(asked)), RuntimeError)
    detector = fitted(ctx, good, words)
    before = scores(ctx, detector, asked)
    require_refused(ctx, Refusal("to fit no photographs", lambda: detector.fit([])))
    for what, bad in _no_photographs(good[0]).items():
        require_refused(ctx, Refusal(f"to score {what}", lambda bad=bad: detector.score([asked[0], bad])))  # type: ignore[misc]
        require_refused(ctx, Refusal(f"to fit {what}", lambda bad=bad: detector.fit([good[0], bad])))  # type: ignore[misc]
        ctx.witness(2)
    told = "after something bad was refused, a detector scores otherwise"
    require_same(ctx, before, scores(ctx, detector, asked), told, repeated(ctx))


def _no_photographs(image: Any) -> dict[str, Any]:
    spoilt = image.astype(np.float32) / 255
    spoilt[5, 5, 1] = np.nan
    return {
        "NaN": spoilt,
        "a photograph without rows": image[:0],
        "a row of pixels": image[0, :, 0],
        "a photograph of five channels": np.concatenate([image, image[..., :2]], axis=2),
        "Python objects": image.astype(object),
    }


@law(
    "L10",
    "pipeline",
    statement="The process is left as it was: global chance, printing, threads, default dtypes, modes and switches.",
    why="A detector is a guest in a program that trains, serves or draws by chance itself.",
    seen="Global seeds set before a fit; warnings or arithmetic errors switched off for all; thread counts left set.",
    mend="Use local generators and context managers; take thread counts and devices as settings.",
    witnesses=1,
    saboteurs=(Saboteur("draws from global chance", "score", _drawn),),
)
def the_process_is_left_alone(ctx: Context) -> None:
    """Compare everything global before and after; a first use may load libraries, so chance alone is compared then."""
    good, asked, words = images_of(ctx, 3), images_of(ctx, 2, "new"), settings(ctx)
    before = surroundings.chance()
    scores(ctx, fitted(ctx, good, words), asked)
    surroundings.require_unchanged(ctx, before, surroundings.chance())
    with surroundings.unusual():
        before = surroundings.state()
        scores(ctx, fitted(ctx, good, words), asked)
        surroundings.require_unchanged(ctx, before, surroundings.state())
    ctx.witness()


@law(
    "L11",
    "pipeline",
    statement="A detector that was pickled, or copied deeply, scores as the original does.",
    why="Detectors are sent to worker processes and saved inside pipelines of other frameworks.",
    seen="Lambdas and library handles among the attributes; settings that the copy forgets.",
    mend="Keep every setting as a plain attribute, and make handles when they are first needed.",
    applies=lambda claims: claims.serialisable,
    promise="serialisable",
    witnesses=2,
    saboteurs=(HIGHER, NOISY),
)
def copies_score_alike(ctx: Context) -> None:
    """Copy a detector that was fitted."""
    good, asked, words = images_of(ctx, 4), images_of(ctx, 2, "new"), settings(ctx)
    expected = scores(ctx, fitted(ctx, good, words), asked)
    for name, duplicate in (("pickle", lambda one: pickle.loads(pickle.dumps(one))), ("deepcopy", copy.deepcopy)):  # noqa: S301
        try:
            found = scores(ctx, copied(ctx, good, words, duplicate), asked)
        except (pickle.PicklingError, TypeError, AttributeError) as problem:
            ctx.broken(f"{name} of the detector raised {type(problem).__name__}: {problem}")
        require_same(ctx, expected, found, f"a detector after {name} scores otherwise", 0)
        ctx.witness()


@law(
    "L12",
    "pipeline",
    statement="Calls from several threads at once give what they give one after the other.",
    why="Servers score several photographs at once with one detector.",
    seen="Scratch memory of the detector that two calls write to at the same time.",
    mend="Make scratch memory in each call, keep it per thread, or hold a lock while it is used.",
    applies=lambda claims: claims.thread_safe,
    promise="thread_safe",
    witnesses=8,
    saboteurs=(NOISY,),
)
def threads_do_not_meet(ctx: Context) -> None:
    """Score different photographs from four threads at once."""
    asked = [*images_of(ctx, 3, "new"), *images_of(ctx, 1, "odd", strange=True)]
    detector = fitted(ctx, images_of(ctx, 4), settings(ctx))
    expected = [scores(ctx, detector, [image]) for image in asked]
    start = Barrier(4)

    def work(thread: int) -> list[tuple[int, Any]]:
        start.wait()
        with many_turns(thread):
            return [(place, scores(ctx, detector, [asked[place]])) for place in _turns(thread, asked)]

    with ThreadPoolExecutor(4) as pool:
        answers = [found for answered in pool.map(work, range(4)) for found in answered]
    for place, found in answers:
        require_same(ctx, expected[place], found, "a call beside others was answered otherwise", CLOSE)
        ctx.witness()


def _turns(thread: int, asked: Images) -> list[int]:
    return [(thread + turn) % len(asked) for turn in range(8)]
