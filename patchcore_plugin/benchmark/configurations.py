"""From what the command line says to the configurations that are compared."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from patchcore_plugin.benchmark.protocol import Configuration
from patchcore_plugin.config import load_settings
from patchcore_plugin.errors import ConfigError
from patchcore_plugin.parts import create_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
# What the protocol decides itself: a value given here would be overwritten, which nobody would see.
_TAKEN = {
    "sampler.seed": "each run gives the sampler its own seed (--seeds)",
    "calibration.holdout": "images for the threshold are part of the split, all others are learned from",
}


def configurations(presets: Sequence[str], files: Sequence[str], overrides: Sequence[str]) -> tuple[Configuration, ...]:
    """Give one configuration per preset and per ``NAME=FILE``, which is laid over the preset ``default``.

    Order:  presets, then files, each as given; ``default`` alone where nothing is given.
    Raises: ConfigError for a name twice or of odd characters, and for values that the protocol sets; whatever
            ``load_settings`` and the creation of parts raise, before anything is run.
    """
    _require_free(overrides)
    chosen = presets or (() if files else ("default",))
    found = (*_of_presets(chosen, overrides), *_of_files(files, overrides))
    twice = [name for name, count in Counter(one.name for one in found).items() if count > 1]
    if twice:
        raise ConfigError(
            f"two configurations are called {twice[0]!r}. Give each --preset once, each --config its own name."
        )
    for one in found:
        create_parts(one.settings)  # weights and libraries that are missing are told now, not after an hour
    return found


def _of_presets(names: Sequence[str], overrides: Sequence[str]) -> Iterator[Configuration]:
    for name in names:
        yield Configuration(name, load_settings(preset=name, overrides=overrides))


def _of_files(files: Sequence[str], overrides: Sequence[str]) -> Iterator[Configuration]:
    for text in files:
        name, equals, path = text.partition("=")
        if not (equals and path and _NAME.fullmatch(name)):
            raise ConfigError(
                f"--config {text!r} names no configuration. Write NAME=FILE, such as fine=fine.toml; a name has "
                "letters, digits and . _ + - in it."
            )
        yield Configuration(name, load_settings(Path(path), overrides=overrides))


def _require_free(overrides: Sequence[str]) -> None:
    for override in overrides:
        setting = override.partition("=")[0].strip()
        if setting in _TAKEN:
            raise ConfigError(f"--set {override} has no use in a benchmark: {_TAKEN[setting]}. Leave it out.")
