"""What anomalib calls the model: images to embeddings while it trains, images to scores and maps afterwards."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from anomalib.data import InferenceBatch
from anomalib.models.components import DynamicBufferMixin
from torch import nn

from patchcore_plugin.bank_scorer import BankScorer
from patchcore_plugin.errors import ConfigError, EmptyInputError, ShapeError, WeightsError
from patchcore_plugin.fit_sizes import numbers_held_out
from patchcore_plugin.fitting import BATCH
from patchcore_plugin.memory_bank import MemoryBank
from patchcore_plugin.parts import create_parts
from patchcore_plugin.torch_device import on_device
from patchcore_plugin.whitening import fitted_whitening, whiten_in_place
from patchcore_reference.anomaly_maps import anomaly_map

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anomalib.data.utils.tiler import Tiler

    from patchcore_plugin.config import CalibrationSettings, Settings
    from patchcore_plugin.parts import Parts

logger = logging.getLogger(__name__)
_DTYPES = {"float32": torch.float32, "float16": torch.float16}
_DEVICES = ("cpu", "cuda", "mps")  # that parts know
_CPU = torch.device("cpu")
_AT_ONCE = 8  # images in the network at once on a CPU: enough to keep every core busy


@dataclass(frozen=True)
class GoodScores:
    """Raw scores of good images that took no part in the bank, (n,), and the highest value of each one's map."""

    image: torch.Tensor
    peak: torch.Tensor


