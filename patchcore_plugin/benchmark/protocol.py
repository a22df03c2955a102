"""What a benchmark runs: categories x configurations x numbers of images x seeds, and the settings of each run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from patchcore_plugin.components import create, option_names
from patchcore_plugin.config import Settings
from patchcore_plugin.errors import ConfigError
from patchcore_plugin.inner_parts import written_out
from patchcore_plugin.spelling import did_you_mean, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from patchcore_plugin.datasets.layouts import Dataset
    from patchcore_plugin.datasets.split import Split

ALL_IMAGES = "all"  # the word for learning from every image that the split offers


@dataclass(frozen=True)
class Configuration:
    """Settings that are compared with others, under a short name."""

    name: str
    settings: Settings

    @property
    def backbone(self) -> str:
        """The networks that look, and at what size: what has to stand beside a figure when it is compared."""
        extractor = self.settings.extractor
        part = create("extractor", extractor.name, **extractor.options)  # knows what its options are if nobody says
        found = dict.fromkeys(_backbones(written_out({"name": extractor.name}, part)))
        height, width = self.settings.images.crop or self.settings.images.size
        return (
            f"{' + '.join(found) or extractor.name}, {f'{height} px' if height == width else f'{height} x {width} px'}"
        )

    def for_seed(self, seed: int) -> Settings:
        """Give the settings of one run: the seed decides the sampler too, and every image is learned from.

        Protocols learn from all images that the split gives; those for a threshold are a part of the split.
        """
        written = self.settings.to_dict()
        if "seed" in option_names("sampler", self.settings.sampler.name):
            written["sampler"]["seed"] = seed
        written["calibration"]["holdout"] = 0.0
        return Settings.from_dict(written)


class Run(NamedTuple):
    """One run: a configuration learns ``shots`` good images of a category (None: all) and is tested on the rest."""

    category: str
    configuration: Configuration
    shots: int | None
    seed: int

    @property
    def title(self) -> str:
        """What to call it on the terminal."""
        return f"{self.category}, {self.configuration.name}, {images_in_words(self.shots)}, seed {self.seed}"


@dataclass(frozen=True)
class Protocol:
    """Everything that is run, on which data; ``pixels``: whether heat maps are compared with masks."""

    dataset: Dataset
    categories: tuple[str, ...]
    configurations: tuple[Configuration, ...]
    seeds: tuple[int, ...]
    shots: tuple[int | None, ...]
    pixels: bool

    def runs(self) -> Iterator[Run]:
        """Yield each run; those that can share features stand together, with most images first."""
        for category in self.categories:
            for configuration in self.configurations:
                for shots in self.shots:
                    for seed in self.seeds:
                        yield Run(category, configuration, shots, seed)

    def split(self, run: Run) -> Split:
        """Give the images of a run. One that learns from few images has none for a threshold either.

        Raises: InputError when the category has fewer images to learn from than are asked for.
        """
        split = self.dataset.split(run.category, run.seed)
        return split if run.shots is None else replace(split.low_shot(run.shots, run.seed), calibrate=())


def chosen_categories(dataset: Dataset, asked: Sequence[str]) -> tuple[str, ...]:
    """Give the categories that were asked for in the data set's order; all of them where none was."""
    for name in asked:
        if name not in dataset.categories:
            raise ConfigError(
                f"{dataset.root} has no category {name!r}.{did_you_mean(name, dataset.categories)} "
                f"Categories: {listed(dataset.categories)}."
            )
    return tuple(name for name in dataset.categories if not asked or name in asked)


def parsed_seeds(text: str) -> tuple[int, ...]:
    """Read ``"0,1,2"``."""
    return _parsed(text, "--seeds", "0,1,2,3,4", least=0)


def parsed_shots(text: str) -> tuple[int | None, ...]:
    """Read ``"all,1,5"``; None stands for all images, which come first, then larger numbers before smaller ones."""
    words = [word.strip() for word in text.split(",")]
    counts = [word for word in words if word != ALL_IMAGES]
    numbers = _parsed(",".join(counts), "--shots", f"{ALL_IMAGES},1,5,10", least=1) if counts else ()
    few = sorted(numbers, reverse=True)
    return (None, *few) if len(counts) < len(words) else tuple(few)


def images_in_words(shots: int | None) -> str:
    """Say how many images are learned from."""
    return "all images" if shots is None else f"{shots} image{'s' if shots > 1 else ''}"


def _parsed(text: str, option: str, example: str, *, least: int) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) >= least for word in words):
        raise ConfigError(
            f"{option} is {text!r}, but whole numbers of at least {least} with commas between them are needed, "
            f"such as {example}."
        )
    return tuple(dict.fromkeys(int(word) for word in words))


def _backbones(value: Any) -> Iterator[str]:
    """Find the networks in an extractor's options, those of the extractors inside it too."""
    if isinstance(value, dict):
        inside = (*value.get("members", ()), *([value["of"]] if "of" in value else []))
        if "backbone" in value or not inside:
            yield str(value.get("backbone", value.get("name", "")))
        for one in inside:
            yield from _backbones(one)
