"""What one run leaves behind: figures, what they cost, and each image's score, so that nothing has to be run again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from patchcore_plugin.datasets.split import GOOD


@dataclass(frozen=True)
class Seen:
    """One test image: what it is, what it scored, and where its heat lies.

    Units:  score raw; alarm at the run's threshold; ``defect_share`` of the image's pixels, ``on_defect``: whether the
            hottest point lies on the defect. Both are None without a mask.
    """

    name: str
    kind: str
    score: float
    alarm: bool
    defect_share: float | None = None
    on_defect: bool | None = None

    @property
    def bad(self) -> bool:
        """True for a defective image."""
        return self.kind != GOOD


@dataclass(frozen=True)
class Cost:
    """What a run took.

    Units:  seconds of wall time, compiling left out; ``score_ms`` an image, from file to score. Both None where the
            features came from an earlier run. Bytes of the whole process at its most during fit and score; None where
            the system does not say.
    """

    fit_seconds: float | None
    score_ms: float | None
    peak_bytes: int | None
    learned_images: int
    bank_rows: int


@dataclass(frozen=True)
class Picture:
    """A mistake to look at: the photograph with its defect outlined, and its heat map, as data URIs of one size."""

    name: str
    photo: str
    heat: str
    width: int
    height: int


@dataclass(frozen=True)
class Record:
    """One finished run.

    ``identity`` is all that decides it (see ``ledger``); ``wall_seconds`` its time as a whole, for the estimate.
    ``figures`` and ``by_defect`` are shares, 0..1, but for thresholds. ``threshold_from`` is ``"calibration"`` or
    ``"hindsight"``. ``curve`` is the PRO curve as (false alarm rates, overlaps); None without masks.
    """

    identity: dict[str, Any]
    figures: dict[str, float]
    interval: tuple[float, float]
    by_defect: dict[str, float]
    threshold: float
    threshold_from: str
    cost: Cost
    images: tuple[Seen, ...]
    pictures: tuple[Picture, ...]
    curve: tuple[list[float], list[float]] | None
    wall_seconds: float

    @property
    def category(self) -> str:
        """Of the data set."""
        return str(self.identity["category"])

    @property
    def configuration(self) -> str:
        """Its name."""
        return str(self.identity["configuration"])

    @property
    def shots(self) -> int | None:
        """How many images it learned from; None: all."""
        shots: int | None = self.identity["shots"]
        return shots

    @property
    def seed(self) -> int:
        """Of the split and the sampler."""
        return int(self.identity["seed"])

    def to_dict(self) -> dict[str, Any]:
        """Give plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Record:
        """Read what ``to_dict`` gave.

        Raises: KeyError, TypeError or ValueError for anything else.
        """
        low, high = data["interval"]
        curve = None if data["curve"] is None else (list(data["curve"][0]), list(data["curve"][1]))
        return cls(
            **data
            | {
                "interval": (float(low), float(high)),
                "cost": Cost(**data["cost"]),
                "images": tuple(Seen(**one) for one in data["images"]),
                "pictures": tuple(Picture(**one) for one in data["pictures"]),
                "curve": curve,
            }
        )
