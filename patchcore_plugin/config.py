"""One configuration, checked before any work begins: a preset, a file or dict laid over it, single values last."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from patchcore_plugin.config_files import parse_value, presets, read_config, read_preset
from patchcore_plugin.config_sections import (
    CalibrationSettings,
    CleaningSettings,
    EmbeddingSettings,
    ImageSettings,
    MemorySettings,
    PartSettings,
    ScoringSettings,
)
from patchcore_plugin.errors import ConfigError, UnknownOptionError
from patchcore_plugin.spelling import did_you_mean, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

__all__ = [
    "CalibrationSettings",
    "CleaningSettings",
    "EmbeddingSettings",
    "ImageSettings",
    "MemorySettings",
    "PartSettings",
    "ScoringSettings",
    "Settings",
    "load_settings",
    "presets",
]


PARTS = ("extractor", "aggregator", "sampler", "neighbors")  # the sections that name a part


class Settings(BaseModel):
    """Everything that decides what a detector computes, in the order of the data, and within how much memory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: ImageSettings = ImageSettings()
    extractor: PartSettings
    aggregator: PartSettings
    embedding: EmbeddingSettings = EmbeddingSettings()
    cleaning: CleaningSettings = CleaningSettings()
    sampler: PartSettings
    neighbors: PartSettings
    scoring: ScoringSettings = ScoringSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    memory: MemorySettings = MemorySettings()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Settings:
        """Check plain data, as ``to_dict`` gives it.

        The options of a part are checked when it is created.

        Raises: UnknownOptionError for a section or a setting that does not exist; ConfigError for a value that cannot
                be used and for a part without a name.
        """
        sections = dict(_plain_sections(data))
        for name, section in sections.items():
            _require_known_keys(name, section)
        try:
            return cls.model_validate(sections)
        except ValidationError as problem:
            complaints = dict.fromkeys(_unfit(error, sections) for error in problem.errors())
            raise ConfigError("\n".join(complaints)) from problem

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that JSON, TOML and YAML can hold, apart from None in TOML."""
        return self.model_dump(mode="json")

    def parts(self) -> dict[str, PartSettings]:
        """Return the four parts by kind, in the order of the data."""
        return {name: part for name, part in self if isinstance(part, PartSettings)}


def load_settings(
    source: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    preset: str | None = "default",
    overrides: Sequence[str] = (),
) -> Settings:
    """Return the settings of a preset, with a file or a dict laid over it and single values over both.

    Where a section names another part than before, the options that the new part knows too are kept, so that one word
    swaps a backend and nothing else; the others go, since they would mean nothing to it.

    Args:
        source:    path of a TOML, YAML or JSON file, or a dict of sections; None for the preset alone.
        preset:    name of a shipped preset; ``presets()`` lists them. None: nothing lies below, the source is complete.
        overrides: ``"section.option=value"`` each, the value as TOML has it or a plain string.

    Raises: ConfigError, UnknownOptionError; UnknownComponentError, MissingLibraryError or PluginError where a section
            names another part than before. Nothing is created yet.
    """
    given = source if source is None or isinstance(source, Mapping) else read_config(Path(source))
    settings = {} if preset is None else read_preset(preset)
    for layer in (given or {}, _from_command_line([overrides] if isinstance(overrides, str) else overrides)):
        settings = _laid_over(settings, dict(_plain_sections(layer)))
    return Settings.from_dict(settings)


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, section in above.items():
        former = below.get(name, {})
        part = section.get("name")
        if isinstance(part, str) and part and part != former.get("name"):
            former = _understood(former, name, part)
        merged[name] = {**former, **section}
    return merged


def _understood(options: Mapping[str, Any], kind: str, part: str) -> dict[str, Any]:
    """Keep the options that another part of the kind knows too, so that one word swaps a backend and nothing else."""
    from patchcore_plugin.components import option_names

    if not options or kind not in PARTS:
        return {}
    known = option_names(kind, part)
    return {option: value for option, value in options.items() if option in known}


def _from_command_line(overrides: Sequence[str]) -> dict[str, dict[str, Any]]:
    layer: dict[str, dict[str, Any]] = {}
    for override in overrides:
        path, equals, value = override.partition("=")
        section, dot, option = path.strip().partition(".")
        if not (equals and dot and section and option):
            raise ConfigError(f"{override!r} sets nothing. Write section.option=value, such as sampler.keep=0.01.")
        layer.setdefault(section, {})[option] = parse_value(value.strip())
    return layer


def _plain_sections(data: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the sections with plain values only, so that they can be saved later; refuse what is no section."""
    known = list(Settings.model_fields)
    for name, section in data.items():
        if name not in known:
            raise UnknownOptionError(
                f"there is no section {name!r}.{did_you_mean(name, known)} Sections: {listed(known)}."
            )
        if not isinstance(section, Mapping | None):
            raise ConfigError(f"section {name!r} is {section!r}, but a table of settings is needed.")
        yield name, {str(key): _plain(value, f"{name}.{key}") for key, value in (section or {}).items()}


def _plain(value: Any, place: str) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(entry, place) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(entry, f"{place}.{key}") for key, entry in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):  # NumPy's numbers and arrays, and their likes
        return _plain(value.tolist(), place)
    raise ConfigError(f"{place} is {value!r}, but a plain value is needed: text, number, true or false, list or table.")


def _require_known_keys(name: str, section: Mapping[str, Any]) -> None:
    model = Settings.model_fields[name].annotation
    known = list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
    for key in section:
        if key not in known and model is not PartSettings:
            raise UnknownOptionError(
                f"section {name!r} has no setting {key!r}.{did_you_mean(key, known)} Its settings: {listed(known)}."
            )


def _unfit(error: ErrorDetails, sections: Mapping[str, Any]) -> str:
    """Say in our words which setting has which value, and what is needed instead."""
    section, *rest = (str(step) for step in error["loc"])
    model = Settings.model_fields[section].annotation
    if section not in sections:
        return f"section {section!r} is missing, but a table of settings is needed. Add it."
    if not rest:
        return f"{error['msg'].removeprefix('Value error, ')}. Change one of the two."
    needed = getattr(model, "model_fields", {})[rest[0]].description
    came = repr(sections[section][rest[0]]) if rest[0] in sections[section] else "missing"
    return f"{section}.{rest[0]} is {came}, but {needed} is needed. Change it."
