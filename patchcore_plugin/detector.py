"""PatchCore: fit a memory bank on images of good parts, score other images against it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.bank_file import read_bank, write_bank
from patchcore_plugin.bank_scorer import BankScorer
from patchcore_plugin.cleaning import cleaned, require_cleanable
from patchcore_plugin.config import Settings, load_settings
from patchcore_plugin.errors import NotFittedError, WeightsError
from patchcore_plugin.fit_report import CALIBRATING, CHOOSING, CLEANING, EMBEDDING, FitReport, Stopwatch
from patchcore_plugin.fitting import BATCH, embed_good_images, images_a_step, open_shelf
from patchcore_plugin.images import iterate
from patchcore_plugin.memory_bank import MemoryBank, origins_of
from patchcore_plugin.memory_budget import Budget
from patchcore_plugin.parts import create_parts
from patchcore_plugin.progress import Progress, silent
from patchcore_plugin.scores import Scores
from patchcore_plugin.whitening import require_whitenable, whiten_good_images

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from patchcore_plugin.calibration import Calibration
    from patchcore_plugin.good_images import GoodImages

COMPILING = "getting ready (compiles once)"
PICKING = "choosing what to remember"


class PatchCore:
    """Anomaly detection from good images alone (Roth et al., CVPR 2022, arXiv:2106.08265)."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self.parts = create_parts(self.settings)
        self.report: FitReport | None = None  # of the last fit; a loaded detector has none
        self._scorer: BankScorer | None = None

    @classmethod
    def from_config(
        cls, source: str | os.PathLike[str] | Mapping[str, Any], overrides: Sequence[str] = ()
    ) -> PatchCore:
        """Make a detector from a TOML, YAML or JSON file or a dict; ``overrides`` like ``"sampler.keep=0.01"``."""
        return cls(load_settings(source, overrides=overrides))

    @classmethod
    def from_preset(cls, name: str, overrides: Sequence[str] = ()) -> PatchCore:
        """Make a detector from a preset that ships with the package."""
        return cls(load_settings(preset=name, overrides=overrides))

    def fit(
        self,
        images: Any,
        *,
        store: str | os.PathLike[str] | None = None,
        progress: Progress = silent,
        skip_unreadable: bool = False,
    ) -> PatchCore:
        """Remember what good parts look like; ``report`` then tells how that went.

        Args:   images: a folder, a path, paths, or arrays of good parts; a share is held out to calibrate.
                store:  a folder for the embeddings. A fit that was killed goes on from there; delete it when done.
        Raises: NoImagesError, ImageError, NonFiniteError; ConfigError, OutputError, StoreError where a memory budget
                or a store is set. What was fitted before is then still there.
        Cost:   N = images*h*w embeddings of D float32, as many again for each of ``images.flips``, in memory, or on
                disk where a budget or a store is set; and the sampler's time.
        """
        batch_size = images_a_step(self.settings)
        source = iterate(images, self.settings.images, batch_size=batch_size, skip_unreadable=skip_unreadable)
        on_disk = store is not None or self.settings.memory.budget is not None
        require_cleanable(self.settings, source.image_count, on_disk=on_disk)
        require_whitenable(self.settings, on_disk=on_disk)
        watch = Stopwatch()
        with open_shelf(source, self.parts, self.settings, store, skip_unreadable) as shelf:
            resumed = shelf.first
            with watch(EMBEDDING):
                good = embed_good_images(source, self.parts, shelf, progress)
                whitening = whiten_good_images(good, self.settings.embedding.whitening)
            left_out: tuple[str, ...] = ()
            if self.settings.cleaning.drop:
                with watch(CLEANING):
                    good, left_out = cleaned(good, self.parts, self.settings, progress)
            with watch(CHOOSING):
                progress(PICKING, 0, None)  # the sampler may look at all rows before it counts any
                left = Budget(self.settings.memory.budget).left()
                rows, facts = self.parts.select(good.embeddings, partial(progress, PICKING), left)
                bank = MemoryBank(
                    embeddings=as_numpy(good.embeddings[rows]).astype(self.settings.scoring.bank_dtype, copy=False),
                    origins=origins_of(rows, len(good.names), good.grid, good.flips),
                    image_names=good.names,
                    grid=good.grid,
                    settings=self.parts.resolved(self.settings),
                    weights_sha256=getattr(self.parts.extractor, "weights_sha256", None),
                    whitening=whitening,
                )
            with watch(CALIBRATING):
                scorer = self._calibrated(self._scorer_of(bank).noting_search_facts(), good, progress)
            report = FitReport.of(good, scorer.bank, resumed, left_out, watch.seconds, facts)
        self._scorer, self.report = scorer, report
        return self

    def _calibrated(self, scorer: BankScorer, good: GoodImages, progress: Progress) -> BankScorer:
        """Let the images put aside be the yardstick: they are scored as any image will be."""
        scores: list[Scores] = []
        for patches, names in good.held_out_batches(BATCH):
            sizes = [self.settings.images.size] * len(names)
            scores.append(scorer.score(patches, names, sizes, whitened=True))
            progress("calibrating", sum(map(len, scores)), len(good.held_out_names))
        return scorer.calibrated(Scores.join(scores).image) if scores else scorer

    def score(self, images: Any, *, progress: Progress = silent, skip_unreadable: bool = False) -> Scores:
        """Score a folder, a path, paths, or arrays; see ``Scores`` for what comes back."""
        return Scores.join(list(self.score_batches(images, progress=progress, skip_unreadable=skip_unreadable)))

    def score_batches(
        self, images: Any, *, progress: Progress = silent, skip_unreadable: bool = False
    ) -> Iterator[Scores]:
        """Score like ``score``, a batch at a time, so that any number of images fits in memory."""
        scorer = self.scorer  # before any image is read
        source = iterate(images, self.settings.images, batch_size=BATCH, skip_unreadable=skip_unreadable)
        for batch in source:
            yield scorer.score(self.parts.embed(batch.pixels), batch.names, batch.sizes)
            progress("scoring", int(batch.indexes[-1]) + 1, source.image_count)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted detector to one ``.safetensors`` file, whole or not at all."""
        write_bank(path, self.bank)

    @classmethod
    def load(cls, path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> PatchCore:
        """Read a saved detector, which scores bit for bit as the one that was saved.

        Args:   overrides: settings to change, such as ``"neighbors.name=numpy-exact"``.
        Raises: ModelFileError (missing, truncated, foreign, newer format, altered), WeightsError (other weights).
        """
        bank = read_bank(path)
        detector = cls(load_settings(bank.settings, preset=None, overrides=overrides))
        detector._take(bank, f"{path}")
        return detector

    def _take(self, bank: MemoryBank, source: str) -> None:
        """Go on with a bank that was fitted elsewhere, if its weights are the same as here."""
        found = getattr(self.parts.extractor, "weights_sha256", None)
        if found != bank.weights_sha256:
            raise WeightsError(
                f"{source} was fitted with backbone weights of SHA-256 {bank.weights_sha256}, but those found here "
                f"have {found}. Install or name the same weights (extractor.weights), or fit again."
            )
        self._scorer = self._scorer_of(bank)

    def __getstate__(self) -> dict[str, Any]:
        # For hosts that pickle or copy. Parts and index are made anew: they may hold a device, or compiled code.
        bank = None if self._scorer is None else self._scorer.bank
        return {"settings": self.settings, "report": self.report, "bank": bank}

    def __setstate__(self, state: dict[str, Any]) -> None:
        PatchCore.__init__(self, state["settings"])
        self.report = state["report"]
        if state["bank"] is not None:
            self._take(state["bank"], "the pickled detector")

    @property
    def bank(self) -> MemoryBank:
        """What was remembered: rows, where each came from, and the settings that made them."""
        return self.scorer.bank

    def warm_up(self, *, progress: Progress = silent) -> None:
        """Load and compile everything beforehand, so that the first part waits no longer than the others.

        Cost: some seconds the first time on a machine, less than one afterwards: compiled code is cached.
        """
        size = self.settings.images.crop or self.settings.images.size
        progress(COMPILING, 0, 3)
        noise = np.random.default_rng(0)
        patches = self.parts.embed(noise.standard_normal((1, 3, *size)).astype(np.float32))
        progress(COMPILING, 1, 3)
        rows = patches.reshape(-1, patches.shape[-1])
        structureless, queries = noise.standard_normal((2, *rows.shape)).astype(np.float32)
        for bank in (rows, rows[:64], structureless):  # a search may go another way in each of them
            self.parts.neighbors.build(bank).query(queries if bank is structureless else rows, k=1)
        progress(COMPILING, 2, 3)
        if self._scorer is None:
            self.parts.warm_up_choosing(rows)
        progress(COMPILING, 3, 3)

    @property
    def calibration(self) -> Calibration | None:
        """The scores of held-out good images as a yardstick; None where none were held out."""
        return self.scorer.calibration

    @property
    def scorer(self) -> BankScorer:
        """What scores patch embeddings: the bank, its search index, its calibration."""
        if self._scorer is None:
            raise NotFittedError(
                "this detector has no memory bank yet. Call fit(images of good parts) or PatchCore.load."
            )
        return self._scorer

    def _scorer_of(self, bank: MemoryBank) -> BankScorer:
        return BankScorer.build(bank, self.parts.neighbors, self.settings)
