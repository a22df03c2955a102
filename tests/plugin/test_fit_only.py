"""Settings that decide only what a fit remembers are refused where a model is fitted already; others are not."""

import numpy as np
import pytest

from patchcore_plugin import PatchCore, fit_only
from patchcore_plugin.config import load_settings
from patchcore_plugin.errors import ConfigError
from patchcore_plugin.fit_only import require_effect

SETTINGS = load_settings().to_dict()


def test_every_section_and_setting_named_is_one_that_exists():
    assert set(fit_only._SECTIONS) <= set(SETTINGS)
    for section, option in (setting.split(".") for setting in (*fit_only._OPTIONS, fit_only._NAME)):
        assert option in SETTINGS[section]


@pytest.mark.parametrize("setting", ["sampler.seed=3", " memory.budget = 2 GiB", "embedding.whitening=1"])
def test_what_a_fitted_model_does_not_ask_for_is_refused(setting):
    with pytest.raises(ConfigError, match="fitted"):
        require_effect(["scoring.sigma=2", setting])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    images = list(np.random.default_rng(0).integers(0, 255, (4, 64, 64, 3), dtype=np.uint8))
    small = ["images.size=64", "sampler.keep=0.1", "calibration.holdout=0.5"]
    path = tmp_path_factory.mktemp("saved") / "model.safetensors"
    PatchCore.from_preset("default", small).fit(images).save(path)
    return path, images[:1]


@pytest.mark.parametrize("setting", ["sampler.seed=3", "cleaning.seed=1", "embedding.whitening=1", "images.flips=both"])
def test_scores_are_the_same_whatever_is_said_of_what_a_fit_remembers(saved, setting):
    path, images = saved
    scores = [PatchCore.load(path, overrides=said).score(images).image for said in ([], [setting])]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize(
    "setting",
    ["scoring.neighbors=3", "scoring.top_share=0.5", "calibration.false_alarm_rate=0.4", "images.size=96"],
)
def test_what_has_an_effect_is_let_through(saved, setting):
    require_effect([setting])


def test_the_name_of_the_sampler_may_change_where_its_library_is_missing():
    require_effect(["sampler.name=random"])
