"""What each built-in part promises to the conformance kit, which judges it by that: see its ``claims.Claims``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_VALUE = {"serialisable": True, "thread_safe": True}
_COVARIANT = {"level": "covariant", **_VALUE}
_MIXED_MEAN = {**_COVARIANT, "linear": True}
_MEAN = {**_MIXED_MEAN, "channelwise": True}
_EXACT = {"level": "exact", "arith": "E0", **_VALUE}
_GREEDY = {**_EXACT, "prefix_stable": True}

# By name, sorted; names are the same for no two built-in parts.
CLAIMS: Mapping[str, Mapping[str, Any]] = {
    "adaptive-mean": _MIXED_MEAN,
    "amazon-greedy": {"level": "approx", "anchors": 10, **_VALUE},
    "ensemble": {"level": "deterministic", **_VALUE},  # its members look farther than the kit can see
    "faiss-flat": _EXACT,
    "faiss-hnsw": {**_EXACT, "level": "approx", "recall": 0.85, "ratio": 1.8},  # of lonely rows; more of others
    "faiss-ivf": {**_EXACT, "level": "approx", "recall": 0.93},
    "keep-all": {"level": "subset", **_VALUE},
    "local-mean": _MEAN,
    "multi-scale": {"level": "deterministic", **_VALUE},  # from afar it looks farther than the kit can see
    "numba-cnn": _COVARIANT,
    "numba-exact": {**_EXACT, "batch_invariant": True},
    "numba-greedy": _GREEDY,
    "numpy-cnn": _COVARIANT,
    "numpy-exact": {**_EXACT, "dtype": "float64", "batch_invariant": True},
    "numpy-greedy": _GREEDY,
    "projected-greedy": {"level": "approx", "prefix_stable": True, **_VALUE},
    "pruned-exact": {**_EXACT, "batch_invariant": True},
    "pruned-greedy": _GREEDY,
    "random": {"level": "subset", "prefix_stable": True, **_VALUE},
    "timm": _COVARIANT,
    "torch-adaptive-mean": _MIXED_MEAN,
    "torch-exact": {**_EXACT, "dtype": "float64"},
    "torch-greedy": _GREEDY,
    "torch-local-mean": _MEAN,
    "torchvision": _COVARIANT,
    "with-position": {"level": "deterministic", **_VALUE},  # neither covariant nor linear: places are told apart
}
