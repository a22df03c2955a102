"""The sections of a configuration as checked values; each description completes the sentence "... is needed"."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from patchcore_plugin.byte_sizes import bytes_of


def _no_truth_value(value: Any) -> Any:
    # Python counts true as 1: a slip in a file would pass for a size or a share.
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    return value


def _square(value: Any) -> Any:
    return value if isinstance(value, (str, list, tuple)) or value is None else (value, value)


def _none_word(value: Any) -> Any:
    # TOML has no word for "no value", yet a file must be able to take back what its preset sets.
    return None if isinstance(value, str) and value.lower() == "none" else value


def _bytes(value: Any) -> Any:
    return bytes_of(value) if isinstance(value, str) and value.lower() != "none" else _none_word(value)


def _each_once(value: Any) -> Any:
    several = [value] if isinstance(value, str) else value  # one word alone: quotes are a nuisance on a command line
    if isinstance(several, (list, tuple)) and len(set(map(str, several))) < len(several):
        raise ValueError("named twice")
    return several


Whole = Annotated[int, BeforeValidator(_no_truth_value)]
Real = Annotated[float, BeforeValidator(_no_truth_value)]
Positive = Annotated[Real, Field(gt=0)]
Flip = Literal["horizontal", "vertical", "both"]
Size = Annotated[tuple[Annotated[Whole, Field(gt=0)], Annotated[Whole, Field(gt=0)]], BeforeValidator(_square)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ImageSettings(_Section):
    """How an image becomes pixels for the network."""

    size: Size = Field(
        default=(224, 224), description="[height, width] in whole pixels above 0, or one number for a square,"
    )
    resize: Literal["stretch", "shorter-side"] = Field(
        default="stretch",
        description='"stretch" (to exactly the size) or "shorter-side" (the shorter side to the size, shape kept)',
    )
    crop: Annotated[Size | None, BeforeValidator(_none_word)] = Field(
        default=None, description='[height, width] in whole pixels above 0, one number for a square, or "none"'
    )
    mean: tuple[Real, Real, Real] = Field(
        default=(0.5, 0.5, 0.5), description="three numbers, one each for red, green and blue,"
    )
    std: tuple[Positive, Positive, Positive] = Field(
        default=(0.5, 0.5, 0.5), description="three numbers above 0, one each for red, green and blue,"
    )
    white_level: Annotated[Positive | None, BeforeValidator(_none_word)] = Field(
        default=None, description='a number above 0 (the value that counts as white in 16-bit images) or "none"'
    )
    flips: Annotated[tuple[Flip, ...], BeforeValidator(_each_once)] = Field(
        default=(),
        description='a list of "horizontal", "vertical" and "both" (turned by 180 degrees), each at most once,',
    )

    @model_validator(mode="after")
    def _one_shape_for_all(self) -> ImageSettings:
        if self.resize == "shorter-side" and (self.crop is None or self.size[0] != self.size[1]):
            raise ValueError(
                f'images.resize is "shorter-side", which takes one number as size and a crop, so that all images get '
                f"one shape; but images.size is {self.size} and images.crop is {self.crop}"
            )
        return self

    @model_validator(mode="after")
    def _crop_fits(self) -> ImageSettings:
        if self.crop and (self.crop[0] > self.size[0] or self.crop[1] > self.size[1]):
            raise ValueError(
                f"images.crop is {self.crop}, but it is cut from the middle of size {self.size}: at most that"
            )
        return self


class EmbeddingSettings(_Section):
    """What becomes of patch embeddings before they are remembered or compared."""

    whitening: Annotated[Real, Field(ge=0, le=1)] = Field(
        default=0.0, description="a number from 0 (as the network gives them) to 1 (all directions vary alike)"
    )


class ScoringSettings(_Section):
    """How distances become scores and maps."""

    neighbors: Annotated[Whole, Field(ge=1)] = Field(
        default=1, description="a whole number of at least 1 (how many nearest rows a patch score is the mean of)"
    )
    distance: Literal["euclidean", "squared"] = Field(default="euclidean", description='"euclidean" or "squared"')
    reweight_neighbors: Annotated[Whole, Field(ge=1)] = Field(
        default=1, description="a whole number of at least 1 (b of Eq. 7; 1 leaves the maximum as it is)"
    )
    top_share: Annotated[Real, Field(ge=0, le=1)] = Field(
        default=0.0, description="a share of an image's patches, from 0 (the worst one alone) to 1,"
    )
    image_sigma: Annotated[Real, Field(ge=0)] = Field(
        default=0.0, description="a number of at least 0, in patches (smooths patch scores before an image's),"
    )
    sigma: Annotated[Real, Field(ge=0)] = Field(
        default=4.0, description="a number of at least 0, in pixels of the network's input,"
    )
    map_resize: Literal["bilinear", "nearest"] = Field(default="bilinear", description='"bilinear" or "nearest"')
    map_border: Literal["symmetric", "reflect"] = Field(
        default="symmetric", description='"symmetric" (edge pixel repeated) or "reflect" (not repeated)'
    )
    bank_dtype: Literal["float32", "float16"] = Field(default="float32", description='"float32" or "float16"')

    @model_validator(mode="after")
    def _one_rule_for_images(self) -> ScoringSettings:
        if self.reweight_neighbors > 1 and (self.top_share or self.image_sigma):
            raise ValueError(
                f"scoring.reweight_neighbors is {self.reweight_neighbors}: Eq. 7 weighs the worst patch, but with "
                f"scoring.top_share {self.top_share} and scoring.image_sigma {self.image_sigma} an image's score is "
                "made of several; set one or the others"
            )
        return self


class CleaningSettings(_Section):
    """Which of the good images are not to be trusted."""

    drop: Annotated[Real, Field(ge=0, lt=1)] = Field(
        default=0.0, description="a share of the images, 0 <= drop < 1, that are left out as least like the others,"
    )
    seed: Annotated[Whole, Field(ge=0)] = Field(default=0, description="a whole number of at least 0")


class CalibrationSettings(_Section):
    """How raw scores of good images become p-values and a threshold."""

    holdout: Annotated[Real, Field(ge=0, lt=1)] = Field(
        default=0.1, description="a share of the good images, 0 <= holdout < 1,"
    )
    false_alarm_rate: Annotated[Real, Field(gt=0, lt=1)] = Field(
        default=0.05, description="a share of the good images, above 0 and below 1,"
    )
    seed: Annotated[Whole, Field(ge=0)] = Field(default=0, description="a whole number of at least 0")


class MemorySettings(_Section):
    """How much memory a fit may take; changes where embeddings wait for the sampler, never what comes out."""

    budget: Annotated[Annotated[Whole, Field(gt=0)] | None, BeforeValidator(_bytes)] = Field(
        default=None,
        description='a size such as "2 GiB" (KiB, MiB, GiB, kB, MB, GB, or a whole number of bytes) or "none"',
    )


class PartSettings(BaseModel):
    """Which part, and its own options; those are checked by the part's declaration when it is created."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field(min_length=1, description="the name of a part, as `patchcore plugins` lists them,")

    @property
    def options(self) -> dict[str, Any]:
        """The part's own options by name."""
        return dict(self.model_extra or {})
