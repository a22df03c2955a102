"""The checks behind the host laws: each takes a ``Trial`` and raises ``Violation`` where its law does not hold.

Samples are made anew for each call of an adapter, so that one that changes them is told so by H03 alone.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_conformance.host_probes import STRANGE, every_second, good, new, repeated, spoilt
from patchcore_conformance.host_under_test import CLOSE, KEEP, picked, require, require_same
from patchcore_conformance.plugin_doubles import PLAIN, STRICT
from patchcore_conformance.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from patchcore_conformance.host_under_test import Answers, Trial

# Raised by code that did not expect what came: no answer to a user's mistake. Subclasses are errors of their own.
_SLIPS = (AssertionError, AttributeError, IndexError, KeyError, NameError, TypeError, UnboundLocalError)


def answers_belong_to_samples(trial: Trial) -> None:
    """Fit good samples; ask about good and strange ones, mixed."""
    form = trial.host.form
    scores = trial.asked(trial.fitted(good(form)), new(form))["score"].astype(np.float64)
    require(scores.ndim == 1, f"'score' has shape {scores.shape}, but one number a sample is needed")
    usual, strange = np.delete(scores, STRANGE), scores[[*STRANGE]]
    apart = strange.min() > usual.max() or strange.max() < usual.min()
    require(apart, f"samples {STRANGE} are strange, but do not score apart from the others", scores=scores)


def strict_parts_give_the_same(trial: Trial) -> None:
    """Put strict parts in the place of plain ones, one at a time and all; then all where samples are repeated."""
    kinds, form = tuple(trial.host.kinds), trial.host.form
    usual, repeats = partial(good, form), partial(repeated, form)
    _require_alike(trial, usual, sorted({*((kind,) for kind in kinds), kinds}), "")
    _require_alike(trial, repeats, [kinds, kinds], " on repeated samples", keep=1.0)  # twice: chance may hide a fault


def _require_alike(
    trial: Trial, samples: Callable[[], Any], choices: Sequence[Sequence[str]], where: str, keep: float = KEEP
) -> None:
    """Compare each choice of strict parts with plain ones."""
    plain = trial.fitted(samples(), keep=keep)
    expected, said = trial.asked(plain, new(trial.host.form)), trial.told(plain)
    size = float(np.abs(expected["score"]).max())
    for kinds in choices:
        strict = trial.fitted(samples(), dict.fromkeys(kinds, STRICT), keep=keep)
        told = f"with a strict {' and '.join(kinds)}{where}"
        require_same(said, trial.told(strict), f"{told}, what the fit tells", CLOSE, size)
        require_same(expected, trial.asked(strict, new(trial.host.form)), f"{told}, the answer", CLOSE)


def what_comes_in_stays(trial: Trial) -> None:
    """Look at the samples afterwards; then hand over the same values in another order, and as read-only views."""
    form = trial.host.form
    expected = trial.asked(trial.fitted(good(form)), new(form))
    forms = (
        (np.asarray, "plain arrays"),
        (np.asfortranarray, "arrays in Fortran order"),
        (every_second, "read-only views"),
    )
    for seen, words in forms:
        fitted, asked = seen(good(form)), seen(new(form))
        found = trial.asked(trial.fitted(fitted), asked)
        require(np.array_equal(fitted, good(form)), f"fitting changed the samples ({words})", samples=fitted)
        require(np.array_equal(asked, new(form)), f"asking changed the samples ({words})", samples=asked)
        require_same(expected, found, f"{words} of the same values are answered otherwise", CLOSE)


def samples_are_judged_alone(trial: Trial) -> None:
    """Ask about all, one by one, backwards, and some twice."""
    form = trial.host.form
    everyone = list(range(len(new(form))))
    for way in trial.ways:
        adapter = trial.fitted(good(form), way)
        together = trial.asked(adapter, new(form))
        for places in [[one] for one in everyone] + [everyone[::-1], [3, 3, 1, 0]]:
            _require_alone(trial, adapter, together, places)


def _require_alone(trial: Trial, adapter: Any, together: Answers, places: Sequence[int]) -> None:
    found = trial.asked(adapter, new(trial.host.form)[places])
    told = f"samples {places} by themselves are answered otherwise than among all"
    require_same(picked(together, places), found, told, CLOSE)


def a_refit_forgets(trial: Trial) -> None:
    """Fit on one kind of samples, then on another: as if the first had never been."""
    form = trial.host.form
    fresh, used = trial.fitted(good(form)), trial.fitted(good(form, seed=1))
    expected, before = (trial.asked(adapter, new(form)) for adapter in (fresh, used))
    told = "two fits on different samples score alike, so that nothing shows whether one was forgotten"
    require(not np.array_equal(before["score"], expected["score"]), told)
    used = trial.fit(used, good(form))
    told = "fitted a second time, an adapter answers otherwise than one that was fitted once"
    require_same(expected, trial.asked(used, new(form)), told)
    require_same(trial.told(fresh), trial.told(used), "fitted a second time, an adapter tells otherwise of its fit")


def files_keep_the_answers(trial: Trial) -> None:
    """Save and load, twice over; the one that was saved goes on as before."""
    form = trial.host.form
    for way in trial.ways if trial.host.again is not None else ():
        share = 0.0 if way == PLAIN else CLOSE
        adapter = trial.fitted(good(form), way)
        before, said = trial.asked(adapter, new(form)), trial.told(adapter)
        loaded = trial.again(adapter)
        for which, words in ((loaded, "loaded"), (trial.again(loaded), "loaded twice over"), (adapter, "saved")):
            require_same(before, trial.asked(which, new(form)), f"once {words}, an adapter answers otherwise", share)
            require_same(said, trial.told(which), f"once {words}, an adapter tells otherwise of its fit", share)


def unfitted_use_is_an_error(trial: Trial) -> None:
    """Ask before anything was fitted."""
    adapter = trial.made()
    _require_refused(partial(trial.host.ask, adapter, new(trial.host.form)), "asking before fitting")


def what_is_no_number_is_refused(trial: Trial) -> None:
    """Fit on NaN and infinity, and ask about them; then see what the refusals left behind."""
    form = trial.host.form
    adapter = trial.fitted(good(form))
    before = trial.asked(adapter, new(form))
    for value in (np.nan, np.inf):
        _require_refused(partial(trial.host.ask, adapter, spoilt(form, new(form), value)), f"asking about {value}")
        require_same(before, trial.asked(adapter, new(form)), f"after {value} was refused, answers are others")
        first = trial.made()
        _require_refused(partial(trial.fit, first, spoilt(form, good(form), value)), f"fitting {value}")
        _require_refused(partial(trial.host.ask, first, new(form)), f"asking after the fit refused {value}")


def _require_refused(action: Callable[[], Any], words: str) -> None:
    try:
        answer = action()
    except Exception as problem:  # noqa: BLE001 - hosts have errors of their own
        slip = type(problem) in _SLIPS
        require(not slip, f"{words} fails by accident: {type(problem).__name__}: {problem}")
        return
    raise Violation(f"{words} is not refused", {"answer": answer})


def the_seed_decides(trial: Trial) -> None:
    """Fit again with the same seed, whatever chance does elsewhere; then with others."""
    form = trial.host.form
    answers: list[Answers] = []
    for seed, chance in ((0, 1), (0, 2), (1, 1), (2, 1), (3, 1)):
        adapter = trial.fit(trial.made(seed=seed), good(form), chance)
        answers.append(trial.asked(adapter, new(form)))
    first, again, *others = answers
    require_same(first, again, "two fits with the same seed answer otherwise")
    idle = all(np.array_equal(one["score"], first["score"]) for one in others)
    told = "four seeds give the same scores: the seed does not reach the sampler"
    require(not idle or "sampler" not in trial.host.kinds, told, scores=first["score"])
