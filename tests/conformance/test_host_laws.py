"""The host laws: right adapters pass, and each fault is told by the law that it breaks and by no other."""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from made_up_hosts import FAULTS, CannotBeMade, FromAnotherSide, Host, ReadsNoSeed, Unsaved, host_of, refitted

from patchcore_conformance import KitError, Violation
from patchcore_conformance.host_laws import HOST_LAWS, check_host
from patchcore_conformance.host_probes import FORMS, STRANGE, every_second, good, new, repeated, spoilt
from patchcore_conformance.host_under_test import require_same
from patchcore_conformance.plugin_doubles import PLAIN, STRICT, doubles
from patchcore_plugin import components, plugins
from patchcore_plugin.errors import UnknownComponentError

PAGE = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")


RIGHT = {
    "plain": host_of(Host),
    "without files": host_of(Unsaved, again=None),
    "telling nothing": host_of(Host, told=lambda _: {}),
    "normal is high, fits are new objects": host_of(FromAnotherSide, fit=refitted),
}


@pytest.mark.parametrize("host", RIGHT.values(), ids=RIGHT)
def test_a_right_adapter_breaks_no_law(host):
    assert check_host(host) == []


@pytest.mark.parametrize(
    ("law", "fault"),
    [(law, fault) for law, faults in FAULTS.items() for fault in faults],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_a_fault_is_told_by_the_law_it_breaks_and_no_other(law, fault):
    (complaint,) = check_host(host_of(fault))
    assert complaint.law.id == law
    assert complaint.law.statement in str(complaint)
    assert complaint.law.mend in str(complaint)


def test_every_law_has_a_fault_and_its_words():
    assert list(FAULTS) == [law.id for law in HOST_LAWS]
    for law in HOST_LAWS:
        assert all(text.endswith(".") for text in (law.statement, law.why, law.seen, law.mend)), law.id


@pytest.mark.parametrize("law", HOST_LAWS, ids=str)
def test_laws_can_be_checked_one_by_one(law):
    assert check_host(host_of(Host), [law]) == []
    (complaint,) = check_host(host_of(FAULTS[law.id][0]), [law.id])
    assert complaint.law is law


def test_an_error_of_the_adapter_is_told_with_its_place():
    (complaint,) = check_host(host_of(CannotBeMade))
    assert "ImportError: no such host here (made_up_hosts.py, line " in complaint.found


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: check_host(host_of(Host), ["H99"]), "no host law 'H99'"),
        (lambda: host_of(Host, form="videos"), "'videos'"),
        (lambda: host_of(Host, kinds=("network",)), "network"),
        (lambda: host_of(Host, kinds=()), "some of extractor"),
    ],
)
def test_what_cannot_be_checked_is_refused(wrong, says):
    with pytest.raises(KitError, match=says):
        wrong()


def test_a_check_leaves_chance_and_the_list_of_parts_as_they_were():
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global state is what is looked at
    expected = random.Random(5).random(), np.random.RandomState(5).random()  # noqa: S311 - the same
    before = plugins.describe()
    check_host(host_of(Host), ["H09"])
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002, S311 - the same
    assert plugins.describe() == before
    with pytest.raises(UnknownComponentError):
        components.create("sampler", STRICT)


def test_the_parts_have_names_while_they_are_asked_for():
    with doubles(), doubles():
        for kind in components.KINDS:
            assert {PLAIN, STRICT} <= set(components.names(kind))
            assert type(components.create(kind, STRICT)).__module__ == "patchcore_conformance.strict"
    assert STRICT not in components.names("neighbors")


def test_parts_that_the_environment_keeps_out_are_missed(monkeypatch):
    monkeypatch.setenv("PATCHCORE_NO_PLUGINS", "1")
    with pytest.raises(KitError, match="Unset PATCHCORE_NO_PLUGINS"):
        check_host(host_of(Host))


@pytest.mark.parametrize("form", FORMS)
def test_the_probes_are_what_the_laws_need(form):
    samples, asked = good(form), new(form)
    assert not np.array_equal(samples, good(form, seed=1))
    np.testing.assert_array_equal(samples, good(form))
    assert len(np.unique(samples, axis=0)) == len(samples)
    assert len(np.unique(repeated(form), axis=0)) == len(samples) < len(repeated(form))
    assert 0 not in STRANGE
    assert len(asked) - 1 not in STRANGE
    for value in (np.nan, np.inf):
        broken = spoilt(form, asked, value)
        assert (~np.isfinite(broken)).sum() == 1
        assert np.isfinite(broken).any()
    view = every_second(asked)
    np.testing.assert_array_equal(view, asked)
    assert not view.flags.writeable
    assert not view.flags.c_contiguous


@pytest.mark.parametrize(
    ("one", "two", "says"),
    [
        ({"a": np.array([1.0])}, {"b": np.array([1.0])}, "b instead of a"),
        ({"a": np.array([1.0])}, {"a": np.array([1.0, 2.0])}, "shape"),
        ({"a": np.array([1, 2])}, {"a": np.array([1, 3])}, "'a' is another"),
        ({"a": np.array([1.0, 2.0])}, {"a": np.array([1.0, 2.001])}, r"off by 0.001, allowed 0.0002"),
        ({"a": np.array([1.0])}, {"a": np.array([np.nan])}, "off by nan"),
    ],
)
def test_answers_that_differ_are_told_apart(one, two, says):
    with pytest.raises(Violation, match=says):
        require_same(one, two, "asked twice", 1e-4)


class Detector(Host):
    """What the page calls the reader's own."""

    def score(self, rows):
        return self.scores(rows)

    def predict(self, rows):
        return self.scores(rows) > self.threshold


@pytest.fixture
def example_of_the_page(monkeypatch):
    mine = ModuleType("my_package")
    mine.Detector = Detector
    monkeypatch.setitem(sys.modules, "my_package", mine)
    (code,) = re.findall(r"```python title=\"tests/test_my_host.py\"\n(.*?)```", PAGE, flags=re.DOTALL)
    names = {}
    exec(compile(code, "conformance.md", "exec"), names)  # noqa: S102 - our own page
    return names


def test_the_example_of_the_page_passes_and_can_fail(example_of_the_page, monkeypatch):
    for law in HOST_LAWS:
        example_of_the_page["test_my_host"](law)
    monkeypatch.setattr(Detector, "seed_used", ReadsNoSeed.seed_used)
    with pytest.raises(AssertionError, match="the seed does not reach the sampler"):
        example_of_the_page["test_my_host"]("H09")


def test_the_page_tells_every_law():
    for law in HOST_LAWS:
        assert f"| {law.id} | {law.statement} |" in PAGE
