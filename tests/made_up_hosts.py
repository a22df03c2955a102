"""A right adapter for tables of rows, one step a method, and faulty ones that spoil one step each."""

from __future__ import annotations

import pickle
import random

import numpy as np

from patchcore_conformance.host_laws import HostUnderTest
from patchcore_plugin import components
from patchcore_plugin.errors import NotFittedError


class Host:
    """A right adapter for rows, one step a method: a coreset, the distance to its nearest row, a threshold."""

    def __init__(self, parts, seed):
        self.parts, self.seed, self.bank = parts, seed, None

    def created(self):
        sampler, neighbors = dict(self.parts["sampler"]), dict(self.parts["neighbors"])
        return (
            components.create("sampler", sampler.pop("name"), **sampler, seed=self.seed_used()),
            components.create("neighbors", neighbors.pop("name"), **neighbors),
        )

    def seed_used(self):
        return self.seed

    def fit(self, rows):
        rows = self.read(rows)
        sampler, neighbors = self.created()
        chosen = np.asarray(sampler.select(rows)).astype(np.int64)
        bank = self.remembered(rows[chosen])
        own = self.nearest_others(neighbors.build(bank), rows, chosen)
        self.bank, self.neighbors, self.threshold = bank, neighbors, float(np.quantile(own, 0.9))
        self.training = own

    def remembered(self, rows):
        return rows.copy()

    def read(self, rows):
        return np.asarray(rows, dtype=np.float32)

    def nearest_others(self, index, rows, chosen):
        """Compare rows with others only: their own number may stand anywhere among equal rows, or nowhere."""
        distances, found = self.asked(index, rows, k=2)
        own = chosen[found] == np.arange(len(rows))[:, None]
        return np.where(own[:, 0], distances[:, 1], distances[:, 0]).astype(np.float64)

    def asked(self, index, rows, k):
        return index.query(rows, k=k)

    def scores(self, rows):
        if self.bank is None:
            raise NotFittedError("nothing was fitted yet; call fit first")
        distances, _ = self.asked(self.neighbors.build(self.bank), self.read(rows), k=1)
        return distances[:, 0].astype(np.float64)

    def ask(self, rows):
        scores = self.scores(rows)
        return {"score": scores, "label": scores > self.threshold}

    def told(self):
        return {"threshold": self.threshold, "training": self.training}

    def again(self, folder):
        (folder / "host.pickle").write_bytes(pickle.dumps(self))
        return pickle.loads((folder / "host.pickle").read_bytes())  # noqa: S301 - its own


def host_of(kind, **changes):
    usual = {
        "form": "rows", "kinds": ("sampler", "neighbors"), "make": kind, "fit": lambda one, rows: one.fit(rows),
        "ask": lambda one, rows: one.ask(rows), "told": lambda one: one.told(), "again": lambda one, to: one.again(to),
    }  # fmt: skip
    return HostUnderTest(**{**usual, **changes})


class SortsScores(Host):
    def scores(self, rows):
        return np.sort(super().scores(rows))


class TellsNoNumber(Host):
    def scores(self, rows):
        return np.log(np.minimum(super().scores(rows) - self.threshold, 1) * 0)


class TellsTheBatchOnce(Host):
    def scores(self, rows):
        return super().scores(rows)[:1]


class WritesIntoDistances(Host):
    def asked(self, index, rows, k):
        distances, found = super().asked(index, rows, k)
        np.maximum(distances, 0, out=distances)
        return distances, found


class TakesDistancesForFloat32(Host):
    def asked(self, index, rows, k):
        distances, found = super().asked(index, rows, k)
        return np.frombuffer(distances.tobytes(), np.float32)[: found.size].reshape(found.shape), found


class TakesRowsForInt64(Host):
    def asked(self, index, rows, k):
        distances, found = super().asked(index, rows, k)
        return distances, np.frombuffer(np.ascontiguousarray(found), np.int64).reshape(found.shape)


class ReadsAnswersAsTheyLieInMemory(Host):
    def asked(self, index, rows, k):
        distances, found = super().asked(index, rows, k)
        return distances.ravel(order="K").reshape(distances.shape), found


class ExpectsItsOwnRowAmongEqualOnes(Host):
    def nearest_others(self, index, rows, chosen):
        distances, found = self.asked(index, rows, k=2)
        if len(chosen) < len(rows):
            return super().nearest_others(index, rows, chosen)
        others = chosen[found] != np.arange(len(rows))[:, None]
        return distances[others].reshape(len(rows), -1)[:, 0].astype(np.float64)


class TakesTheMeanOffInPlace(Host):
    def fit(self, rows):
        self.mean = rows.mean(axis=0)
        super().fit(rows)

    def read(self, rows):
        if not np.isfinite(rows).all():
            raise ValueError("rows hold NaN or infinity")
        rows -= self.mean
        return rows


