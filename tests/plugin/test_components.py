"""From a name to a part: what a name means, which options it takes, and what is said when something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from patchcore_plugin import components, plugins
from patchcore_plugin.contracts import Aggregator, CoresetSampler, FeatureExtractor, NeighborSearch
from patchcore_plugin.errors import (
    ConfigError,
    MissingLibraryError,
    PluginError,
    UnknownComponentError,
    UnknownOptionError,
)

CONTRACTS = dict(zip(components.KINDS, (FeatureExtractor, Aggregator, CoresetSampler, NeighborSearch), strict=True))
BUILT_IN = [(kind, part.name) for kind, hook in plugins.HOOKS.items() for part in getattr(components, hook)()]

STRANGER = """
    from __future__ import annotations
    from dataclasses import dataclass
    from pathlib import Path
    from typing import Literal, TYPE_CHECKING
    from patchcore_plugin import Component, hookimpl
    from patchcore_plugin.errors import EmptyInputError
    if TYPE_CHECKING:
        from nowhere import Unknown

    @dataclass(frozen=True, kw_only=True)
    class Good:
        keep: float = 0.5
        count: int | None = None
        layers: tuple[str, ...] = ()
        mode: Literal["fast", "slow"] = "fast"
        flag: bool = False
        folder: Path = Path()
        word: str | None = None
        def __post_init__(self):
            if self.keep > 1: raise ValueError("keep is a share")
            if self.keep == 0: raise EmptyInputError("keep of 0 keeps nothing. Keep more.")
            if self.keep < 0: raise ZeroDivisionError("less than nothing")
        def select(self, embeddings): return [0]

    class AnyOption:
        def __init__(self, **options): self.options = options
        def select(self, embeddings): return [0]

    class Needy:
        def __init__(self, *, folder): self.folder = folder
        def select(self, embeddings): return [0]

    class Untyped:
        def __init__(self, keep: Unknown = None): self.keep = keep
        def select(self, embeddings): return [0]

    class Inherited(Good):
        pass

    class Exits:
        def __init__(self): raise SystemExit(2)
        select = None

    class NoMethod:
        pass

    class NoFunction:
        select = 3

    def make(*, keep: float = 0.25): return Good(keep=keep)

    number = 7

    @hookimpl
    def patchcore_coreset_samplers():
        for name in ("Good", "AnyOption", "Needy", "Untyped", "Inherited", "Exits", "NoMethod", "NoFunction", "make",
                     "number", "Absent"):
            yield Component(name.lower(), factory=__name__ + ":" + name, summary="made up")
        lost = {"factory": "not_a_module:Part", "summary": "made up"}
        yield Component("far", requires=("no_such_library",), extra="far", **lost)
        yield Component("farther", requires=("no_such_library",), **lost)
        yield Component("lost", **lost)
