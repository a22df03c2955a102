"""Every preset that reproduces an original is complete, and runs once a network is at hand."""

from __future__ import annotations

import numpy as np
import pytest

from patchcore_plugin import PatchCore
from patchcore_plugin.config import Settings, load_settings, presets
from patchcore_plugin.config_files import read_preset
from patchcore_plugin.errors import WeightsError

ORIGINALS = ("amazon", "anomalib", "paper")
SMALL = ["extractor.backbone=resnet18", "extractor.weights=random", "images.size=64"]


def made_up(count):
    return np.random.default_rng(0).integers(0, 256, (count, 80, 96, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ORIGINALS)
def test_a_preset_names_every_setting_so_that_no_later_default_changes_it(name):
    written, known, sections = load_settings(preset=name).to_dict(), Settings.model_fields, read_preset(name)
    assert list(sections) == list(known)
    for section in ("images", "cleaning", "scoring", "calibration"):
        left_out = set(written[section]) - set(sections[section])
        assert left_out <= {"crop", "white_level"}, section


@pytest.mark.parametrize("name", ORIGINALS)
def test_a_preset_creates_its_parts_before_any_weights_are_there(name):
    extractor = PatchCore.from_preset(name).parts.extractor
    assert (extractor.layers, extractor.channels) == (("layer2", "layer3"), (512, 1024))


@pytest.mark.parametrize(("name", "crop"), [("amazon", 56), ("anomalib", "none"), ("paper", 56)])
def test_a_preset_fits_and_scores(name, crop):
    detector = PatchCore.from_preset(name, [*SMALL, f"images.crop={crop}"]).fit(made_up(3))
    scores = detector.score(made_up(2))
    assert scores.image.shape == (2,)
    assert np.isfinite(scores.image).all()
    assert (scores.label is None) == (detector.settings.calibration.holdout == 0)


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_network_comes_from_the_hub_only_where_the_preset_says_so(name):
    assert load_settings(preset=name).extractor.options["weights"].split(":")[0] == "hub"
    assert {load_settings(preset=one).extractor.options["weights"] for one in ("accurate", "default")} == {"package"}
    assert set(presets()) == {"accurate", "default", *ORIGINALS}


@pytest.mark.parametrize("name", ORIGINALS)
def test_without_a_connection_a_preset_says_what_to_do(name, tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", unreachable)
    monkeypatch.setattr("patchcore_plugin.extractors.timm_backbone.hf_hub_download", unreachable)
    with pytest.raises(WeightsError, match=r"no route to host\. .* name its path in extractor\.weights"):
        PatchCore.from_preset(name).fit(made_up(2))
