"""The detectors in the knowledge base of PyOD's ADEngine, so that it lists, plans, builds and runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyod.utils.ad_engine import ADEngine

_RULE = "patchcore_plugin_images"

ALGORITHMS: dict[str, dict[str, Any]] = {
    "PatchCoreOD": {
        "class_path": "patchcore_plugin.hosts.pyod_detector.PatchCoreOD",
        "full_name": "PatchCore: distance of image patches to a coreset of good ones",
        "status": "shipped",
        "data_types": ["image"],
        "category": "proximity",
        "complexity": {"time": "O(n * network + coreset)", "space": "O(n * patches * width)"},
        "strengths": ["Finds small local defects", "Heat map for every image", "Runs offline on a CPU"],
        "weaknesses": ["Needs images of one kind of object, alike in position and scale"],
        "best_for": "Visual inspection: photographs of good parts, defects anywhere on a part",
        "avoid_when": "An outlier is a whole scene of another kind rather than a local defect",
        "benchmark_refs": [],
        "benchmark_rank": {},
        "paper": {"id": "patchcore", "short": "Roth et al., CVPR 2022"},
        "default_params": {"contamination": 0.1},
        "preprocessing_mode": "internal",
        "requires": ["patchcore-plugin"],
        "version_added": "0.1.0",
    },
    "MemoryBankOD": {
        "class_path": "patchcore_plugin.hosts.pyod_detector.MemoryBankOD",
        "full_name": "Memory bank: distance to the nearest rows of a coreset",
        "status": "shipped",
        "data_types": ["tabular"],
        "category": "proximity",
        "complexity": {"time": "O(n * m * d)", "space": "O(m * d)"},
        "strengths": ["Exact search that skips far rows", "A coreset bounds memory and time of scoring"],
        "weaknesses": ["Sensitive to scale: standardize features first"],
        "best_for": "Embeddings of images, text or audio; tables with many rows",
        "avoid_when": "Local densities vary strongly",
        "benchmark_refs": [],
        "benchmark_rank": {},
        "paper": {"id": "patchcore", "short": "Roth et al., CVPR 2022"},
        "default_params": {"contamination": 0.1, "n_neighbors": 5, "method": "mean"},
        "preprocessing_mode": "external",
        "requires": ["patchcore-plugin"],
        "version_added": "0.1.0",
    },
}


def register(engine: ADEngine) -> ADEngine:
    """Enter both detectors into an engine's knowledge base, and let plans for images name ``PatchCoreOD`` first.

    For tables no rule is added: no benchmark of the host ranks ``MemoryBankOD`` there, so it is built when it is named
    (``engine.make_plan(["MemoryBankOD"])``). The host reads its knowledge anew for each engine, so each engine needs
    this once; twice does no harm. Engines that the host makes for its command line and its MCP server are out of reach.
    """
    knowledge = engine.kb
    for name, entry in ALGORITHMS.items():
        knowledge.algorithms[name] = dict(entry)
    rules = knowledge.routing_rules["rules"]
    rules[:] = [_image_rule(rules), *(rule for rule in rules if rule.get("id") != _RULE)]
    return engine


def _image_rule(rules: list[dict[str, Any]]) -> dict[str, Any]:
    # The host sorts what all matching rules recommend by confidence, whatever their order.
    confidences = [
        recommended.get("confidence", 0.0)
        for rule in rules
        for recommended in rule.get("recommendations", [])
        if {"field": "data_type", "op": "eq", "value": "image"} in rule.get("conditions", [])
    ]
    return {
        "id": _RULE,
        "conditions": [{"field": "data_type", "op": "eq", "value": "image"}],
        "recommendations": [
            {"detector": "PatchCoreOD", "params": {}, "confidence": max([0.9, *confidences])},
        ],
        "reason": "Images: local defects by the distance of patches to those of good images, offline",
        "evidence": [],
    }
