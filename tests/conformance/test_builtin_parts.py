"""Every built-in part of every installed backend holds what its record claims."""

from __future__ import annotations

import pytest

from patchcore_conformance.engine import judge
from patchcore_conformance.installed import installed_parts, installed_subject
from patchcore_conformance.verdicts import Verdict
from patchcore_plugin import components

# Below ten seconds, so that a change is judged at once by the plain part of each kind and the default ones.
SOON = {"numpy-greedy", "random", "keep-all", "numpy-exact", "local-mean", "numba-cnn"}
# No package carries weights of torchvision's networks.
OPTIONS = {"torchvision": {"backbone": "resnet18", "layers": ["layer2", "layer3"], "weights": "random"}}
PARTS = [part for part in installed_parts() if components.find(*part).distribution == "patchcore-plugin"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(*part, marks=[] if part[1] in SOON else [pytest.mark.long], id=" ".join(part))
        for part in PARTS
        if not components.find(*part).missing
    ],
)
def test_a_built_in_part_holds_what_it_claims(kind, name):
    report = judge(installed_subject(kind, name, options=OPTIONS.get(name)))
    report.raise_for_status()
    assert Verdict.ENV not in report.counts()


@pytest.mark.parametrize(("kind", "name"), PARTS, ids=lambda word: word)
def test_a_built_in_part_claims_something(kind, name):
    assert components.find(kind, name).component.claims
    assert installed_subject(kind, name).claims.level