"""


@pytest.fixture
def stranger(site):
    site.add("strange-parts", STRANGER, version="3.1")
    plugins.registry(refresh=True)
    return lambda name, **options: components.create("sampler", name, **options)


@pytest.mark.parametrize(("kind", "name"), BUILT_IN)
def test_every_built_in_part_can_be_created_and_keeps_its_contract(kind, name):
    assert isinstance(components.create(kind, name), CONTRACTS[kind])


@pytest.mark.parametrize("kind", components.KINDS)
def test_the_table_of_built_in_parts_is_sorted_and_every_name_in_it_is_found(kind):
    names = [part.name for part in getattr(components, plugins.HOOKS[kind])()]
    assert names == sorted(names)
    assert [components.find(kind, name).component.name for name in names] == names


@pytest.mark.parametrize("kind", components.KINDS)
def test_every_listed_name_means_one_part(site, kind):
    site.add("one", site.sampler("shared")).add("two", site.sampler("shared")).add("three", site.sampler("random"))
    plugins.registry(refresh=True)
    names = components.names(kind)
    assert len({components.find(kind, name) for name in names}) == len(names) == len(plugins.registry().of_kind(kind))


def test_a_built_in_part_can_be_asked_for_in_full():
    assert components.find("sampler", "patchcore-plugin:random") == components.find("sampler", "random")


def test_a_stranger_is_found_by_bare_name_and_by_full_name_in_any_spelling(stranger):
    assert stranger("good") == stranger("strange-parts:good") == stranger("Strange_Parts:good")


def test_a_built_in_name_means_the_built_in_part_whoever_else_takes_it(site):
    site.add("pretender", site.sampler("random"))
    plugins.registry(refresh=True)
    assert components.find("sampler", "random").built_in
    assert components.find("sampler", "pretender:random").distribution == "pretender"


def test_two_strangers_with_one_name_are_both_listed_and_reachable_in_full(site):
    site.add("one", site.sampler("grid")).add("two", site.sampler("grid"), version="4.0")
    plugins.registry(refresh=True)
    with pytest.raises(
        ConfigError, match=r"offered by one 1\.0 and by two 4\.0\. Ask for one of them: one:grid, two:grid"
    ):
        components.create("sampler", "grid")
    assert type(components.create("sampler", "two:grid")).__module__ == "two"


def test_creating_a_built_in_part_does_not_load_any_plugin(site):
    site.add("noisy", "raise RuntimeError('imported')")
    script = (
        "import sys; from patchcore_plugin import components; components.create('sampler', 'keep-all');"
        "assert 'noisy' not in sys.modules; from patchcore_plugin import plugins;"
        "print(plugins.registry().not_loaded[0].reason)"
    )
    path = os.pathsep.join([str(site.path), *filter(None, [os.environ.get("PYTHONPATH")])])
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "RuntimeError: imported"


def test_an_unknown_name_is_answered_with_close_names_known_names_and_broken_plugins(site):
    site.add("broken", "import nowhere_to_be_found").add("my-parts", site.sampler("grid"))
    plugins.registry(refresh=True)
    with pytest.raises(UnknownComponentError) as caught:
        components.create("sampler", "numba-gredy")
    text = str(caught.value)
    assert "there is no sampler 'numba-gredy'. Did you mean 'numba-greedy'" in text
    assert all(name in text for name in (*components.names("sampler"), "broken 1.0", "nowhere_to_be_found"))


def test_an_unknown_name_says_when_plugins_are_switched_off(site, monkeypatch):
    site.add("my-parts", site.sampler("grid"))
    monkeypatch.setenv("PATCHCORE_NO_PLUGINS", "1")
    plugins.registry(refresh=True)
    with pytest.raises(
        UnknownComponentError, match=r"(?s)no sampler 'grid'.*my-parts 1\.0.*PATCHCORE_NO_PLUGINS is set"
    ):
        components.create("sampler", "grid")


@pytest.mark.parametrize("question", [components.names, lambda kind: components.find(kind, "random")])
def test_an_unknown_kind_is_answered_with_the_kinds(question):
    with pytest.raises(UnknownComponentError, match=r"Did you mean 'sampler'\? Kinds: extractor, aggregator, sampler"):
        question("samplers")


@pytest.mark.parametrize("name", [None, 3, ["random"]])
def test_a_name_that_is_no_text_is_refused(name):
    with pytest.raises(ConfigError, match=r"sampler\.name is .*keep-all"):
        components.create("sampler", name)


def test_an_unknown_option_is_answered_with_close_options_and_all_options(stranger):
    with pytest.raises(
        UnknownOptionError, match=r"sampler\.kepe: .*strange-parts 3\.1 .*Did you mean 'keep'\?.*count, layers"
    ):
        stranger("good", kepe=0.1)


def test_an_unknown_option_of_a_built_in_part_is_refused_too():
    with pytest.raises(UnknownOptionError, match="Did you mean 'patch_size'"):
        components.create("aggregator", "local-mean", patchsize=5)


@pytest.mark.parametrize(
    ("option", "value", "arrives"),
    [
        ("keep", "0.1", 0.1),
        ("keep", 1, 1.0),
        ("count", "7", 7),
        ("count", 7.0, 7),
        ("count", None, None),
        ("count", "none", None),
        ("layers", ["a", "b"], ("a", "b")),
        ("mode", "slow", "slow"),
        ("flag", "true", True),
        ("folder", "a/b", Path("a/b")),
        ("word", "none", "none"),
    ],
)
def test_values_arrive_in_the_declared_type(stranger, option, value, arrives):
    found = getattr(stranger("good", **{option: value}), option)
    assert found == arrives
    assert type(found) is type(arrives)


@pytest.mark.parametrize(
    ("option", "value", "needed"),
    [
        ("keep", "many", "float"),
        ("keep", True, "float"),
        ("keep", None, "float"),
        ("keep", [0.1], "float"),
        ("keep", "none", "float"),
        ("count", 1.5, "int"),
        ("count", True, "int"),
        ("layers", "a,b", "tuple"),
        ("layers", [1], "tuple"),
        ("mode", "medium", "fast"),
        ("word", 5, "str"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_its_place_and_what_is_needed(stranger, option, value, needed):
    with pytest.raises(ConfigError) as caught:
        stranger("good", **{option: value})
    assert str(caught.value).startswith(f"sampler.{option} is {value!r}, but ")
    assert needed in str(caught.value)


def test_a_factory_that_takes_any_option_gets_any(stranger):
    assert stranger("anyoption", what=1, ever="x").options == {"what": 1, "ever": "x"}


def test_an_option_without_a_default_must_be_set(stranger):
    assert stranger("needy", folder="x").folder == "x"
    with pytest.raises(ConfigError, match=r"needs sampler\.folder"):
        stranger("needy")


def test_a_factory_may_be_a_function_or_inherit_its_options(stranger):
    assert stranger("make", keep="0.75").keep == 0.75
    assert stranger("inherited", keep="0.75").keep == 0.75


def test_types_that_only_a_type_checker_sees_let_the_value_through(stranger):
    assert stranger("untyped", keep="as it is").keep == "as it is"


def test_a_value_error_of_the_part_is_a_wrong_setting(stranger):
    with pytest.raises(ConfigError, match=r"refuses its options .*keep is a share") as caught:
        stranger("good", keep=2)
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_error_of_ours_that_the_part_raises_passes_unchanged(stranger):
    with pytest.raises(ValueError, match=r"^keep of 0 keeps nothing\. Keep more\.$"):
        stranger("good", keep=0)


def test_any_other_error_of_the_part_names_its_distribution_and_keeps_the_cause(stranger):
    with pytest.raises(PluginError, match=r"strange-parts 3\.1 could not be created .*ZeroDivisionError") as caught:
        stranger("good", keep=-1)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("exits", "SystemExit"),
        ("nomethod", "lacks select, which CoresetSampler needs"),
        ("nofunction", "lacks select"),
        ("number", "its factory .* is 7; a class is needed"),
        ("absent", "could not be imported .*AttributeError"),
        ("lost", "could not be imported .*not_a_module"),
    ],
)
def test_a_broken_part_names_its_distribution(stranger, name, complaint):
    with pytest.raises(PluginError, match=complaint) as caught:
        stranger(name)
    assert "strange-parts" in str(caught.value)


def test_a_missing_library_names_the_extra_that_brings_it_and_only_when_the_part_is_created(stranger):
    assert "far" in components.names("sampler")
    with pytest.raises(MissingLibraryError, match=r"needs no_such_library.*pip install 'strange-parts\[far\]'"):
        stranger("far")
    with pytest.raises(ImportError, match="install no_such_library"):
        stranger("farther")


def test_reading_a_property_is_not_needed_to_see_that_a_part_has_it(site):
    source = """
        from patchcore_plugin import Component, hookimpl
        class Lazy:
            channels = property(lambda self: 1 / 0)
            layers = ("a",)
            def extract(self, pixels): ...
        class NoLayers:
            channels = (1,)
            def extract(self, pixels): ...
        @hookimpl
        def patchcore_feature_extractors():
            yield Component("lazy", factory=__name__ + ":Lazy", summary="made up")
            yield Component("no-layers", factory=__name__ + ":NoLayers", summary="made up")
    """
    site.add("lazy-parts", source)
    plugins.registry(refresh=True)
    assert components.create("extractor", "lazy").layers == ("a",)
    with pytest.raises(PluginError, match="lacks layers, which FeatureExtractor needs"):
        components.create("extractor", "no-layers")


def test_an_option_may_be_called_like_the_arguments_of_create(stranger):
    assert stranger("anyoption").options == {}
    assert components.create("sampler", "anyoption", kind="k", name="n").options == {"kind": "k", "name": "n"}
