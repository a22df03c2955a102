"""The constructor's arguments, anomalib's names and ours, as one checked configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from patchcore_plugin.components import option_names
from patchcore_plugin.config import PARTS, Settings, load_settings
from patchcore_plugin.errors import ConfigError

RULES = ("f1", "good")  # how a threshold is found; see anomalib_calibration.py
_HOLDOUT = 0.1  # where the preset keeps no images aside and no validation data come
_GENERAL = ("seed", "holdout")  # serve where nothing else is said
_PRECISIONS = ("float32", "float16")


def plain(value: Any) -> Any:
    """Turn what hosts hand over (OmegaConf's containers, paths, tuples, enums) into plain lists, dicts and text.

    anomalib keeps the arguments in its checkpoints, which hold nothing else when they are read safely.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(entry) for entry in value]
    if isinstance(value, Enum):
        return value.value
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def settings_of(
    preset: str,
    *,
    parts: Mapping[str, Any],
    stock: Mapping[str, Any],
    scoring: Any = None,
    embedding: Any = None,
    calibration: Any = "f1",
    seed: int | None = None,
) -> Settings:
    """Lay the arguments over a preset; None leaves what the preset says.

    Args:   parts: "extractor" to "neighbors", each a name, a dict with options, or None.
            stock: anomalib's own arguments, and ``weights`` and ``weights_sha256``, by name.
    Raises: ConfigError, UnknownOptionError, UnknownComponentError, MissingLibraryError, PluginError.
    """
    rule_of(calibration)
    sections = {kind: section(parts[kind], kind) for kind in PARTS}
    sections["scoring"] = section(scoring, "scoring")
    sections["embedding"] = section(embedding, "embedding")
    sections["calibration"] = {k: v for k, v in section(calibration, "calibration").items() if k != "name"}
    # Scoring is checked as a whole at the end: what is beside it may be what makes it fit together.
    below = load_settings({name: one for name, one in sections.items() if name != "scoring"}, preset=preset)
    for place, value in _given(stock, seed, below).items():
        name, _, option = place.partition(".")
        own = sections[name].setdefault(option, value)
        if own != value and option not in _GENERAL:
            raise ConfigError(f"{place} is {own!r} in the dict but {value!r} beside it. Drop one of the two.")
    return load_settings(sections, preset=preset)


def rule_of(calibration: Any) -> str:
    """Name the rule that finds the threshold: "f1" or "good".

    Raises: ConfigError for any other.
    """
    rule = section(calibration, "calibration").get("name", RULES[0])
    if rule not in RULES:
        raise ConfigError(f"calibration is {rule!r}, but 'f1' or 'good' is needed, or a dict with one of them as name.")
    return str(rule)


def section(value: Any, name: str) -> dict[str, Any]:
    """Read a part or section that is given as a name, as a dict, or not at all."""
    if value is None or isinstance(value, str):
        return {} if value is None else {"name": value}
    if isinstance(value, Mapping):
        return dict(value)
    raise ConfigError(f"{name} is {value!r}, but a name such as in `patchcore plugins`, or a dict, is needed.")


def _given(stock: Mapping[str, Any], seed: int | None, below: Settings) -> dict[str, Any]:
    """List the settings that anomalib's arguments mean, those only that are given and that the parts have."""
    precision = str(stock["precision"]).lower()
    if precision not in _PRECISIONS:
        raise ConfigError(f"precision is {precision!r}, but one of {', '.join(_PRECISIONS)} is needed.")
    half = "float16" if precision == "float16" else None
    known = {kind: option_names(kind, part.name) for kind, part in below.parts().items()}
    found = {
        "extractor.backbone": stock["backbone"],
        "extractor.layers": stock["layers"],
        "extractor.weights": stock["weights"] or (None if stock["pre_trained"] else "random"),
        "extractor.sha256": stock["weights_sha256"] if "sha256" in known["extractor"] else None,
        "extractor.dtype": half if "dtype" in known["extractor"] else None,
        "extractor.seed": seed if "seed" in known["extractor"] else None,
        "sampler.keep": stock["coreset_sampling_ratio"],
        "sampler.seed": seed if "seed" in known["sampler"] else None,
        "scoring.reweight_neighbors": stock["num_neighbors"],
        "scoring.bank_dtype": half,
        "calibration.holdout": _HOLDOUT if below.calibration.holdout == 0 else None,
        "calibration.seed": seed,
    }
    return {place: value for place, value in found.items() if value is not None}