class TakesTheMeanOffWhatIsAsked(Host):
    def scores(self, rows):
        if self.bank is not None and np.isfinite(rows).all():
            rows -= np.float32(0.25)
        return super().scores(rows)


class ReadsMemoryWithoutStrides(Host):
    def read(self, rows):
        return np.asarray(rows).ravel(order="K").reshape(rows.shape)


class BringsABatchToItsOwnLargest(Host):
    def scores(self, rows):
        found = super().scores(rows)
        return found / found.max()


class LetsABatchVote(Host):
    def ask(self, rows):
        answers = super().ask(rows)
        return {**answers, "label": answers["label"] & (answers["label"].mean() < 0.5)}


class AddsToTheBankItHad(Host):
    def remembered(self, rows):
        return rows.copy() if self.bank is None else np.concatenate([self.bank, rows])


class IsFittedOnce(Host):
    def fit(self, rows):
        if self.bank is None:
            super().fit(rows)


class SavesHalfPrecision(Host):
    def __getstate__(self):
        half = None if self.bank is None else self.bank.astype(np.float16).astype(np.float32)
        return {**vars(self), "bank": half}


class SavesNoThreshold(Host):
    def __getstate__(self):
        return {**vars(self), "threshold": 0.0}


class CannotBeSaved(Host):
    def __getstate__(self):
        raise TypeError("cannot pickle 'Index' object")


class AnswersWhenEmpty(Host):
    def ask(self, rows):
        if self.bank is None and np.isfinite(rows).all() and not hasattr(self, "failed"):
            return {"score": np.zeros(len(rows)), "label": np.zeros(len(rows), bool)}
        return super().ask(rows)

    def fit(self, rows):
        self.failed = True
        super().fit(rows)


class FailsByAccidentWhenEmpty(Host):
    def ask(self, rows):
        if self.bank is None and not hasattr(self, "tried"):
            return self.bank.query(rows)
        return super().ask(rows)

    def fit(self, rows):
        self.tried = True
        super().fit(rows)


class RepairsWhatIsAsked(Host):
    def scores(self, rows):
        return super().scores(np.nan_to_num(rows))


class RepairsWhatIsFitted(Host):
    def fit(self, rows):
        super().fit(np.nan_to_num(rows))


class LetsInfinityThrough(Host):
    def scores(self, rows):
        return super().scores(np.where(np.isinf(rows), np.float32(1e6), rows))


class KeepsHalfAFit(Host):
    def fit(self, rows):
        if self.bank is None and not np.isfinite(rows).all():
            self.bank, self.neighbors, self.threshold = np.zeros((1, 6), np.float32), self.created()[1], 0.0
        super().fit(rows)


class IsBrokenByARefusal(Host):
    def scores(self, rows):
        try:
            return super().scores(rows)
        except ValueError:
            self.bank = self.bank[:2]
            raise


class ReadsNoSeed(Host):
    def seed_used(self):
        return 0


class DrawsFromTheGlobalState(Host):
    def seed_used(self):
        return self.seed + int(np.random.randint(1000))  # noqa: NPY002 - that is the fault


class DrawsFromRandom(Host):
    def seed_used(self):
        return self.seed + random.randrange(1000)  # noqa: S311 - that is the fault


class CannotBeMade(Host):
    def __init__(self, parts, seed):
        raise ImportError("no such host here")


FAULTS = {
    "H01": [SortsScores, TellsNoNumber, TellsTheBatchOnce, CannotBeMade],
    "H02": [
        WritesIntoDistances, TakesDistancesForFloat32, TakesRowsForInt64, ReadsAnswersAsTheyLieInMemory,
        ExpectsItsOwnRowAmongEqualOnes,
    ],
    "H03": [TakesTheMeanOffInPlace, TakesTheMeanOffWhatIsAsked, ReadsMemoryWithoutStrides],
    "H04": [BringsABatchToItsOwnLargest, LetsABatchVote],
    "H05": [AddsToTheBankItHad, IsFittedOnce],
    "H06": [SavesHalfPrecision, SavesNoThreshold, CannotBeSaved],
    "H07": [AnswersWhenEmpty, FailsByAccidentWhenEmpty],
    "H08": [RepairsWhatIsAsked, RepairsWhatIsFitted, LetsInfinityThrough, KeepsHalfAFit, IsBrokenByARefusal],
    "H09": [ReadsNoSeed, DrawsFromTheGlobalState, DrawsFromRandom],
}  # fmt: skip


class Unsaved(Host):
    def again(self, folder):
        raise AssertionError("asked to save although it cannot")


class FromAnotherSide(Host):
    """Higher is more normal, and a fit returns a new object."""

    def ask(self, rows):
        return {"score": -self.scores(rows)}


def refitted(one, rows):
    made = type(one)(one.parts, one.seed)
    made.fit(rows)
    return made
