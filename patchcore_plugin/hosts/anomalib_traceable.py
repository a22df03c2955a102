"""The same scores and maps in torch operations alone, without branches on values: what exporters can follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from anomalib.data import InferenceBatch
from torch import nn
from torch.nn import functional

from patchcore_plugin.aggregators.local_mean import LocalMean
from patchcore_plugin.aggregators.torch_local_mean import TorchLocalMean
from patchcore_plugin.errors import ConfigError
from patchcore_plugin.extractors.torch_backbone import TorchBackbone
from patchcore_plugin.neighbors.torch_export import NearestRows
from patchcore_reference.anomaly_maps import anomaly_map
from patchcore_reference.pooling import smoothed

if TYPE_CHECKING:
    from anomalib.data.utils.tiler import Tiler

    from patchcore_plugin.config import ScoringSettings
    from patchcore_plugin.hosts.anomalib_network import PatchNetwork


class TraceableScorer(nn.Module):
    """Images of one size to scores and maps; the number of images is free.

    Whatever search the model uses, here it is ``NearestRows``: every bank row is looked at. The extractor has
    to be one of torch's, the aggregator a mean over the neighbourhood.
    """

    down: torch.Tensor
    across: torch.Tensor
    blur_down: torch.Tensor
    blur_across: torch.Tensor
    whitening: torch.Tensor

    def __init__(self, network: PatchNetwork, size: tuple[int, int]) -> None:
        """Take a fitted network's parts, as far as they can be exported.

        Raises: ConfigError naming those that can; what ``PatchNetwork.scorer`` raises where nothing was fitted.
        """
        super().__init__()
        bank = network.scorer.bank  # refuses what cannot score, in its own words
        extractor, aggregator = _exportable(network)
        device = network.memory_bank.device
        self.tiler: Tiler | None = network.tiler
        self.scoring: ScoringSettings = network.settings.scoring
        self.size, self.patch_size = size, aggregator.patch_size
        self.layer_weights = aggregator.layer_weights
        self.count_zeros = aggregator.border == "zero"
        tile = size if self.tiler is None else (self.tiler.tile_size_h, self.tiler.tile_size_w)
        self.extractor = extractor.as_module(tile).to(device)
        self.whitens = bank.whitening is not None
        if bank.whitening is not None:  # symmetric, so it does not matter which axis is the first
            self.register_buffer("whitening", torch.from_numpy(bank.whitening[:, :, None, None].copy()).to(device))
        self.search = NearestRows(bank.embeddings.astype(np.float32), self.scoring.neighbors, device)
        self.around = min(self.scoring.reweight_neighbors, len(bank))
        with torch.no_grad():
            h, w = self._patches(torch.zeros(1, 3, *size, device=device)).shape[2:]
        self.register_buffer("down", self._spread(h, size[0]).to(device))
        self.register_buffer("across", self._spread(w, size[1]).T.contiguous().to(device))
        self.register_buffer("blur_down", _blurring(h, self.scoring.image_sigma).to(device))
        self.register_buffer("blur_across", _blurring(w, self.scoring.image_sigma).T.contiguous().to(device))

    def forward(self, images: torch.Tensor) -> InferenceBatch:
        """Score (B, 3, H, W), H x W of ``size``: scores (B,), maps (B, 1, H, W)."""
        grid = self._patches(images)
        patches = grid.flatten(2).transpose(1, 2)
        distances, rows = self.search(patches.reshape(-1, patches.shape[2]))
        closest = distances[:, 0].reshape(-1, patches.shape[1])
        scores = (distances.square() if self.scoring.distance == "squared" else distances).mean(dim=1)
        scores = scores.reshape(-1, patches.shape[1])
        on_grid = scores.reshape(-1, *grid.shape[2:])
        if self.scoring.top_share or self.scoring.image_sigma:
            image = self._pooled(on_grid)
        else:
            image = self._image_scores(patches, scores, closest, rows[:, 0].reshape(-1, patches.shape[1]))
        maps = self.down @ on_grid @ self.across
        return InferenceBatch(pred_score=image, anomaly_map=maps.unsqueeze(1))

    def _patches(self, images: torch.Tensor) -> torch.Tensor:
        """Embed images: (B, 3, H, W) -> (B, D, h, w)."""
        tiles = images if self.tiler is None else self.tiler.tile(images)
        layers = [
            functional.avg_pool2d(
                layer, self.patch_size, stride=1, padding=self.patch_size // 2, count_include_pad=self.count_zeros
            )
            for layer in self.extractor(tiles)
        ]
        finest, *coarser = layers
        resized = [functional.interpolate(layer, size=finest.shape[2:], mode="bilinear") for layer in coarser]
        weights = self.layer_weights or (1.0,) * len(layers)
        joined = torch.cat([one * weight for one, weight in zip([finest, *resized], weights, strict=True)], dim=1)
        joined = joined if self.tiler is None else self.tiler.untile(joined)
        return functional.conv2d(joined, self.whitening) if self.whitens else joined

    def _image_scores(
        self, patches: torch.Tensor, scores: torch.Tensor, closest: torch.Tensor, nearest: torch.Tensor
    ) -> torch.Tensor:
        """Eq. 6 and 7 for patches (B, P, D) with scores, distances and nearest rows (B, P)."""
        worst, patch = scores.max(dim=1)
        if self.around == 1:
            return worst
        patch = patch.unsqueeze(1)
        embedding = patches.gather(1, patch.unsqueeze(2).expand(-1, 1, patches.shape[2]))
        row = nearest.gather(1, patch).squeeze(1)
        _, around = self.search.nearest(self.search.bank[row], self.around)
        support = (self.search.bank[around] - embedding).square().sum(dim=2).sqrt()
        return worst * (1 - torch.exp(closest.gather(1, patch).squeeze(1) - support.logsumexp(dim=1)))

    def _pooled(self, scores: torch.Tensor) -> torch.Tensor:
        """Pool patch scores (B, h, w) as ``patchcore_reference.pooling`` does."""
        smooth = (self.blur_down @ scores @ self.blur_across).flatten(1)
        return smooth.topk(max(1, round(self.scoring.top_share * smooth.shape[1])), dim=1).values.mean(dim=1)

    def _spread(self, cells: int, pixels: int) -> torch.Tensor:
        """Resizing and smoothing are linear along each axis: write them as one matrix (pixels, cells)."""
        columns = np.eye(cells, dtype=np.float32).reshape(cells, cells, 1)
        scoring = self.scoring
        spread = anomaly_map(columns, (pixels, 1), scoring.sigma, resize=scoring.map_resize, border=scoring.map_border)
        return torch.from_numpy(np.ascontiguousarray(spread[:, :, 0].T))


def _blurring(cells: int, sigma: float) -> torch.Tensor:
    """Write the smoothing of patch scores along one axis as a matrix (cells, cells)."""
    each = np.eye(cells).reshape(cells, cells, 1)
    return torch.from_numpy(np.ascontiguousarray(smoothed(each, sigma)[:, :, 0].T, dtype=np.float32))


def _exportable(network: PatchNetwork) -> tuple[TorchBackbone, LocalMean | TorchLocalMean]:
    """Refuse parts that do not consist of torch operations."""
    extractor, aggregator = network.parts.extractor, network.parts.aggregator
    names = network.settings.extractor.name, network.settings.aggregator.name
    if not isinstance(extractor, TorchBackbone):
        raise ConfigError(
            f"extractor {names[0]!r} cannot be exported. Fit with 'timm' or 'torchvision', which compute the maps of "
            "any one backbone from the same weights; any sampler and any search will do."
        )
    if not isinstance(aggregator, LocalMean | TorchLocalMean):
        raise ConfigError(f"aggregator {names[1]!r} cannot be exported. Fit with 'local-mean' or 'torch-local-mean'.")
    return extractor, aggregator
