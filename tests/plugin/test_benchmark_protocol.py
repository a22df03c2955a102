from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from patchcore_plugin.benchmark.configurations import configurations
from patchcore_plugin.benchmark.protocol import (
    Configuration,
    Protocol,
    Run,
    chosen_categories,
    images_in_words,
    parsed_seeds,
    parsed_shots,
)
from patchcore_plugin.config import load_settings
from patchcore_plugin.datasets.split import Split
from patchcore_plugin.errors import ConfigError, InputError


@dataclass(frozen=True)
class Bottles:
    """A data set of names; nothing is read from it."""

    layout: str = "made-up"
    root: Path = Path("bottles")
    categories: tuple[str, ...] = ("brown", "green")
    has_masks: bool = False
    notes: tuple[str, ...] = ()

    def split(self, category, seed):
        fit = tuple(self.root / category / f"{i}.png" for i in range(20))
        return Split(category, fit, (self.root / f"held_out_{seed}.png",), ())


def protocol(**changed):
    whole = {
        "dataset": Bottles(), "categories": ("brown", "green"), "seeds": (0, 1), "shots": (None, 5), "pixels": False,
        "configurations": (Configuration("default", load_settings()),),
    }  # fmt: skip
    return Protocol(**whole | changed)


def test_every_category_configuration_number_of_images_and_seed_is_run_once():
    runs = list(protocol().runs())
    assert len(set(runs)) == len(runs) == 2 * 1 * 2 * 2
    assert [(one.category, one.shots, one.seed) for one in runs[:3]] == [
        ("brown", None, 0),
        ("brown", None, 1),
        ("brown", 5, 0),
    ]


def test_a_run_from_few_images_has_them_and_none_for_the_threshold():
    bench = protocol()
    whole, few = (bench.split(Run("brown", bench.configurations[0], shots, 1)) for shots in (None, 5))
    assert len(whole.fit) == 20
    assert len(whole.calibrate) == 1
    assert len(few.fit) == 5
    assert set(few.fit) < set(whole.fit)
    assert few.calibrate == ()


def test_more_images_than_there_are_cannot_be_learned_from():
    with pytest.raises(InputError, match="21 images to learn from are asked for, but brown has 20"):
        protocol().split(Run("brown", protocol().configurations[0], 21, 0))


def test_the_seed_reaches_the_sampler_and_no_image_is_held_out():
    settings = Configuration("default", load_settings()).for_seed(3)
    assert settings.sampler.options["seed"] == 3
    assert settings.calibration.holdout == 0


def test_a_sampler_without_a_seed_gets_none():
    plain = Configuration("plain", load_settings(overrides=["sampler.name=keep-all"]))
    assert "seed" not in plain.for_seed(3).sampler.options


@pytest.mark.parametrize(
    ("overrides", "backbone"),
    [
        ([], "efficientnet_lite0, 224 px"),
        (["images.size=[128, 96]"], "efficientnet_lite0, 128 x 96 px"),
        (["images.size=256", "images.crop=200"], "efficientnet_lite0, 200 px"),
    ],
)
def test_a_configuration_says_what_looks_and_at_what_size(overrides, backbone):
    assert Configuration("one", load_settings(overrides=overrides)).backbone == backbone


def test_an_ensemble_names_each_of_its_networks():
    members = [{"name": "numba-cnn", "backbone": f"efficientnet_lite{i}"} for i in (0, 2)]
    settings = load_settings({"extractor": {"name": "ensemble", "members": members}})
    assert Configuration("both", settings).backbone == "efficientnet_lite0 + efficientnet_lite2, 224 px"


def test_shots_are_read_with_all_images_first_and_then_from_many_to_few():
    assert parsed_shots("all") == (None,)
    assert parsed_shots("1, 16,all,5") == (None, 16, 5, 1)
    assert parsed_shots("2,2") == (2,)
    assert parsed_seeds("4,0,4") == (4, 0)
    assert [images_in_words(shots) for shots in (None, 1, 5)] == ["all images", "1 image", "5 images"]


@pytest.mark.parametrize("text", ["", "1,,2", "all,x", "0", "-1", "1.5", "five"])
def test_other_shots_are_refused_with_an_example(text):
    with pytest.raises(ConfigError, match=r"--shots is .* at least 1 .* such as all,1,5,10"):
        parsed_shots(text)


@pytest.mark.parametrize("text", ["", "all", "-1", "0;1"])
def test_other_seeds_are_refused_with_an_example(text):
    with pytest.raises(ConfigError, match=r"--seeds is .* at least 0 .* such as 0,1,2,3,4"):
        parsed_seeds(text)


def test_categories_stay_in_order_and_unknown_ones_are_refused_with_those_there_are():
    assert chosen_categories(Bottles(), ()) == ("brown", "green")
    assert chosen_categories(Bottles(), ("green", "brown")) == ("brown", "green")
    with pytest.raises(ConfigError, match=r"no category 'gren'\. Did you mean 'green'"):
        chosen_categories(Bottles(), ("gren",))


def test_without_a_word_the_default_preset_is_run():
    (one,) = configurations((), (), ("sampler.keep=0.5",))
    assert (one.name, one.settings.sampler.options["keep"]) == ("default", 0.5)


def test_presets_and_files_stand_side_by_side(tmp_path):
    (tmp_path / "fine.toml").write_text("[images]\nsize = 96\n")
    found = configurations(("default",), (f"fine={tmp_path / 'fine.toml'}",), ())
    assert [one.name for one in found] == ["default", "fine"]
    assert [one.settings.images.size for one in found] == [(224, 224), (96, 96)]
    alone = configurations((), (f"fine={tmp_path / 'fine.toml'}",), ())
    assert [one.name for one in alone] == ["fine"]


@pytest.mark.parametrize(
    ("presets", "files", "overrides", "said"),
    [
        (("default", "default"), (), (), "two configurations are called 'default'"),
        ((), ("fine.toml",), (), "names no configuration. Write NAME=FILE"),
        ((), ("a/b=fine.toml",), (), "names no configuration"),
        ((), (), ("sampler.seed=3",), "--set sampler.seed=3 has no use in a benchmark"),
        ((), (), ("calibration.holdout = 0.2",), "images for the threshold are part of the split"),
        (("fast",), (), (), "there is no preset 'fast'"),
        ((), (), ("extractor.backbone=resnet1",), "resnet1"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_run(presets, files, overrides, said):
    with pytest.raises(InputError, match=said):
        configurations(presets, files, overrides)
