"""The preset `paper` beside the paper's equations, on torchvision's own Wide-ResNet-50-2 with random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from certificates import FLOAT32, require_farthest_first
from PIL import Image
from scipy.spatial.distance import cdist
from solar_cells import cells
from torch.nn import functional as F  # noqa: N812
from torchvision import models

from patchcore_plugin import PatchCore
from patchcore_plugin.images import prepare

LAYERS = ("layer2", "layer3")
SMALL = ["images.size=72", "images.crop=64"]


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return models.wide_resnet50_2(weights=None).eval()


@pytest.fixture(scope="module")
def detector(network, tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "wide_resnet50_2.pth"
    unused = ("layer4", "fc")  # behind the last layer that is read
    torch.save({name: value for name, value in network.state_dict().items() if not name.startswith(unused)}, file)
    made = PatchCore.from_preset("paper", [*SMALL, f"extractor.weights={file}", "extractor.device=cpu"])
    return made.fit(photographs(0.0, 4))


def photographs(probability, count):
    """Cells of little contrast: their distances lie so close together that Eq. 7 changes the scores."""
    return [np.asarray(Image.open(path)) // 16 + 112 for path in cells(probability, count)]


def embeddings_of(network, detector, photos):
    """Section 3.1 in torchvision's network and torch's pooling: (B, h, w, 1536)."""
    maps: dict[str, torch.Tensor] = {}
    hooks = [
        network.get_submodule(layer).register_forward_hook(lambda _, __, out, layer=layer: maps.update({layer: out}))
        for layer in LAYERS
    ]
    with torch.no_grad():
        network(torch.from_numpy(np.stack([prepare(photo, detector.settings.images) for photo in photos])))
    for hook in hooks:
        hook.remove()
    means = [F.avg_pool2d(one, 3, stride=1, padding=1) for one in maps.values()]
    large = [F.interpolate(one, means[0].shape[-2:], mode="bilinear", align_corners=False) for one in means]
    return torch.cat(large, dim=1).permute(0, 2, 3, 1).numpy()


def equations_6_and_7(patches, bank, b):
    to_bank = cdist(patches, bank)
    patch = to_bank.min(axis=1).argmax()
    nearest = to_bank[patch].argmin()
    around = cdist(bank[[nearest]], bank)[0].argsort(kind="stable")[:b]
    s_star, support = to_bank[patch, nearest], to_bank[patch, around]
    return (1 - 1 / np.exp(support - s_star).sum()) * s_star


def embedded(detector, photos):
    pixels = np.stack([prepare(photo, detector.settings.images) for photo in photos])
    return np.asarray(detector.parts.embed(pixels))


def test_embeddings_are_those_of_torchvision_s_own_forward_pass(network, detector):
    photos = photographs(1.0, 2)
    expected, ours = embeddings_of(network, detector, photos), embedded(detector, photos)
    assert ours.shape == (2, 8, 8, 1536)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_a_tenth_of_the_patches_is_remembered_farthest_first(detector):
    embeddings = embedded(detector, photographs(0.0, 4)).reshape(-1, 1536)
    image, y, x = detector.bank.origins.T.astype(np.int64)
    rows = (image * 8 + y) * 8 + x
    assert len(rows) == round(0.1 * 4 * 64)
    np.testing.assert_allclose(detector.bank.embeddings, embeddings[rows], atol=1e-5 * embeddings.max())
    require_farthest_first(embeddings, rows, unit=16 * FLOAT32)  # a second pass of the network differs in last bits


def test_scores_are_equations_6_and_7(network, detector):
    photos = photographs(1.0, 3)
    embeddings, bank = embeddings_of(network, detector, photos), detector.bank.embeddings
    scores = detector.score(photos)
    patches = cdist(embeddings.reshape(-1, 1536), bank).min(axis=1)
    np.testing.assert_allclose(scores.patch.ravel(), patches, rtol=1e-4)
    assert detector.settings.scoring.reweight_neighbors == 9  # the farthest of them hardly count in Eq. 7
    expected = [equations_6_and_7(one.reshape(-1, 1536), bank, 9) for one in embeddings]
    np.testing.assert_allclose(scores.image, expected, rtol=1e-4)
    worst = scores.patch.reshape(3, -1).max(axis=1)
    assert ((worst - scores.image) / worst).min() > 1e-3, "Eq. 7 makes no difference here: nothing was compared"
