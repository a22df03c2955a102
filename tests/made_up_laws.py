"""Laws and parts that tests of the conformance kit make up: a doubler of numbers, and laws of a few lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from patchcore_conformance import registry
from patchcore_conformance.claims import KINDS
from patchcore_conformance.saboteur import Saboteur

KIND = "scores"  # has one level, and a method of one answer that is watched
NUMBERS = np.array([1.0, 2.0, 3.0], dtype=np.float32)


class Doubler:
    """A part that is right: it answers twice the numbers."""

    def image_scores(self, numbers):
        return 2 * numbers


class Forgetful(Doubler):
    """Leaves large numbers as they are."""

    def image_scores(self, numbers):
        return np.where(numbers < 10, 2 * numbers, numbers)


class Crashing(Doubler):
    """Cannot do it at all."""

    def image_scores(self, numbers):
        raise KeyError("no such number")


@dataclass(frozen=True)
class Scaled(Doubler):
    """Takes an option."""

    factor: float = 2

    def image_scores(self, numbers):
        return self.factor * numbers


def doubles(ctx, numbers=NUMBERS):
    """Check one answer."""
    answer = ctx.make().image_scores(numbers)
    ctx.within(np.abs(answer - 2 * numbers), 0.5, "not doubled", numbers=numbers, answer=answer)
    ctx.witness()


def doubles_large_ones(ctx):
    doubles(ctx, NUMBERS * 10)


ONE_MORE = Saboteur("adds one", "image_scores", lambda call, rng: call.output + 1)
UNTOUCHED = Saboteur("does nothing", "image_scores", lambda call, rng: call.output)


def empty_registry(set_attribute=setattr):
    """Take all laws out of the registry."""
    set_attribute(registry, "_FILES", dict.fromkeys(KINDS, ()))
    set_attribute(registry, "_LAWS", {})


def add(name, check=doubles, *, kind=KIND, **facts):
    """Make a check a law."""
    texts = {"statement": f"{name} holds.", "why": "It matters.", "seen": "Once.", "mend": "Mend it."}
    registry.law(name, kind, **{**texts, **facts})(check)


def a_small_registry(set_attribute=setattr):
    """Put three laws in place of all others: one with a promise, and one that only small numbers keep."""
    empty_registry(set_attribute)
    add("T01", saboteurs=(ONE_MORE,))
    add("T02", doubles_large_ones, saboteurs=(ONE_MORE,))
    add("T03", promise="serialisable", applies=lambda claims: claims.serialisable)
