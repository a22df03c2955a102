"""A host's adapter as the host laws see it: how to make it, fit it, ask it, and bring it back from a file."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_conformance.host_probes import FORMS
from patchcore_conformance.plugin_doubles import PLAIN, STRICT
from patchcore_conformance.violation import KitError, Violation

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("extractor", "aggregator", "sampler", "neighbors")
CLOSE = 1e-4  # share of the largest value: what rounding to float32 on the way may do, with room
KEEP = 0.25  # share of rows that samplers keep, where a law does not say otherwise

Answers = dict[str, npt.NDArray[Any]]
Part = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class HostUnderTest:
    """An adapter, in the words that the kit needs; every function is called with arrays of the kit.

    form    what samples are: "rows" float32 (N, D), "images" uint8 (B, H, W, 3), or "pixels" float32 in 0..1,
            (B, 3, H, W). Images are small (32 x 48): let the adapter take them as they are.
    kinds   the parts that users of the adapter can name.
    make    ``make(parts, seed)``: an adapter that is not fitted. ``parts`` has a section of a configuration for each of
            ``kinds``: ``{"sampler": {"name": "kit-strict", "keep": 0.25}, ...}``. The seed is the host's own, and
            has to reach the sampler.
    fit     ``fit(adapter, samples)``, in place; or returns the fitted adapter.
    ask     ``ask(adapter, samples)``: answers by name, each with one entry a sample, in their order. "score" has to be
            among them; "label", "map" or anything else may be. Whole numbers and truth values are compared exactly,
            so leave out masks of pixels, of which one may lie on the threshold.
    told    ``told(adapter)``: what a fit leaves behind for users, by name, such as {"threshold": 3.1}.
    again   ``again(adapter, folder)``: the adapter, saved into an empty folder and loaded from there; None: the host
            cannot save.
    """

    form: str
    kinds: Sequence[str]
    make: Callable[[dict[str, dict[str, Any]], int], Any]
    fit: Callable[[Any, Any], Any]
    ask: Callable[[Any, Any], Mapping[str, Any]]
    again: Callable[[Any, Path], Any] | None
    told: Callable[[Any], Mapping[str, Any]] = lambda _: {}

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise KitError(f"form is {self.form!r}, but one of {', '.join(FORMS)} is needed.")
        if not self.kinds or not set(self.kinds) <= set(KINDS):
            raise KitError(f"kinds are {self.kinds!r}, but some of {', '.join(KINDS)} are needed.")


@dataclass
class Trial:
    """One law's dealings with a host; ``ways`` are the parts by name that the host is known to work with."""

    host: HostUnderTest
    folder: Path
    ways: tuple[str, ...] = (PLAIN, STRICT)

    def made(self, way: str | Mapping[str, str] = PLAIN, *, seed: int = 0, keep: float = KEEP) -> Any:
        """Make an adapter with parts of one name, or of a name for each kind."""
        names = {kind: way if isinstance(way, str) else way.get(kind, PLAIN) for kind in self.host.kinds}
        parts: dict[str, dict[str, Any]] = {kind: {"name": name} for kind, name in names.items()}
        if "sampler" in parts:
            parts["sampler"]["keep"] = keep
        return self.host.make(parts, seed)

    def fit(self, adapter: Any, samples: npt.NDArray[Any], chance: int = 0) -> Any:
        """Fit, whatever was drawn at random in the process before."""
        random.seed(chance)
        np.random.seed(chance)  # noqa: NPY002 - the global state, which an adapter may read by mistake
        fitted = self.host.fit(adapter, samples)
        return adapter if fitted is None else fitted

    def fitted(self, samples: npt.NDArray[Any], way: str | Mapping[str, str] = PLAIN, **made: Any) -> Any:
        """Make an adapter and fit it."""
        return self.fit(self.made(way, **made), samples)

    def asked(self, adapter: Any, samples: npt.NDArray[Any]) -> Answers:
        """Ask, and hold the answers to one finite entry a sample."""
        count = len(samples)
        answers = {name: np.asarray(answer).copy() for name, answer in self.host.ask(adapter, samples).items()}
        require("score" in answers, f'the answers are {", ".join(answers) or "none"}, but "score" has to be among them')
        for name, answer in answers.items():
            entries = answer.shape[0] if answer.ndim else "no"
            require(entries == count, f"{name!r} has {entries} entries for {count} samples", answer=answer)
            finite = answer.dtype.kind != "f" or np.isfinite(answer).all()
            require(finite, f"{name!r} holds NaN or infinity for samples that hold none", answer=answer)
        return answers

    def told(self, adapter: Any) -> Answers:
        """Return what the fit left behind."""
        return {name: np.asarray(value).copy() for name, value in self.host.told(adapter).items()}

    def again(self, adapter: Any) -> Any:
        """Save an adapter and load it, in a folder of its own."""
        folder = self.folder / f"saved {len(list(self.folder.iterdir()))}"
        folder.mkdir()
        return (self.host.again or (lambda same, _: same))(adapter, folder)


def require(holds: object, message: str, **evidence: Any) -> None:
    """Say so if something does not hold."""
    if not bool(holds):
        raise Violation(message, evidence)


def require_same(one: Answers, two: Answers, message: str, share: float = 0.0, size: float = 0.0) -> None:
    """Hold answers to others of the same questions: floats within a share of the largest, all else exactly.

    Args:   size: how large numbers of the kind are, for those that may all be 0.
    """
    require(set(one) == set(two), f"{message}: {', '.join(two)} instead of {', '.join(one)}")
    for name, expected in one.items():
        found = two[name]
        told = f"{message}: {name!r}"
        require(found.shape == expected.shape, f"{told} has shape {found.shape} instead of {expected.shape}")
        if found.dtype.kind != "f" and expected.dtype.kind != "f":
            require(np.array_equal(found, expected), f"{told} is another", expected=expected, found=found)
            continue
        allowed = share * float(np.abs(expected).max(initial=size))
        off = float(np.abs(found.astype(np.float64) - expected).max(initial=0.0))
        words = f"{told} is off by {off:.3g}, allowed {allowed:.3g}"
        require(off <= allowed, words, expected=expected, found=found)


def picked(answers: Answers, places: Sequence[int]) -> Answers:
    """Return the answers about some of the samples."""
    return {name: answer[list(places)] for name, answer in answers.items()}
