"""A coreset sampler: rows at even steps from the most ordinary patch to the most unusual one."""

from dataclasses import dataclass

import numpy as np

from patchcore_plugin import Component, hookimpl
from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.errors import ConfigError
from patchcore_reference.checks import require_rows


@dataclass(frozen=True, kw_only=True)
class EvenSpread:
    keep: float = 0.01

    def __post_init__(self):
        if not 0 < self.keep <= 1:
            raise ConfigError(f"keep is {self.keep}, but a share of the rows, 0 < keep <= 1, is needed.")

    def select(self, embeddings):
        embeddings = as_numpy(embeddings, "embeddings")
        require_rows(embeddings, "embeddings")
        from_mean = np.linalg.norm(embeddings - embeddings.mean(axis=0, dtype=np.float64), axis=1)
        count = max(1, round(self.keep * len(embeddings)))
        steps = np.arange(count) * (len(embeddings) - 1) // max(1, count - 1)
        return np.argsort(from_mean, kind="stable")[steps].astype(np.int64)


@hookimpl
def patchcore_coreset_samplers():
    yield Component(
        "even-spread",
        factory="patchcore_even_spread:EvenSpread",
        summary="rows at even steps from the most ordinary patch to the most unusual one",
    )
