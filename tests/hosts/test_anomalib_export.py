"""Exported models tell what the parts tell, in torch, ONNX and OpenVINO, for any number of images."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from anomalib_cells import HOST_WARNINGS, PluginPatchcore, engine, model, photographs

from patchcore_plugin.errors import ConfigError, EmptyInputError
from patchcore_plugin.hosts.anomalib_traceable import TraceableScorer

pytestmark = pytest.mark.filterwarnings(
    *HOST_WARNINGS,
    "ignore::DeprecationWarning",  # of torch.export and onnxscript, about each other
    "ignore::FutureWarning",  # the same
    "ignore:.*dynamic:UserWarning",  # the exporter, about names of axes
)


def fitted(**options):
    """A model fitted on four cells, thresholds and all, without an Engine."""
    found = model(**options)
    with torch.no_grad():
        found.train()
        found.model(found.pre_processor(photographs(0.0, 4)))
        found.on_train_epoch_end()
    return found.eval()


def agrees(scores, maps, expected):
    torch.testing.assert_close(torch.as_tensor(scores), expected.pred_score, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.as_tensor(maps), expected.anomaly_map, rtol=1e-4, atol=1e-5)


def exported(network):
    """Torch's own export of a network for two images, which has to take any number of them."""
    traced, images = TraceableScorer(network, (96, 96)), torch.export.Dim("images", min=1, max=64)
    example = (torch.zeros(2, 3, 96, 96),)
    return torch.export.export(traced, example, dynamic_shapes={"images": {0: images}}).module()


WAYS = {
    "anomalib": {},
    "default": {"preset": "default", "extractor": "timm"},
    "squared mean of three": {"scoring": {"distance": "squared", "neighbors": 3, "sigma": 2}},
    "several patches": {"num_neighbors": 1, "scoring": {"top_share": 0.05, "image_sigma": 1.5}},
    "weighted layers": {"aggregator": {"name": "torch-local-mean", "layer_weights": (1.0, 1.5)}},
    "evened out": {"embedding": {"whitening": 0.5}},
    "plain maximum": {"num_neighbors": 1, "aggregator": {"name": "local-mean", "patch_size": 5, "border": "valid"}},
    "half precision": {"precision": "float16"},
    "torchvision": {
        "extractor": "torchvision", "backbone": "resnet18", "layers": ["layer1", "layer3"], "weights": "random",
    },
}  # fmt: skip


@pytest.mark.parametrize("options", WAYS.values(), ids=WAYS)
def test_torch_operations_alone_tell_what_the_parts_tell(options):
    found = fitted(sampler="keep-all", **options)
    pixels = found.pre_processor(photographs(1.0, 3))
    traced = TraceableScorer(found.model, tuple(pixels.shape[2:]))
    came, expected = traced(pixels), found.model(pixels)
    rounding = 1e-2 if options == WAYS["half precision"] else 1e-4
    torch.testing.assert_close(came.pred_score, expected.pred_score, rtol=rounding, atol=0)
    torch.testing.assert_close(came.anomaly_map, expected.anomaly_map, rtol=rounding, atol=1e-5)


