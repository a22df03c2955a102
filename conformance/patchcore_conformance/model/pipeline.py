"""PatchCore in plain NumPy, put together from the models of its parts: what faulty pipelines are derived from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_conformance.model.aggregator import LocalMean
from patchcore_conformance.model.extractor import ToyBackbone
from patchcore_conformance.model.neighbors import Exact
from patchcore_conformance.model.sampler import Greedy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BATCH = 4


@dataclass(frozen=True)
class Scored:
    """Scores of images: image (B,), patch (B, h, w)."""

    image: npt.NDArray[np.float64]
    patch: npt.NDArray[np.float64]


class ToyPatchCore:
    """Pixels, maps, embeddings, rows, distances, scores; settings as words ``section.option=value``."""

    defaults: dict[str, Any] = {  # noqa: RUF012 - copied before anything changes
        "sampler.keep": 0.2,
        "sampler.seed": 0,
        "sampler.name": "numpy-greedy",
        "neighbors.name": "numpy-exact",
        "aggregator.patch_size": 3,
    }

    def __init__(self, overrides: Iterable[str] = ()) -> None:
        self.settings = dict(self.defaults)
        for word in overrides:
            name, _, value = word.partition("=")
            if name not in self.settings:
                raise ValueError(f"no setting is named {name}. There are: {', '.join(self.settings)}")
            self.settings[name] = value if name.endswith("name") else json.loads(value)
        self.require_parts()
        self.bank: Any = None

    def require_parts(self) -> None:
        """Refuse parts that there are none of."""
        for name, known in (("sampler.name", ("numpy-greedy",)), ("neighbors.name", ("numpy-exact", "numba-exact"))):
            if self.settings[name] not in known:
                raise ValueError(f"{name} is {self.settings[name]}, but there are: {', '.join(known)}")

    def fit(self, images: Sequence[Any]) -> Any:
        """Remember good images, arrays (H, W, 3) uint8."""
        patches = self.embedded(self.checked(images))
        rows = patches.reshape(-1, patches.shape[-1])
        self.bank = self.remembered(rows[self.chosen(rows)])
        return self

    def checked(self, images: Sequence[Any]) -> list[Any]:
        """Refuse all but photographs of one size."""
        pictures = [np.asarray(image) for image in images]
        if not pictures:
            raise ValueError("there are no photographs; at least one is needed")
        for picture in pictures:
            if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or 0 in picture.shape:
                raise ValueError(f"a photograph is {picture.dtype} {picture.shape}, but (H, W, 3) uint8 is needed")
        return self.of_one_size(pictures)

    def of_one_size(self, pictures: list[Any]) -> list[Any]:
        """Refuse photographs of several sizes."""
        if len({picture.shape for picture in pictures}) > 1:
            raise ValueError("photographs are of several sizes, but one is needed")
        return pictures

    def chosen(self, rows: Any) -> Any:
        """Choose rows to remember; to choose all takes no choosing."""
        if self.settings["sampler.keep"] == 1:
            return np.arange(len(rows))
        return Greedy(keep=self.settings["sampler.keep"], seed=self.seed()).select(rows)

    def seed(self) -> int:
        """Return what the first row is drawn from."""
        return int(self.settings["sampler.seed"])

    def score(self, images: Sequence[Any]) -> Any:
        """Score images against what is remembered."""
        if self.bank is None:
            raise ValueError("there is nothing to compare with; call fit first")
        patches = self.embedded(self.checked(images))
        batch, h, w, width = patches.shape
        distances = self.distances(patches.reshape(-1, width)).reshape(batch, h, w)
        return self.scored(distances)

    def embedded(self, images: list[Any]) -> Any:
        """Embed images, some at a time: (B, h, w, D)."""
        batches = self.batches([*images])
        return np.concatenate([self.embed(np.stack(batch)) for batch in batches])

    def batches(self, images: list[Any]) -> list[list[Any]]:
        """Split images into batches."""
        return [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]

    def embed(self, images: Any) -> Any:
        """Embed one batch."""
        return self.aggregator().aggregate(ToyBackbone(steps=(4, 2, 2)).extract(self.pixels(images)))

    def pixels(self, images: Any) -> Any:
        """Normalise: (B, H, W, 3) uint8 -> (B, 3, H, W)."""
        return np.moveaxis(images.astype(np.float32) / 127.5 - 1, -1, 1)

    def aggregator(self) -> LocalMean:
        """Make the aggregator."""
        return LocalMean(patch_size=self.settings["aggregator.patch_size"])

    def remembered(self, rows: Any) -> Any:
        """Make the bank of the rows that were chosen."""
        return rows

    def distances(self, queries: Any) -> Any:
        """Measure to the nearest row that is remembered."""
        found: Any = Exact().build(self.bank).query(queries)[0][:, 0]
        return found

    def scored(self, distances: Any) -> Any:
        """Make scores of patch distances (B, h, w)."""
        return Scored(distances.max(axis=(1, 2)), distances)

    def save(self, path: Any) -> None:
        """Write everything to one file."""
        with open(path, "wb") as file:  # noqa: PTH123 - NumPy adds an ending to mere paths
            np.savez(file, bank=self.bank, settings=np.array(json.dumps(self.settings)))

    @classmethod
    def load(cls, path: Any) -> Any:
        """Read what was saved."""
        with np.load(path) as kept:
            found = cls()
            found.settings, found.bank = json.loads(str(kept["settings"])), kept["bank"]
        return found
