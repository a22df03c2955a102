"""PyOD's ADEngine finds the detectors once they are entered: it lists, plans, builds and runs them on real images."""

from __future__ import annotations

import pytest
from host_rows import SIZE
from pyod.utils.ad_engine import ADEngine
from pyod.utils.data import generate_data
from solar_cells import cells

from patchcore_plugin.hosts.pyod_detector import MemoryBankOD, PatchCoreOD
from patchcore_plugin.hosts.pyod_knowledge import ALGORITHMS, register

PATHS = [str(path) for path in cells(0.0, 8)]


@pytest.fixture
def engine():
    return register(ADEngine(random_state=7))


def test_without_it_the_engine_knows_none_of_them():
    assert not set(ALGORITHMS) & {entry["name"] for entry in ADEngine().list_detectors()}


def test_the_engine_lists_and_explains_them(engine):
    assert "PatchCoreOD" in {entry["name"] for entry in engine.list_detectors("image")}
    assert "MemoryBankOD" in {entry["name"] for entry in engine.list_detectors("tabular")}
    assert "Roth" in str(engine.explain_detector("PatchCoreOD"))
    routed = engine.get_kb_for_routing(engine.profile_data(PATHS))
    assert "PatchCoreOD" in {entry["name"] for entry in routed["available_detectors"]}


def test_entries_have_the_keys_of_the_hosts_own(engine):
    own = set(engine.kb.algorithms["KNN"])
    for name in ALGORITHMS:
        assert set(engine.kb.algorithms[name]) == own


def test_a_plan_for_images_names_it_first_and_is_built_with_the_engines_seed(engine):
    plan = engine.plan_detection(engine.profile_data(PATHS))
    assert plan["detector_name"] == "PatchCoreOD"
    assert [one["detector_name"] for one in plan["alternatives"]] == ["EmbeddingOD"]
    detector = engine.build_detector(plan)
    assert isinstance(detector, PatchCoreOD)
    assert (detector.random_state, detector.contamination) == (7, 0.1)


def test_a_plan_runs_on_paths(engine):
    plan = engine.make_plan(["PatchCoreOD"], params=[{"image_size": SIZE, "contamination": 0.25}])
    result = engine.run_detection(PATHS, plan, X_test=PATHS[:3])
    assert (result["n_anomalies"], len(result["scores_test"]), len(result["labels_test"])) == (2, 3, 3)


def test_the_whole_investigation_of_images_uses_it(engine):
    state = engine.start(PATHS)
    state = engine.plan(state, constraints={"exclude_detectors": ["EmbeddingOD"], "max_detectors": 1})
    state = engine.run(state)
    (result,) = state.results
    assert (result["detector_name"], result["status"]) == ("PatchCoreOD", "success")
    state = engine.analyze(state)
    assert state.phase == "analyzed"


def test_a_plan_for_tables_is_the_hosts_unless_ours_is_named(engine):
    rows, _ = generate_data(n_train=60, train_only=True, random_state=0)
    profile = engine.profile_data(rows)
    assert engine.plan_detection(profile) == ADEngine(random_state=7).plan_detection(profile)
    detector = engine.run_detection(rows, engine.make_plan(["MemoryBankOD"]))["detector"]
    assert isinstance(detector, MemoryBankOD)
    assert detector.random_state == 7


def test_entering_twice_is_entering_once_and_other_engines_stay_as_they_are(engine):
    rules = list(engine.kb.routing_rules["rules"])
    register(engine)
    assert engine.kb.routing_rules["rules"] == rules
    assert ADEngine().plan_detection({"data_type": "image", "n_samples": 9})["detector_name"] == "EmbeddingOD"
