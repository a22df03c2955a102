"""The preset `amazon` beside the official scheme, written down here once more in plain torch operations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from scipy.spatial.distance import cdist
from solar_cells import cells
from torch.nn import functional as F  # noqa: N812
from torchvision import models, transforms

from patchcore_plugin import PatchCore
from patchcore_plugin.config import load_settings
from patchcore_plugin.images import prepare

LAYERS = ("layer2", "layer3")


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return models.resnet18(weights=None).eval()


@pytest.fixture(scope="module")
def detector(network, tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(network.state_dict(), file)
    options = {"backbone": "resnet18", "weights": file, "device": "cpu"}
    return PatchCore(load_settings({"extractor": options}, preset="amazon")).fit(photographs(0.0, 3))


def photographs(probability, count):
    return [np.asarray(Image.open(path))[:256, :256] for path in cells(probability, count)]


def official_pixels(picture):
    steps = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()]
    normalise = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    return transforms.Compose([*steps, normalise])(Image.fromarray(picture).convert("RGB"))


def official_embeddings(network, pixels):
    """Neighbourhoods of 3 x 3 values a channel, brought to one grid, averaged to 1,024 a layer, then 1,024 in all."""
    maps: dict[str, torch.Tensor] = {}
    hooks = [
        network.get_submodule(layer).register_forward_hook(lambda _, __, out, layer=layer: maps.update({layer: out}))
        for layer in LAYERS
    ]
    with torch.no_grad():
        network(pixels)
    for hook in hooks:
        hook.remove()
    grid, means = maps[LAYERS[0]].shape[-2:], []
    for one in maps.values():
        around = F.unfold(one, 3, padding=1).unflatten(2, one.shape[-2:])
        around = F.interpolate(around, grid, mode="bilinear", align_corners=False)
        means.append(F.adaptive_avg_pool1d(around.flatten(2).transpose(1, 2), 1024))
    return F.adaptive_avg_pool1d(torch.cat(means, dim=2), 1024).unflatten(1, grid).numpy()


def official_scores(embeddings, bank):
    squared = cdist(embeddings.reshape(-1, embeddings.shape[-1]), bank) ** 2
    patches = squared.min(axis=1).reshape(embeddings.shape[:-1])
    large = F.interpolate(torch.from_numpy(patches)[:, None], (224, 224), mode="bilinear", align_corners=False)
    maps = [ndimage.gaussian_filter(one, sigma=4) for one in large[:, 0].numpy()]
    return patches.reshape(len(patches), -1).max(axis=1), patches, np.stack(maps)


@pytest.mark.parametrize("shape", [(256, 256), (300, 261), (240, 300)])
def test_pixels_are_those_of_the_official_code(detector, shape):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    np.testing.assert_allclose(prepare(picture, detector.settings.images), official_pixels(picture).numpy(), atol=1e-6)


def test_embeddings_scores_and_maps_are_those_of_the_official_code(detector, network):
    photos = photographs(1.0, 3)
    pixels = torch.stack([official_pixels(photo) for photo in photos])
    embeddings = official_embeddings(network, pixels)
    ours = np.asarray(detector.parts.embed(pixels.numpy()))
    np.testing.assert_allclose(ours, embeddings, rtol=1e-4, atol=1e-5 * np.abs(embeddings).max())
    images, patches, maps = official_scores(embeddings, detector.bank.embeddings)
    scores = detector.score(photos)
    np.testing.assert_allclose(scores.image, images, rtol=1e-4)
    np.testing.assert_allclose(scores.patch, patches, rtol=1e-4)
    np.testing.assert_allclose(np.stack(scores.maps)[:, 16:240, 16:240], maps, rtol=1e-4)


def test_an_image_scores_as_its_worst_patch_in_squares(detector):
    scores = detector.score(photographs(1.0, 3))
    np.testing.assert_allclose(scores.image, scores.patch.reshape(3, -1).max(axis=1), rtol=1e-6)
    assert detector.bank.width == 1024
    assert len(detector.bank) == round(0.1 * 3 * 28 * 28)