class PatchNetwork(DynamicBufferMixin, nn.Module):
    """The parts of a configuration, and the memory bank as a buffer, so that the host saves and loads it.

    Everything else is left out of what is saved: the network's weights are read again by name, and their checksum is
    compared; the search index is built again when it is first asked.
    """

    memory_bank: torch.Tensor  # (M, D); empty before it is fitted
    whitening: torch.Tensor  # (D, D), and as empty; there only where the settings ask for it

    def __init__(self, settings: Settings, weights_sha256: str | None = None) -> None:
        super().__init__()
        _require_no_flips(settings)
        self.settings, self.parts = settings, create_parts(settings)
        self.tiler: Tiler | None = None  # anomalib's callback puts one here
        self.register_buffer("memory_bank", torch.empty(0, dtype=_DTYPES[settings.scoring.bank_dtype]))
        if settings.embedding.whitening:
            self.register_buffer("whitening", torch.empty(0))
        self.embedding_store: list[torch.Tensor] = []  # (n, D) each, of one batch
        self.image_names: list[str] = []  # of all images that were embedded, where the host told them
        self.traceable: nn.Module | None = None  # stands in for all of this while it is exported
        self.weights_sha256 = weights_sha256
        if "sha256" not in settings.extractor.options and weights_sha256 is not None:
            self._require_same_weights()
        self._grid = self._size = (0, 0)
        self._placed: dict[str, Parts] = {}
        self._ready: tuple[torch.Tensor, int | None, BankScorer] | None = None

    def forward(self, images: torch.Tensor) -> torch.Tensor | InferenceBatch:
        """Embed a batch and keep that while training; score it otherwise.

        Shapes: images float32 (B, 3, H, W), as the pre-processor left them -> embeddings (B*h*w, D); or scores (B,)
                and maps (B, 1, H, W), on the images' device.
        Raises: EmptyInputError when nothing was fitted; WeightsError where the weights are not those of the fit.
        """
        if self.traceable is not None:
            traced: InferenceBatch = self.traceable(images)
            return traced
        size = (int(images.shape[-2]), int(images.shape[-1]))
        if not self.training:
            scores, maps = self._scored(self.embed(images), size)
            return InferenceBatch(pred_score=scores, anomaly_map=maps)
        patches = self.embed(images)
        self._require_one_grid((patches.shape[1], patches.shape[2]), size)
        self.embedding_store.append(patches.reshape(-1, patches.shape[-1]))
        return self.embedding_store[-1]

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images (B, 3, H, W) into patch embeddings (B, h, w, D) on their device, tile by tile if asked to."""
        tiles = images if self.tiler is None else self.tiler.tile(images)
        # A host's batches are made for graphics cards: what the network holds of them at once would outweigh the bank.
        few = torch.split(tiles.detach(), _AT_ONCE if tiles.device == _CPU else len(tiles))
        parts = self._parts_on(images.device)
        patches = torch.cat([on_device(parts.embed(_any(one)), images.device, "patch embeddings") for one in few])
        if self.tiler is None:
            return patches
        return self.tiler.untile(patches.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

    def _parts_on(self, device: torch.device) -> Parts:
        """Let parts that choose their device themselves work where the host has put its images."""
        if device.type not in _DEVICES:
            return self.parts
        name = device.type if device.type == "mps" else str(device)
        if name not in self._placed:
            there = {field.name: _on(getattr(self.parts, field.name), name) for field in fields(self.parts)}
            self._placed[name] = replace(self.parts, **there)
        return self._placed[name]

    def remember(self, *, put_aside: bool) -> GoodScores | None:
        """Choose the memory bank from what training kept, and forget the rest.

        Args:   put_aside: keep a share of the images out of the bank, and score them.
        Raises: EmptyInputError when training kept nothing; what the sampler raises.
        Cost:   one copy of the embeddings beside those of a batch, and the sampler's time.
        """
        if not self.embedding_store:
            raise EmptyInputError("Embedding store is empty: no training image came in. Give the model training data.")
        with torch.inference_mode(mode=False):  # a host validates inside of it, where buffers could not be saved later
            cells = self._grid[0] * self._grid[1]
            images = sum(map(len, self.embedding_store)) // cells
            aside = _numbers_aside(images, self.settings.calibration) if put_aside else np.empty(0, dtype=np.int64)
            names = self.image_names if len(self.image_names) == images else [""] * images
            patches = _drained(self.embedding_store, _places(names, aside), cells)
            self.image_names.clear()
            chosen: Any = patches[: images - len(aside)].reshape(-1, patches.shape[-1])
            if self.settings.embedding.whitening:
                self._whiten(patches.reshape(-1, patches.shape[-1]), chosen, cells)
            rows, _ = self._parts_on(chosen.device).select(chosen, lambda *_: None)
            kept = on_device(rows, chosen.device, "chosen rows").long()  # a part's rows may be of any whole type
            self.memory_bank = chosen[kept].to(self.memory_bank.dtype)
            self.weights_sha256 = getattr(self.parts.extractor, "weights_sha256", None)
            logger.info("%d of %d patches remembered, of %d images.", len(rows), len(chosen), images - len(aside))
            return self._good_scores(patches[images - len(aside) :], patches) if put_aside else None

    def _whiten(self, embeddings: Any, chosen: Any, cells: int) -> None:
        """Learn from the embeddings to choose from how to even them out, and do so with all of them in place."""
        matrix = fitted_whitening(chosen, self.settings.embedding.whitening)
        whiten_in_place(embeddings, cells, matrix)
        self.whitening = torch.from_numpy(matrix).to(embeddings.device)

    def forget(self) -> None:
        """Drop the bank and all embeddings, so that the next fit starts afresh."""
        self.embedding_store.clear()
        self.image_names.clear()
        for name, buffer in self.named_buffers(recurse=False):
            setattr(self, name, buffer.new_empty(0))
        self._grid, self._ready = (0, 0), None

    def _good_scores(self, aside: torch.Tensor, all_of_them: torch.Tensor) -> GoodScores:
        """Score the images put aside; those remembered where there are no others, which scores too low."""
        if len(aside):
            logger.info("No validation data: %d training images were put aside to find a threshold.", len(aside))
        else:
            logger.warning(
                "The threshold is made of the scores of images that the model remembers, which are lower than those of "
                "new ones. Give it more training images, validation data, or a calibration with a holdout above 0."
            )
        some = aside if len(aside) else all_of_them
        grids = some.reshape(-1, *self._grid, some.shape[-1])
        starts = range(0, len(grids), BATCH)
        scored = [self._scored(grids[i : i + BATCH], self._size, whitened=True) for i in starts]
        peaks = [maps.amax(dim=(1, 2, 3)) for _, maps in scored]
        return GoodScores(torch.cat([scores for scores, _ in scored]), torch.cat(peaks))

    def _require_one_grid(self, grid: tuple[int, int], size: tuple[int, int]) -> None:
        if self.embedding_store and grid != self._grid:
            raise ShapeError(
                f"images of {size[0]} x {size[1]} pixels have {grid[0]} x {grid[1]} patches, those before had "
                f"{self._grid[0]} x {self._grid[1]}. Give all images one size: let a pre-processor resize them."
            )
        self._grid, self._size = grid, size

    def _scored(
        self, patches: Any, size: tuple[int, int], *, whitened: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compare patches (B, h, w, D) with the bank: scores (B,) and maps (B, 1, H, W), on the patches' device."""
        scoring = self.settings.scoring
        found = self.scorer.score(patches, [""] * len(patches), [size] * len(patches), whitened=whitened)
        maps = anomaly_map(found.patch, size, scoring.sigma, resize=scoring.map_resize, border=scoring.map_border)
        scores = torch.from_numpy(found.image.astype(np.float32))
        return scores.to(patches.device), torch.from_numpy(maps).unsqueeze(1).to(patches.device)

    @property
    def scorer(self) -> BankScorer:
        """The bank with its search index, built when the bank is another one than before.

        Raises: EmptyInputError without a bank; WeightsError; TooFewRowsError where scoring asks for more neighbors than
                the bank has rows.
        """
        bank = self.memory_bank
        if bank.shape[0] == 0:
            raise EmptyInputError("Memory bank is empty: fit the model, or load a checkpoint, before it scores images.")
        version = None if bank.is_inference() else bank._version
        # The tensor itself is kept: another one might take its place in memory.
        if self._ready is None or self._ready[0] is not bank or self._ready[1] != version:
            self._require_same_weights()
            neighbors = self._parts_on(bank.device).neighbors
            known = _bank_of(bank, self.settings, getattr(self, "whitening", None))
            scorer = BankScorer.build(known, neighbors, self.settings)
            self._ready = bank, version, scorer
        return self._ready[2]

    def _require_same_weights(self) -> None:
        found = getattr(self.parts.extractor, "weights_sha256", None)
        if self.weights_sha256 is not None and not str(found).startswith(self.weights_sha256):
            raise WeightsError(
                f"the backbone's weights found here have SHA-256 {found}, but {self.weights_sha256} is needed, as "
                "named or as at the fit. Install or name the same weights, or fit again."
            )

    def get_extra_state(self) -> dict[str, Any]:
        """Return what a checkpoint holds beside the bank: which weights made it."""
        return {"weights_sha256": self.weights_sha256}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take what ``get_extra_state`` gave."""
        self.weights_sha256, self._ready = state["weights_sha256"], None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_ready": None, "embedding_store": []}


def _require_no_flips(settings: Settings) -> None:
    """Refuse what would be ignored: here the host reads the images, and each comes once.

    Raises: ConfigError.
    """
    if flips := list(settings.images.flips):
        raise ConfigError(
            f"images.flips is {flips}, but anomalib hands over the training images, and none of them mirrored. Leave "
            "it at [], and put mirrored images among the training images, or fit with PatchCore itself."
        )


def _places(names: list[str], aside: np.ndarray[Any, Any]) -> torch.Tensor:
    """Say where each image goes: by name, since hosts shuffle, and those put aside behind all others."""
    ordered = np.argsort(np.array(names), kind="stable")
    ordered = np.concatenate([np.delete(ordered, aside), ordered[aside]])
    return torch.from_numpy(np.argsort(ordered))


def _drained(store: list[torch.Tensor], places: torch.Tensor, cells: int) -> torch.Tensor:
    """Move the embeddings of all batches into one tensor (images, cells, D), each image to its place.

    A batch is let go as soon as it is copied, so that they never are in memory twice.
    """
    room = store[0].new_empty((len(places), cells, store[0].shape[1]))
    for start, batch in _popped(store, cells):
        room[places[start : start + len(batch)].to(room.device)] = batch
    return room


def _popped(store: list[torch.Tensor], cells: int) -> Iterator[tuple[int, torch.Tensor]]:
    start = 0
    while store:
        batch = store.pop(0)
        yield start, batch.reshape(-1, cells, batch.shape[1])
        start += len(batch) // cells


def _bank_of(rows: torch.Tensor, settings: Settings, whitening: torch.Tensor | None) -> MemoryBank:
    """Where the rows came from is not known here: anomalib's checkpoints hold the rows alone."""
    embeddings = rows.detach().to(_CPU).numpy()
    matrix = None if whitening is None else whitening.detach().to(_CPU).numpy()
    origins = np.zeros((len(embeddings), 3), np.int32)
    return MemoryBank(embeddings, origins, ("",), (1, 1), settings.to_dict(), whitening=matrix)


def _numbers_aside(images: int, calibration: CalibrationSettings) -> np.ndarray[Any, Any]:
    """Choose the images to put aside: at least one of two, where any are asked for."""
    found = numbers_held_out(images, calibration)
    if len(found) or calibration.holdout == 0:
        return found
    return numbers_held_out(images, calibration.model_copy(update={"holdout": 1 / images}))


def _any(array: torch.Tensor) -> Any:
    return array  # a part takes any array; its types are NumPy's


def _on(part: Any, device: str) -> Any:
    chooses = is_dataclass(part) and getattr(part, "device", None) == "auto"
    return replace(part, device=device) if chooses else part
