"""Every way in which anomalib finds a model that is not its own."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import yaml
from anomalib_cells import HOST_WARNINGS, PluginPatchcore, picture_folder
from anomalib_cells import model as small_model
from jsonargparse import Namespace

from patchcore_plugin.hosts.anomalib_register import register

pytestmark = pytest.mark.filterwarnings(*HOST_WARNINGS)
PATH = "patchcore_plugin.hosts.anomalib_model.PluginPatchcore"
ARGUMENTS = {"backbone": "efficientnet_lite0", "layers": ["blocks.2", "blocks.4"], "weights": "package"}


@pytest.fixture
def unregistered(monkeypatch):
    """anomalib's list as it was, before and after."""
    from anomalib import models

    monkeypatch.setattr(models, "ALLOWED_MODULES", set(models.ALLOWED_MODULES) - {PATH.rpartition(".")[0]})
    monkeypatch.delattr(models, "PluginPatchcore", raising=False)
    yield
    vars(models).pop("PluginPatchcore", None)


@pytest.fixture
def data(tmp_path):
    root = picture_folder(tmp_path / "cells", good=6, bad=4)
    options = {"name": "cells", "root": str(root), "normal_dir": "good", "abnormal_dir": "bad", "num_workers": 0}
    return {"class_path": "anomalib.data.Folder", "init_args": {**options, "train_batch_size": 4, "seed": 1}}


@pytest.mark.parametrize("name", ["plugin_patchcore", "PluginPatchcore"])
def test_it_is_found_by_name_once_imported(name):
    from anomalib.models import get_model, list_models

    found = get_model(name, **ARGUMENTS)
    assert type(found) is PluginPatchcore
    assert found.name == "PluginPatchcore"
    assert "plugin_patchcore" in list_models()


def test_anomalibs_own_model_keeps_its_name():
    from anomalib.models import Patchcore
    from anomalib.models import _get_model_class_by_name as named

    assert named("patchcore") is Patchcore


@pytest.mark.usefixtures("unregistered")
@pytest.mark.parametrize("path", [PATH, "PluginPatchcore"])
def test_a_dict_finds_it_after_registering_and_not_before(path):
    from anomalib.models import UnknownModelError, get_model

    with pytest.raises(UnknownModelError):
        get_model({"class_path": path, "init_args": ARGUMENTS})
    register()
    register()
    found = get_model({"class_path": path, "init_args": {**ARGUMENTS, "sampler": {"name": "random", "keep": 0.2}}})
    assert found.hparams["layers"] == ARGUMENTS["layers"]
    assert type(found.hparams["sampler"]) is dict


@pytest.mark.usefixtures("unregistered")
def test_the_benchmark_makes_it(data):
    from anomalib.pipelines.benchmark.generator import BenchmarkJobGenerator

    register()
    grid = {"seed": 3, "model": {"class_path": PATH, "init_args": {**ARGUMENTS, "layers": ["blocks.2"]}}, "data": data}
    (job,) = BenchmarkJobGenerator("cpu").generate_jobs(grid, None)
    assert type(job.model) is PluginPatchcore


@pytest.mark.usefixtures("unregistered")
@pytest.mark.parametrize("preset", ["anomalib", "default"])
def test_the_tiled_ensemble_makes_it_with_the_colours_of_its_preset(preset):
    from anomalib.pipelines.tiled_ensemble.components.utils import NormalizationStage
    from anomalib.pipelines.tiled_ensemble.components.utils.helper_functions import get_ensemble_model

    register()
    # As a dict with init_args, anomalib 2.7 fails here with any model: it puts a module into a container of plain data.
    described = Namespace(class_path=PATH, init_args={**ARGUMENTS, "preset": preset})
    found = get_ensemble_model(described, 64, NormalizationStage.IMAGE)
    assert type(found) is PluginPatchcore
    (colours,) = found.pre_processor.transform.transforms
    assert tuple(colours.mean) == found.model.settings.images.mean


def test_a_configuration_file_makes_it(tmp_path):
    file = tmp_path / "model.yaml"
    arguments = {**ARGUMENTS, "sampler": {"name": "random", "keep": 0.2}, "calibration": "good", "seed": 3}
    file.write_text(yaml.safe_dump({"model": {"class_path": PATH, "init_args": arguments}}))
    found = PluginPatchcore.from_config(file)
    assert type(found) is PluginPatchcore
    assert (found.model.parts.sampler.keep, found.model.parts.sampler.seed) == (0.2, 3)
    assert found.post_processor.rule == "good"


@pytest.mark.long
def test_the_command_line_fits_tests_and_predicts(data, tmp_path):
    file = tmp_path / "run.yaml"
    model = {"class_path": PATH, "init_args": {**ARGUMENTS, "coreset_sampling_ratio": 0.2, "visualizer": False}}
    results = {"default_root_dir": str(tmp_path / "results"), "trainer": {"accelerator": "cpu"}}
    file.write_text(yaml.safe_dump({"model": model, "data": data, **results}))
    anomalib = [sys.executable, "-c", "from anomalib.cli.cli import main; main()"]
    train = subprocess.run([*anomalib, "train", "-c", str(file)], capture_output=True, text=True, check=False)
    assert train.returncode == 0, train.stderr[-3000:]
    assert "image_AUROC" in train.stdout
    (path,) = tmp_path.glob("results/PluginPatchcore/cells/v0/weights/lightning/model.ckpt")
    found = PluginPatchcore.load_from_checkpoint(path)
    assert found.model.settings.sampler.options["keep"] == 0.2
    assert torch.isfinite(found.post_processor.image_threshold)
    by_path = ["predict", "--model", PATH, "--model.backbone", "efficientnet_lite0", "--model.weights", "package"]
    by_path += ["--model.layers", "[blocks.2,blocks.4]", "--model.visualizer", "false", "--ckpt_path", str(path)]
    by_path += ["--data", data["init_args"]["root"] + "/bad", "--default_root_dir", str(tmp_path / "p")]
    predict = subprocess.run([*anomalib, *by_path], capture_output=True, text=True, check=False)
    assert predict.returncode == 0, predict.stderr[-3000:]


def test_the_class_can_be_asked_for_a_pre_processor():
    seen = PluginPatchcore.configure_pre_processor(image_size=(64, 80))(torch.zeros(1, 3, 30, 30)).shape
    assert seen[2:] == (64, 80)
    cropped = small_model().configure_pre_processor((64, 64), center_crop_size=(48, 40))
    assert cropped(torch.zeros(1, 3, 30, 30)).shape[2:] == (48, 40)