@pytest.mark.parametrize("k", [1, 9])
def test_the_number_of_images_is_free(k):
    found = fitted(num_neighbors=k)
    program = exported(found.model)
    for count in (1, 3):
        pixels = found.pre_processor(photographs(1.0, count))
        came = program(pixels)
        agrees(came.pred_score, came.anomaly_map, found.model(pixels))


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"extractor": "numba-cnn"}, "'timm' or 'torchvision'"),
        ({"aggregator": "adaptive-mean"}, "'local-mean' or 'torch-local-mean'"),
    ],
)
def test_parts_that_cannot_be_exported_are_named_with_those_that_can(options, names, tmp_path):
    found = fitted(**options)
    with pytest.raises(ConfigError, match=names):
        found.to_onnx(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_not_fitted_cannot_be_exported(tmp_path):
    with pytest.raises(EmptyInputError, match="Memory bank is empty"):
        model().to_onnx(tmp_path)


def test_without_a_pre_processor_a_size_is_asked_for(tmp_path):
    found = fitted()
    found.pre_processor = None
    with pytest.raises(ConfigError, match="input_size="):
        found.to_onnx(tmp_path)
    assert found._seen((64, 80)) == (64, 80)


def test_a_failed_export_leaves_the_model_as_it_was(tmp_path):
    found = fitted()
    with pytest.raises(ValueError, match="dynamo"):
        found.to_onnx(tmp_path, dynamo=False)
    assert found.model.traceable is None


@pytest.mark.long
def test_onnx_takes_one_image_and_three_at_256(tmp_path):
    found = fitted(pre_processor=PluginPatchcore.configure_pre_processor((256, 256)), neighbors="pruned-exact")
    before = found.state_dict().keys()
    path = found.to_onnx(tmp_path, input_size=(256, 256))
    assert found.state_dict().keys() == before
    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    assert names == ["pred_score", "pred_label", "anomaly_map", "pred_mask"]
    images = torch.nn.functional.interpolate(photographs(1.0, 3), size=(256, 256))
    for count in (1, 3):
        expected = found(images[:count])
        came = dict(zip(names, session.run(None, {"input": images[:count].numpy()}), strict=True))
        agrees(came["pred_score"], came["anomaly_map"], expected)
        assert came["pred_label"].tolist() == expected.pred_label.tolist()
        assert np.mean(came["pred_mask"] == expected.pred_mask.numpy()) > 0.999


@pytest.mark.long
def test_openvino_takes_one_image_and_three_and_photographs_of_any_size(tmp_path):
    import openvino
    from anomalib.deploy import OpenVINOInferencer

    found = fitted()
    path = engine(tmp_path).export(found, "openvino", export_root=tmp_path)
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for images in (photographs(1.0, 1), photographs(1.0, 3), photographs(1.0, 2)[:, :, :200, :256]):
        resized = torch.nn.functional.interpolate(images, size=(96, 96))  # graphs resize without smoothing
        expected, came = found(resized), compiled(resized.numpy())
        torch.testing.assert_close(torch.tensor(came["pred_score"]), expected.pred_score, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(torch.tensor(came["anomaly_map"]), expected.anomaly_map, rtol=1e-3, atol=1e-4)
        assert compiled(images.numpy())["pred_score"].shape == (len(images),)
    one = resized[0].permute(1, 2, 0).numpy()
    came = OpenVINOInferencer(path, device="CPU", config={"INFERENCE_PRECISION_HINT": "f32"}).predict(one)
    assert float(came.pred_score.squeeze()) == pytest.approx(float(expected.pred_score[0]), abs=1e-3)


def test_the_inferencer_of_torch_files_says_what_the_model_says(tmp_path, monkeypatch):
    from anomalib.deploy import TorchInferencer

    monkeypatch.setenv("TRUST_REMOTE_CODE", "1")
    found = fitted(extractor="numba-cnn", aggregator="local-mean")
    inferencer = TorchInferencer(found.to_torch(tmp_path), device="cpu")
    image = photographs(1.0, 1)
    came = inferencer.predict(image[0])
    assert torch.equal(came.pred_score, found(image).pred_score)
    assert 0 <= came.pred_score <= 1


def test_tiles_are_exported_too():
    from anomalib.data.utils.tiler import Tiler

    found = model(sampler="keep-all")
    found.model.tiler = Tiler(tile_size=48, stride=48)
    with torch.no_grad():
        found.train()
        found.model(found.pre_processor(photographs(0.0, 4)))
        found.on_train_epoch_end()
    found.eval()
    program = exported(found.model)
    for count in (1, 3):
        pixels = found.pre_processor(photographs(1.0, count))
        came = program(pixels)
        agrees(came.pred_score, came.anomaly_map, found.model(pixels))
