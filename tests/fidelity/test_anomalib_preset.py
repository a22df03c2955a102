"""The preset `anomalib` beside anomalib's own model: the same weights, the same bank, the same pixels."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from solar_cells import cells

from patchcore_plugin import PatchCore
from patchcore_plugin.config import load_settings
from patchcore_plugin.images import prepare
from patchcore_plugin.weights import load_weights


def pictures(probability, count, side):
    """Cut cells to the size that the network sees, so that a map is not resized a second time."""
    return np.stack([np.asarray(Image.open(path))[:side, :side] for path in cells(probability, count)])


@pytest.fixture(scope="module")
def theirs():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # anomalib imports modules that it and timm have deprecated
        from anomalib.models.image.patchcore.lightning_model import Patchcore
        from anomalib.models.image.patchcore.torch_model import PatchcoreModel
    return SimpleNamespace(model=PatchcoreModel, transform=Patchcore.configure_pre_processor().transform)


def random_weights(backbone):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return timm.create_model(backbone, pretrained=False).state_dict()


def packaged_weights(backbone):
    return {name: torch.from_numpy(array.copy()) for name, array in load_weights(backbone).arrays.items()}


@pytest.fixture(
    scope="module",
    params=[
        ("efficientnet_lite0", ("blocks.2", "blocks.4"), packaged_weights, 256, torch.float32),
        # Features of random weights are large and close together, where float32 leaves anomalib's distances, which
        # come from norms and products, three digits.
        ("resnet18", ("layer2", "layer3"), random_weights, 96, torch.float64),
    ],
    ids=["efficientnet_lite0", "resnet18"],
)
def pair(request, theirs, tmp_path_factory):
    """A fitted detector, and anomalib's model with its weights and its bank."""
    backbone, layers, weights, side, precision = request.param
    file = tmp_path_factory.mktemp("weights") / f"{backbone}.pth"
    state = weights(backbone)
    torch.save(state, file)
    options = {"backbone": backbone, "layers": layers, "weights": file, "device": "cpu"}
    detector = PatchCore(load_settings({"extractor": options, "images": {"size": side}}, preset="anomalib"))
    detector.fit(pictures(0.0, 4, side))
    model = theirs.model(layers=list(layers), backbone=backbone, pre_trained=False)
    missing, _ = model.feature_extractor.feature_extractor.load_state_dict(state, strict=False)
    assert [name for name in missing if "num_batches" not in name] == []
    model.memory_bank = torch.from_numpy(detector.bank.embeddings.copy())
    return detector, model.to(precision).eval()


def images_and_pixels(detector, count):
    images = pictures(1.0, count, detector.settings.images.size[0])
    return images, np.stack([prepare(image, detector.settings.images) for image in images])


def test_embeddings_are_those_of_anomalib(pair):
    detector, model = pair
    _, pixels = images_and_pixels(detector, 2)
    with torch.no_grad():
        expected = model.train()(torch.from_numpy(pixels)).numpy()
    model.eval()
    model.embedding_store.clear()
    grid = np.asarray(detector.parts.embed(pixels))
    np.testing.assert_allclose(grid.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("batch", [1, 5])
def test_scores_and_maps_are_those_of_anomalib(pair, batch):
    detector, model = pair
    images, pixels = images_and_pixels(detector, 5)
    ours = detector.score(images)
    with torch.no_grad():
        found = [model(torch.from_numpy(pixels[i : i + batch])) for i in range(0, 5, batch)]
    np.testing.assert_allclose(ours.image, torch.cat([one.pred_score for one in found]).numpy(), rtol=1e-4)
    maps = torch.cat([one.anomaly_map for one in found]).squeeze(1).numpy()
    np.testing.assert_allclose(np.stack(ours.maps), maps, rtol=1e-4)


def test_equation_7_is_what_makes_them_equal(pair):
    """The plain maximum differs by more than the tolerance: the comparison above can fail."""
    detector, _ = pair
    ours = detector.score(images_and_pixels(detector, 5)[0])
    worst = ours.patch.reshape(5, -1).max(axis=1)
    assert ((worst - ours.image) / worst).max() > 1e-3


@pytest.mark.parametrize("shape", [(300, 421), (256, 256), (90, 70)])
def test_an_image_becomes_the_pixels_of_anomalib(theirs, shape):
    """anomalib resizes floats, we resize 8-bit images as 8 bits: at most one gray level lies between the two."""
    settings = load_settings(preset="anomalib").images
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    floats = picture / np.float32(255)
    expected = theirs.transform(torch.from_numpy(floats).permute(2, 0, 1)).numpy()
    np.testing.assert_allclose(prepare(floats, settings), expected, atol=1e-5)
    one_level = 1 / 255 / min(settings.std)
    np.testing.assert_allclose(prepare(picture, settings), expected, atol=1.01 * one_level)
