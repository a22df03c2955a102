"""What anomalib's arguments and ours mean as settings of the product."""

from __future__ import annotations

from pathlib import Path

import pytest
from anomalib_cells import PluginPatchcore
from omegaconf import OmegaConf

from patchcore_plugin.config import load_settings
from patchcore_plugin.errors import ConfigError, UnknownComponentError, UnknownOptionError
from patchcore_plugin.hosts.anomalib_settings import plain, settings_of

STOCK = {
    "backbone": None, "layers": None, "pre_trained": True, "precision": "float32",
    "coreset_sampling_ratio": None, "num_neighbors": None, "weights": None, "weights_sha256": None,
}  # fmt: skip


def settings(preset="anomalib", parts=(), scoring=None, calibration="f1", seed=None, **stock):
    nothing = dict.fromkeys(("extractor", "aggregator", "sampler", "neighbors"))
    return settings_of(
        preset, parts={**nothing, **dict(parts)}, stock={**STOCK, **stock}, scoring=scoring,
        calibration=calibration, seed=seed,
    )  # fmt: skip


def test_nothing_given_is_the_preset():
    expected = load_settings({"calibration": {"holdout": 0.1}}, preset="anomalib")
    assert settings() == expected


def test_anomalibs_own_arguments_say_what_they_say_there():
    found = settings(
        backbone="resnet18", layers=["layer1"], pre_trained=False, coreset_sampling_ratio=0.25, num_neighbors=3, seed=7
    )
    assert found.extractor.options | {"backbone": "resnet18", "layers": ["layer1"], "weights": "random", "seed": 7} == (
        found.extractor.options
    )
    assert (found.sampler.options["keep"], found.sampler.options["seed"]) == (0.25, 7)
    assert (found.scoring.reweight_neighbors, found.calibration.seed) == (3, 7)


def test_a_file_of_weights_is_read_whatever_pre_trained_says():
    assert settings(pre_trained=False, weights="w.pth").extractor.options["weights"] == "w.pth"


def test_a_part_is_a_name_or_a_dict():
    found = settings(parts={"sampler": {"name": "random", "keep": 0.5, "seed": 3}, "neighbors": "torch-exact"}, seed=9)
    assert found.sampler.options == {"keep": 0.5, "seed": 3}
    assert found.neighbors.name == "torch-exact"


def test_other_presets_lie_below():
    found = settings("default", parts={"neighbors": "numpy-exact"})
    assert (found.extractor.name, found.images.mean) == ("numba-cnn", (0.5, 0.5, 0.5))
    assert found.calibration == load_settings().calibration


def test_half_precision_is_said_to_all_who_can():
    found = settings(precision="float16")
    assert (found.scoring.bank_dtype, found.extractor.options["dtype"]) == ("float16", "float16")
    assert "dtype" not in settings("default", precision="float16").extractor.options


def test_a_calibration_is_a_rule_or_a_dict():
    found = settings(calibration={"name": "good", "false_alarm_rate": 0.01, "holdout": 0.3})
    assert (found.calibration.false_alarm_rate, found.calibration.holdout) == (0.01, 0.3)
    assert settings(calibration={"holdout": 0}).calibration.holdout == 0


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"calibration": "best"}, ConfigError, "'f1' or 'good'"),
        ({"calibration": {"rate": 1}}, UnknownOptionError, "false_alarm_rate"),
        ({"precision": "bfloat16"}, ConfigError, "float32, float16"),
        ({"parts": {"sampler": "greedy"}}, UnknownComponentError, "pruned-greedy"),
        ({"parts": {"sampler": 3}}, ConfigError, "sampler is 3"),
        ({"scoring": {"sigmas": 1}}, UnknownOptionError, "sigma"),
        (
            {"parts": {"extractor": {"name": "timm", "backbone": "resnet18"}}, "backbone": "resnet50"},
            ConfigError,
            "extractor.backbone is 'resnet18' in the dict but 'resnet50'",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(options, error, text):
    with pytest.raises(error, match=text):
        settings(**options)


def test_containers_of_hosts_become_plain_data():
    given = OmegaConf.create({"layers": ["a", "b"], "sampler": {"keep": 0.1}})
    found = plain(given)
    assert found == {"layers": ["a", "b"], "sampler": {"keep": 0.1}}
    assert type(found["layers"]) is list
    assert type(found["sampler"]) is dict
    assert plain(Path("a") / "b") == "a/b"


def test_what_is_kept_in_checkpoints_is_plain_whatever_was_given():
    from anomalib import PrecisionType

    found = PluginPatchcore(
        "resnet18", ("layer2",), False, precision=PrecisionType.FLOAT16, sampler=OmegaConf.create({"keep": 0.2}),
        weights=None, evaluator=False, visualizer=False,
    )  # fmt: skip
    kept = found.hparams
    assert (kept["layers"], kept["precision"], kept["sampler"]) == (["layer2"], "float16", {"keep": 0.2})
    assert type(kept["sampler"]) is dict
    assert "pre_processor" not in kept
