"""Mirrored photographs inside hosts: they work where the product fits, and are refused where the host reads images."""

from __future__ import annotations

import numpy as np
import pytest
from anomalib_cells import PluginPatchcore
from made_up_parts import SIDE, TURNED, parts

from patchcore_plugin.config import load_settings
from patchcore_plugin.errors import ConfigError
from patchcore_plugin.hosts.anomalib_network import PatchNetwork
from patchcore_plugin.hosts.pyod_detector import PatchCoreOD
from patchcore_plugin.hosts.sklearn_images import PatchCoreDetector

FLIPS = {"images": {"flips": ["horizontal"]}, "sampler": {"name": "keep-all"}}
WITHOUT = {"sampler": {"name": "keep-all"}}


@pytest.mark.parametrize("host", [PatchCoreDetector, PatchCoreOD])
def test_detectors_for_images_remember_mirrored_parts(host):
    turned = [TURNED["horizontal"](part) for part in parts(3, seed=2)]
    fitted = {
        name: host(settings=given, image_size=SIDE).fit(parts(6)) for name, given in (("no", WITHOUT), ("yes", FLIPS))
    }
    highest = fitted["no"].detector_.score(parts(3, seed=1)).image.max()
    assert fitted["no"].detector_.score(turned).image.min() > 2 * highest
    assert fitted["yes"].detector_.score(turned).image.max() < 1.2 * highest


def test_a_photograph_is_no_yardstick_for_itself_in_the_mirror():
    images = parts(6)
    images[2] = np.full((SIDE, SIDE), 200, np.uint8)  # mirrored, it is what it was
    scores = PatchCoreOD(settings=FLIPS, image_size=SIDE).fit(images).decision_scores_
    assert scores.argmax() == 2
    assert scores.min() > 0


def test_where_anomalib_reads_the_images_flips_are_refused_before_anything_is_computed():
    with pytest.raises(ConfigError, match=r"images\.flips is \['both'\], but anomalib .* Leave it at \[\]"):
        PatchNetwork(load_settings(preset="anomalib", overrides=["images.flips=both"]))
    with pytest.raises(TypeError, match="images"):
        PluginPatchcore(images={"flips": ["both"]})
