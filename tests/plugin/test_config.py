"""Settings: a preset, what is laid over it, and what is refused before any work begins."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from patchcore_plugin import components, config_files
from patchcore_plugin.config import (
    CalibrationSettings,
    CleaningSettings,
    ImageSettings,
    ScoringSettings,
    Settings,
    load_settings,
    presets,
)
from patchcore_plugin.errors import ConfigError, UnknownOptionError

MINE = {"sampler": {"name": "random", "keep": 0.5}, "images": {"size": [96, 128]}}
IN_THREE_LANGUAGES = {
    "mine.toml": '[sampler]\nname = "random"\nkeep = 0.5\n[images]\nsize = [96, 128]\n',
    "mine.yaml": "sampler:\n  name: random\n  keep: 0.5\nimages:\n  size: [96, 128]\n",
    "mine.YML": "sampler: {name: random, keep: 0.5}\nimages: {size: [96, 128]}\n",
    "mine.json": json.dumps(MINE),
}


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_the_default_preset_is_what_the_documentation_promises():
    settings = load_settings()
    assert {kind: part.name for kind, part in settings.parts().items()} == {
        "extractor": "numba-cnn",
        "aggregator": "local-mean",
        "sampler": "pruned-greedy",
        "neighbors": "pruned-exact",
    }
    assert settings.images == ImageSettings(
        size=(224, 224), crop=None, mean=(0.5,) * 3, std=(0.5,) * 3, white_level=None
    )
    assert settings.extractor.options["backbone"].endswith("efficientnet_lite0")
    assert settings.extractor.options["layers"] == ["blocks.2", "blocks.4"]
    assert settings.aggregator.options == {"patch_size": 3, "border": "zero"}
    assert settings.sampler.options == {"keep": 0.01, "seed": 0}


def test_the_default_preset_and_the_defaults_of_the_sections_agree():
    settings = load_settings()
    assert (settings.images, settings.cleaning, settings.scoring, settings.calibration) == (
        ImageSettings(), CleaningSettings(), ScoringSettings(), CalibrationSettings(),
    )  # fmt: skip


def test_the_accurate_preset_is_the_default_but_for_what_it_says():
    plain, accurate = (load_settings(preset=name).to_dict() for name in ("default", "accurate"))
    changed = {
        f"{section}.{option}"
        for section, options in accurate.items()
        for option, value in options.items()
        if plain[section].get(option) != value
    }
    assert changed == {"images.size", "aggregator.layer_weights", "scoring.image_sigma"}


@pytest.mark.parametrize("name", presets())
def test_every_shipped_preset_is_complete_and_its_parts_take_its_options(name):
    for kind, part in load_settings(preset=name).parts().items():
        components.create(kind, part.name, **part.options)


def test_every_toml_file_in_the_folder_of_presets_is_a_preset():
    folder = Path(config_files.__file__).parent / "presets"
    assert list(presets()) == sorted(path.stem for path in folder.glob("*.toml"))
    assert "default" in presets()


def test_an_unknown_preset_is_answered_with_those_that_exist():
    with pytest.raises(ConfigError, match=r"no preset 'defualt'\. Did you mean 'default'\? Presets: .*default"):
        load_settings(preset="defualt")


@pytest.mark.parametrize("name", ["../default", "default.toml", "", "/etc/passwd"])
def test_a_preset_is_a_name_never_a_path(name):
    with pytest.raises(ConfigError, match="no preset"):
        load_settings(preset=name)


@pytest.mark.parametrize("name", IN_THREE_LANGUAGES)
def test_a_file_says_the_same_in_toml_yaml_and_json(tmp_path, name):
    path = written(tmp_path, name, IN_THREE_LANGUAGES[name])
    assert load_settings(path) == load_settings(str(path)) == load_settings(MINE)


@pytest.mark.parametrize("name", IN_THREE_LANGUAGES)
def test_a_byte_order_mark_does_no_harm(tmp_path, name):
    path = written(tmp_path, name, b"\xef\xbb\xbf" + IN_THREE_LANGUAGES[name].encode())
    assert load_settings(path) == load_settings(MINE)


@pytest.mark.parametrize("name", ["empty.toml", "empty.yaml", "empty.json"])
def test_an_empty_file_changes_nothing(tmp_path, name):
    assert load_settings(written(tmp_path, name, "")) == load_settings()


def test_an_empty_section_changes_nothing(tmp_path):
    assert load_settings(written(tmp_path, "mine.yaml", "sampler:\n")) == load_settings()


def test_what_a_file_leaves_out_stays_as_in_the_preset():
    settings = load_settings({"sampler": {"keep": 0.25}})
    assert settings.sampler.options == {"keep": 0.25, "seed": 0}
    assert settings.images == load_settings().images


def test_one_word_swaps_a_part_and_keeps_the_options_that_both_know():
    settings = load_settings({"sampler": {"keep": 0.3}}, overrides=["sampler.name=numpy-greedy"])
    assert (settings.sampler.name, settings.sampler.options) == ("numpy-greedy", {"keep": 0.3, "seed": 0})


def test_options_that_mean_nothing_to_the_new_part_go():
    settings = load_settings({"sampler": {"name": "keep-all"}})
    assert (settings.sampler.name, settings.sampler.options) == ("keep-all", {})


def test_an_option_given_together_with_the_new_name_must_be_one_of_its_own():
    settings = load_settings({"sampler": {"name": "keep-all", "keep": 0.3}})
    assert settings.sampler.options == {"keep": 0.3}  # kept, so that creating the part refuses it
    with pytest.raises(UnknownOptionError, match="keep"):
        components.create("sampler", "keep-all", **settings.sampler.options)


def test_the_same_part_named_again_keeps_its_options():
    assert load_settings({"sampler": {"name": "pruned-greedy"}}) == load_settings()


def test_single_values_are_laid_over_the_file():
    settings = load_settings(MINE, overrides=["sampler.keep=0.75", "scoring.sigma=2"])
    assert settings.sampler.options == {"keep": 0.75, "seed": 0}
    assert settings.scoring.sigma == 2.0


@pytest.mark.parametrize("swap", [False, True])
def test_the_order_of_name_and_options_on_the_command_line_does_not_matter(swap):
    overrides = ["sampler.name=random", "sampler.keep=0.75"]
    settings = load_settings(overrides=overrides[::-1] if swap else overrides)
    assert (settings.sampler.name, settings.sampler.options) == ("random", {"keep": 0.75, "seed": 0})


def test_of_two_values_for_one_setting_on_the_command_line_the_last_counts():
    assert load_settings(overrides=["scoring.sigma=1", "scoring.sigma=3"]).scoring.sigma == 3.0


def test_one_override_may_stand_alone():
    assert load_settings(overrides="scoring.sigma=1").scoring.sigma == 1.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.01", 0.01),
        ("7", 7),
        ("true", True),
        ('"quoted"', "quoted"),
        ('["a", "b"]', ["a", "b"]),
        ("plain", "plain"),
        ("a=b", "a=b"),
        ("C:\\weights.pth", "C:\\weights.pth"),
        (" spaced ", "spaced"),
        ("", ""),
        ("2024-01-01", "2024-01-01"),
        ("1\nkeep = 2", "1\nkeep = 2"),
        (".5", ".5"),
    ],
)
def test_a_value_on_the_command_line_is_read_as_toml_or_else_as_plain_text(text, value):
    assert load_settings(overrides=[f"extractor.weights={text}"]).extractor.options["weights"] == value


@pytest.mark.parametrize("override", ["", "sampler", "sampler.keep", "sampler=random", "=1", ".keep=1", "sampler.=1"])
def test_an_override_that_sets_nothing_is_refused(override):
    with pytest.raises(ConfigError, match=r"sets nothing\. Write section\.option=value"):
        load_settings(overrides=[override])


def test_an_unknown_section_is_answered_with_the_sections():
    with pytest.raises(
        UnknownOptionError, match=r"no section 'sampller'\. Did you mean 'sampler'\? Sections: images, ext"
    ):
        load_settings({"sampller": {}})


def test_an_unknown_setting_is_answered_with_the_settings_of_its_section():
    with pytest.raises(UnknownOptionError, match=r"'calibration' has no setting 'hold_out'\. Did you mean 'holdout'\?"):
        load_settings(overrides=["calibration.hold_out=0.2"])


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("images.size", [0, -1, True, "big", [224], [1, 2, 3], [224, 0], [1.5, 2], None, [True, 224]]),
        ("images.resize", ["shorter", True, None]),
        ("images.crop", [0, [0, 1], "some", 1.5]),
        ("images.mean", [0.5, [0.5], [0.5, 0.5, "red"], [0.5, 0.5, float("nan")], [True, 0, 0]]),
        ("images.std", [[0.5, 0.5, 0], [1, 1, -1], [1, 1, float("inf")]]),
        ("images.white_level", [0, -1, "white", True]),
        ("scoring.neighbors", [0, 1.5, "k", True]),
        ("scoring.distance", ["cosine", 2]),
        ("scoring.reweight_neighbors", [0, 1.5, "b", True]),
        ("scoring.sigma", [-0.1, float("nan"), "wide", True]),
        ("scoring.map_resize", ["cubic", True]),
        ("scoring.map_border", ["mirror", 0]),
        ("scoring.bank_dtype", ["float64", 16]),
        ("calibration.holdout", [-0.1, 1, 1.5, "some", True]),
        ("calibration.false_alarm_rate", [0, 1, "few"]),
        ("calibration.seed", [-1, 0.5]),
        ("sampler.name", ["", 3, None]),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_place_and_what_is_needed(setting, values):
    section, key = setting.split(".")
    for value in values:
        with pytest.raises(ConfigError) as caught:
            load_settings({section: {key: value}})
        assert str(caught.value).startswith(f"{setting} is {value!r}, but ")
        assert str(caught.value).endswith(" is needed. Change it.")


def test_all_wrong_values_are_named_at_once():
    with pytest.raises(ConfigError, match=r"(?s)scoring\.sigma is -1.*\n.*calibration\.holdout is 2"):
        load_settings({"scoring": {"sigma": -1}, "calibration": {"holdout": 2}})


def test_a_crop_larger_than_the_image_is_refused():
    with pytest.raises(ConfigError, match=r"images\.crop is \(224, 225\), but it is cut from .*size \(224, 224\)"):
        load_settings({"images": {"crop": [224, 225]}})
    assert load_settings({"images": {"crop": 224}}).images.crop == (224, 224)


@pytest.mark.parametrize("images", [{"crop": "none"}, {"size": [224, 256], "crop": 200}])
def test_keeping_the_shape_of_images_needs_one_size_and_a_crop(images):
    kept = {"resize": "shorter-side", "size": 256, "crop": 224}
    assert load_settings({"images": kept}).images.resize == "shorter-side"
    with pytest.raises(ConfigError, match=r'images\.resize is "shorter-side".* but images\.size is .* images\.crop is'):
        load_settings({"images": {**kept, **images}})


@pytest.mark.parametrize(
    ("value", "size"), [(96, (96, 96)), ([96, 128], (96, 128)), ((96, 128), (96, 128)), ("96", None)]
)
def test_a_size_is_height_and_width_or_one_number_for_a_square(value, size):
    if size is None:
        with pytest.raises(ConfigError, match=r"images\.size"):
            load_settings({"images": {"size": value}})
    else:
        assert load_settings({"images": {"size": value}}).images.size == size


@pytest.mark.parametrize("nothing", [None, "none", "None"])
def test_what_may_be_absent_can_be_taken_back(nothing):
    settings = load_settings({"images": {"crop": nothing, "white_level": nothing}})
    assert (settings.images.crop, settings.images.white_level) == (None, None)


@pytest.mark.parametrize("section", [3, "random", ["random"]])
def test_a_section_that_is_no_table_is_refused(section):
    with pytest.raises(ConfigError, match=r"section 'sampler' is .* a table of settings is needed"):
        load_settings({"sampler": section})


def test_values_from_python_become_plain_so_that_they_can_be_saved():
    size = np.array([96, 128])
    settings = load_settings({"images": {"size": size}, "sampler": {"keep": np.float64(0.5), "folder": Path("a")}})
    assert settings.images.size == (96, 128)
    assert json.loads(json.dumps(settings.to_dict()))["sampler"] == {
        "name": "pruned-greedy", "keep": 0.5, "seed": 0, "folder": "a",
    }  # fmt: skip


def test_a_value_that_cannot_be_saved_is_refused_before_any_work():
    with pytest.raises(ConfigError, match=r"sampler\.keep is <object .* a plain value is needed"):
        load_settings({"sampler": {"keep": object()}})


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("bad.toml", "[sampler]\nkeep = \n", "line 2"),
        ("bad.toml", "[sampler]\nkeep = 1\nkeep = 2\n", "line 3"),
        ("bad.yaml", "sampler:\n  keep: [1\n", "line 3"),
        ("bad.yaml", "sampler:\n  keep: 1\n  keep: 2\n", "line 3.*'keep' is set twice"),
        ("bad.yaml", "sampler: !!python/object/apply:os.getcwd []", "line 1.*could not determine a constructor"),
        ("bad.json", '{"sampler":\n {"keep": }}', "line 2"),
        ("bad.json", '{"sampler": {"keep": 1, "keep": 2}}', "'keep' is set twice"),
        ("deep.json", "[" * 100_000, "nested too deeply"),
        ("list.yaml", "- sampler\n", "holds list, but sections are needed"),
        ("text.json", '"sampler"', "holds str, but sections are needed"),
        ("latin.toml", b"# caf\xe9\n", "byte 5 is not UTF-8"),
        ("settings.ini", "[sampler]", "ending '.ini' is not known. Use one of .json, .toml, .yaml, .yml"),
        ("settings", "", "ending '' is not known"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(tmp_path, name, text, complaint):
    path = written(tmp_path, name, text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        load_settings(path)
    assert str(caught.value).startswith(str(path))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    for name in ("missing.toml", "folder.toml"):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_settings(tmp_path / name)


def test_settings_cannot_be_changed_nor_their_options_from_outside():
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.images = ImageSettings()
    with pytest.raises(ValidationError):
        settings.images.size = (1, 1)
    settings.sampler.options["keep"] = 1
    assert settings.sampler.options["keep"] == 0.01


def test_a_source_that_is_a_dict_is_left_as_it_was():
    mine = {"sampler": {"keep": 0.5}}
    load_settings(mine, overrides=["sampler.keep=0.75", "images.size=32"])
    assert mine == {"sampler": {"keep": 0.5}}


def test_saved_settings_without_newer_sections_get_their_defaults():
    saved = load_settings().to_dict()
    del saved["calibration"], saved["scoring"]["bank_dtype"]
    assert Settings.from_dict(saved) == load_settings()


def test_complete_settings_need_no_preset_and_take_nothing_from_one():
    saved = load_settings().to_dict() | {"sampler": {"name": "numba-greedy"}}
    assert load_settings(saved, preset=None).sampler.options == {}
    assert load_settings(saved, preset=None, overrides=["sampler.keep=0.5"]).sampler.options == {"keep": 0.5}
    with pytest.raises(ConfigError, match="section 'extractor' is missing"):
        load_settings({"sampler": {"name": "random"}}, preset=None)


def test_settings_without_a_part_are_refused():
    saved = load_settings().to_dict()
    del saved["sampler"], saved["neighbors"]["name"]
    with pytest.raises(ConfigError, match=r"section 'sampler' is missing.*\nneighbors\.name is missing"):
        Settings.from_dict(saved)


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
options = st.dictionaries(st.text().filter(lambda key: key != "name"), plain | st.lists(plain), max_size=3)
changes = st.fixed_dictionaries(
    {
        "images": st.fixed_dictionaries({"size": st.tuples(st.integers(1, 9999), st.integers(1, 9999))}),
        "sampler": options.map(lambda found: {"name": "keep-all", **found}),
        "scoring": st.fixed_dictionaries({"sigma": st.floats(0, 1e6), "reweight_neighbors": st.integers(1, 99)}),
        "calibration": st.fixed_dictionaries({"holdout": st.floats(0, 1, exclude_max=True)}),
    }
)


@given(changes=changes)
def test_settings_survive_the_way_through_json_and_yaml(changes):
    settings = load_settings(changes)
    for dump, load in ((json.dumps, json.loads), (yaml.safe_dump, yaml.safe_load)):
        assert Settings.from_dict(load(dump(settings.to_dict()))) == settings
    assert settings.sampler.options == {key: value for key, value in changes["sampler"].items() if key != "name"}


@pytest.mark.parametrize(
    ("text", "count"),
    [("2 GiB", 2 * 2**30), ("1.5gib", 3 * 2**29), ("64 MiB", 2**26), ("3 KiB", 3072), ("2GB", 2 * 10**9),
     ("5 MB", 5 * 10**6), ("7kB", 7000), ("4096", 4096), (4096, 4096), (None, None), ("none", None)],
)  # fmt: skip
def test_a_memory_budget_is_read_as_people_write_it(text, count):
    settings = load_settings({"memory": {"budget": text}})
    assert settings.memory.budget == count
    assert Settings.from_dict(settings.to_dict()) == settings


@pytest.mark.parametrize("bad", ["2 gigs", "", "-1 GiB", "GiB", 0, -5, True, 1.5, [1]])
def test_a_memory_budget_that_is_no_size_is_refused_with_an_example(bad):
    with pytest.raises(ConfigError, match=r'(?s)memory\.budget is .*a size such as "2 GiB"'):
        load_settings({"memory": {"budget": bad}})


def test_a_memory_budget_can_be_set_on_the_command_line():
    assert load_settings(overrides=["memory.budget=2 GiB"]).memory.budget == 2**31
    assert load_settings({"memory": {"budget": 5}}, overrides=["memory.budget=none"]).memory.budget is None
