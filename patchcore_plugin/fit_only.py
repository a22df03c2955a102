"""Which settings decide only what a fit remembers: for a model that is fitted they would change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchcore_plugin.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECTIONS = ("sampler", "cleaning", "memory", "embedding")
_OPTIONS = ("images.flips", "calibration.holdout", "calibration.seed", "scoring.bank_dtype")
_NAME = "sampler.name"  # another one of the same kind may be there where the library of the first is not


def require_effect(overrides: Sequence[str]) -> None:
    """Refuse what somebody wants changed but only another fit can change.

    Raises: ConfigError for the first of ``overrides`` ("section.option=value") that a fitted model does not ask for.
    """
    for override in overrides:
        setting = override.partition("=")[0].strip()
        decided = setting in _OPTIONS or (setting.partition(".")[0] in _SECTIONS and setting != _NAME)
        if decided:
            raise ConfigError(
                f"--set {override} would change nothing: {setting} decides what a fit remembers, and this model is "
                "fitted. Leave it out, or fit another model with it."
            )
